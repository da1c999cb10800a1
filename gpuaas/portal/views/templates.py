"""``/templates/``: what one books again and again."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST

from gpuaas.accounts.models import User
from gpuaas.core.errors import DomainError
from gpuaas.core.modes import AllocationMode
from gpuaas.core.sentences import in_language
from gpuaas.portal.access import PortalRequest, for_people
from gpuaas.portal.cards.templates import template_cards
from gpuaas.portal.forms.templates import TemplateForm
from reservations import selectors, services


@require_http_methods(["GET", "HEAD", "POST"])
@for_people
def templates(request: PortalRequest, user: User) -> HttpResponse:
    """Show them; make one of a booking."""
    now = timezone.now()
    if request.method == "POST":
        return _make(request, user)
    found = selectors.templates_visible_to(user, now=now)
    return render(request, "portal/templates.html", {"templates": template_cards(found, now)})


@require_POST
@for_people
def delete(request: PortalRequest, user: User, public_id: UUID) -> HttpResponse:
    """Forget one; what was booked with it stays."""
    now = timezone.now()
    visible = selectors.templates_visible_to(user, now=now)
    template = get_object_or_404(visible, public_id=public_id)
    try:
        services.delete_template(template=template, actor=user, now=now)
    except DomainError as refused:
        messages.error(
            request,
            gettext("Nothing was changed: {refused}.").format(refused=in_language(str(refused))),
        )
    else:
        messages.success(
            request,
            gettext("{template_name} is deleted. What was booked with it stays.").format(
                template_name=template.name
            ),
        )
    return redirect("portal:templates")


def _make(request: PortalRequest, user: User) -> HttpResponse:
    """Keep what a booking is under a name."""
    now = timezone.now()
    form = TemplateForm(request.POST)
    if not form.is_valid():
        messages.error(request, gettext("Give the template a name of at most 60 letters."))
        return redirect("portal:templates")
    of = get_object_or_404(
        selectors.reservations_visible_to(user, now=now), public_id=form.cleaned_data["of"]
    )
    try:
        services.save_template(
            owner=user,
            team=of.team,
            pool=of.pool,
            name=form.cleaned_data["name"],
            is_shared=form.cleaned_data["is_shared"],
            pattern=services.Pattern(
                resource_name=of.resource_name,
                units=of.units,
                minutes=int(of.window.length.total_seconds() // 60),
                mode=AllocationMode(of.mode),
                cpu_millicores=of.cpu_millicores,
                memory_mib=of.memory_mib,
                storage_gib=of.storage_gib,
                purpose=of.purpose,
            ),
            now=now,
        )
    except DomainError as refused:
        messages.error(
            request,
            gettext("Nothing was kept: {refused}.").format(refused=in_language(str(refused))),
        )
        return redirect("portal:reservation", of.public_id)
    messages.success(request, gettext("Kept. You find it above the booking form."))
    return redirect("portal:templates")
