"""Reports as files: who asked for which, how far that is, and what came of it."""

import uuid

from django.db import models

from gpuaas.accounts.models import User
from gpuaas.core.language import later
from tokenomics.models.costs import CostPeriod


class Format(models.TextChoices):
    CSV = "csv", later("CSV")
    XLSX = "xlsx", later("Excel")
    PDF = "pdf", later("PDF")
    FOCUS = "focus", later("FOCUS 1.2")


class CostExport(models.Model):
    """One file of a month that somebody asked for.

    ``done_at`` None: it is still made.  ``lines_done`` of ``lines`` are written; ``moved_at`` is
    when they last became more, so that one whose worker died is taken up again.  ``problem`` says
    why there is no file.
    """

    public_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    period = models.ForeignKey(CostPeriod, on_delete=models.PROTECT, related_name="+")
    form = models.CharField(max_length=5, choices=Format.choices)
    has_bom = models.BooleanField(default=False)
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    taken = models.PositiveIntegerField(default=0, help_text="How often a worker began it")
    moved_at = models.DateTimeField(null=True)
    lines = models.PositiveIntegerField(default=0)
    lines_done = models.PositiveIntegerField(default=0)
    done_at = models.DateTimeField(null=True)
    size = models.PositiveBigIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True)
    problem = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ("-pk",)
        indexes = (
            models.Index(fields=("id",), condition=models.Q(done_at=None), name="export_to_make"),
        )

    def __str__(self) -> str:
        return f"{self.period} as {self.form}"


class CostExportPiece(models.Model):
    """A piece of a file, so that no process ever holds all of it and no disk is shared."""

    export = models.ForeignKey(
        CostExport, on_delete=models.CASCADE, related_name="pieces", db_index=False
    )
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        ordering = ("export", "number")
        constraints = (
            models.UniqueConstraint(fields=("export", "number"), name="export_piece_once"),
        )

    def __str__(self) -> str:
        return f"{self.export} piece {self.number}"
