"""The OpenAPI document as it is served, and the page that shows it."""

import json
import re

import pytest
import yaml
from django.test import Client
from rest_framework.test import APIClient

from gpuaas.api import openapi
from tests import make
from tests.api.clients import client_of

pytestmark = pytest.mark.django_db

SCHEMA = "/api/v1/schema/"
DOCS = "/api/v1/docs/"


@pytest.fixture
def member() -> APIClient:
    return client_of(make.user(teams=[make.team()]))


def test_the_document_is_json_unless_somebody_accepts_only_yaml(member: APIClient) -> None:
    as_json = member.get(SCHEMA)
    as_yaml = member.get(SCHEMA, headers={"Accept": "application/vnd.oai.openapi"})

    assert as_json.headers["Content-Type"] == "application/json"
    assert json.loads(as_json.content) == yaml.safe_load(as_yaml.content) == openapi.document()
    assert json.loads(as_json.content)["openapi"].startswith("3.1.")


def test_every_operation_says_how_one_logs_in_and_that_one_can_fail() -> None:
    for methods in openapi.document()["paths"].values():
        for operation in methods.values():
            assert operation["security"] == [{"token": []}]
            assert "401" in operation["responses"]
            assert operation["tags"][0] in openapi.TAGS


def test_a_post_that_is_done_once_takes_an_idempotency_key() -> None:
    header = {"$ref": "#/components/parameters/IdempotencyKey"}

    booking = openapi.document()["paths"]["/api/v1/reservations/"]

    assert header in booking["post"]["parameters"]
    assert header not in booking["get"]["parameters"]


def test_the_page_fetches_nothing_from_elsewhere(client: Client) -> None:
    client.force_login(make.user(teams=[make.team()]))

    page = client.get(DOCS)

    fetched = re.findall(r'(?:src|href|data-document)="([^"]+)"', page.content.decode())
    assert page.status_code == 200
    assert SCHEMA in fetched
    assert [each for each in fetched if not each.startswith(("/", "#"))] == []
    assert "'unsafe-inline'" not in page.headers["Content-Security-Policy"]
