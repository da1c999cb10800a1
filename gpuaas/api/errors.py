"""What a refusal looks like over HTTP.

Every error has one form, and ``code`` is for programs:

    {"code": "wish_refused", "message": "...", "details": {
        "problems": [{"code": "window_too_short", "field": "ends_at", "message": "..."}]}}

``details`` are always there, and may be empty.  They have ``problems`` when single fields are to
blame; of `PoolFull` what is ``free`` and the ``nearest`` window with room, further
``free_windows`` and ``alternatives`` on other types; of `CannotExtend`, ``until`` when it can.
"""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from gpuaas.accounts import services as accounts
from gpuaas.api import offers, once, preconditions
from gpuaas.core import errors, locks
from gpuaas.core.sentences import in_language
from gpuaas.feeds import services as feeds
from gpuaas.idempotency import services as idempotency
from gpuaas.identity import services as identity
from gpuaas.inventory import files
from gpuaas.inventory import services as inventory
from gpuaas.notifications import services as notifications
from reservations import answers, lifecycle, policy
from reservations import services as reservations
from reservations.capacity import QUANTITIES, Window
from sessions import services as sessions
from tokenomics import documents
from tokenomics import services as tokenomics
from tokenomics.exports import xlsx_book
from tokenomics.services import adjustments, calculation, events, exports, inputs, periods, usage

