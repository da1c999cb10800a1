"""Count the versions of each reservation, whoever changes it: what an ETag is made of."""

from django.db import migrations, models

FORWARD = """
CREATE FUNCTION reservations_count_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    RETURN NEW;
END
$$;
CREATE TRIGGER reservation_version BEFORE UPDATE ON reservations_reservation
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION reservations_count_version();
"""
BACKWARD = """
DROP TRIGGER reservation_version ON reservations_reservation;
DROP FUNCTION reservations_count_version();
"""


class Migration(migrations.Migration):

    dependencies = [
        ("reservations", "0014_no_shows"),
    ]

    operations = [
        migrations.AddField(
            model_name="reservation",
            name="version",
            field=models.PositiveIntegerField(
                db_default=1,
                default=1,
                editable=False,
                help_text="Counted by the database: another number for every change",
            ),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
