"""Every way in which a change of the inventory is refused."""

from collections.abc import Sequence

from gpuaas.core import errors
from gpuaas.inventory.closing import Problem


class PlatformAdminsOnly(errors.DomainError):
    """Only platform administrators change the hardware."""

    code = "platform_admins_only"


class ReasonMissing(errors.DomainError):
    """Whoever takes hardware away says why: people who booked it will ask."""

    code = "reason_missing"


class Unchanged(errors.DomainError):
    """It is as it was asked to be already."""

    code = "unchanged"


class StaleInventory(errors.DomainError):
    """Somebody changed it between our read and our write."""

    code = "stale"


class NothingToShare(errors.DomainError):
    """The cluster keeps every session to its own devices: sharing them is not for a word to say."""

    code = "nothing_to_share"


class ClosureRefused(errors.DomainError):
    """Rules speak against the closure; ``problems`` has every reason."""

    code = "closure_refused"

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = tuple(problems)


class LayoutRefused(errors.DomainError):
    """Rules or bookings speak against the planned layout; ``problems`` has every reason."""

    code = "layout_refused"

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = tuple(problems)


class LayoutBegun(errors.DomainError):
    """What has begun is not cancelled: its bookings count on it, and it goes back by itself."""

    code = "layout_begun"


class ClosureOver(errors.DomainError):
    """What is over or cancelled already cannot be cancelled."""

    code = "closure_over"


class ImportRefused(errors.DomainError):
    """What an import says contradicts what the inventory holds; nothing was changed."""

    code = "import_refused"