STATUS: Final[Mapping[type[errors.DomainError], HTTPStatus]] = {
    reservations.WishRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    reservations.RulesRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    reservations.RulesNotYours: HTTPStatus.FORBIDDEN,
    reservations.NotYourTeam: HTTPStatus.FORBIDDEN,
    reservations.PoolFull: HTTPStatus.CONFLICT,
    reservations.CannotExtend: HTTPStatus.CONFLICT,
    reservations.CannotChange: HTTPStatus.CONFLICT,
    preconditions.ChangedMeanwhile: HTTPStatus.PRECONDITION_FAILED,
    reservations.StaleReservation: HTTPStatus.CONFLICT,
    reservations.NotYoursToApprove: HTTPStatus.FORBIDDEN,
    reservations.NotWaitingForThis: HTTPStatus.CONFLICT,
    reservations.HoldLapsed: HTTPStatus.CONFLICT,
    inventory.PlatformAdminsOnly: HTTPStatus.FORBIDDEN,
    inventory.ReasonMissing: HTTPStatus.UNPROCESSABLE_ENTITY,
    inventory.Unchanged: HTTPStatus.CONFLICT,
    inventory.StaleInventory: HTTPStatus.CONFLICT,
    inventory.ClosureRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    inventory.ClosureOver: HTTPStatus.CONFLICT,
    inventory.LayoutRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    inventory.LayoutBegun: HTTPStatus.CONFLICT,
    inventory.NothingToShare: HTTPStatus.CONFLICT,
    inventory.ImportRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    files.FileRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    reservations.NotYourTemplate: HTTPStatus.FORBIDDEN,
    reservations.TemplateNameTaken: HTTPStatus.CONFLICT,
    reservations.TooManyTemplates: HTTPStatus.CONFLICT,
    reservations.NotFlagged: HTTPStatus.CONFLICT,
    reservations.OfferGone: HTTPStatus.CONFLICT,
    lifecycle.TransitionNotAllowed: HTTPStatus.CONFLICT,
    sessions.StaleSession: HTTPStatus.CONFLICT,
    sessions.NotYourWorkspace: HTTPStatus.FORBIDDEN,
    sessions.WorkspaceNotReady: HTTPStatus.CONFLICT,
    sessions.ClusterNotOffered: HTTPStatus.CONFLICT,
    sessions.TooLateForToken: HTTPStatus.CONFLICT,
    sessions.NoTokenToTake: HTTPStatus.CONFLICT,
    sessions.NotATeamMate: HTTPStatus.UNPROCESSABLE_ENTITY,
    sessions.NothingToShare: HTTPStatus.CONFLICT,
    sessions.TooManyGuests: HTTPStatus.CONFLICT,
    accounts.NotYours: HTTPStatus.FORBIDDEN,
    accounts.NotManager: HTTPStatus.FORBIDDEN,
    accounts.NotRaisable: HTTPStatus.FORBIDDEN,
    accounts.TeamTaken: HTTPStatus.CONFLICT,
    accounts.AlreadyMember: HTTPStatus.CONFLICT,
    accounts.LastManager: HTTPStatus.CONFLICT,
    accounts.FromDirectory: HTTPStatus.CONFLICT,
    accounts.ExpiryPast: HTTPStatus.UNPROCESSABLE_ENTITY,
    accounts.LanguageUnknown: HTTPStatus.UNPROCESSABLE_ENTITY,
    accounts.TimeZoneUnknown: HTTPStatus.UNPROCESSABLE_ENTITY,
    accounts.ThemeUnknown: HTTPStatus.UNPROCESSABLE_ENTITY,
    identity.NotInTheDirectory: HTTPStatus.FORBIDDEN,
    identity.SwitchedOff: HTTPStatus.FORBIDDEN,
    identity.AddressTaken: HTTPStatus.CONFLICT,
    accounts.TokenRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    accounts.TokenNameTaken: HTTPStatus.CONFLICT,
    accounts.TooManyTokens: HTTPStatus.CONFLICT,
    notifications.NotTheManager: HTTPStatus.FORBIDDEN,
    notifications.UnknownPreference: HTTPStatus.UNPROCESSABLE_ENTITY,
    notifications.AnnouncementNotYours: HTTPStatus.FORBIDDEN,
    notifications.AnnouncementRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    notifications.WebhookRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    documents.ScenarioRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    documents.SheetRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    inputs.FinanceOnly: HTTPStatus.FORBIDDEN,
    inputs.BadInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    calculation.CannotCalculate: HTTPStatus.CONFLICT,
    calculation.PeriodClosed: HTTPStatus.CONFLICT,
    periods.TooEarly: HTTPStatus.CONFLICT,
    periods.OutOfOrder: HTTPStatus.CONFLICT,
    periods.NotSettled: HTTPStatus.CONFLICT,
    adjustments.NotByTheSame: HTTPStatus.FORBIDDEN,
    adjustments.Decided: HTTPStatus.CONFLICT,
    events.EventsRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    exports.UnknownFormat: HTTPStatus.UNPROCESSABLE_ENTITY,
    exports.NotYourStatement: HTTPStatus.FORBIDDEN,
    exports.TooManyExports: HTTPStatus.CONFLICT,
    exports.CannotBeMade: HTTPStatus.CONFLICT,
    xlsx_book.TooManyRows: HTTPStatus.CONFLICT,
    usage.ToldOtherwise: HTTPStatus.CONFLICT,
    usage.TooManyEntries: HTTPStatus.UNPROCESSABLE_ENTITY,
    tokenomics.NotYourScenario: HTTPStatus.FORBIDDEN,
    tokenomics.PricesNotYours: HTTPStatus.FORBIDDEN,
    tokenomics.ScenarioNameTaken: HTTPStatus.CONFLICT,
    tokenomics.StaleScenario: HTTPStatus.CONFLICT,
    tokenomics.TooManyScenarios: HTTPStatus.CONFLICT,
    feeds.NoCalendarOfTheirs: HTTPStatus.FORBIDDEN,
    feeds.TooManyFeeds: HTTPStatus.CONFLICT,
    once.KeyMalformed: HTTPStatus.BAD_REQUEST,
    idempotency.KeyInUse: HTTPStatus.CONFLICT,
    idempotency.KeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
    idempotency.AnswerNotKept: HTTPStatus.CONFLICT,
    locks.LockBusy: HTTPStatus.SERVICE_UNAVAILABLE,
}
# A moment later the same request can end otherwise.
PASSING: Final = (locks.LockBusy, idempotency.KeyInUse)
RETRY_AFTER_SECONDS: Final = "1"


