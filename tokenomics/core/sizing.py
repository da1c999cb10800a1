"""Inverse: what must be installed for a demand, and whether what is installed is right (6.6).

    n_j = ceil(D_j kappa / (theta_j S A u_max))      replicas of model j
    G*  = ceil(packed GPUs * rho) + k                GPUs to install

``rho`` and ``k`` add hardware here, so its cost is that of G* GPUs with no redundancy on top.
UNDER if G < G*; OVER if one purchasable unit or more could go; RIGHT between the two.
"""

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction
from math import floor
from typing import Final

from tokenomics.core import cost, packing, wording
from tokenomics.core.gpus import WHOLE, Gpu
from tokenomics.core.packing import Layout
from tokenomics.core.scenario import Model, Platform, Scenario, SizingGoal, Unit

_ONE: Final = Decimal(1)
_ZERO: Final = Decimal()


class Verdict(enum.StrEnum):
    """What is installed, against what is needed."""

    UNDER = "under"
    RIGHT = "right"
    OVER = "over"
    INFEASIBLE = "infeasible"


@dataclass(frozen=True, slots=True)
class Need:
    """One model's replicas: ``exact_replicas`` before rounding up; utilisation of the rounded."""

    name: str
    slice: str
    exact_replicas: Decimal
    replicas: int
    gpu_equivalents: Decimal
    mean_utilisation: Decimal
    peak_utilisation: Decimal


@dataclass(frozen=True, slots=True)
class Sizing:
    """The inverse answer.  Where ``verdict`` is INFEASIBLE, what depends on G* is None or empty.

    ``gpus_packed`` is before, ``gpus_required`` after redundancy, spares and whole servers.
    ``mean_`` and ``peak_utilisation`` are of the installed GPUs, over 1 where they cannot carry it.
    ``headroom_ratio`` is how much all demand can grow on what is installed, negative if it must
    shrink.  ``surplus_per_year`` is what the GPUs beyond the required ones cost, negative if some
    are missing.  ``servable_ratio`` is the share of demand that fits the budget.
    """

    verdict: Verdict
    sentence: str
    needs: tuple[Need, ...]
    gpus_installed: int
    gpus_packed: int | None
    gpus_required: int | None
    servers_required: int | None
    layouts: tuple[Layout, ...]
    mean_utilisation: Decimal
    peak_utilisation: Decimal
    headroom_ratio: Decimal | None
    first_that_does_not_fit: str | None
    cost_required_per_year: Decimal | None
    cost_installed_per_year: Decimal
    surplus_per_year: Decimal | None
    within_budget: bool | None
    gpus_affordable: int | None
    servable_ratio: Decimal | None


def exact_replicas(model: Model, goal: SizingGoal) -> Decimal:
    """Return D kappa / (theta S A u_max) of ``model``, a number of replicas before rounding up."""
    one = model.tokens_per_second * cost.SECONDS_PER_YEAR * goal.availability * goal.max_utilisation
    return model.demand_tokens_per_year * goal.peak_factor / one


def whole_up(number: Decimal) -> int:
    """Return the least int that is not below ``number``."""
    return int(number.to_integral_value(ROUND_CEILING))


