"""Leave room on the pages of the sums: each row is added to every minute for an hour."""

from django.db import migrations

_TABLES = ("tokenomics_usagehour", "tokenomics_usageday", "tokenomics_gpuhour")


class Migration(migrations.Migration):
    dependencies = (("tokenomics", "0004_usage_is_append_only"),)

    operations = tuple(
        migrations.RunSQL(
            f"ALTER TABLE {table} SET (fillfactor = 50)",
            f"ALTER TABLE {table} RESET (fillfactor)",
        )
        for table in _TABLES
    )
