from django.db import migrations

# What belongs to a period can change as long as that is not closed.  The check locks the period's
# row: who closes it waits for who changes it, and the other way round.
OF_A_PERIOD = (
    "tokenomics_costline",
    "tokenomics_costpool",
    "tokenomics_costadjustment",
    "tokenomics_coststatement",
)
APPEND_ONLY = ("tokenomics_costsheet", "tokenomics_costcentrebudget")
EVENTS = (
    ("insert", "INSERT", "NEW"),
    ("update_from", "UPDATE", "OLD"),
    ("update_to", "UPDATE", "NEW"),
    ("delete", "DELETE", "OLD"),
)
FORWARD = """
CREATE FUNCTION closed_period_is_closed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE closed record;
BEGIN
    FOR closed IN SELECT month, state FROM tokenomics_costperiod
        WHERE id IN (SELECT DISTINCT period_id FROM changed) ORDER BY id FOR SHARE
    LOOP
        IF closed.state = 'closed' THEN
            RAISE EXCEPTION 'period % is closed: % of % refused',
                to_char(closed.month, 'YYYY-MM'), TG_OP, TG_TABLE_NAME
                USING ERRCODE = 'insufficient_privilege';
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
CREATE FUNCTION period_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'closed' THEN
        RAISE EXCEPTION 'period % is closed: % refused', to_char(OLD.month, 'YYYY-MM'), TG_OP
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    IF (OLD.month, OLD.starts_at, OLD.ends_at, OLD.currency)
        IS DISTINCT FROM (NEW.month, NEW.starts_at, NEW.ends_at, NEW.currency)
        OR (OLD.state = 'soft_closed' AND NEW.state = 'open')
        OR (OLD.state = 'open' AND NEW.state = 'closed')
        OR (OLD.state <> 'open' AND OLD.idle_policy <> NEW.idle_policy)
    THEN
        RAISE EXCEPTION 'period % goes from open to soft closed to closed, and stays the same month',
            to_char(OLD.month, 'YYYY-MM') USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER period_forward BEFORE UPDATE OR DELETE ON tokenomics_costperiod
    FOR EACH ROW EXECUTE FUNCTION period_moves_forward();
CREATE FUNCTION money_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END
$$;
"""
FORWARD += "".join(
    f"""
CREATE TRIGGER {table}_{name} AFTER {event} ON {table}
    REFERENCING {rows} TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION closed_period_is_closed();
"""
    for table in OF_A_PERIOD
    for name, event, rows in EVENTS
)
FORWARD += "".join(
    f"""
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION money_is_kept();
"""
    for table in APPEND_ONLY
)
FORWARD += "".join(
    f"""
CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION money_is_kept();
"""
    for table in (*OF_A_PERIOD, *APPEND_ONLY, "tokenomics_costperiod")
)
BACKWARD = (
    "".join(
        f"DROP TRIGGER {table}_{name} ON {table};\n"
        for table in OF_A_PERIOD
        for name, _, _ in EVENTS
    )
    + "".join(f"DROP TRIGGER {table}_append_only ON {table};\n" for table in APPEND_ONLY)
    + "".join(
        f"DROP TRIGGER {table}_no_truncate ON {table};\n"
        for table in (*OF_A_PERIOD, *APPEND_ONLY, "tokenomics_costperiod")
    )
    + """
DROP TRIGGER period_forward ON tokenomics_costperiod;
DROP FUNCTION closed_period_is_closed();
DROP FUNCTION period_moves_forward();
DROP FUNCTION money_is_kept();
"""
)


class Migration(migrations.Migration):
    dependencies = [("tokenomics", "0006_costs")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
