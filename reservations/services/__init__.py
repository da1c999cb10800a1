"""Everything that changes a reservation.

Public functions are keyword-only, take ``now`` from the caller, write the audit trail in the
transaction that makes the change, and refuse with a `DomainError`.
"""

from reservations.services.admission import admit, problems_with
from reservations.services.moves import cancel, fail_missed, give_back, transition
from reservations.services.refusals import NotYourTeam, PoolFull, StaleReservation, WishRefused
from reservations.services.telling import remind, tell
from reservations.services.wishes import Wish, default_share, usual_demand

__all__ = [
    "NotYourTeam",
    "PoolFull",
    "StaleReservation",
    "Wish",
    "WishRefused",
    "admit",
    "cancel",
    "default_share",
    "fail_missed",
    "give_back",
    "problems_with",
    "remind",
    "tell",
    "transition",
    "usual_demand",
]
