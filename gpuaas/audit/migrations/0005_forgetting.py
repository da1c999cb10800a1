"""The oldest events may go, once an event in the chain says up to where (docs/design/audit.md)."""

from django.db import migrations

FORWARD = """
CREATE OR REPLACE FUNCTION audit_event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_position bigint;
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF TG_TABLE_NAME = 'audit_auditlink' THEN
            v_position := OLD.position;
        ELSE
            v_position := (SELECT position FROM audit_auditlink WHERE event_id = OLD.id);
        END IF;
        IF EXISTS (
            SELECT FROM audit_auditevent
            WHERE action = 'audit.forgotten' AND (data->>'through')::bigint >= v_position
        ) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'the audit trail is append-only: % refused', TG_OP
        USING ERRCODE = 'insufficient_privilege';
END
$$;

-- Forgets at most so many of the oldest events, all of them older than p_before, and returns how
-- many.  The chain's lock is held until the commit: nobody links meanwhile.
CREATE FUNCTION audit_forget(p_before timestamptz, p_now timestamptz, p_at_most integer)
RETURNS integer LANGUAGE plpgsql SET lock_timeout = '10s' AS $$
DECLARE
    v_first bigint;
    v_through bigint;
    v_digest bytea;
    v_gone integer;
BEGIN
    PERFORM pg_advisory_xact_lock(71003, 0);
    SELECT min(position) INTO v_first FROM audit_auditlink;
    SELECT link.position - 1 INTO v_through
        FROM audit_auditlink AS link JOIN audit_auditevent AS event ON event.id = link.event_id
        WHERE event.at >= p_before ORDER BY link.position LIMIT 1;
    -- Nothing is younger: the last link stays, for the next one to be linked to.
    v_through := coalesce(v_through, (SELECT max(position) - 1 FROM audit_auditlink));
    v_through := least(v_through, v_first + p_at_most - 1);
    IF v_through IS NULL OR v_through < v_first THEN
        RETURN 0;
    END IF;
    SELECT digest INTO v_digest FROM audit_auditlink WHERE position = v_through;
    INSERT INTO audit_auditevent (at, action, subject, data) VALUES (
        p_now, 'audit.forgotten', 'audit:trail',
        jsonb_build_object(
            'through', v_through,
            'digest', encode(v_digest, 'hex'),
            'events', v_through - v_first + 1,
            'before', to_char(p_before AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
        )
    );
    DELETE FROM audit_auditevent USING audit_auditlink AS link
        WHERE link.event_id = audit_auditevent.id AND link.position <= v_through;
    DELETE FROM audit_auditlink WHERE position <= v_through;
    GET DIAGNOSTICS v_gone = ROW_COUNT;
    RETURN v_gone;
END
$$;
"""
BACKWARD = """
DROP FUNCTION audit_forget(timestamptz, timestamptz, integer);
CREATE OR REPLACE FUNCTION audit_event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only: % refused', TG_OP
        USING ERRCODE = 'insufficient_privilege';
END
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_trail_by")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
