"""`tokenomics.core.shares`: who pays a pool's portions, to the cent."""

import random
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.planning.scenarios import worked
from tokenomics.core.allocation import split
from tokenomics.core.lines import NS_PER_HOUR, LineKind
from tokenomics.core.portions import Portion
from tokenomics.core.shares import Claim, at_rate, shares, used_and_unused

OCTOBER = worked("seed_hardware")["allocation"]
POOL = Portion("lab", "all", OCTOBER["pool_cents"])
CLAIMS = [
    Claim(LineKind.BOOKED_USED, int(float(hours) * NS_PER_HOUR)) for hours in OCTOBER["hours"][:-1]
]
IDLE = Claim(LineKind.IDLE, int(float(OCTOBER["hours"][-1]) * NS_PER_HOUR))

claims = st.lists(
    st.builds(
        Claim,
        st.sampled_from([*LineKind][:6]),
        st.integers(0, 10**15),
        st.integers(0, 10**15),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)
portions = st.lists(
    st.integers(0, 10**8).flatmap(
        lambda total: st.builds(
            Portion, st.just("lab"), st.just(""), st.just(total), st.integers(0, total)
        )
    ),
    min_size=1,
    max_size=4,
).map(
    lambda found: [
        Portion("lab", f"c{index}", each.amount_minor, each.by_activity_minor)
        for index, each in enumerate(found)
    ]
)


def total(found: list[dict[str, int]]) -> Counter[str]:
    return sum((Counter(each) for each in found), Counter())


def test_policy_a_of_the_reference_month() -> None:
    found = shares([POOL], [*CLAIMS, IDLE], spread_idle=False)

    assert [each["all"] for each in found] == OCTOBER["cents"]


def test_policy_b_of_the_reference_month() -> None:
    found = shares([POOL], [*CLAIMS, IDLE], spread_idle=True)

    assert [each["all"] for each in found] == [*OCTOBER["policyB"], 0]


def test_policy_c_pays_the_rate_and_leaves_a_variance() -> None:
    two = [Portion("lab", "capital", 100_000), Portion("lab", "power", 82_828)]

    found, variance = at_rate(two, [*CLAIMS, IDLE], minor_per_gpu_hour=Fraction(200))

    paid = [sum(each.values()) for each in found]
    assert paid == [37_200, 20_000, 60_000, 5_000, 0]
    assert sum(variance.values()) == 182_828 - 122_200
    assert total([*found, variance]) == Counter(capital=100_000, power=82_828)


def test_policy_c_where_there_is_nothing_to_pay() -> None:
    assert at_rate([], CLAIMS[:1], minor_per_gpu_hour=Fraction(200)) == ([{}], {})


@pytest.mark.parametrize(("index", "active"), [(0, 55), (1, 20), (2, 70), (3, 5)])
def test_used_and_unused_of_the_reference_month(index: int, active: int) -> None:
    _, cents, parts = OCTOBER["used_unused"][index]

    used, unused = used_and_unused({"all": cents}, active, 100)

    assert [used["all"], unused["all"]] == parts


def test_what_is_above_idle_follows_activity() -> None:
    busy = Claim(LineKind.BOOKED_USED, 100, active_ns=75)
    calm = Claim(LineKind.BOOKED_USED, 100, active_ns=25)

    found = shares([Portion("lab", "power", 300, 100)], [busy, calm], spread_idle=False)

    assert [each["power"] for each in found] == [175, 125]


def test_without_activity_everything_follows_capacity() -> None:
    found = shares([Portion("lab", "power", 300, 100)], CLAIMS[:1] * 2, spread_idle=False)

    assert [each["power"] for each in found] == [150, 150]


def test_a_plan_costs_nothing_and_a_breakdown_its_time() -> None:
    closed = Claim(LineKind.OUTAGE, 100, is_planned=True)
    broken, booked = Claim(LineKind.OUTAGE, 100), Claim(LineKind.BOOKED_USED, 300)

    found = shares([Portion("lab", "capital", 400)], [closed, broken, booked], spread_idle=False)

    assert [each["capital"] for each in found] == [0, 100, 300]


def test_somebody_always_pays() -> None:
    closed = Claim(LineKind.OUTAGE, 100, is_planned=True)
    capital = [Portion("lab", "capital", 7)]

    assert shares(capital, [closed], spread_idle=False) == [{"capital": 7}]
    assert shares(capital, [Claim(LineKind.IDLE, 0)], spread_idle=True) == [{"capital": 7}]


def test_with_nobody_who_booked_idle_is_spread_over_nobody() -> None:
    broken = Claim(LineKind.OUTAGE, 100)

    found = shares([Portion("lab", "capital", 400)], [IDLE, broken], spread_idle=True)

    assert found[0]["capital"] > 0


@given(portions=portions, claims=claims, spread_idle=st.booleans())
def test_shares_add_up_to_the_portions(
    portions: list[Portion], claims: list[Claim], *, spread_idle: bool
) -> None:
    found = shares(portions, claims, spread_idle=spread_idle)

    for portion in portions:
        parts = [each[portion.category] for each in found]
        assert sum(parts) == portion.amount_minor
        assert min(parts) >= 0


@given(
    portions=portions,
    claims=claims,
    rate=st.fractions(min_value=0, max_value=1000, max_denominator=100),
)
def test_a_rate_and_its_variance_add_up_to_the_portions(
    portions: list[Portion], claims: list[Claim], rate: Fraction
) -> None:
    found, variance = at_rate(portions, claims, minor_per_gpu_hour=rate)

    for portion in portions:
        parts = sum(each[portion.category] for each in found)
        assert parts + variance[portion.category] == portion.amount_minor


@given(portions=portions, claims=claims, seed=st.integers(0, 100))
def test_the_order_moves_no_more_than_the_last_cent(
    portions: list[Portion], claims: list[Claim], seed: int
) -> None:
    order = list(range(len(claims)))
    random.Random(seed).shuffle(order)  # noqa: S311

    found = shares(portions, claims, spread_idle=False)
    shuffled = shares(portions, [claims[index] for index in order], spread_idle=False)

    for at, index in enumerate(order):
        for portion in portions:
            # One cent for what follows capacity, one for what follows activity.
            assert abs(shuffled[at][portion.category] - found[index][portion.category]) <= 2


@given(
    amounts=st.dictionaries(st.text("abc", min_size=1), st.integers(-1000, 10**6)),
    seen=st.integers(1, 10**7),
    part=st.fractions(0, 1),
)
def test_used_and_unused_are_what_splitting_gives(
    amounts: dict[str, int], seen: int, part: Fraction
) -> None:
    active = int(seen * part)

    used, unused = used_and_unused(amounts, active, seen)

    for name, amount in amounts.items():
        assert [used[name], unused[name]] == split(amount, [active, seen - active])
