"""Three years of a company's bookings, written by PostgreSQL itself: for benchmarks/lists.py."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

TEAMS, PEOPLE, POOLS, NODES = 50, 1_000, 10, 100
YEARS_SECONDS = 3 * 365 * 86_400
AHEAD = "10 days"
RESOURCE_NAME = "nvidia.com/mig-1g.24gb"


@dataclass(frozen=True)
class There:
    """Who looks, and what they look for."""

    people: dict[str, Any]
    number: str
    pool: int


def fill(*, reservations: int, now: datetime) -> There:
    """Fill the tables where they are empty; return who is there."""
    from django.db import connection, transaction  # noqa: PLC0415 -- after Django is set up

    from gpuaas.accounts.models import User  # noqa: PLC0415
    from gpuaas.inventory.models import Pool  # noqa: PLC0415
    from reservations.models import Reservation  # noqa: PLC0415

    if not Reservation.objects.exists():
        began = time.perf_counter()
        with connection.cursor() as cursor, transaction.atomic():
            cursor.execute("SET LOCAL synchronous_commit = off")
            # No trigger checks, row by row, what holds by construction.
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(_DEFAULTS)
            for statement in _STATEMENTS:
                cursor.execute(
                    statement,
                    {
                        "now": now,
                        "n": reservations,
                        "step": f"{YEARS_SECONDS / reservations} seconds",
                        "ahead": AHEAD,
                        "teams": TEAMS,
                        "people": PEOPLE,
                        "pools": POOLS,
                        "nodes": NODES,
                        "type": RESOURCE_NAME,
                    },
                )
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
        print(f"{reservations:,} reservations in {time.perf_counter() - began:.0f} s", flush=True)
    people = {
        name: User.objects.get(username=username)
        for name, username in (
            ("member", "person-12"),
            ("manager", "person-13"),
            ("administrator", "person-1"),
        )
    }
    oldest = Reservation.objects.order_by("starts_at", "pk").first()
    assert oldest is not None  # noqa: S101 -- it was just filled
    return There(people, str(oldest.public_id), Pool.objects.get(slug="pool-7").pk)


# What a table has besides what is filled here is empty: the database knows no defaults of Django's.
_DEFAULTS = """
DO $$
DECLARE found record;
BEGIN
    FOR found IN
        SELECT table_name, column_name, data_type FROM information_schema.columns
        WHERE table_schema = 'public' AND is_nullable = 'NO' AND column_default IS NULL
          AND is_identity = 'NO'
          AND data_type IN ('character varying', 'text', 'boolean', 'smallint', 'integer',
                            'bigint', 'jsonb')
    LOOP
        EXECUTE format(
            'ALTER TABLE %I ALTER COLUMN %I SET DEFAULT %L', found.table_name, found.column_name,
            CASE found.data_type WHEN 'boolean' THEN 'false' WHEN 'jsonb' THEN '{}'
                WHEN 'character varying' THEN '' WHEN 'text' THEN '' ELSE '0' END
        );
    END LOOP;
