"""The door of the admin site."""

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.utils import timezone

from gpuaas.accounts import selectors
from gpuaas.accounts.models import User


class ManagersSite(AdminSite):
    """Lets in platform administrators, and managers for as long as they manage a team."""

    def has_permission(self, request: HttpRequest) -> bool:
        user = request.user
        return isinstance(user, User) and selectors.may_administer(user, now=timezone.now())
