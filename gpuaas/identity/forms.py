"""allauth's forms, for accounts whose password is somebody else's."""

from typing import Any

from allauth.account.forms import ResetPasswordForm, SetPasswordForm
from django.forms import ValidationError

from gpuaas.accounts.models import User


class ResetOwnPasswordForm(ResetPasswordForm):  # type: ignore[misc]  # allauth is untyped
    """Whoever comes from the directory has no password here, and cannot get one by e-mail."""

    users: list[User]

    def clean_email(self) -> str:
        email: str = super().clean_email()
        self.users = [user for user in self.users if user.has_usable_password()]
        return email


class NoFirstPasswordForm(SetPasswordForm):  # type: ignore[misc]  # allauth is untyped
    """A second way in, past the directory, would outlive what the directory says."""

    def clean(self) -> dict[str, Any]:
        raise ValidationError("You log in with your company's directory: change it there.")
