"""``/profile/``: who one is here, and how one wants pages and mails."""

from http import HTTPStatus

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from gpuaas.accounts import services
from gpuaas.accounts.models import User
from gpuaas.portal.access import PortalRequest, for_people
from gpuaas.portal.forms.profile import ProfileForm


@require_http_methods(["GET", "HEAD", "POST"])
@for_people
def profile(request: PortalRequest, user: User) -> HttpResponse:
    """Show the profile; keep language, time zone and theme."""
    if request.method != "POST":
        shown = {name: getattr(user, name) for name in ProfileForm.base_fields}
        return render(request, "portal/profile.html", {"form": ProfileForm(initial=shown)})
    form = ProfileForm(request.POST)
    if not form.is_valid():
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return render(request, "portal/profile.html", {"form": form}, status=status)
    services.change_profile(person=user, look=services.Look(**form.cleaned_data))
    with translation.override(form.cleaned_data["language"] or translation.get_language()):
        messages.success(request, _("Saved. Pages and mails are like this from now on."))
    return redirect("portal:profile")
