"""Devices that do not exist for a while, as a planned layout has it: nobody gets them meanwhile.

Where none is planned, admission reads one empty index more.
"""

import importlib

import django.db.models.deletion
from django.db import migrations, models

before = importlib.import_module("reservations.migrations.0009_admit_pending")
last = importlib.import_module("reservations.migrations.0010_line_first")

CHANGES = (
    (
        "    v_devices bigint[];\n",
        "    v_devices bigint[];\n    v_absent bigint[];\n",
    ),
    (
        "    -- The node with the fewest devices",
        """    -- Of what comes and goes with a planned layout, all that is not there throughout.
    v_absent := ARRAY(
        SELECT h.device_id FROM reservations_devicehold h
        WHERE h.reservation_id IS NULL AND h.during && v_during);

    -- The node with the fewest devices""",
    ),
    (
        """        SELECT count(*) FILTER (WHERE d.state = 'in_service') AS in_service,
""",
        """        SELECT count(*) FILTER (
                WHERE d.state = 'in_service' AND d.id <> ALL (v_absent)) AS in_service,
            count(*) FILTER (
                WHERE d.state = 'in_service' AND d.id <> ALL (v_absent) AND NOT d.is_present
            ) AS later,
""",
    ),
    (
        """                 THEN coalesce((n.reported_devices ->> p_resource_name)::bigint, 0) END
""",
        """                 THEN coalesce((n.reported_devices ->> p_resource_name)::bigint, 0)
                     + device.later END
""",
    ),
    (
        "          AND neighbour.is_busy IS NOT TRUE\n",
        "          AND neighbour.is_busy IS NOT TRUE AND d.id <> ALL (v_absent)\n",
    ),
)


def with_layouts(function: str) -> str:
    for old, new in CHANGES:
        assert function.count(old) == 1, old
        function = function.replace(old, new)
    return function


FUNCTION = last.replacing(before.FORWARD.replace(last.LEDGER, last.LINE + last.LEDGER, 1))


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0007_planned_layouts"),
        ("reservations", "0017_open_by_person"),
    ]

    operations = [
        migrations.AlterField(
            model_name="devicehold",
            name="reservation",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="holds",
                to="reservations.reservation",
            ),
        ),
        migrations.AddIndex(
            model_name="devicehold",
            index=models.Index(
                condition=models.Q(("reservation", None)),
                fields=["device"],
                include=("during",),
                name="device_does_not_exist",
            ),
        ),
        migrations.RunSQL(with_layouts(FUNCTION), FUNCTION, elidable=False),
    ]
