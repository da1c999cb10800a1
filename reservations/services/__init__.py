"""Everything that changes a reservation.

Public functions are keyword-only, take ``now`` from the caller, write the audit trail in the
transaction that makes the change, and refuse with a `DomainError`.
"""

from reservations.services.admission import admit
from reservations.services.healing import Healing, heal, heal_all
from reservations.services.moves import cancel, fail_missed, give_back, transition
from reservations.services.refusals import NotYourTeam, PoolFull, StaleReservation, WishRefused
from reservations.services.rules import Approval, Evaluation, authority_over, evaluate
from reservations.services.telling import remind, tell
from reservations.services.wishes import Wish, default_share, usual_demand

__all__ = [
    "Approval",
    "Evaluation",
    "Healing",
    "NotYourTeam",
    "PoolFull",
    "StaleReservation",
    "Wish",
    "WishRefused",
    "admit",
    "authority_over",
    "cancel",
    "default_share",
    "evaluate",
    "fail_missed",
    "give_back",
    "heal",
    "heal_all",
    "remind",
    "tell",
    "transition",
    "usual_demand",
]