def sized(platform: Platform, *, gpus: int) -> Platform:
    """Return ``platform`` with ``gpus`` GPUs in as many servers as they take, nothing spare."""
    servers = -(-gpus // platform.gpus_per_server)
    return replace(platform, gpus=gpus, servers=servers, redundancy=_ONE)


def size(scenario: Scenario, goal: SizingGoal) -> Sizing:
    """Return what the models' demand needs, and what that says about what is installed."""
    return _Solver(scenario, goal).solve()


@dataclass(frozen=True, slots=True)
class _Solver:
    scenario: Scenario
    goal: SizingGoal

    @property
    def platform(self) -> Platform:
        return self.scenario.platform

    @property
    def gpu(self) -> Gpu:
        return self.platform.geometry

    @property
    def demanded(self) -> tuple[Model, ...]:
        return tuple(each for each in self.scenario.models if each.demand_tokens_per_year)

    def solve(self) -> Sizing:
        wanted = {each.name: exact_replicas(each, self.goal) for each in self.demanded}
        too_big = self._too_big()
        packed = None if too_big else packing.gpus_needed(self.gpu, self._counts(wanted))
        required = None if packed is None else self._required(packed)
        if required is not None and required > packing.MOST_GPUS:
            required = None
        load = self._load()
        installed = self.platform.gpus
        first = too_big or self._first_left_out(wanted)
        mean = load / (installed * self.goal.availability)
        cost_installed = self._yearly(installed, load)
        cost_required = None if required is None else self._yearly(required, load)
        affordable = None if too_big else self._affordable(load)
        answer = Sizing(
            verdict=self._verdict(required),
            sentence="",
            needs=tuple(self._need(each) for each in self.scenario.models),
            gpus_installed=installed,
            gpus_packed=None if required is None else packed,
            gpus_required=required,
            servers_required=None
            if required is None
            else -(-required // self.platform.gpus_per_server),
            layouts=self._layouts(wanted, packed) if required is not None else (),
            mean_utilisation=mean,
            peak_utilisation=mean * self.goal.peak_factor,
            headroom_ratio=None if too_big else self._headroom(wanted),
            first_that_does_not_fit=first,
            cost_required_per_year=cost_required,
            cost_installed_per_year=cost_installed,
            surplus_per_year=None if cost_required is None else cost_installed - cost_required,
            within_budget=self._within_budget(required, affordable),
            gpus_affordable=affordable,
            servable_ratio=None if affordable is None else self._servable(wanted, gpus=affordable),
        )
        return replace(answer, sentence=sentence_of(answer, self.scenario, too_big=too_big))

    def _too_big(self) -> str | None:
        """Return the first demanded model that its slice cannot hold."""
        for model in self.demanded:
            if (model.memory_gib or 0) > self.gpu.profiles[model.slice].memory_gib:
                return model.name
        return None

    def _counts(self, wanted: dict[str, Decimal]) -> dict[str, int]:
        counts: dict[str, int] = {}
        for model in self.demanded:
            replicas = whole_up(wanted[model.name]) if model.name in wanted else 0
            counts[model.slice] = counts.get(model.slice, 0) + replicas
        return counts

    def _required(self, packed: int) -> int:
        if not packed:
            return 0
        gpus = whole_up(packed * self.goal.redundancy) + self.goal.spare_gpus
        unit = self._unit
        return -(-gpus // unit) * unit

    @property
    def _unit(self) -> int:
        return self.platform.gpus_per_server if self.goal.buy_in == Unit.SERVER else 1

    def _usable(self, gpus: int) -> int:
        """Return how many of ``gpus`` may carry load when the rest stands by."""
        left = (gpus - self.goal.spare_gpus) / self.goal.redundancy
        return max(int(left.to_integral_value(ROUND_FLOOR)), 0)

    def _verdict(self, required: int | None) -> Verdict:
        if required is None:
            return Verdict.INFEASIBLE
        if self.platform.gpus < required:
            return Verdict.UNDER
        return Verdict.OVER if self.platform.gpus >= required + self._unit else Verdict.RIGHT

    def _need(self, model: Model) -> Need:
        exact = exact_replicas(model, self.goal)
        replicas = whole_up(exact)
        full = model.tokens_per_second * cost.SECONDS_PER_YEAR * self.goal.availability * replicas
        mean = model.demand_tokens_per_year / full if full else _ZERO
        weight = self.gpu.weights[model.slice] * replicas
        peak = mean * self.goal.peak_factor
        return Need(model.name, model.slice, exact, replicas, weight, mean, peak)

    def _load(self) -> Decimal:
        """Return the GPUs that would be busy all year with the demand, at mean."""
        return sum(
            (
                each.demand_tokens_per_year
                * self.gpu.weights[each.slice]
                / (each.tokens_per_second * cost.SECONDS_PER_YEAR)
                for each in self.demanded
            ),
            _ZERO,
        )

    def _yearly(self, gpus: int, load: Decimal) -> Decimal:
        if not gpus:
            return _ZERO
        utilisation = min(load / gpus, _ONE)
        return cost.yearly_cost(sized(self.platform, gpus=gpus), utilisation=utilisation).total

    def _layouts(self, wanted: dict[str, Decimal], packed: int | None) -> tuple[Layout, ...]:
        return packing.layouts(self.gpu, self._counts(wanted), gpus=packed or 0) or ()

    def _first_left_out(self, wanted: dict[str, Decimal]) -> str | None:
        usable = self._usable(self.platform.gpus)
        so_far: dict[str, Decimal] = {}
        for model in self.demanded:
            so_far[model.name] = wanted[model.name]
            if not packing.fits(self.gpu, self._counts(so_far), gpus=usable):
                return model.name
        return None

    def _headroom(self, wanted: dict[str, Decimal]) -> Decimal | None:
        return self._growth(wanted, gpus=self.platform.gpus) - 1 if wanted else None

    def _servable(self, wanted: dict[str, Decimal], *, gpus: int) -> Decimal:
        if packing.fits(self.gpu, self._counts(wanted), gpus=self._usable(gpus)):
            return _ONE
        return self._growth(wanted, gpus=gpus)

    def _growth(self, wanted: dict[str, Decimal], *, gpus: int) -> Decimal:
        """Return the largest factor by which all demand may be multiplied on ``gpus`` GPUs."""
        if not wanted:
            return _ONE
        usable = self._usable(gpus)
        exact = {name: Fraction(replicas) for name, replicas in wanted.items()}

        def fits_above(growth: Fraction) -> bool:
            counts: dict[str, int] = {}
            for model in self.demanded:
                replicas = floor(exact[model.name] * growth) + 1
                counts[model.slice] = counts.get(model.slice, 0) + replicas
            return packing.fits(self.gpu, counts, gpus=usable)

        largest = _largest(fits_above, steps=list(exact.values()))
        return Decimal(largest.numerator) / largest.denominator

    def _affordable(self, load: Decimal) -> int | None:
        budget = self.goal.budget_per_year
        if budget is None:
            return None
        low, high = 0, packing.MOST_GPUS // self._unit + 1  # within the budget, beyond it
        while high - low > 1:
            middle = (low + high) // 2
            if self._yearly(middle * self._unit, load) <= budget:
                low = middle
            else:
                high = middle
        return low * self._unit

    @staticmethod
    def _within_budget(required: int | None, affordable: int | None) -> bool | None:
        return None if affordable is None or required is None else required <= affordable


def _largest(fits_above: Callable[[Fraction], bool], *, steps: Sequence[Fraction]) -> Fraction:
    """Return the largest growth that fits, exactly.

    Replicas of a model grow by one at the multiples of 1 / its step; ``fits_above`` says whether
    there is room just above a growth.  Halving, and jumping to the next of those points.
    """
    low, high = Fraction(0), Fraction(1)
    if not fits_above(low):
        return low
    while fits_above(high):
        low, high = high, high * 2
    while True:
        following = min((floor(step * low) + 1) / step for step in steps)
        high = max(floor(step * high) / step for step in steps)
        if following >= high:
            return high
        middle = (following + high) / 2
        if fits_above(middle):
            low = middle
        else:
            high = middle


def sentence_of(found: Sizing, scenario: Scenario, *, too_big: str | None) -> str:
    """Return the verdict in one sentence, with the numbers it stands on."""
    have = wording.counted(found.gpus_installed, "GPU")
    if too_big:
        return _too_big_sentence(scenario.model(too_big), scenario.platform.geometry)
    if found.gpus_required is None or found.surplus_per_year is None:
        return (
            f"Infeasible: the demand needs more than {packing.MOST_GPUS:,} GPUs, "
            "the most that is planned for. Lower the demand or split the scenario."
        )
    need = wording.counted(found.gpus_required, "GPU")
    money = wording.money(abs(found.surplus_per_year), scenario.currency)
    if found.verdict == Verdict.UNDER:
        left_out = (
            f" {found.first_that_does_not_fit} is the first model that does not fit."
            if found.first_that_does_not_fit
            else " The spares are what is missing: every model fits."
        )
        return (
            f"Under-provisioned: {need} needed, {have} installed.{left_out} "
            f"The missing ones cost {money} a year."
        )
    if found.verdict == Verdict.OVER:
        return (
            f"Over-provisioned: {need} needed, {have} installed. The surplus costs {money} a year."
        )
    room = "" if found.headroom_ratio is None else wording.percent(found.headroom_ratio)
    return f"Right: {need} needed, {have} installed" + (
        f"; demand can grow by {room}." if room else "."
    )


def _too_big_sentence(model: Model, gpu: Gpu) -> str:
    needed = model.memory_gib or _ZERO
    larger: Sequence[str] = [
        "the whole GPU" if each.name == WHOLE else each.name
        for each in sorted(gpu.profiles.values(), key=lambda profile: profile.memory_gib)
        if each.memory_gib >= needed
    ]
    nearest = (
        f"it fits on {larger[0]}"
        if larger
        else f"no slice of {gpu.title} is large enough: choose a GPU with more memory"
    )
    have = gpu.profiles[model.slice].memory_gib
    return (
        f"Infeasible: {model.name} needs {needed:f} GiB, {model.slice} has {have} GiB; {nearest}."
    )
