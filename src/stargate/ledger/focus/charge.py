"""Rows of Cost and Usage: what was booked in a month, line by line.

Figures are exact decimals as text. BilledCost is what was posted. A quantity of hours that has no end in decimals
is rounded to the twelfth place, and costs at a unit price are that price times the quantity as it is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from stargate.base.money import usd
from stargate.base.time import Instant
from stargate.ledger.focus.contract import Contracts, commitment_id
from stargate.ledger.focus.invoice import detail_id, invoice_id
from stargate.ledger.focus.kind import MEANINGS, Meaning, pricing_category, service_of, unit_name
from stargate.ledger.record import unit_of
from stargate.ledger.record.booked import Booked
from stargate.ledger.record.line import SORTED_JSON
from stargate.ledger.record.month import span_of

Row = dict[str, str]
"""Column to text; a column that is not there is null."""
CUSTOM = (
    "x_ChargeKey", "x_LineId", "x_LineMonth", "x_Kind", "x_Clause", "x_TextRef", "x_Portion", "x_CommitmentIds",
    "x_Team", "x_Workload", "x_Quantity", "x_Unit", "x_QuotedUnitPrice", "x_FirstEntry", "x_LastEntry",
)  # fmt: skip
"""Columns of ours, after those of FOCUS."""

EXACT = Context(prec=60)
QUANTITY = Decimal("1e-12")
PRICE = Decimal("1e-16")


class Priced(NamedTuple):
    """So many units at a price."""

    quantity: Decimal
    unit: str
    price_usd: Decimal
    quoted_usd: Decimal | None = None


def is_charge(item: Booked) -> bool:
    """Whether FOCUS has a row for it: it is owed in USD, and not a payment or a balance brought forward."""
    return item.key.kind in MEANINGS and item.key.unit == "usd"


def rows(item: Booked, contracts: Contracts) -> Iterator[Row]:
    """The rows of a charge, as the contracts of its line's month have it. Of what came to nothing, none."""
    if not (item.amount_micro or item.micro):
        return
    key, kind = item.key, item.key.kind
    meaning, turned = MEANINGS[kind], MEANINGS[kind].given_back
    if kind == "make_up" and key.payer != contracts.payer(key.clause):
        meaning, turned = Meaning("Credit", "One-Time"), True
    row = _common(item, meaning, turned=turned)
    amount = usd(-item.amount_micro if turned else item.amount_micro)
    billed, effective = amount, Decimal(0) if meaning.later else amount
    if meaning.category not in ("Usage", "Purchase"):
        yield row | _costs(billed, effective) | _counted(item)
        return
    priced = _priced(item)
    row["PricingCategory"] = pricing_category(kind, key.attributes.get("tenure", ""), committed=False)
    if kind in ("usage", "burst"):
        row |= _use(item, contracts)
    elif contracts.category(key.clause) and kind != "prepayment":
        row |= _short(item, contracts)
    elif kind == "reservation":
        yield from _reserved(item, contracts, row | _sku(item, priced), billed)
        return
    yield row | _costs(billed, effective, priced) | _sku(item, priced)


