"""The hash chain: a link for each event, in the order of the commits (docs/design/audit.md)."""

import django.db.models.deletion
from django.db import migrations, models

# 71003: gpuaas.core.locks.LockSpace.AUDIT_CHAIN
LOCK = "PERFORM pg_advisory_xact_lock(71003, 0);"

# A field as <bytes>:<text>, and NULL as -, so that no two events have the same bytes.
BYTES = """
CREATE FUNCTION audit_field(field text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(octet_length(convert_to(field, 'UTF8')) || ':' || field || ',', '-,')
$$;
CREATE FUNCTION audit_bytes(event audit_auditevent) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT convert_to(
        audit_field(event.id::text)
        || audit_field(to_char(event.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
        || audit_field(event.action)
        || audit_field(event.subject)
        || audit_field(event.actor_id::text)
        || audit_field(event.team_id::text)
        || audit_field(event.data::text),
        'UTF8'
    )
$$;
"""

# In two steps.  Foreign keys are checked at COMMIT as well, and a check waits for whoever locks the
# row.  Whoever waits must not hold the chain, or two could wait for each other.  So what fires with
# those checks only makes a note, and the note's own trigger fires in the round after them all.
LAST_OF_ALL = f"""
CREATE UNLOGGED TABLE audit_unchained (event_id bigint PRIMARY KEY);

CREATE FUNCTION audit_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_unchained (event_id) VALUES (NEW.id);
    RETURN NULL;
END
$$;

CREATE FUNCTION audit_chain() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = '10s' AS $$
DECLARE
    v_event bytea := (SELECT audit_bytes(e) FROM audit_auditevent AS e WHERE id = NEW.event_id);
    v_position bigint;
    v_digest bytea;
BEGIN
    DELETE FROM audit_unchained WHERE event_id = NEW.event_id;
    {LOCK}
    -- A statement of its own: its snapshot is younger than the lock.
    SELECT position, digest INTO v_position, v_digest
        FROM audit_auditlink ORDER BY position DESC LIMIT 1;
    INSERT INTO audit_auditlink (position, event_id, digest) VALUES
        (coalesce(v_position, 0) + 1, NEW.event_id, sha256(coalesce(v_digest, '') || v_event));
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER audit_note AFTER INSERT ON audit_auditevent
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_note();
CREATE CONSTRAINT TRIGGER audit_chain AFTER INSERT ON audit_unchained
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_chain();
"""

APPEND_ONLY = """
CREATE TRIGGER audit_link_append_only BEFORE UPDATE OR DELETE ON audit_auditlink
    FOR EACH ROW EXECUTE FUNCTION audit_event_is_append_only();
CREATE TRIGGER audit_link_no_truncate BEFORE TRUNCATE ON audit_auditlink
    FOR EACH STATEMENT EXECUTE FUNCTION audit_event_is_append_only();
CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON audit_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION audit_event_is_append_only();
"""

# Creating the triggers has locked out every writer until this commits.
LINK_WHAT_IS_THERE = """
DO $$
DECLARE
    v_event audit_auditevent;
    v_position bigint := 0;
    v_digest bytea := '';
BEGIN
    FOR v_event IN SELECT * FROM audit_auditevent ORDER BY id LOOP
        v_position := v_position + 1;
        v_digest := sha256(v_digest || audit_bytes(v_event));
        INSERT INTO audit_auditlink (position, event_id, digest)
            VALUES (v_position, v_event.id, v_digest);
    END LOOP;
END
$$;
"""

BACKWARD = """
DROP TRIGGER audit_event_no_truncate ON audit_auditevent;
DROP TRIGGER audit_link_no_truncate ON audit_auditlink;
DROP TRIGGER audit_link_append_only ON audit_auditlink;
DROP TRIGGER audit_note ON audit_auditevent;
DROP TABLE audit_unchained;
DROP FUNCTION audit_chain();
DROP FUNCTION audit_note();
DROP FUNCTION audit_bytes(audit_auditevent);
DROP FUNCTION audit_field(text);
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_append_only")]
    operations = [
        migrations.CreateModel(
            name="AuditLink",
            fields=[
                ("position", models.BigIntegerField(primary_key=True, serialize=False)),
                ("digest", models.BinaryField(max_length=32)),
                (
                    "event",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="link",
                        to="audit.auditevent",
                    ),
                ),
            ],
            options={"ordering": ("-position",)},
        ),
        migrations.RunSQL(
            BYTES + LAST_OF_ALL + APPEND_ONLY + LINK_WHAT_IS_THERE, BACKWARD, elidable=False
        ),
    ]
