"""What a log record carries besides its message."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from gpuaas.celery import app
from gpuaas.core import logs
from reconciler import cluster as port
from reconciler.phases import start
from reconciler.provision import Job
from tests import make
from tests.reconciler.conftest import Installation, installation, simulator

__all__ = ["installation", "simulator"]


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Yield where records go, written as in production."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logs.json_formatter())
    root = logging.getLogger()
    root.addHandler(handler)
    yield out
    root.removeHandler(handler)
    structlog.contextvars.clear_contextvars()


def records(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def answer_to(request: HttpRequest) -> HttpResponse:
    def view(_: HttpRequest) -> HttpResponse:
        logging.getLogger("gpuaas").warning("something happened")
        return HttpResponse()

    return logs.NameRequests(view)(request)


def test_a_request_has_a_name_that_its_records_and_its_answer_carry(written: io.StringIO) -> None:
    answer = answer_to(RequestFactory().get("/"))

    (record,) = records(written)
    assert record["request_id"] == answer["X-Request-ID"]
    assert len(record["request_id"]) == 32


def test_the_name_that_a_proxy_gave_is_kept(written: io.StringIO) -> None:
    answer = answer_to(RequestFactory().get("/", headers={"X-Request-ID": "edge-0123.ab"}))

    assert answer["X-Request-ID"] == "edge-0123.ab"
    assert records(written)[0]["request_id"] == "edge-0123.ab"


@pytest.mark.parametrize("given", ["short", "a" * 65, "with space 1", 'quo"te1234', "line\nbreak1"])
def test_what_is_no_name_is_not_written_into_records(given: str, written: io.StringIO) -> None:
    request = RequestFactory().get("/")
    request.META["HTTP_X_REQUEST_ID"] = given

    answer = answer_to(request)

    assert answer["X-Request-ID"] != given
    assert records(written)[0]["request_id"] == answer["X-Request-ID"]


def test_the_name_ends_with_the_request(written: io.StringIO) -> None:
    answer_to(RequestFactory().get("/"))
    logging.getLogger("gpuaas").warning("afterwards")

    assert "request_id" not in records(written)[-1]


def test_every_answer_of_the_product_has_one() -> None:
    assert Client().get("/healthz")["X-Request-ID"]


def test_a_task_names_its_records(written: io.StringIO) -> None:
    @app.task(name="tests.says_something")
    def says_something() -> None:
        logging.getLogger("gpuaas").warning("at work")

    try:
        says_something.apply(task_id="7")
    finally:
        del app.tasks["tests.says_something"]

    (mine,) = [each for each in records(written) if each["event"] == "at work"]
    assert mine["task_id"] == "7"
    assert mine["task"] == "tests.says_something"


def test_what_goes_wrong_with_a_session_names_it(
    installation: Installation,
    written: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make.reservation(of=installation.pool, at=make.window(0, 4))
    begin = start.act

    def act(*arguments: Any) -> Any:
        job = begin(*arguments)
        assert isinstance(job, Job)

        def work() -> Any:
            logging.getLogger("gpuaas").warning("on a thread")
            raise port.ClusterUnavailable("no answer")

        return Job(work, job.record)

    monkeypatch.setattr(start, "act", act)
    installation.reconcile()

    mine = [each for each in records(written) if each["event"] in {"on a thread", "item put off"}]
    assert mine
    names = {each.get("namespace") for each in mine if each["event"] == "on a thread"}
    assert len(names) == 1
    assert None not in names
