"""What speaks against a wish, what it costs, and who may book it in spite of that."""

from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction

from gpuaas.accounts import permissions
from gpuaas.accounts.models import Team, User
from gpuaas.inventory import resource_types
from gpuaas.inventory import selectors as inventory
from gpuaas.inventory.models import Node, Pool
from reservations import facts, policy
from reservations.capacity import Demand
from reservations.models import TeamLedger
from reservations.services.booking import Terms
from reservations.services.wishes import Wish


@dataclass(frozen=True, slots=True)
class Approval:
    """Rules that somebody wants set aside: who, the codes of their problems, and why."""

    by: User
    override: frozenset[str]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the rules say about a wish: the ``problems`` that stand, and the ``terms`` without them.

    The terms have the price of the whole window, and what was set aside.
    """

    problems: tuple[policy.Problem, ...]
    terms: Terms


@dataclass(frozen=True, slots=True)
class Grounds:
    """What wishes of one team for one type of a pool are judged on, as it was read once.

    ``usage`` and ``centre_usage`` reach back far enough for any wish that starts at ``since`` or
    later; rules, price and the budget of the cost centre are those of the first wish.
    """

    since: datetime
    of: facts.Standing
    share: Fraction
    usage: policy.Usage
    centre: facts.Centre | None
    centre_usage: policy.Usage


def evaluate(
    *,
    pool: Pool,
    team: Team,
    wish: Wish,
    now: datetime,
    approval: Approval | None = None,
    besides: int | None = None,
    with_hardware: bool = True,
) -> Evaluation:
    """Hold ``wish`` against the product's bounds, the hardware, and the rules of pool and team.

    ``besides`` is the reservation that the wish itself is by now.  Whoever searches for a place
    anyway need not ask ``with_hardware`` before: what no node can carry finds none.

    One query reads the rules; what the team has booked is read only when a limit depends on it.
    """
    grounds = grounds_for(
        pool=pool, team=team, wish=wish, since=wish.window.starts_at, now=now, besides=besides
    )
    hardware = problems_with_hardware(pool, wish) if with_hardware else ()
    return judge(
        grounds, pool=pool, team=team, wish=wish, hardware=hardware, approval=approval, now=now
    )


def grounds_for(
    *,
    pool: Pool,
    team: Team,
    wish: Wish,
    since: datetime,
    now: datetime,
    besides: int | None = None,
) -> Grounds:
    """Read what ``wish`` is judged on, and others like it that start at ``since`` or later."""
    of = facts.standing_rules(
        pool=pool, team=team, resource_name=wish.resource_name, at=wish.window.starts_at
    )
    share = (
        facts.share_of(pool=pool, resource_name=wish.resource_name)
        if of.rules.look_at_shares
        else Fraction(1)
    )
    centre = facts.centre_of(team, at=wish.window.starts_at)
    usage: policy.Usage = ()
    centre_usage: policy.Usage = ()
    first = replace(wish.window, starts_at=min(since, wish.window.starts_at))
    if policy.Ask(window=first, units=wish.units, now=now).is_measurable:
        since = policy.usage_from(of.rules, first)
        if centre:
            since = min(since, policy.month_of(first.starts_at).starts_at)
        if centre or of.rules.look_at_usage:
            by_team = facts.usage_by_team(
                teams={team.pk, *(centre.teams if centre else ())},
                pool=pool,
                since=since,
                with_shares=of.rules.look_at_shares,
                besides=besides,
            )
            usage = by_team.get(team.pk, ()) if of.rules.look_at_usage else ()
            if centre:
                centre_usage = tuple(
                    booked for each in centre.teams for booked in by_team.get(each, ())
                )
    return Grounds(first.starts_at, of, share, usage, centre, centre_usage)


def judge(
    grounds: Grounds,
    *,
    pool: Pool,
    team: Team,
    wish: Wish,
    now: datetime,
    hardware: tuple[policy.Problem, ...] = (),
    approval: Approval | None = None,
) -> Evaluation:
    """Hold ``wish`` against what was read; ``hardware`` is what speaks against it besides."""
    of, centre = grounds.of, grounds.centre
    ask = policy.Ask(
        window=wish.window,
        units=wish.units,
        now=now,
        share=grounds.share,
        price_minor=of.price_minor,
        currency=of.currency,
    )
    found = (
        *policy.problems_with(window=wish.window, units=wish.units, now=now),
        *hardware,
        *policy.problems_with_demand(wish.demand),
        *policy.problems_against(ask, rules=of.rules, usage=grounds.usage, pool=str(pool)),
        *(_problems_with_centre(centre, ask, grounds) if centre else ()),
    )
    problems, overridden = _set_aside(found, team=team, approval=approval, now=now)
    approved = approval if overridden else None
    terms = Terms(
        cost_minor=ask.cost_minor,
        currency=of.currency,
        overridden=overridden,
        approved_by=approved.by if approved else None,
        reason=approved.reason.strip() if approved else "",
        ledger_version=of.ledger_version if of.rules.look_at_usage else None,
    )
    if centre:
        terms = replace(terms, ledger_version=centre.ledger_version, ledgers_of=centre.teams)
    return Evaluation(problems, terms)


def _problems_with_centre(
    centre: facts.Centre, ask: policy.Ask, grounds: Grounds
) -> tuple[policy.Problem, ...]:
    """Return what the budget of the team's cost centre says, which all its teams spend."""
    if not ask.is_measurable:
        return ()
    return policy.problems_with_centre(
        ask,
        name=centre.name,
        budget_minor=centre.budget_minor,
        usage=grounds.centre_usage,
        shortest=grounds.of.rules.shortest,
    )


