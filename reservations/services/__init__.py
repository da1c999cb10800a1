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
from reservations.services.behalf import mate
from reservations.services.budgets import announce_budgets
from reservations.services.estimates import Estimate, estimate
from reservations.services.extension import extend, longest_extension
from reservations.services.healing import Healing, heal, heal_all, heal_these
from reservations.services.layouts import advance_layout, cancel_layout, plan_layout
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
    release_idle,
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
from reservations.services.series import (
    Ways,
    book_series,
    cancel_series,
    finish_series,
)
from reservations.services.shortening import shorten
from reservations.services.telling import remind, tell
from reservations.services.templates import (
    NotYourTemplate,
    Pattern,
    TemplateNameTaken,
    TooManyTemplates,
    delete_template,
    save_template,
    wish_from,
)
from reservations.services.tending import tend
from reservations.services.waitlist import book_or_wait, confirm, pass_on
from reservations.services.wishes import Wish, default_share, usual_demand, usual_of, wish_of

__all__ = [
    "Approval",
    "CannotChange",
    "CannotExtend",
    "Estimate",
    "Evaluation",
    "Healing",
    "HoldLapsed",
    "NotFlagged",
    "NotWaitingForThis",
    "NotYourTeam",
    "NotYourTemplate",
    "NotYoursToApprove",
    "Offer",
    "OfferGone",
    "Pattern",
    "PoolFull",
    "RulesNotYours",
    "RulesRefused",
    "StaleReservation",
    "TemplateNameTaken",
    "TooManyTemplates",
    "Ways",
    "Wish",
    "WishRefused",
    "accept_offer",
    "admit",
    "advance",
    "advance_layout",
    "announce_budgets",
    "approve",
    "authority_over",
    "begin_end",
    "book_or_wait",
    "book_series",
    "bound_in_words",
    "can_be_held",
    "cancel",
    "cancel_layout",
    "cancel_series",
    "chances",
    "confirm",
    "default_share",
    "delete_template",
    "estimate",
    "evaluate",
    "extend",
    "fail_missed",
    "finish_series",
    "give_back",
    "heal",
    "heal_all",
    "heal_these",
    "lapse_due",
    "longest_extension",
    "mate",
    "move",
    "offers_for",
    "pass_on",
    "plan_layout",
    "reject",
    "release_idle",
    "release_no_show",
    "remind",
    "room_made",
    "save_template",
    "set_pool_rules",
    "set_price",
    "set_team_rules",
    "shorten",
    "tell",
    "tend",
    "transition",
    "usual_demand",
    "usual_of",
    "wish_from",
    "wish_of",
]