END $$
"""
_STATEMENTS = (
    """
    INSERT INTO accounts_team (name, slug, cost_centre, description, is_active)
    SELECT 'Team ' || i, 'team-' || i, '', '', true FROM generate_series(1, %(teams)s) i
    """,
    """
    INSERT INTO accounts_user (username, password, first_name, last_name, email, is_staff,
        is_superuser, is_active, date_joined, organisation_role)
    SELECT 'person-' || i, '!', '', '', 'person-' || i || '@example.com', i IN (1, 13), i = 1,
        true, %(now)s, CASE WHEN i = 1 THEN 'platform_admin' ELSE '' END
    FROM generate_series(1, %(people)s) i
    """,
    # Everybody is in one team; the manager manages three, the member is in the largest.
    """
    INSERT INTO accounts_membership (team_id, user_id, role, source, granted_at)
    SELECT t.id, u.id, CASE WHEN u.username = 'person-13' THEN 'manager' ELSE 'member' END,
        'manual', %(now)s
    FROM accounts_user u JOIN accounts_team t ON
        t.slug = 'team-' || (1 + substr(u.username, 8)::int %% %(teams)s)
        OR u.username = 'person-12' AND t.slug = 'team-1'
        OR u.username = 'person-13' AND t.slug IN ('team-1', 'team-2', 'team-3')
    """,
    """
    INSERT INTO inventory_cluster (name, display_name, is_enabled, in_cluster, storage_class,
        workspace_url_template, api_url, api_ca_pem, oidc_issuer_url, oidc_client_id, gpu_backend,
        exposure)
    VALUES ('lab', 'Lab', true, false, 'lvms', 'https://{namespace}.example.com/', '', '', '', '',
        'device_plugin', 'none')
    """,
    """
    INSERT INTO inventory_pool (cluster_id, name, slug, description)
    SELECT (SELECT id FROM inventory_cluster), 'Pool ' || i, 'pool-' || i, ''
    FROM generate_series(1, %(pools)s) i
    """,
    """
    INSERT INTO inventory_node (cluster_id, pool_id, name, cpu_millicores, memory_mib,
        storage_gib, is_schedulable, is_withdrawn, is_ready)
    SELECT p.cluster_id, p.id, 'node-' || i, 127000, 772096, 25000, true, false, true
    FROM generate_series(1, %(nodes)s) i JOIN inventory_pool p
        ON p.slug = 'pool-' || (1 + i %% %(pools)s)
    """,
    """
    INSERT INTO inventory_device (node_id, resource_name, ordinal, product, memory_mib, replicas,
        compute_share, state, state_reason, retired_by_import)
    SELECT v.id, %(type)s, i, 'NVIDIA-RTX-PRO-6000', 24064, 2, 0.25, 'in_service', '', false
    FROM inventory_node v, generate_series(0, 3) i
    """,
    # A fifth is the largest team's; the last ten days lie ahead.
    """
    WITH team AS (SELECT array_agg(id ORDER BY id) AS ids FROM accounts_team),
        person AS (SELECT array_agg(id ORDER BY id) AS ids FROM accounts_user),
        node AS (SELECT array_agg(id ORDER BY id) AS ids, array_agg(pool_id ORDER BY id) AS pools
            FROM inventory_node),
        drawn AS (
            SELECT i, hashint4(i) & 2147483647 AS h, %(now)s + %(ahead)s::interval
                - i * %(step)s::interval AS at
            FROM generate_series(1, %(n)s) i
        )
    INSERT INTO reservations_reservation (public_id, pool_id, node_id, team_id, requested_by_id,
        resource_name, units, mode, cpu_millicores, memory_mib, storage_gib, purpose, starts_at,
        ends_at, state, state_reason, state_changed_at, created_at, cost_minor, currency,
        overridden)
    SELECT md5(i::text)::uuid, node.pools[1 + h %% %(nodes)s], node.ids[1 + h %% %(nodes)s],
        team.ids[CASE WHEN h %% 5 = 0 THEN 1 ELSE 1 + h %% %(teams)s END],
        person.ids[1 + (h / 7) %% %(people)s], %(type)s, 1 + h %% 4, 'interactive', 15000, 95232,
        600, 'training run ' || i, at, at + (1 + h %% 8) * interval '1 hour',
        CASE WHEN at > %(now)s THEN 'APPROVED'
            WHEN at + (1 + h %% 8) * interval '1 hour' > %(now)s THEN 'ACTIVE'
            WHEN h %% 100 < 12 THEN 'CANCELED' WHEN h %% 100 < 15 THEN 'FAILED'
            ELSE 'COMPLETED' END,
        'because', least(at, %(now)s), at - interval '3 days', 4200, 'EUR', '[]'
    FROM drawn, team, person, node
    """,
    """
    INSERT INTO gpu_sessions_workspacesession (public_id, reservation_id, namespace,
        namespace_uid, state, waiting_for, waited_seconds, failures, last_error, opened_at,
        ready_at, ended_at)
    SELECT public_id, id, 's-' || substr(public_id::text, 1, 13) || id, '',
        CASE WHEN state = 'ACTIVE' THEN 'READY' ELSE 'ENDED' END, '', 0, 0, '', starts_at,
        starts_at, CASE WHEN state = 'ACTIVE' THEN NULL ELSE ends_at END
    FROM reservations_reservation WHERE state IN ('ACTIVE', 'COMPLETED', 'FAILED')
    """,
    """
    INSERT INTO audit_auditevent (at, action, subject, actor_id, team_id, data)
    SELECT created_at, 'reservation.' || CASE WHEN state = 'CANCELED' THEN 'canceled'
        ELSE 'approved' END, 'reservation:' || public_id, requested_by_id, team_id, '{}'
    FROM reservations_reservation ORDER BY created_at
    """,
    """
    INSERT INTO audit_auditlink (position, event_id, digest)
    SELECT row_number() OVER (ORDER BY id), id, decode(md5(id::text) || md5(id::text), 'hex')
    FROM audit_auditevent
    """,
    """
    INSERT INTO notifications_outboxmessage (key, event, subject, team_id, data, created_at,
        fanned_out_at, problem)
    SELECT 'ready:' || public_id, 'reservation.ready', 'reservation:' || public_id, team_id, '{}',
        created_at, created_at, ''
    FROM reservations_reservation WHERE id %% 4 = 0
    """,
    """
    INSERT INTO notifications_notice (message_id, person_id, created_at, read_at)
    SELECT m.id, r.requested_by_id, m.created_at, m.created_at
    FROM notifications_outboxmessage m
    JOIN reservations_reservation r ON m.subject = 'reservation:' || r.public_id
    """,
    """
    INSERT INTO notifications_delivery (message_id, channel, person_id, state, next_try_at,
        attempts, last_error, finished_at)
    SELECT message_id, 'email', person_id,
        CASE WHEN id %% 1000 = 0 THEN 'dead' ELSE 'done' END, created_at, 1, '', created_at
    FROM notifications_notice
    """,
)