def handle(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Answer anticipated errors with a code; leave the others to become a 500."""
    if isinstance(error, errors.DomainError):
        body = body_of(error.code, str(error), _details(error))
        status = STATUS.get(type(error), HTTPStatus.BAD_REQUEST)
        passing = isinstance(error, PASSING)
        return Response(
            body, status=status, headers={"Retry-After": RETRY_AFTER_SECONDS} if passing else None
        )
    response = exception_handler(error, dict(context))
    if response is not None:
        response.data = _body_of(error, response.data)
    return response


def body_of(
    code: str, message: str, details: Mapping[str, object] | None = None
) -> dict[str, object]:
    """Return what every refusal looks like."""
    return {"code": code, "message": in_language(message), "details": dict(details or {})}


def _problems_of(error: errors.DomainError) -> list[dict[str, object]]:
    """Return the fields that are to blame, as far as the error knows them."""
    if isinstance(error, reservations.WishRefused | reservations.RulesRefused):
        return [_reason(problem) for problem in error.problems]
    if isinstance(error, inputs.BadInput):
        return [{"code": error.code, "field": error.field, "message": error.message}]
    if isinstance(error, documents.SheetRefused):
        return [
            {"code": p.code, "field": p.field, "line": p.line, "message": p.message}
            for p in error.problems
        ]
    if isinstance(error, files.FileRefused):
        return [
            {"code": error.code, "field": p.path, "line": p.line, "message": in_language(p.message)}
            for p in error.problems
        ]
    if isinstance(
        error,
        documents.ScenarioRefused
        | inventory.ClosureRefused
        | inventory.LayoutRefused
        | events.EventsRefused,
    ):
        return [
            {"code": p.code, "field": p.field, "message": in_language(p.message)}
            for p in error.problems
        ]
    return []


def _details(error: errors.DomainError) -> dict[str, object]:
    problems = _problems_of(error)
    if problems:
        return {"problems": problems}
    if isinstance(error, preconditions.ChangedMeanwhile):
        now = error.reservation
        return {"version": now.version, "state": now.state, **_window(now.window)}
    if isinstance(error, reservations.OfferGone):
        return {"offers": [offers.offer_body(each) for each in error.offers]}
    if isinstance(error, reservations.PoolFull):
        nearest = error.nearest
        return {
            "free": {quantity: getattr(error.free, quantity) for quantity in QUANTITIES},
            "nearest": nearest and _window(nearest),
            "free_windows": [_window(each) for each in error.free_windows],
            "alternatives": [alternative(each) for each in error.alternatives],
        }
    if isinstance(error, reservations.CannotExtend):
        return {
            "ends_at": error.ends_at,
            "until": error.until,
            "because": error.because.value,
            "afterwards": error.afterwards and _window(error.afterwards),
        }
    return {}


def alternative(each: answers.Alternative) -> dict[str, object]:
    """Return an alternative as what can be posted to book it, and in words."""
    return {
        "resource_name": each.resource_name,
        "units": each.units,
        **_window(each.window),
        "cpu_millicores": each.demand.cpu_millicores,
        "memory_mib": each.demand.memory_mib,
        "storage_gib": each.demand.storage_gib,
        "gpu_memory_gb": each.gpu_memory_gb,
        "is_smaller": each.is_smaller,
        "message": str(each),
    }


def _window(window: Window) -> dict[str, object]:
    return {"starts_at": window.starts_at, "ends_at": window.ends_at}


def _reason(problem: policy.Problem) -> dict[str, object]:
    """Show a reason; what it has no number or offer for is left out."""
    nearest: object = problem.nearest
    if isinstance(nearest, Window):
        nearest = {"starts_at": nearest.starts_at, "ends_at": nearest.ends_at}
    by = problem.overridable_by
    data = {
        "limit": problem.limit,
        "asked": problem.asked,
        "unit": problem.unit or None,
        "nearest": nearest,
        "overridable_by": by.name.lower() if by else None,
    }
    return {
        "code": problem.code,
        "field": problem.field,
        "message": problem.message,
        **{name: value for name, value in data.items() if value is not None},
    }


def _body_of(error: Exception, data: Any) -> dict[str, object]:
    if isinstance(error, exceptions.ValidationError):
        problems = list(_problems(error.get_full_details()))
        message = "; ".join(f"{p['field']}: {p['message']}" for p in problems)
        return body_of("invalid", message, {"problems": problems})
    detail = data["detail"]  # Django's own 404 and 403 come here too
    return body_of(getattr(detail, "code", "error"), str(detail))


def _problems(details: Any, field: str = "") -> Iterator[dict[str, str]]:
    """Flatten REST framework's nested details to one entry a problem."""
    if isinstance(details, list):
        for place, each in enumerate(details):
            is_of_one = isinstance(each, Mapping) and not isinstance(each.get("message"), str)
            yield from _problems(each, f"{field}.{place}" if is_of_one else field)
    elif isinstance(details.get("message"), str):
        yield {"code": details["code"], "field": field, "message": str(details["message"])}
    else:
        for name, each in details.items():
            whole = name == "non_field_errors"
            yield from _problems(each, field if whole else f"{field}.{name}".lstrip("."))
