"""What is left to do before anybody can book, step by step.  Pure."""

from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _


@dataclass(frozen=True, slots=True)
class Step:
    """One step: where it is done, and whether it is."""

    name: str
    why: str
    address: str
    word: str
    is_done: bool
    is_next: bool = False


def steps(*, cluster: bool, hardware: bool, pool: bool, people: bool) -> tuple[Step, ...]:
    """Return the steps of an installation in which nobody has booked yet, the next one marked."""
    found = (
        Step(
            _("Add a cluster"),
            _("Its name is also that of its credentials, a mounted file."),
            reverse("admin:inventory_cluster_add"),
            _("Add"),
            cluster,
        ),
        Step(
            _("Bring in its hardware"),
            _("Nodes and devices come from the cluster's labels, or from a file."),
            reverse("portal:import"),
            _("Import"),
            hardware,
        ),
        Step(
            _("Make a pool"),
            _("Only nodes in a pool can be booked; a pool has rules and prices of its own."),
            reverse("admin:inventory_pool_add"),
            _("Make one"),
            pool,
        ),
        Step(
            _("Invite a team"),
            _("People book for a team, and see what their teams booked."),
            reverse("portal:team_new"),
            _("New team"),
            people,
        ),
        Step(
            _("Book for the first time"),
            _("A member of the team books an hour, and finds a workspace."),
            reverse("portal:book"),
            _("Book"),
            is_done=False,
        ),
    )
    following = next(n for n, each in enumerate(found) if not each.is_done)
    return tuple(
        Step(each.name, each.why, each.address, each.word, each.is_done, n == following)
        for n, each in enumerate(found)
    )
