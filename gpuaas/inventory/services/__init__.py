"""Everything that changes the inventory.

Public functions are keyword-only, take ``now`` from the caller, write the audit trail in the
transaction that makes the change, and refuse with a `DomainError`.  None of them touches bookings:
reservations lie above.
"""

from gpuaas.inventory.services.closures import cancel_closure, plan_closure
from gpuaas.inventory.services.guards import check_may_change, keep_bookings_out
from gpuaas.inventory.services.hardware import set_device_state, set_node_schedulable
from gpuaas.inventory.services.importing import (
    ImportReport,
    ensure_cluster,
    ensure_default_pool,
    import_file,
    import_nodes,
)
from gpuaas.inventory.services.layouts import (
    Plan,
    advance,
    check_layout,
    note_late,
    write_down,
)
from gpuaas.inventory.services.presence import record_presence, record_uuids
from gpuaas.inventory.services.refusals import (
    ClosureOver,
    ClosureRefused,
    ImportRefused,
    LayoutBegun,
    LayoutRefused,
    NothingToShare,
    PlatformAdminsOnly,
    ReasonMissing,
    StaleInventory,
    Unchanged,
)
from gpuaas.inventory.services.reports import record_report, record_reports
from gpuaas.inventory.services.sharing import share_devices

__all__ = [
    "ClosureOver",
    "ClosureRefused",
    "ImportRefused",
    "ImportReport",
    "LayoutBegun",
    "LayoutRefused",
    "NothingToShare",
    "Plan",
    "PlatformAdminsOnly",
    "ReasonMissing",
    "StaleInventory",
    "Unchanged",
    "advance",
    "cancel_closure",
    "check_layout",
    "check_may_change",
    "ensure_cluster",
    "ensure_default_pool",
    "import_file",
    "import_nodes",
    "keep_bookings_out",
    "note_late",
    "plan_closure",
    "record_presence",
    "record_report",
    "record_reports",
    "record_uuids",
    "set_device_state",
    "set_node_schedulable",
    "share_devices",
    "write_down",
]
