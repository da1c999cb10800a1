"""Files of a month: asked for, made piece by piece by a worker, and forgotten after a week.

Each that is asked for leaves a row in the audit trail.
"""

import hashlib
import logging
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar, Final

from django.db import transaction
from django.db.models import F, Q, QuerySet

from gpuaas.accounts.models import User
from gpuaas.audit import services as audit
from gpuaas.core.errors import DomainError
from tokenomics.models.costs import CostPeriod
from tokenomics.models.exports import CostExport, CostExportPiece, Format
from tokenomics.selectors import exports

logger = logging.getLogger(__name__)

KEPT_FOR: Final = timedelta(days=7)
AT_ONCE_LINES: Final = 2_000
"""So few lines are written while one waits."""

MOST_WAITING: Final = 5
"""So many files of one person are made at a time."""

Clock = Callable[[], datetime]

_PIECE: Final = 256 * 1024
_SILENT_FOR: Final = timedelta(minutes=2)
_TRIES: Final = 3


class UnknownFormat(DomainError):
    """There is no such format."""

    code: ClassVar[str] = "unknown_format"


class NotYourStatement(DomainError):
    """The statement for signature is for who sees all money."""

    code: ClassVar[str] = "not_your_statement"


class TooManyExports(DomainError):
    """Enough files of one person are being made."""

    code: ClassVar[str] = "too_many_exports"


class CannotBeMade(DomainError):
    """The file was not made."""

    code: ClassVar[str] = "export_failed"


def ask(
    *, period: CostPeriod, form: str, actor: User, now: datetime, has_bom: bool = False
) -> CostExport:
    """Ask for a file of what ``actor`` may see of ``period``; a short one is made at once.

    Raises `UnknownFormat`, `NotYourStatement` or `TooManyExports`.
    """
    _check(form, actor)
    waiting = CostExport.objects.filter(requested_by=actor, done_at=None).count()
    if waiting >= MOST_WAITING:
        raise TooManyExports(
            f"{waiting} of your files are being made, and {MOST_WAITING} is the most at a time: "
            "wait until one is done"
        )
    lines = exports.count(period, actor, now=now)
    with transaction.atomic():
        made = CostExport.objects.create(
            period=period,
            form=form,
            has_bom=has_bom,
            requested_by=actor,
            requested_at=now,
            lines=lines,
        )
        _tell(period, form, actor, now, lines=lines)
    if lines <= AT_ONCE_LINES:
        _take(made, clock=lambda: now)
        made.refresh_from_db()
    return made


def write_to(
    path: Path, *, period: CostPeriod, form: str, actor: User | None, now: datetime
) -> None:
    """Write a file of what ``actor`` may see, for a command; None is the operator, who sees all.

    Raises `UnknownFormat`, `NotYourStatement` or `OSError`.
    """
    _check(form, actor)
    exports.write(period, form, path, user=actor, now=now)
    with transaction.atomic():
        _tell(period, form, actor, now, lines=exports.count(period, actor, now=now))


def make_waiting(*, clock: Clock) -> int:
    """Make the files that wait, and those whose worker fell silent; return how many."""
    made = 0
    while (waiting := _next(clock())) is not None:
        _take(waiting, clock=clock)
        made += 1
    return made


def forget(*, before: datetime) -> int:
    """Remove the files that were asked for before then; return how many."""
    _, removed = CostExport.objects.filter(requested_at__lt=before).delete()
    return removed.get("tokenomics.CostExport", 0)


def _check(form: str, actor: User | None) -> None:
    if form not in Format.values:
        raise UnknownFormat(f"{form} is no format: take one of {', '.join(Format.values)}")
    if not exports.may_export(actor, form):
        raise NotYourStatement("the statement to sign is for finance: take csv, xlsx or focus")


def _tell(period: CostPeriod, form: str, actor: User | None, now: datetime, *, lines: int) -> None:
    audit.record(
        "costs.exported", subject=period.subject, actor=actor, at=now, format=form, lines=lines
    )


def _next(now: datetime) -> CostExport | None:
    silent = Q(moved_at=None) | Q(moved_at__lt=now - _SILENT_FOR)
    return CostExport.objects.filter(silent, done_at=None).order_by("pk").first()


def _take(export: CostExport, *, clock: Clock) -> None:
    """Make the file, unless another worker took it meanwhile; give up after some tries."""
    mine = CostExport.objects.filter(pk=export.pk, taken=export.taken, done_at=None)
    if not mine.update(taken=F("taken") + 1, moved_at=clock(), lines_done=0):
        return
    export.refresh_from_db()
    mine = CostExport.objects.filter(pk=export.pk, taken=export.taken)
    if export.taken > _TRIES:
        mine.update(done_at=clock(), problem=f"it could not be made in {_TRIES} tries")
        return
    try:
        _make(export, mine, clock=clock)
    except DomainError as refused:
        mine.update(done_at=clock(), problem=str(refused))
    except Exception:
        # It is taken up again, until the tries are used up.
        logger.exception("export failed", extra={"export": str(export.public_id)})


def _make(export: CostExport, mine: QuerySet[CostExport], *, clock: Clock) -> None:
    """Write the file, anew when the lines were calculated anew meanwhile, and keep it."""
    period = export.period
    with tempfile.TemporaryDirectory(prefix="gpuaas-export-") as folder:
        path = Path(folder) / "file"
        for _ in range(_TRIES):
            period.refresh_from_db()
            calculated_at = period.calculated_at
            exports.write(
                period,
                export.form,
                path,
                user=export.requested_by,
                now=export.requested_at,
                has_bom=export.has_bom,
                progress=lambda done: mine.update(lines_done=done, moved_at=clock()),
            )
            period.refresh_from_db()
            if period.calculated_at == calculated_at:
                return _keep(export, mine, path, clock=clock)
        raise CannotBeMade("the month was calculated anew all the time: ask again")


def _keep(export: CostExport, mine: QuerySet[CostExport], path: Path, *, clock: Clock) -> None:
    digest = hashlib.sha256()
    with transaction.atomic(), path.open("rb") as file:
        if not mine.select_for_update().exists():
            return  # another worker took over
        CostExportPiece.objects.filter(export=export).delete()
        for number, content in enumerate(iter(lambda: file.read(_PIECE), b"")):
            CostExportPiece.objects.create(export=export, number=number, content=content)
            digest.update(content)
        mine.update(
            done_at=clock(),
            lines_done=F("lines"),
            size=path.stat().st_size,
            digest=digest.hexdigest(),
        )
