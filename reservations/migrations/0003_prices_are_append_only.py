from django.db import migrations

FORWARD = """
CREATE FUNCTION unit_price_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'prices are append-only: % refused', TG_OP
        USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER unit_price_append_only
    BEFORE UPDATE OR DELETE ON reservations_unitprice
    FOR EACH ROW EXECUTE FUNCTION unit_price_is_append_only();
"""
BACKWARD = """
DROP TRIGGER unit_price_append_only ON reservations_unitprice;
DROP FUNCTION unit_price_is_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("reservations", "0002_rules_prices_and_ledgers")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
