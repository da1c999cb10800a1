"""System checks: what would make an installation misbehave, said before it does.

gpuaas.E001  more is booked than a pool's hardware has (with --database default)
gpuaas.E002  the database is not PostgreSQL
gpuaas.E003  the folder of the clusters' credentials is missing or unreadable
gpuaas.E004  the reconciler would run more often than it can finish
gpuaas.E005  the installation's name cannot be a label value
gpuaas.E006  a cluster exposes workspaces, and there is no login for them (--database default)
gpuaas.E007  the audit trail would be forgotten too soon
gpuaas.W001  the outside address is not https (with --deploy)
gpuaas.W003  a node offers fewer devices than the inventory has (with --database default)
gpuaas.W004  teams share devices, by a word or against it (with --database default)
gpuaas.W002  the broker forgets its messages or cannot be shared (with --deploy)
"""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, Warning  # noqa: A004 -- Django's name
from django.db import DatabaseError, connections
from django.utils import timezone

from gpuaas.audit import services as audit
from gpuaas.inventory import selectors as inventory
from gpuaas.inventory.models import Exposure
from reservations import selectors as reservations

SHORTEST_RECONCILE_INTERVAL_SECONDS: Final = 5
# What Kubernetes allows as the value of a label, but never empty.
_LABEL_VALUE: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_SHARED_BROKERS: Final = ("redis://", "rediss://", "sentinel://", "amqp://", "amqps://")


