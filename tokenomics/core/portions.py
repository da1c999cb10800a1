"""What a month costs: from the cost sheet to amounts by pool of hardware and category.

Capital is the part of (price - residual) that falls into the month, in a straight line over the
life; it is rounded along the life, so that months add up to it.  Energy is what was measured, and
what stands on the plates where nothing was:

    idle   = host W x servers + idle W x GPUs           follows capacity
    above  = measured - idle, or (max W - idle W) x load    follows activity
    power  = kWh x tariff of the hour     cooling = power x (PUE - 1)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from math import lcm
from typing import Any, Final, TypeVar

from tokenomics.core.allocation import half_up, split
from tokenomics.core.lines import Category
from tokenomics.core.months import Month, hours_between, midnight, months_since
from tokenomics.core.sheet import Hardware, Sheet, Tariff, Watts

_MJ_PER_KWH: Final = 3_600_000_000
_HOUR_MS: Final = 3_600_000
_MONTHS: Final = 12

D = TypeVar("D")


class NoPrice(ValueError):
    """The sheet does not say what something costs that has to be paid; it names what and when."""


@dataclass(frozen=True, slots=True)
class HourEnergy:
    """One hour of a pool: measured energy, for how much time of whole GPUs; and the load besides.

    ``load_gpu_ms`` is the time that GPUs worked, or may have worked, without being measured.
    """

    measured_mj: int = 0
    measured_gpu_ms: int = 0
    load_gpu_ms: int = 0


@dataclass(frozen=True, slots=True)
class Installed:
    """What a pool has: servers, physical GPUs, and what happened in its hours, UTC."""

    pool: str
    servers: int
    gpus: int
    hours: Mapping[datetime, HourEnergy] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Portion:
    """One category of one pool, minor units; ``by_activity_minor`` of it follows activity."""

    pool: str
    category: str
    amount_minor: int
    by_activity_minor: int = 0
    made_of: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy of a pool in the month, and the part of its GPUs' time in which it was measured."""

    kwh: Fraction
    measured_ratio: Fraction


@dataclass(frozen=True, slots=True)
class MonthCost:
    portions: tuple[Portion, ...]
    energy: Mapping[str, Energy]

    @property
    def total_minor(self) -> int:
        return sum(each.amount_minor for each in self.portions)


def month_cost(
    sheet: Sheet, month: Month, until: datetime, pools: Sequence[Installed], *, digits: int
) -> MonthCost:
    """Return what ``month`` costs until ``until``; ``digits`` are those of the currency.

    Raises `NoPrice`.
    """
    return _Calculation(sheet, month, until, {each.pool: each for each in pools}, digits).run()


_NOTHING: Final = HourEnergy()


@dataclass(frozen=True, slots=True)
class _Draw:
    """Watts as whole numbers: so many ``parts`` are one watt."""

    parts: int
    host: int
    idle: int
    most: int

    @classmethod
    def by(cls, watts: Watts) -> "_Draw":
        exact = [
            Fraction(each) for each in (watts.host_watts, watts.gpu_idle_watts, watts.gpu_max_watts)
        ]
        parts = lcm(*(each.denominator for each in exact))
        return cls(parts, *(int(each * parts) for each in exact))

    def of(self, pool: Installed, seen: HourEnergy) -> tuple[int, int]:
        """Return the energy of an hour that follows capacity, and what is above it, in mJ parts."""
        measured = seen.measured_mj * self.parts
        idle_of_measured = min(measured, self.idle * seen.measured_gpu_ms)
        unseen_ms = max(pool.gpus * _HOUR_MS - seen.measured_gpu_ms, 0)
        hosts = self.host * pool.servers * _HOUR_MS
        above = measured - idle_of_measured + (self.most - self.idle) * seen.load_gpu_ms
        return hosts + idle_of_measured + self.idle * unseen_ms, above


