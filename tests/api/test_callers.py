"""Only people call the API."""

import pytest
from django.contrib.auth.models import AnonymousUser
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from gpuaas.api.callers import caller


def test_nobody_is_not_a_caller() -> None:
    request = Request(APIRequestFactory().get("/"))
    request.user = AnonymousUser()

    with pytest.raises(NotAuthenticated):
        caller(request)
