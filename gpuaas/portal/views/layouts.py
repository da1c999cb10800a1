"""``/inventory/layouts/``: a GPU is cut otherwise for a while."""

from http import HTTPStatus
from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST

from gpuaas.core.errors import DomainError
from gpuaas.core.sentences import in_language
from gpuaas.inventory import layouts, selectors
from gpuaas.inventory import services as inventory
from gpuaas.portal.access import PortalRequest, for_administrators, for_people
from gpuaas.portal.forms.hardware import LayoutForm
from reservations import services

if TYPE_CHECKING:
    from gpuaas.accounts.models import User


@require_http_methods(["GET", "HEAD", "POST"])
@for_people
@for_administrators
def plan_layout(request: PortalRequest, user: "User") -> HttpResponse:
    """Plan how a GPU is cut for a while; say everything that stands in the way."""
    gpus = {
        f"{node.pk}/{index}": (node, index, cut, cuts)
        for node, index, cut, cuts in selectors.gpus_to_cut()
    }
    cuts = {
        f"{name}={count}": {name: count}
        for *_, possible in gpus.values()
        for each in possible
        for name, count in each.items()
    }
    form = LayoutForm(
        request.POST if request.method == "POST" else None,
        gpus=[
            (
                value,
                gettext("{node}: GPU {index}, now {in_words}").format(
                    node=node, index=index, in_words=layouts.in_words(cut)
                ),
            )
            for value, (node, index, cut, _) in gpus.items()
        ],
        cuts=[(value, _sentence(layouts.in_words(cut))) for value, cut in cuts.items()],
    )
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        node, index, *_ = gpus[given["gpu"]]
        try:
            services.plan_layout(
                node=node,
                gpu_index=index,
                cut=cuts[given["cut"]],
                times=layouts.Times(given["starts_at"], given["ends_at"]),
                reason=given["reason"],
                actor=user,
                now=timezone.now(),
            )
        except inventory.LayoutRefused as refused:
            for problem in refused.problems:
                field = problem.field if problem.field in form.fields else "gpu"
                form.add_error(field, f"{_sentence(problem.message)}.")
        except DomainError as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(
                request, gettext("Planned: what exists when can be booked from now on.")
            )
            return redirect("portal:hardware")
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    minutes = int(layouts.CHANGE_TAKES.total_seconds() // 60)
    context = {"form": form, "minutes": minutes, "has_gpus": bool(gpus)}
    return render(request, "portal/plan_layout.html", context, status=status)


@require_POST
@for_people
@for_administrators
def cancel_layout(request: PortalRequest, user: "User", number: int) -> HttpResponse:
    """Take a layout back that has not begun."""
    layout = get_object_or_404(selectors.planned_layouts(), pk=number)
    try:
        services.cancel_layout(layout=layout, actor=user, now=timezone.now())
    except DomainError as refused:
        messages.error(
            request,
            gettext("Nothing was changed: {refused}.").format(refused=in_language(str(refused))),
        )
    else:
        messages.success(request, gettext("Cancelled."))
    return redirect("portal:hardware")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
