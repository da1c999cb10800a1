"""Who waits in line is not overtaken: where somebody waits for some of the same time, say so.

Python serves the line under the same lock before it books; docs/design/lifecycle.md says why.
"""

import importlib

from django.db import migrations

before = importlib.import_module("reservations.migrations.0009_admit_pending")

LEDGER = "    IF p_ledger_version IS NOT NULL THEN\n"
LINE = """
    IF EXISTS (
        SELECT FROM reservations_reservation r
        WHERE r.pool_id = p_pool AND r.state = 'WAITLISTED'
          AND r.starts_at > p_now AND r.starts_at < p_ends_at AND r.ends_at > p_starts_at
    ) THEN
        outcome := 'line';
        RETURN;
    END IF;

"""


def replacing(function: str) -> str:
    return function.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)


class Migration(migrations.Migration):
    dependencies = [("reservations", "0009_admit_pending")]

    operations = [
        migrations.RunSQL(
            replacing(before.FORWARD.replace(LEDGER, LINE + LEDGER, 1)),
            replacing(before.FORWARD),
            elidable=False,
        ),
    ]