@checks.register(Tags.database)
def pools_have_what_is_booked(
    databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """gpuaas.E001: a device was retired, or a node shrank, under bookings that count on it."""
    if "default" not in (databases or ()):
        return []
    try:
        return list(_overbooked_pools())
    except DatabaseError:
        return []  # before the first migration there is nothing to check


def _overbooked_pools() -> Iterator[CheckMessage]:
    now = timezone.now()
    for pool in inventory.pools():
        for found in reservations.overbooked(pool, now=now):
            yield Error(
                f"{pool}: {found}",
                hint="Bring the hardware back, or cancel bookings until it is enough.",
                id="gpuaas.E001",
            )


@checks.register(Tags.database)
def nodes_offer_what_the_inventory_has(
    databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """gpuaas.W003: bookings count on the smaller number; the rest of the hardware lies idle."""
    if "default" not in (databases or ()):
        return []
    try:
        missing = inventory.missing_devices()
    except DatabaseError:
        return []
    return [
        Warning(
            f"{each.node}: {each.resource_name}: the inventory has {each.in_service} devices in"
            f" service, the cluster reports {each.reported}.",
            hint="Look at the node; if the device is gone for good, run sync_inventory.",
            id="gpuaas.W003",
        )
        for each in missing
    ]


@checks.register(Tags.database)
def devices_are_their_teams_alone(
    databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """gpuaas.W004: replicas of several devices go to whoever asks, whatever was booked."""
    if "default" not in (databases or ()):
        return []
    try:
        mixed = inventory.mixed_devices()
    except DatabaseError:
        return []
    return [
        Warning(
            f"{each.node}: {each.devices} devices of {each.resource_name} are handed out"
            f" {each.replicas} times each, without regard to teams"
            + (f"; shared on purpose: {each.shared_because}" if each.shared_because else "."),
            hint="Keep one team to a device with dynamic resource allocation, hand each out once,"
            " or share the pool's devices by an explicit word.",
            id="gpuaas.W004",
        )
        for each in mixed
    ]


@checks.register(Tags.database)
def database_is_postgresql(**_: Any) -> list[CheckMessage]:
    """gpuaas.E002: advisory locks, ranges and exclusion constraints have no substitute."""
    if connections.settings["default"]["ENGINE"] == "django.db.backends.postgresql":
        return []
    return [Error("The database must be PostgreSQL.", hint="Set DATABASE_URL.", id="gpuaas.E002")]


@checks.register()
def kubeconfigs_are_readable(**_: Any) -> list[CheckMessage]:
    """gpuaas.E003: only if a folder is named; the web tier has none, and must not have one."""
    named = settings.KUBECONFIG_DIR
    if not named or (Path(named).is_dir() and os.access(named, os.R_OK | os.X_OK)):
        return []
    return [
        Error(
            f"GPUAAS_KUBECONFIG_DIR={named} is not a folder this process can read.",
            hint="Mount it, or leave the variable unset where no cluster is reached.",
            id="gpuaas.E003",
        )
    ]


@checks.register()
def reconcile_interval_is_long_enough(**_: Any) -> list[CheckMessage]:
    """gpuaas.E004."""
    seconds = settings.RECONCILE_INTERVAL_SECONDS
    if seconds >= SHORTEST_RECONCILE_INTERVAL_SECONDS:
        return []
    return [
        Error(
            f"GPUAAS_RECONCILE_INTERVAL_SECONDS={seconds}: at least "
            f"{SHORTEST_RECONCILE_INTERVAL_SECONDS} are needed, or cycles expire unstarted.",
            id="gpuaas.E004",
        )
    ]


@checks.register()
def installation_is_a_label_value(**_: Any) -> list[CheckMessage]:
    """gpuaas.E005: every object in a cluster is labelled with it."""
    if _LABEL_VALUE.fullmatch(settings.INSTALLATION):
        return []
    return [
        Error(
            f"GPUAAS_INSTALLATION={settings.INSTALLATION!r} cannot be the value of a label.",
            hint="1 to 63 letters, digits, '-', '_' or '.', the first and last a letter or digit.",
            id="gpuaas.E005",
        )
    ]


@checks.register(Tags.database)
def exposed_workspaces_have_a_login(
    databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """gpuaas.E006: their doors send people here, and browsers have to be let back to them."""
    if "default" not in (databases or ()):
        return []
    try:
        exposed = list(inventory.clusters().exclude(exposure=Exposure.NONE))
    except DatabaseError:
        return []
    return [
        Error(f"{cluster} exposes workspaces, and {lack}.", hint=hint, id="gpuaas.E006")
        for cluster in exposed
        for lack, hint in _what_logins_lack(cluster.workspace_url_template)
    ]


def _what_logins_lack(template: str) -> Iterator[tuple[str, str]]:
    if not settings.IDP_OIDC_PRIVATE_KEY:
        yield "this installation is no identity provider", "Set GPUAAS_IDP_PRIVATE_KEY_FILE."
    url = urlsplit(template)
    origin = f"{url.scheme}://*.{url.netloc.partition('.')[2]}"
    if origin not in settings.IDP_CLIENT_ORIGINS:
        hint = f"Add {origin} to GPUAAS_IDP_CLIENT_ORIGINS."
        yield "browsers would not be let back to them after a login", hint


@checks.register()
def trail_is_kept_long_enough(**_: Any) -> list[CheckMessage]:
    """gpuaas.E007."""
    days, least = settings.KEEP_AUDIT_DAYS, audit.KEPT_AT_LEAST.days
    if days == 0 or days >= least:
        return []
    return [
        Error(
            f"GPUAAS_KEEP_AUDIT_DAYS={days}: at least {least}, or 0 to keep the trail for good.",
            id="gpuaas.E007",
        )
    ]


@checks.register(Tags.security, deploy=True)
def base_url_is_https(**_: Any) -> list[CheckMessage]:
    """gpuaas.W001."""
    if settings.BASE_URL.startswith("https://"):
        return []
    return [
        Warning(
            f"GPUAAS_BASE_URL={settings.BASE_URL} is not https: cookies travel in clear.",
            id="gpuaas.W001",
        )
    ]


@checks.register(deploy=True)
def broker_is_shared(**_: Any) -> list[CheckMessage]:
    """gpuaas.W002: the message never quotes the address: it may have a password in it."""
    if settings.CELERY_BROKER_URL.startswith(_SHARED_BROKERS):
        return []
    return [
        Warning(
            "CELERY_BROKER_URL names a broker that other processes do not share.",
            hint=f"Use one of {', '.join(_SHARED_BROKERS)}.",
            id="gpuaas.W002",
        )
    ]