def _common(item: Booked, meaning: Meaning, *, turned: bool) -> Row:
    """Who, whom, when and what; those who give back stand as the supplier that they are."""
    key, seen = item.key, item.key.attributes
    account, issuer = (key.payee, key.payer) if turned else (key.payer, key.payee)
    service = service_of(key.kind, key.metric)
    invoice = invoice_id(issuer, account, item.month)
    row = {
        "BillingAccountId": account,
        "BillingAccountName": account,
        "BillingAccountType": "Party",
        "BillingCurrency": "USD",
        **_billing(item.month),
        "ChargeCategory": meaning.category,
        "ChargeClass": "Correction" if item.corrects else "",
        "ChargeDescription": item.says,
        "ChargeFrequency": meaning.frequency,
        "ChargePeriodStart": moment(key.start),
        "ChargePeriodEnd": moment(key.end),
        "HostProviderName": seen.get("host") or seen.get("provider") or issuer,
        "InvoiceId": invoice,
        "InvoiceIssuerName": issuer,
        "PricingCurrency": "USD",
        "RegionId": seen.get("site", ""),
        "RegionName": seen.get("site", ""),
        "ResourceId": seen.get("workload", ""),
        "ResourceName": seen.get("workload", ""),
        "ResourceType": "Workload" if seen.get("workload") else "",
        "ServiceCategory": service.category,
        "ServiceName": service.name,
        "ServiceProviderName": seen.get("seller") or issuer,
        "ServiceSubcategory": service.subcategory,
        "SubAccountId": seen.get("team", ""),
        "SubAccountName": seen.get("team", ""),
        "SubAccountType": "Team" if seen.get("team") else "",
        "Tags": compact(seen) if seen else "",
        "x_ChargeKey": f"{key.id.hex()}@{item.month}",
        "x_LineId": key.id.hex(),
        "x_LineMonth": key.month,
        "x_Kind": key.kind,
        "x_Clause": key.clause,
        "x_TextRef": item.text_ref,
        "x_Portion": key.portion,
        "x_Team": seen.get("team", ""),
        "x_Workload": seen.get("workload", ""),
        "x_FirstEntry": str(item.first_entry),
        "x_LastEntry": str(item.last_entry),
    }
    row["InvoiceDetailId"] = detail_id(row)
    return row


def _costs(billed: Decimal, effective: Decimal, priced: Priced | None = None) -> Row:
    """Costs as billed, as effective, and at unit prices. Where there is none, what is billed is what was agreed."""
    row = {
        "BilledCost": text(billed),
        "EffectiveCost": text(effective),
        "PricingCurrencyEffectiveCost": text(effective),
    }
    if priced is None:
        return row | {"ListCost": row["BilledCost"], "ContractedCost": row["BilledCost"]}
    listed = priced.price_usd if priced.quoted_usd is None else priced.quoted_usd
    return row | {
        "ContractedCost": text(_product(priced.price_usd, priced.quantity)),
        "ContractedUnitPrice": text(priced.price_usd),
        "PricingCurrencyContractedUnitPrice": text(priced.price_usd),
        "ListCost": text(_product(listed, priced.quantity)),
        "ListUnitPrice": text(listed),
        "PricingCurrencyListUnitPrice": text(listed),
        "PricingQuantity": text(priced.quantity),
        "PricingUnit": priced.unit,
    }


def _product(price: Decimal, quantity: Decimal) -> Decimal:
    return EXACT.multiply(price, quantity)


def _priced(item: Booked) -> Priced:
    """Units at the price of the line; where several prices made it, at their mean; else one charge of its amount."""
    key, amount = item.key, usd(item.amount_micro)
    counted, name = _quantity(item), _unit(item)
    quantity = _rounded(counted)
    if key.price_usd is not None and key.price_usd >= 0 and quantity:
        off = abs(_product(key.price_usd, counted) - amount)
        if off <= Decimal("1e-6"):
            return Priced(quantity, name, key.price_usd, key.quoted_usd)
    if quantity and amount * quantity >= 0:
        mean = EXACT.divide(amount, quantity).quantize(PRICE, ROUND_HALF_EVEN, EXACT)
        return Priced(quantity, name, mean, key.quoted_usd)
    return Priced(Decimal(-1 if amount < 0 else 1), "Charges", abs(amount))


def _sku(item: Booked, priced: Priced) -> Row:
    """What was bought, and at which price. A price of an agreement is named by its clause."""
    key = item.key
    what = key.attributes.get("chip") or key.attributes.get("model") or ""
    meter = unit_name(unit_of(key.metric)[0]) if key.metric else key.kind.replace("_", " ").capitalize()
    sku = "/".join(filter(None, [key.kind, what, key.metric]))
    return {
        "SkuId": sku,
        "SkuMeter": meter,
        "SkuPriceId": f"{key.clause or 'quoted'}:{sku}:{text(priced.price_usd)}",
        **_counted(item),
    }


