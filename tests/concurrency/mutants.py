"""The admission function with a guard taken out, to show that what it guards against is real."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import connection

LOCK: Final = "PERFORM pg_advisory_xact_lock(71001, p_pool::integer);"
HOLDS: Final = "FROM unnest(v_devices) AS device;"
BEFORE_WRITING: Final = "    INSERT INTO reservations_reservation ("


@contextmanager
def function_with(
    *, lock: bool = True, holds: bool = True, pause_seconds: float = 0
) -> Iterator[None]:
    """Replace the function, for the block, by one without ``lock`` or ``holds``.

    It rests for ``pause_seconds`` between reading the calendar and writing in it.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef('reservations_admit_booking'::regproc)")
        source = str(cursor.fetchone()[0])
    assert source.count(LOCK) == source.count(HOLDS) == 1
    mutant = source if lock else source.replace(LOCK, "")
    mutant = mutant if holds else mutant.replace(HOLDS, "FROM unnest(v_devices[:0]) AS device;")
    assert source.count(BEFORE_WRITING) == 1
    mutant = mutant.replace(
        BEFORE_WRITING, f"    PERFORM pg_sleep({pause_seconds});\n{BEFORE_WRITING}"
    )
    with connection.cursor() as cursor:
        cursor.execute(mutant)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(source)
