from django.db import migrations

FORWARD = """
CREATE FUNCTION entered_prices_are_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'entered prices are append-only: % refused', TG_OP
        USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER entered_prices_append_only
    BEFORE UPDATE OR DELETE ON tokenomics_enteredprices
    FOR EACH ROW EXECUTE FUNCTION entered_prices_are_append_only();
"""
BACKWARD = """
DROP TRIGGER entered_prices_append_only ON tokenomics_enteredprices;
DROP FUNCTION entered_prices_are_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("tokenomics", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