def _counted(item: Booked) -> Row:
    """What was counted, exact, in the unit in which it was; and the price that was quoted."""
    key = item.key
    quoted = "" if key.quoted_usd is None else text(key.quoted_usd)
    if not item.micro:
        return {"x_QuotedUnitPrice": quoted}
    exact = text(Decimal(item.micro).scaleb(-6))
    return {
        "x_Quantity": exact,
        "x_Unit": unit_name(key.metric),
        "x_QuotedUnitPrice": quoted,
    }


def _use(item: Booked, contracts: Contracts) -> Row:
    """What was consumed, and which commitments it may count towards."""
    key = item.key
    found = contracts.commitments(key)
    row = {
        "ConsumedQuantity": text(Decimal(item.micro).scaleb(-6)),
        "ConsumedUnit": unit_name(key.metric),
        "PricingCategory": pricing_category(
            key.kind, key.attributes.get("tenure", ""), committed=bool(found)
        ),
        "x_CommitmentIds": compact(found) if found else "",
    }
    if len(found) == 1 and contracts.counts_all(found[0]):
        row["ContractApplied"] = _applied(item, found[0], contracts)
    return row


def _applied(item: Booked, commitment: str, contracts: Contracts) -> str:
    """That all of a charge counts for one commitment: its cost, or its quantity."""
    clause = commitment.partition("#")[0]
    named = {"ContractId": clause.partition("/")[0], "ContractCommitmentId": commitment}
    if contracts.category(clause) == "Spend":
        metric = f'"ContractCommitmentAppliedCost":{text(usd(item.amount_micro))}'
    else:
        metric = (
            f'"ContractCommitmentAppliedQuantity":{text(_rounded(_quantity(item)))},'
            f'"ContractCommitmentAppliedUnit":{compact(_unit(item))}'
        )
    # Numbers are written as they are: no float ever stands for them.
    return f'{{"Elements":[{{{compact(named)[1:-1]},{metric}}}]}}'


def _short(item: Booked, contracts: Contracts) -> Row:
    """What was committed and not consumed: the part of the commitment that went unused."""
    key = item.key
    return {
        "CommitmentDiscountCategory": contracts.category(key.clause),
        "CommitmentDiscountId": commitment_id(key.clause, key.portion),
        "CommitmentDiscountName": key.clause,
        "CommitmentDiscountQuantity": text(_rounded(_quantity(item))),
        "CommitmentDiscountStatus": "Unused",
        "CommitmentDiscountType": "Minimum Commitment",
        "CommitmentDiscountUnit": _unit(item),
    }


def _reserved(item: Booked, contracts: Contracts, row: Row, billed: Decimal) -> Iterator[Row]:
    """What is held: the purchase, which is billed; and what of it was used and was not, as which it is effective.

    What is paid up front for a whole term is effective month by month: see `spread`. Where nothing tells how much
    was used, and where a closed month is put right, the purchase alone.
    """
    key = item.key
    priced, held = _priced(item), contracts.held(key.clause, unit_of(key.metric)[0])
    row |= {"CapacityReservationId": key.clause if held is None else held.reservation}
    if key.portion:
        yield row | _costs(billed, Decimal(0), priced)
        return
    volume = _quantity(item)
    if held is None or held.used is None or item.month != key.month or volume <= 0:
        yield row | _costs(billed, billed, priced)
        return
    yield row | _costs(billed, Decimal(0), priced)
    yield from _used_or_not(row, volume, min(held.used, volume), billed, _unit(item))