def authority_over(team: Team, *, person: User, now: datetime) -> policy.Approver | None:
    """Return what ``person`` may set aside for ``team``; None: nothing."""
    if person.is_active and person.is_platform_admin:
        return policy.Approver.PLATFORM_ADMIN
    if permissions.may_manage_team(user=person, team=team, now=now):
        return policy.Approver.MANAGER
    return None


def ensure_ledger(team: Team, terms: Terms) -> None:
    """Make the rows that limits are guarded by, once in the life of a team that has limits."""
    if terms.ledgers_of:
        rows = [TeamLedger(team_id=each) for each in terms.ledgers_of]
        TeamLedger.objects.bulk_create(rows, ignore_conflicts=True)
    elif terms.ledger_version == 0:
        TeamLedger.objects.get_or_create(team=team)


def problems_with_hardware(pool: Pool, wish: Wish) -> tuple[policy.Problem, ...]:
    """Return why no node of ``pool`` could carry ``wish``, however empty it is."""
    types = {each.resource_name: each for each in resource_types.of(pool)}
    found = types.get(wish.resource_name)
    if found is None:
        message = f"{pool} has no {wish.resource_name}: it has {', '.join(types) or 'no devices'}"
        return (policy.Problem("unknown_type", "resource_name", message),)
    nodes = [_all_of(node) for node in inventory.node_capacities(pool).values()]
    problems = policy.problems_with_size(wish.demand, nodes=nodes, where=str(pool))
    if wish.units <= found.devices_per_node:
        return problems
    message = (
        f"the largest node of {pool} has {found.devices_per_node} of {wish.resource_name}, "
        f"you asked for {wish.units}: a booking lies on one node"
    )
    return (policy.Problem("too_many_units", "units", message), *problems)


def _all_of(node: Node) -> Demand:
    return Demand(
        cpu_millicores=node.cpu_millicores,
        memory_mib=node.memory_mib,
        storage_gib=node.storage_gib,
    )


def _set_aside(
    problems: tuple[policy.Problem, ...], *, team: Team, approval: Approval | None, now: datetime
) -> tuple[tuple[policy.Problem, ...], tuple[str, ...]]:
    """Return the problems that stand, and the codes that ``approval`` sets aside.

    A code counts as set aside only when no problem of that code is left.
    """
    if approval is None or not approval.override:
        return problems, ()
    if not approval.reason.strip():
        message = "say why the rules are set aside: the history of the booking keeps it"
        return (*problems, policy.Problem("reason_missing", "reason", message)), ()
    authority = authority_over(team, person=approval.by, now=now)
    left = policy.standing(problems, override=approval.override, authority=authority)
    gone = {problem.code for problem in problems} - {problem.code for problem in left}
    return left, tuple(sorted(gone))
