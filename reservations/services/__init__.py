"""Everything that changes a reservation.

Public functions are keyword-only, take ``now`` from the caller, write the audit trail in the
transaction that makes the change, and refuse with a `DomainError`.
"""

from reservations.services import chances
from reservations.services.admission import admit
from reservations.services.approvals import (
    HoldLapsed,
    NotWaitingForThis,
    NotYoursToApprove,
    approve,
    can_be_held,
    lapse_due,
    reject,
)
from reservations.services.budgets import announce_budgets
from reservations.services.extension import extend, longest_extension
from reservations.services.healing import Healing, heal, heal_all, heal_these
from reservations.services.limits import (
    RulesNotYours,
    RulesRefused,
    set_pool_rules,
    set_price,
    set_team_rules,
)
from reservations.services.line import advance, room_made
from reservations.services.moves import (
    begin_end,
    cancel,
    fail_missed,
    give_back,
    release_no_show,
    transition,
)
from reservations.services.rebooking import NotFlagged, Offer, OfferGone, accept_offer, offers_for
from reservations.services.refusals import (
    CannotChange,
    CannotExtend,
    NotYourTeam,
    PoolFull,
    StaleReservation,
    WishRefused,
    bound_in_words,
)
from reservations.services.rescheduling import move
from reservations.services.rules import Approval, Evaluation, authority_over, evaluate
from reservations.services.shortening import shorten
from reservations.services.telling import remind, tell
from reservations.services.waitlist import book_or_wait, confirm, pass_on, tend
from reservations.services.wishes import Wish, default_share, usual_demand, usual_of, wish_of

__all__ = [
    "Approval",
    "CannotChange",
    "CannotExtend",
    "Evaluation",
    "Healing",
    "HoldLapsed",
    "NotFlagged",
    "NotWaitingForThis",
    "NotYourTeam",
    "NotYoursToApprove",
    "Offer",
    "OfferGone",
    "PoolFull",
    "RulesNotYours",
    "RulesRefused",
    "StaleReservation",
    "Wish",
    "WishRefused",
    "accept_offer",
    "admit",
    "advance",
    "announce_budgets",
    "approve",
    "authority_over",
    "begin_end",
    "book_or_wait",
    "bound_in_words",
    "can_be_held",
    "cancel",
    "chances",
    "confirm",
    "default_share",
    "evaluate",
    "extend",
    "fail_missed",
    "give_back",
    "heal",
    "heal_all",
    "heal_these",
    "lapse_due",
    "longest_extension",
    "move",
    "offers_for",
    "pass_on",
    "reject",
    "release_no_show",
    "remind",
    "room_made",
    "set_pool_rules",
    "set_price",
    "set_team_rules",
    "shorten",
    "tell",
    "tend",
    "transition",
    "usual_demand",
    "usual_of",
    "wish_of",
]
