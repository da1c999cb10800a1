"""How allauth is bent to a company's needs."""

import logging
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Literal

import requests
from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.idp.oidc.adapter import DefaultOIDCAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.base import AuthProcess
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.forms import Form
from django.http import HttpRequest
from django.shortcuts import render
from django.utils import timezone

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import User
from gpuaas.core import sealing
from gpuaas.core.errors import DomainError
from gpuaas.identity import directory, selectors, services

logger = logging.getLogger(__name__)


class ClosedSignupAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth is untyped
    """Accounts are made by administrators or an identity provider, never by passers-by."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002 -- allauth's signature
        return False


class SealedSecretsAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth is untyped
    """Second factors, whose secrets lie sealed in the database."""

    def get_totp_issuer(self) -> str:
        return "GPUaaS"

    def encrypt(self, text: str) -> str:
        return sealing.seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        return sealing.unseal(encrypted_text)


class DirectoryAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # allauth is untyped
    """Whom the company's directory lets in, and as whom."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:  # noqa: ARG002
        return True  # `pre_social_login` has refused everybody else

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Let in who is in an allowed group; take back what the directory no longer gives."""
        if sociallogin.state.get("process") == AuthProcess.CONNECT:
            raise _refusal(request, "Accounts are linked by logging in with the directory.")
        answer = _answer(sociallogin)
        try:
            services.require_entry(answer=answer, allowed=frozenset(settings.OIDC_ALLOWED_GROUPS))
            is_linked = not sociallogin.is_existing and self._link(request, sociallogin)
            if sociallogin.is_existing:
                services.admit_person(
                    user=sociallogin.user, answer=answer, is_local=is_linked, now=timezone.now()
                )
        except services.NotInTheDirectory as refused:
            _end(sociallogin, reason="no group that is allowed in is left")
            raise _refusal(request, str(refused)) from refused
        except DomainError as refused:
            raise _refusal(request, str(refused)) from refused

    def save_user(
        self, request: HttpRequest, sociallogin: SocialLogin, form: Form | None = None
    ) -> User:
        """Make the account of somebody who is here for the first time."""
        user: User = super().save_user(request, sociallogin, form)
        services.admit_person(
            user=user, answer=_answer(sociallogin), is_local=False, now=timezone.now()
        )
        return user

    def get_requests_session(self) -> requests.Session:
        """Return what allauth talks to the directory with; its silence becomes a page of ours."""
        session: requests.Session = super().get_requests_session()
        ask = session.request

        def request(*args: Any, **options: Any) -> requests.Response:
            try:
                response = ask(*args, **options)
                if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    response.raise_for_status()
            except requests.RequestException as error:
                logger.warning("directory did not answer at a login", exc_info=error)
                page = "socialaccount/authentication_error.html"
                raise ImmediateHttpResponse(
                    render(context.request, page, status=HTTPStatus.BAD_GATEWAY)
                ) from error
            return response

        session.request = request  # type: ignore[method-assign]  # as allauth itself does
        return session

    def _link(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Link a local account of the same e-mail address if that is allowed; refuse if not.

        An address that the directory has not verified says nothing: anybody could have entered
        it there, and would get the account here.
        """
        addresses = {each.email.lower(): each.verified for each in sociallogin.email_addresses}
        owner = accounts.owner_of_email(addresses)
        if owner is None:
            return False
        if settings.OIDC_LINK_VERIFIED_EMAIL and addresses.get(owner.email.lower()):
            sociallogin.connect(request, owner)
            return True
        raise services.AddressTaken(
            "There is an account with your e-mail address here that is not linked to the"
            " directory. Ask a platform administrator."
        )


class ProviderAdapter(DefaultOIDCAdapter):  # type: ignore[misc]  # allauth is untyped
    """What we say about our people where we are the identity provider."""

    scope_display = DefaultOIDCAdapter.scope_display | {
        "groups": "See your teams and your roles in them",
        "offline_access": "Ask again while you are away",
    }

    def get_issuer(self) -> str:
        return settings.BASE_URL.rstrip("/")

    def get_claims(
        self,
        purpose: Literal["id_token", "userinfo"],
        user: AbstractBaseUser,
        client: Any,
        scopes: Iterable[str],
        email: str | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Add the teams as groups: ``vision`` and ``vision:manager``, ``organisation:finance``."""
        claims: dict[str, Any] = super().get_claims(purpose, user, client, scopes, email, **kwargs)
        assert isinstance(user, User)  # noqa: S101 -- there is no other user model
        if "email" in scopes and user.email:
            claims.setdefault("email", user.email)
            claims.setdefault("email_verified", False)
        if "groups" in scopes:
            claims["groups"] = selectors.groups_given_by(user, now=timezone.now())
        return claims


def _answer(sociallogin: SocialLogin) -> services.Answer:
    data = sociallogin.account.extra_data
    claims = {**(data.get("id_token") or {}), **(data.get("userinfo") or {})}
    return services.Answer(
        provider=sociallogin.account.provider,
        subject=sociallogin.account.uid,
        groups=directory.groups_in(claims, settings.OIDC_GROUPS_CLAIM),
        refresh_token=(sociallogin.token.token_secret or "") if sociallogin.token else "",
    )


def _end(sociallogin: SocialLogin, *, reason: str) -> None:
    person = selectors.directory_person(sociallogin.user) if sociallogin.is_existing else None
    if person is not None:
        services.end_access(person=person, reason=reason, now=timezone.now())


def _refusal(request: HttpRequest, message: str) -> ImmediateHttpResponse:
    return ImmediateHttpResponse(
        render(request, "socialaccount/refused.html", {"message": message}, status=403)
    )
