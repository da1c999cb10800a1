from django.db import migrations

TABLES = ("tokenomics_usageentry", "tokenomics_gpuentry")
FORWARD = """
CREATE FUNCTION usage_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger of usage is append-only: % refused', TG_OP
        USING ERRCODE = 'insufficient_privilege';
END
$$;
""" + "".join(
    f"""
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION usage_is_append_only();
CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION usage_is_append_only();
"""
    for table in TABLES
)
BACKWARD = (
    "".join(
        f"DROP TRIGGER {table}_{name} ON {table};\n"
        for table in TABLES
        for name in ("append_only", "no_truncate")
    )
    + "DROP FUNCTION usage_is_append_only();"
)


class Migration(migrations.Migration):
    dependencies = [("tokenomics", "0003_usage_ledger")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
