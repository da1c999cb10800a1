"""Admission in one call, as in 0005, with the state that the caller asks for.

What is PENDING holds capacity like what is booked: the predicates name it, as the partial indexes
of 0008 do.
"""

import importlib

from django.db import migrations

before = importlib.import_module("reservations.migrations.0005_admit_booking")

FORWARD = """
CREATE FUNCTION reservations_admit_booking(
    p_public_id uuid,
    p_pool bigint,
    p_team bigint,
    p_requested_by bigint,
    p_resource_name text,
    p_units integer,
    p_mode text,
    p_cpu_millicores integer,
    p_memory_mib integer,
    p_storage_gib integer,
    p_purpose text,
    p_starts_at timestamptz,
    p_ends_at timestamptz,
    p_now timestamptz,
    p_cost_minor bigint,
    p_currency text,
    p_overridden jsonb,
    p_approved_by bigint,
    p_ledger_version bigint,   -- NULL: no limit of the team depends on its other bookings
    p_wait_ms integer,
    p_data jsonb,              -- what the audit trail and the outbox say
    p_state text,              -- APPROVED, or PENDING: held, but not booked
    p_pending_on text,
    p_approver integer,
    p_held_until timestamptz,
    OUT outcome text,          -- booked | already | full | fragmented | ledger_moved
    OUT reservation_id bigint,
    OUT on_node bigint
)
LANGUAGE plpgsql VOLATILE
-- A plan made while the tables were empty must not scan them when they are full.
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_event text := 'reservation.' || lower(p_state);
    v_during tstzrange := tstzrange(p_starts_at, p_ends_at);
    v_touching tstzrange := tstzrange(p_starts_at, p_ends_at, '[]')
        + tstzrange(p_starts_at - interval '1 microsecond', p_ends_at);
    v_devices bigint[];
BEGIN
    PERFORM set_config('lock_timeout', p_wait_ms || 'ms', true);
    PERFORM pg_advisory_xact_lock(71001, p_pool::integer);

    SELECT r.id INTO reservation_id
    FROM reservations_reservation r
    WHERE r.public_id = p_public_id AND r.requested_by_id = p_requested_by;
    IF FOUND THEN
        outcome := 'already';
        RETURN;
    END IF;

    IF p_ledger_version IS NOT NULL THEN
        UPDATE reservations_teamledger SET version = version + 1
        WHERE team_id = p_team AND version = p_ledger_version;
        IF NOT FOUND THEN
            outcome := 'ledger_moved';
            RETURN;
        END IF;
    END IF;

    -- The node with the fewest devices to spare at its peak, then the least memory.
    SELECT n.id INTO on_node
    FROM inventory_node n
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE d.state = 'in_service') AS in_service,
            count(*) FILTER (WHERE d.state <> 'in_service') AS away
        FROM inventory_device d
        WHERE d.node_id = n.id AND d.resource_name = p_resource_name
    ) device
    CROSS JOIN LATERAL (
        SELECT coalesce(max(devices), 0) AS devices, coalesce(max(cpu), 0) AS cpu,
            coalesce(max(memory), 0) AS memory, coalesce(max(storage), 0) AS storage
        FROM (
            SELECT sum(devices) OVER w AS devices, sum(cpu) OVER w AS cpu,
                sum(memory) OVER w AS memory, sum(storage) OVER w AS storage
            FROM (
                SELECT change.at,
                    change.sign * CASE
                        WHEN r.resource_name <> p_resource_name THEN 0
                        WHEN device.away = 0 THEN r.units
                        ELSE (SELECT count(*)
                              FROM reservations_devicehold h
                              JOIN inventory_device d ON d.id = h.device_id
                              WHERE h.reservation_id = r.id AND d.state = 'in_service')
                    END AS devices,
                    change.sign * r.cpu_millicores::bigint AS cpu,
                    change.sign * r.memory_mib::bigint AS memory,
                    change.sign * r.storage_gib::bigint AS storage
                FROM reservations_reservation r
                CROSS JOIN LATERAL (
                    VALUES (greatest(r.starts_at, p_starts_at), 1), (r.ends_at, -1)
                ) AS change (at, sign)
                WHERE r.node_id = n.id AND r.state IN ('ACTIVE', 'APPROVED', 'PENDING')
                  AND tstzrange(r.starts_at, r.ends_at) && v_during
                  AND change.at < p_ends_at
            ) changes
            WINDOW w AS (ORDER BY at)
        ) usage
    ) peak
    CROSS JOIN LATERAL (
        SELECT least(
            device.in_service,
            CASE WHEN n.reported_devices IS NOT NULL
                 THEN coalesce((n.reported_devices ->> p_resource_name)::bigint, 0) END
        ) - peak.devices AS devices
    ) free
    WHERE n.pool_id = p_pool AND n.is_schedulable
      AND free.devices >= p_units
      AND n.cpu_millicores - peak.cpu >= p_cpu_millicores
      AND n.memory_mib - peak.memory >= p_memory_mib
      AND n.storage_gib - peak.storage >= p_storage_gib
      AND NOT EXISTS (
          SELECT FROM inventory_closure c
          WHERE (c.node_id = n.id OR c.pool_id = p_pool) AND c.canceled_at IS NULL
            AND c.starts_at < p_ends_at AND c.ends_at > p_starts_at)
    ORDER BY free.devices, n.memory_mib - peak.memory, n.id
    LIMIT 1;
    IF on_node IS NULL THEN
        outcome := 'full';
        RETURN;
    END IF;

    -- First the devices whose gap the booking fills, so that the others stay whole.
    SELECT array_agg(id) INTO v_devices FROM (
        SELECT d.id
        FROM inventory_device d
        LEFT JOIN (
            SELECT h.device_id, bool_or(h.during && v_during) AS is_busy
            FROM reservations_reservation r
            JOIN reservations_devicehold h ON h.reservation_id = r.id
            WHERE r.node_id = on_node AND r.state IN ('ACTIVE', 'APPROVED', 'PENDING')
              AND tstzrange(r.starts_at, r.ends_at) && v_touching
            GROUP BY h.device_id
        ) neighbour ON neighbour.device_id = d.id
        WHERE d.node_id = on_node AND d.resource_name = p_resource_name AND d.state = 'in_service'
          AND neighbour.is_busy IS NOT TRUE
        ORDER BY neighbour.device_id IS NULL, d.ordinal
        LIMIT p_units
    ) free;
    IF coalesce(cardinality(v_devices), 0) < p_units THEN
        outcome := 'fragmented';
        RETURN;
    END IF;

    INSERT INTO reservations_reservation (
        public_id, pool_id, node_id, team_id, requested_by_id, resource_name, units, mode,
        cpu_millicores, memory_mib, storage_gib, purpose, starts_at, ends_at, state, state_reason,
        state_changed_at, created_at, cost_minor, currency, overridden, approved_by_id,
        pending_on, approver, held_until
    ) VALUES (
        p_public_id, p_pool, on_node, p_team, p_requested_by, p_resource_name, p_units, p_mode,
        p_cpu_millicores, p_memory_mib, p_storage_gib, p_purpose, p_starts_at, p_ends_at,
        p_state, '', p_now, p_now, p_cost_minor, p_currency, p_overridden, p_approved_by,
        p_pending_on, p_approver, p_held_until
    ) RETURNING id INTO reservation_id;
    INSERT INTO reservations_devicehold (reservation_id, device_id, during)
        SELECT reservation_id, device, v_during FROM unnest(v_devices) AS device;
    INSERT INTO audit_auditevent (at, action, subject, actor_id, team_id, data)
        VALUES (p_now, v_event, 'reservation:' || p_public_id, p_requested_by,
                p_team, p_data);
    INSERT INTO notifications_outboxmessage
        (key, event, subject, team_id, data, created_at, fanned_out_at)
        VALUES (v_event || ':' || p_public_id, v_event,
                'reservation:' || p_public_id, p_team, p_data, p_now, NULL)
        ON CONFLICT (key) DO NOTHING;
    outcome := 'booked';
END
$$;
"""

SIGNATURE = f"{before.SIGNATURE}, text, text, integer, timestamptz"


class Migration(migrations.Migration):
    dependencies = [("reservations", "0008_held_and_waiting")]

    operations = [
        migrations.RunSQL(
            f"DROP FUNCTION reservations_admit_booking({before.SIGNATURE})",
            before.FORWARD,
            elidable=False,
        ),
        migrations.RunSQL(
            FORWARD, f"DROP FUNCTION reservations_admit_booking({SIGNATURE})", elidable=False
        ),
    ]
