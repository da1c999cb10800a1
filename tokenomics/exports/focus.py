"""FOCUS 1.2: what was charged, in the columns that FinOps programs read.

All 57 columns are there, those that say nothing of us empty.  Money stands in the rows of hours;
rows of tokens cost 0, because pricing both would count it twice, and say in `COST_PER_MILLION`
what a million of them came to.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from itertools import islice
from typing import Final

from tokenomics.exports.tables import defused, major

_NAMES: Final = """
    AvailabilityZone BilledCost BillingAccountId BillingAccountName BillingAccountType
    BillingCurrency BillingPeriodEnd BillingPeriodStart CapacityReservationId
    CapacityReservationStatus ChargeCategory ChargeClass ChargeDescription ChargeFrequency
    ChargePeriodEnd ChargePeriodStart CommitmentDiscountCategory CommitmentDiscountId
    CommitmentDiscountName CommitmentDiscountQuantity CommitmentDiscountStatus
    CommitmentDiscountType CommitmentDiscountUnit ConsumedQuantity ConsumedUnit ContractedCost
    ContractedUnitPrice EffectiveCost InvoiceId InvoiceIssuerName ListCost ListUnitPrice
    PricingCategory PricingCurrency PricingCurrencyContractedUnitPrice
    PricingCurrencyEffectiveCost PricingCurrencyListUnitPrice PricingQuantity PricingUnit
    ProviderName PublisherName RegionId RegionName ResourceId ResourceName ResourceType
    ServiceCategory ServiceName ServiceSubcategory SkuId SkuMeter SkuPriceDetails SkuPriceId
    SubAccountId SubAccountName SubAccountType Tags
"""
COLUMNS: Final = tuple(_NAMES.split())
COST_PER_MILLION: Final = "x_CostPerMillionTokens"
"""Our own column: the cost of a million of the row's tokens, empty where there is none."""

MILLION: Final = 1_000_000
_HEAD: Final = (*COLUMNS, COST_PER_MILLION)
_AT_ONCE: Final = 1_000
_PRICE_DIGITS: Final = Decimal("0.0000000001")


class Status(Enum):
    """What became of reserved capacity."""

    USED = "Used"
    UNUSED = "Unused"


@dataclass(frozen=True, slots=True)
class Provider:
    """Who charges: one and the same for provider, publisher and issuer."""

    name: str
    account_id: str
    account_name: str


@dataclass(frozen=True, slots=True)
class Charge:
    """One row: ``hours`` of a resource for money, or ``tokens`` of a kind for nothing.

    ``reservation`` and ``status`` go together, both or neither.  ``charged_from`` and
    ``charged_until`` are when it was used, ``billed_from`` and ``billed_until`` the period that
    pays.  Amounts are minor units of ``currency``.
    """

    billed_from: datetime
    billed_until: datetime
    charged_from: datetime
    charged_until: datetime
    currency: str
    amount_minor: int
    description: str
    invoice: str
    sku: str
    meter: str
    resource_id: str
    resource_name: str
    resource_type: str
    region: str
    sub_account: str
    sub_account_name: str
    hours: Decimal = Decimal(0)
    tokens: int | None = None
    cost_per_million: Decimal | None = None
    reservation: str = ""
    status: Status | None = None
    is_correction: bool = False
    is_adjustment: bool = False
    details: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def pieces(charges: Iterable[Charge], *, by: Provider) -> Iterator[bytes]:
    """Return the file piece by piece; its length costs no memory."""
    yield _lines([_HEAD])
    left = iter(charges)
    while some := list(islice(left, _AT_ONCE)):
        yield _lines([_cells(row(charge, by=by)) for charge in some])


def row(charge: Charge, *, by: Provider) -> dict[str, str]:
    """Return the columns of ``charge`` that are not empty."""
    cost = _decimal(major(charge.amount_minor, charge.currency))
    found = {
        "BillingAccountId": by.account_id,
        "BillingAccountName": by.account_name,
        "BillingAccountType": "Platform",
        "BillingCurrency": charge.currency,
        "BillingPeriodStart": _instant(charge.billed_from),
        "BillingPeriodEnd": _instant(charge.billed_until),
        "ChargePeriodStart": _instant(charge.charged_from),
        "ChargePeriodEnd": _instant(charge.charged_until),
        "ChargeCategory": "Adjustment" if charge.is_adjustment else "Usage",
        "ChargeClass": "Correction" if charge.is_correction else "",
        "ChargeDescription": charge.description,
        "ChargeFrequency": "One-Time" if charge.is_adjustment else "Usage-Based",
        **dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), cost),
        "InvoiceId": charge.invoice,
        **dict.fromkeys(("InvoiceIssuerName", "ProviderName", "PublisherName"), by.name),
        "ServiceCategory": "AI and Machine Learning",
        "ServiceSubcategory": "Generative AI",
        "ServiceName": "GPUaaS",
        "SubAccountId": charge.sub_account,
        "SubAccountName": charge.sub_account_name,
        "SubAccountType": "CostCentre" if charge.sub_account else "",
        "PricingCurrency": charge.currency,
        "PricingCurrencyEffectiveCost": cost,
        "CapacityReservationId": charge.reservation,
        "CapacityReservationStatus": charge.status.value if charge.status else "",
        "Tags": _json(charge.tags),
        COST_PER_MILLION: ""
        if charge.cost_per_million is None
        else _decimal(charge.cost_per_million),
    }
    return found if charge.is_adjustment else found | _priced(charge)


def _priced(charge: Charge) -> dict[str, str]:
    """Return what was used and how it was priced; the price is what the cost comes to."""
    if charge.tokens is None:
        quantity, consumed, unit, priced = charge.hours, charge.hours, "Hours", "Hours"
    else:
        quantity, consumed = Decimal(charge.tokens) / MILLION, Decimal(charge.tokens)
        unit, priced = "Tokens", f"{MILLION} Tokens"
    cost = major(charge.amount_minor, charge.currency)
    price = _decimal((cost / quantity).quantize(_PRICE_DIGITS) if quantity else Decimal(0))
    region = {"RegionId": charge.region, "RegionName": charge.region} if charge.region else {}
    return {
        **region,
        "ResourceId": charge.resource_id,
        "ResourceName": charge.resource_name,
        "ResourceType": charge.resource_type,
        "ConsumedQuantity": _decimal(consumed),
        "ConsumedUnit": unit,
        "PricingQuantity": _decimal(quantity),
        "PricingUnit": priced,
        "PricingCategory": "Standard",
        "ListUnitPrice": price,
        "ContractedUnitPrice": price,
        "PricingCurrencyListUnitPrice": price,
        "PricingCurrencyContractedUnitPrice": price,
        "SkuId": charge.sku,
        "SkuMeter": charge.meter,
        "SkuPriceId": f"{charge.sku}-standard",
        "SkuPriceDetails": _json(charge.details),
    }


def _cells(found: Mapping[str, str]) -> list[str]:
    """Return a row in order.  Numbers may start with a minus: only words are defused."""
    return [
        found.get(name, "") if name in _NUMBERS else defused(found.get(name, "")) for name in _HEAD
    ]


_NUMBERS: Final = frozenset(
    name for name in _HEAD if name.endswith(("Cost", "Price", "Quantity", COST_PER_MILLION))
)


def _lines(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _decimal(number: Decimal) -> str:
    """Return a number with a decimal point: readers take a column without for integers."""
    text = f"{number.normalize():f}" if number else "0"
    return text if "." in text else f"{text}.0"


def _json(of: Mapping[str, str]) -> str:
    return json.dumps(of, ensure_ascii=False, sort_keys=True) if of else ""