def spread(item: Booked, before_micro: int, contracts: Contracts) -> Iterator[Row]:
    """Of what was paid up front for a term, what is effective in the item's month: evenly by time.

    `before_micro` is what was booked of it before that month. Over all months the parts add up to what was paid.
    """
    key, month = item.key, span_of(item.month)
    done, now = _passed(item, month.start), _passed(item, month.end)
    cost = usd(round(item.amount_micro * now) - round(before_micro * done))
    held = contracts.held(key.clause, unit_of(key.metric)[0])
    volume = _quantity(item) * Decimal((now - done).numerator) / (now - done).denominator
    if not cost or held is None:
        return
    start, end = max(key.start, month.start), max(key.start, min(key.end, month.end))
    row = _common(item, MEANINGS["reservation"], turned=False) | {
        "ChargeClass": "",
        "ChargePeriodStart": moment(start),
        "ChargePeriodEnd": moment(end if end > start else key.end),
        "CapacityReservationId": held.reservation,
        **_sku(item, _priced(item)),
    }
    used = volume if held.used is None else min(held.used, volume)
    yield from _used_or_not(row, volume, used, cost, _unit(item))


def _passed(item: Booked, at: Instant) -> Fraction:
    """Which part of a line's span lies before an instant."""
    key = item.key
    return Fraction(min(max(at - key.start, 0), key.end - key.start), key.end - key.start)


def _used_or_not(row: Row, volume: Decimal, used: Decimal, cost: Decimal, unit: str) -> Iterator[Row]:
    """A row for what of a volume was used, and one for what was not."""
    share = (cost * used / volume).quantize(Decimal("1e-6"), ROUND_HALF_EVEN) if volume else cost
    for status, part, amount in (("Used", used, share), ("Unused", volume - used, cost - share)):
        if part or amount:
            yield _part_held(row, status, part, amount, unit)


def _part_held(row: Row, status: str, part: Decimal, cost: Decimal, unit: str) -> Row:
    """One part of what is held: billed with the purchase, and so for nothing here."""
    quantity = _rounded(part)
    consumed = {"ConsumedQuantity": text(quantity), "ConsumedUnit": unit} if status == "Used" else {}
    found = {
        **row,
        "ChargeCategory": "Usage",
        "PricingCategory": "Committed",
        "CapacityReservationStatus": status,
        "ChargeDescription": f"{text(quantity)} {unit} held and {status.lower()}",
        "x_ChargeKey": f"{row['x_ChargeKey']}:{status}",
        "SkuPriceId": f"{row['SkuPriceId']}:held",
        "x_Quantity": text(quantity),
        "x_Unit": unit,
        **_costs(Decimal(0), cost, Priced(quantity, unit, Decimal(0))),
        **consumed,
    }
    found["InvoiceDetailId"] = detail_id(found)
    return found


def _quantity(item: Booked) -> Decimal:
    """What was counted, in the unit in which prices speak of it."""
    return EXACT.divide(Decimal(item.micro).scaleb(-6), Decimal(unit_of(item.key.metric)[1]))


def _rounded(quantity: Decimal) -> Decimal:
    return quantity.quantize(QUANTITY, ROUND_HALF_EVEN, EXACT)


def _unit(item: Booked) -> str:
    return unit_name(unit_of(item.key.metric)[0])


def text(amount: Decimal) -> str:
    """A decimal without exponent, as short as exactness allows."""
    found = format(amount, "f")
    found = found.rstrip("0").rstrip(".") if "." in found else found
    return "0" if found in ("-0", "") else found


def moment(at: Instant) -> str:
    """An instant as FOCUS writes it."""
    return at.iso()


def compact(values: Mapping[str, str] | Sequence[str]) -> str:
    """JSON without spaces, in order of its keys."""
    return SORTED_JSON.encode(values).decode()


@lru_cache(maxsize=64)
def _billing(month: str) -> Row:
    span = span_of(month)
    return {"BillingPeriodStart": moment(span.start), "BillingPeriodEnd": moment(span.end)}
