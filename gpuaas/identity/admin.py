"""What the directory gives, who came from it, and lost second factors, in the admin site."""

from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.idp.oidc.models import Client, Token
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone

from gpuaas.accounts.models import User
from gpuaas.core.admin import ReadOnlyAdmin, TypedAdmin
from gpuaas.identity import services
from gpuaas.identity.models import DirectoryGroup, DirectoryPerson

# Providers come from the environment and clients from a command; the rest is allauth's own.
for hidden in (
    *(Authenticator, Client, EmailAddress, EmailConfirmation, SocialAccount),
    *(SocialApp, SocialToken, Token, UserSession),
):
    if admin.site.is_registered(hidden):
        admin.site.unregister(hidden)


@admin.register(DirectoryGroup)
class DirectoryGroupAdmin(TypedAdmin[DirectoryGroup]):
    """Which group of the directory gives which role; applied at once.  Platform administrators."""

    list_display = ("group", "team", "role", "organisation_role", "provider")
    list_filter = ("provider", "team")
    list_select_related = ("team",)
    search_fields = ("group",)
    fields = ("provider", "group", "team", "role", "organisation_role")
    autocomplete_fields = ("team",)
    actions = None

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, str | list[str]]:
        return {"provider": settings.OIDC_ID, **super().get_changeform_initial_data(request)}

    def save_model(
        self,
        request: HttpRequest,
        obj: DirectoryGroup,
        form: "ModelForm[DirectoryGroup]",  # noqa: ARG002
        change: bool,  # noqa: ARG002, FBT001 -- Django's signature
    ) -> None:
        services.give_by_group(rule=obj, by=_user(request), now=timezone.now())

    def delete_model(self, request: HttpRequest, obj: DirectoryGroup) -> None:
        services.take_from_group(rule=obj, by=_user(request), now=timezone.now())


@admin.register(DirectoryPerson)
class DirectoryPersonAdmin(ReadOnlyAdmin[DirectoryPerson]):
    list_display = ("user", "provider", "confirmed_at", "asked_at", "last_error", "ended_at")
    list_filter = ("provider", "is_local")
    list_select_related = ("user",)
    search_fields = ("user__username", "subject")
    fields = (
        *("user", "provider", "subject", "is_local", "groups", "organisation_role"),
        *("confirmed_at", "asked_at", "last_error", "ended_at"),
    )


@admin.register(Authenticator)
class AuthenticatorAdmin(ReadOnlyAdmin[Authenticator]):
    """Second factors without their secrets; deleting one helps who has lost theirs."""

    list_display = ("user", "type", "created_at", "last_used_at")
    list_filter = ("type",)
    list_select_related = ("user",)
    search_fields = ("user__username",)
    fields = ("user", "type", "created_at", "last_used_at")
    actions = None

    def has_delete_permission(self, request: HttpRequest, obj: Authenticator | None = None) -> bool:  # noqa: ARG002
        return _user(request).is_superuser

    def delete_model(self, request: HttpRequest, obj: Authenticator) -> None:
        services.remove_second_factor(factor=obj, by=_user(request), now=timezone.now())


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 -- the admin site lets nobody else in
    return request.user