@dataclass(slots=True)
class _Calculation:
    sheet: Sheet
    month: Month
    until: datetime
    pools: Mapping[str, Installed]
    digits: int
    made_of: dict[tuple[str | None, str], list[Mapping[str, Any]]] = field(default_factory=dict)
    by_pool: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    hours: dict[datetime, tuple[datetime, tuple[Fraction, Fraction]]] = field(default_factory=dict)
    draws: dict[tuple[str, date], "_Draw"] = field(default_factory=dict)

    def run(self) -> MonthCost:
        for each in self.sheet.hardware:
            self._add(each.pool, Category.CAPITAL, self._capital(each), each.name, each.source)
            kept = self._maintenance(each)
            self._add(each.pool, Category.MAINTENANCE, kept, each.name, each.source)
        for other in self.sheet.other:
            months = self._months(other.valid_from, other.valid_until)
            amount = half_up(Fraction(other.cost_per_month) * months * self._minor)
            self._add(other.pool, other.category, amount, other.category, other.source)
        self._spread_over_pools()
        energy = {name: self._energy(pool) for name, pool in self.pools.items()}
        portions = tuple(
            Portion(pool, category, sum(amounts), amounts[1], self._sources(pool, category))
            for (pool, category), amounts in sorted(self.by_pool.items())
            if any(amounts)
        )
        return MonthCost(portions, {name: each for name, each in energy.items() if each})

    @property
    def _minor(self) -> int:
        return int(10**self.digits)

    def _add(self, pool: str | None, category: str, amount: int, name: str, source: str) -> None:
        if amount:
            row = {"name": name, "source": source, "amount_minor": amount}
            self.made_of.setdefault((pool, category), []).append(row)

    def _sources(self, pool: str, category: str) -> tuple[Mapping[str, Any], ...]:
        shared = [{**each, "is_shared": True} for each in self.made_of.get((None, category), ())]
        return (*self.made_of.get((pool, category), ()), *shared)

    def _capital(self, asset: Hardware) -> int:
        """Return what falls into the month, rounded along the life of the asset."""
        worth = Fraction(asset.price - asset.residual) * self._minor

        def due(at: datetime) -> int:
            if asset.retired_on:
                at = min(at, midnight(asset.retired_on, self.month.zone))
            passed = months_since(asset.in_service_from, at, self.month.zone)
            return half_up(worth * min(passed / asset.life_months, Fraction(1)))

        return due(self.until) - due(self.month.starts_at)

    def _maintenance(self, asset: Hardware) -> int:
        a_year = Fraction(asset.price) * Fraction(asset.maintenance_ratio_per_year)
        a_year += Fraction(asset.maintenance_per_year)
        months = self._months(asset.in_service_from, asset.retired_on)
        return half_up(a_year / _MONTHS * months * self._minor)

    def _months(self, since: date, until: date | None) -> Fraction:
        """Return which part of the month, as far as it has passed, lies between two days."""
        starts, ends = midnight(since, self.month.zone), self.until
        if until:
            ends = min(ends, midnight(until, self.month.zone))
        return max(self.month.part_until(ends) - self.month.part_until(starts), Fraction(0))

    def _spread_over_pools(self) -> None:
        """Put every amount into its pool; what is for all goes by the GPUs they have."""
        for (pool, category), rows in self.made_of.items():
            amount = sum(int(each["amount_minor"]) for each in rows)
            for name, part in self._over_pools(pool, amount):
                self.by_pool.setdefault((name, category), [0, 0])[0] += part

    def _over_pools(self, pool: str | None, amount: int) -> list[tuple[str, int]]:
        if pool is not None:
            return [(pool, amount)]
        names = sorted(self.pools)
        gpus = [self.pools[name].gpus for name in names]
        if not any(gpus):
            raise NoPrice("no pool has a device: there is nobody to share what is for all pools")
        return list(zip(names, split(amount, gpus), strict=True))

    def _energy(self, pool: Installed) -> Energy | None:
        """Add power and cooling of ``pool``; None where nobody said what it draws."""
        if not any(each.pool in (pool.pool, None) for each in self.sheet.watts) or not pool.gpus:
            return None
        sums = [Fraction(0)] * 4
        by_band: dict[tuple[Fraction, Fraction, int], list[int]] = {}
        measured_ms = 0
        for hour, (local, band) in self._hours().items():
            seen = pool.hours.get(hour, _NOTHING)
            draw = self._draw(pool.pool, local.date())
            found = by_band.setdefault((*band, draw.parts), [0, 0])
            for index, each in enumerate(draw.of(pool, seen)):
                found[index] += each
            measured_ms += min(seen.measured_gpu_ms, pool.gpus * _HOUR_MS)
        energy_mj = Fraction(0)
        for (price, pue, parts), both in by_band.items():
            for index, total in enumerate(both):
                cost = Fraction(total, parts) * price / _MJ_PER_KWH
                sums[index] += cost
                sums[index + 2] += cost * (pue - 1)
                energy_mj += Fraction(total, parts)
        for category, at in ((Category.POWER, 0), (Category.COOLING, 2)):
            total = half_up((sums[at] + sums[at + 1]) * self._minor)
            idle = min(half_up(sums[at] * self._minor), total)
            self.by_pool[pool.pool, category] = [idle, total - idle]
        every_ms = (self.until - self.month.starts_at) // timedelta(milliseconds=1) * pool.gpus
        ratio = Fraction(measured_ms, every_ms) if every_ms else Fraction(0)
        kwh = energy_mj / _MJ_PER_KWH
        row = {
            "name": "energy",
            "kwh": f"{float(kwh):.3f}",
            "measured_percent": f"{float(ratio * 100):.1f}",
            "source": ", ".join(dict.fromkeys(each.source for each in self.sheet.tariffs)),
        }
        for category in (Category.POWER, Category.COOLING):
            self.made_of[pool.pool, category] = [row]
        return Energy(kwh, ratio)

    def _hours(self) -> Mapping[datetime, tuple[datetime, tuple[Fraction, Fraction]]]:
        """Return each hour's local time, and its price and PUE; the same for every pool."""
        if not self.hours:
            for hour in hours_between(self.month.starts_at, self.until):
                local = hour.astimezone(self.month.zone)
                price = Fraction(self._tariff(local).price_per_kwh)
                self.hours[hour] = local, (price, self._pue(local.date()))
        return self.hours

    def _draw(self, pool: str, on: date) -> "_Draw":
        """Return what ``pool`` draws on a day."""
        if (pool, on) not in self.draws:
            own = [each for each in self.sheet.watts if each.pool == pool]
            shared = [each for each in self.sheet.watts if each.pool is None]
            watts = _at(own, on) or _at(shared, on)
            if watts is None:
                raise NoPrice(f"watts: nothing says what {pool} draws on {on.isoformat()}")
            self.draws[pool, on] = _Draw.by(watts)
        return self.draws[pool, on]

    def _tariff(self, local: datetime) -> Tariff:
        for each in self.sheet.tariffs:
            if each.covers(local.date(), local.hour):
                return each
        raise NoPrice(f"tariffs: none covers {local:%Y-%m-%d %H}:00 ({local.tzname()})")

    def _pue(self, on: date) -> Fraction:
        cooling = _at(self.sheet.cooling, on)
        return Fraction(cooling.pue) if cooling else Fraction(1)


def _at(dated: Sequence[D], on: date) -> D | None:
    """Return which of ``dated`` counts on a day: the last that had begun."""
    begun = [each for each in dated if each.valid_from <= on]  # type: ignore[attr-defined]
    return max(begun, key=lambda each: each.valid_from, default=None)  # type: ignore[attr-defined]


def rate_of(sheet: Sheet, pool: str, month: Month) -> Fraction | None:
    """Return the standard rate of ``pool``, major units a GPU-hour; None where there is none."""
    own = [each for each in sheet.rates if each.pool == pool]
    shared = [each for each in sheet.rates if each.pool is None]
    found = _at(own, month.month) or _at(shared, month.month)
    return Fraction(found.price_per_gpu_hour) if found else None
