"""``/planning/``: what a million tokens cost, what to buy, own or rent."""

from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import retarget

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import User
from gpuaas.core.errors import DomainError
from gpuaas.core.sentences import in_language
from gpuaas.portal.access import PortalRequest, for_people
from gpuaas.portal.cards.planning import Sheet, sheet
from gpuaas.portal.cards.scenario_fields import with_typed
from gpuaas.portal.forms.planning import DocumentForm
from tokenomics import documents, selectors, services
from tokenomics.models import SavedScenario

MOST_LISTED: Final = 200
_STATUS: Final = {
    documents.ScenarioRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    services.NotYourScenario: HTTPStatus.FORBIDDEN,
}


@require_http_methods(["GET", "HEAD", "POST"])
@for_people
def planning(request: PortalRequest, user: User) -> HttpResponse:
    """Show the answers to a scenario: the example, a saved one, or what was typed or chosen."""
    if request.method == "POST":
        return _page(request, user, _given(request).text())
    if wanted := request.GET.get("scenario"):
        saved = _found(user, wanted)
        return _page(request, user, saved.document, saved=saved)
    return _page(request, user, documents.example_text())


@require_POST
@for_people
def answers(request: PortalRequest, user: User) -> HttpResponse:  # noqa: ARG001 -- for everybody
    """Compute what was typed; with problems, say them beside and leave the answers as they are.

    ``changed`` tells what was: the text, or a field beside it.
    """
    text = DocumentForm(request.POST).text()
    is_field = request.POST.get("changed", "yaml") != "yaml"
    try:
        if is_field:
            data = documents.json_of(documents.scenario_from(text))
            text = documents.yaml_of(documents.scenario_from(with_typed(data, request.POST.dict())))
        found = _sheet(text)
    except documents.ScenarioRefused as refused:
        told = {"problems": refused.problems}
        return retarget(render(request, "portal/_planning_problems.html", told), "#problems")
    context = {"sheet": found, "is_field": is_field}
    return render(request, "portal/_planning_live.html", context)


@require_POST
@for_people
def file(request: PortalRequest, user: User) -> HttpResponse:
    """Hand out what was typed as a file, if it is a scenario."""
    text = _given(request).text()
    try:
        name = slugify(documents.scenario_from(text).name) or "scenario"
    except documents.ScenarioRefused as refused:
        return _page(request, user, text, refused=refused)
    disposition = f'attachment; filename="{name}.yaml"'
    return HttpResponse(
        text, content_type="application/yaml", headers={"Content-Disposition": disposition}
    )


@require_POST
@for_people
def keep(request: PortalRequest, user: User) -> HttpResponse:
    """Keep what was typed as a new scenario of a team."""
    given, now = _given(request), timezone.now()
    text, slug = given.text(), given.cleaned_data.get("team", "")
    team = accounts.teams_visible_to(user, now=now).filter(slug=slug).first()
    if team is None:
        messages.error(request, gettext("Choose one of your teams to save it in."))
        return _page(request, user, text, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        saved = services.save_scenario(team=team, document=text, actor=user, now=now)
    except DomainError as refused:
        return _page(request, user, text, refused=refused)
    messages.success(request, gettext("Saved in {team}.").format(team=team))
    return redirect(_address(saved))


@require_POST
@for_people
def change(request: PortalRequest, user: User, public_id: UUID) -> HttpResponse:
    """Replace a saved scenario by what was typed, unless somebody changed it meanwhile."""
    saved, given = _found(user, str(public_id)), _given(request)
    text = given.text()
    try:
        services.change_scenario(
            scenario=saved,
            document=text,
            version=given.cleaned_data.get("version") or 0,
            actor=user,
            now=timezone.now(),
        )
    except DomainError as refused:
        return _page(request, user, text, saved=saved, refused=refused)
    messages.success(request, gettext("Saved as version {version}.").format(version=saved.version))
    return redirect(_address(saved))


@require_POST
@for_people
def remove(request: PortalRequest, user: User, public_id: UUID) -> HttpResponse:
    """Remove a saved scenario for good."""
    saved = _found(user, str(public_id))
    try:
        services.remove_scenario(scenario=saved, actor=user, now=timezone.now())
    except DomainError as refused:
        return _page(request, user, saved.document, saved=saved, refused=refused)
    messages.success(request, gettext("Removed {saved_name}.").format(saved_name=saved.name))
    return redirect("portal:planning")


def _page(
    request: PortalRequest,
    user: User,
    text: str,
    *,
    saved: SavedScenario | None = None,
    refused: DomainError | None = None,
    status: HTTPStatus = HTTPStatus.OK,
) -> HttpResponse:
    now = timezone.now()
    teams = list(selectors.teams_to_save_in(user, now=now))
    context: dict[str, Any] = {
        "text": text,
        "saved": saved,
        "is_stale": isinstance(refused, services.StaleScenario),
        "may_change": saved is not None and saved.team in teams,
        "teams": teams,
        "scenarios": selectors.scenarios_visible_to(user, now=now)[:MOST_LISTED],
    }
    try:
        context["sheet"] = _sheet(text)
    except documents.ScenarioRefused as error:
        context["problems"], refused = error.problems, refused or error
    if refused is not None:
        status = _STATUS.get(type(refused), HTTPStatus.CONFLICT)
        if not isinstance(refused, documents.ScenarioRefused):
            messages.error(
                request,
                gettext("Nothing was saved: {refused}.").format(refused=in_language(str(refused))),
            )
    return render(request, "portal/planning.html", context, status=status)


def _sheet(text: str) -> Sheet:
    return sheet(documents.scenario_from(text), text, prices=selectors.prices())


def _given(request: PortalRequest) -> DocumentForm:
    form = DocumentForm(request.POST, request.FILES or None)
    form.is_valid()
    return form


def _found(user: User, public_id: str) -> SavedScenario:
    try:
        wanted = UUID(public_id)
    except ValueError as error:
        raise Http404 from error
    visible = selectors.scenarios_visible_to(user, now=timezone.now())
    return get_object_or_404(visible, public_id=wanted)


def _address(saved: SavedScenario) -> str:
    return f"{reverse('portal:planning')}?scenario={saved.public_id}"
