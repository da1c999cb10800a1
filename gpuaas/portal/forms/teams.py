"""What managers type about the people of their team, and administrators about teams."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext

from gpuaas.accounts import selectors
from gpuaas.accounts.models import MembershipRole
from gpuaas.core.language import later
from gpuaas.portal.forms.booking import MomentField

if TYPE_CHECKING:
    from gpuaas.accounts.models import User


class MemberForm(forms.Form):
    """A role in a team, and until when; without an end it stands until it is taken away."""

    role = forms.ChoiceField(choices=MembershipRole.choices, initial=MembershipRole.MEMBER)
    expires_at = MomentField(required=False)


class NewMemberForm(MemberForm):
    """Besides, who: a user name, or the e-mail address of one person alone."""

    person = forms.CharField(
        max_length=254,
        error_messages={"required": later("Enter a user name or an e-mail address.")},
    )

    def clean_person(self) -> "User":
        found = selectors.person_called(self.cleaned_data["person"])
        if found is None:
            raise forms.ValidationError(
                gettext("There is nobody with that user name or address, or more than one."),
                code="unknown",
            )
        return found


class TeamForm(forms.Form):
    """What a team is called, and who pays."""

    name = forms.CharField(label=later("Name"), max_length=80)
    cost_centre = forms.CharField(label=later("Cost centre"), max_length=40, required=False)
    description = forms.CharField(label=later("Description"), max_length=200, required=False)


class NewTeamForm(TeamForm):
    """Besides, what addresses call it, for good."""

    slug = forms.SlugField(
        label=later("Short name"),
        max_length=40,
        help_text=later(
            "In addresses and in the API. It stays, whatever the team is called later."
        ),
    )

    field_order = ("name", "slug", "cost_centre", "description")


def refuse(form: forms.Form, field: str | None, refused: Any) -> None:
    """Put what the domain says against what was typed beside its field."""
    text = str(refused)
    form.add_error(field, f"{text[:1].upper()}{text[1:]}.")
