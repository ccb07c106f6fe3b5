"""Between what is owed and what has been posted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache

import msgspec

from stargate.agreements import ChargeLine
from stargate.base.money import format_usd
from stargate.ledger.record import Draft, Line, LineKey, unit_of
from stargate.ledger.record.usage import HOURLY
from stargate.ledger.settle.rate import Counted, amount_of


def of_use(counted: Iterable[Counted], standing: Mapping[bytes, Line], *, whole: bool = False) -> list[Draft]:
    """The entries for use that was counted on top of what stands; with `whole`, for all there is instead of it."""
    more: dict[bytes, Counted] = {}
    for item in counted:
        name = item.key.id
        before = more.get(name)
        more[name] = item if before is None else item._replace(micro=before.micro + item.micro)
    drafts = []
    for name, item in more.items():
        line = standing.get(name)
        stood, posted = (line.micro, line.posted_micro) if line else (0, 0)
        micro = item.micro if whole else stood + item.micro
        amount = amount_of(item.key, micro)
        if micro != stood or amount != posted:
            drafts.append(
                Draft(
                    line=item.key,
                    amount_micro=amount - posted,
                    micro=micro - stood,
                    says=_said(item.key, micro, amount),
                    text_ref=item.text_ref,
                )
            )
    if whole:
        gone = (
            line for name, line in standing.items() if name not in more and (line.micro or line.posted_micro)
        )
        drafts += [_withdrawn(line) for line in gone]
    return drafts


def difference(owed: Iterable[ChargeLine], standing: Iterable[Line], month: str) -> list[Draft]:
    """The entries that bring a month's lines to what its clauses say. Lines that are owed no more go to zero."""
    left = {line.key.id: line for line in standing}
    drafts = []
    for draft in _added_up(owed, month):
        line = left.pop(draft.line.id, None)
        more = draft.amount_micro - (line.posted_micro if line else 0)
        counted = draft.micro - (line.micro if line else 0)
        if more or counted or line is None:
            drafts.append(msgspec.structs.replace(draft, amount_micro=more, micro=counted))
    return drafts + [_withdrawn(line) for line in left.values() if line.posted_micro or line.micro]


def _added_up(owed: Iterable[ChargeLine], month: str) -> Iterable[Draft]:
    """Each line once, in all. Net lines repeat gross ones, and are left out."""
    found: dict[bytes, Draft] = {}
    for charge in owed:
        if charge.basis == "net":
            continue
        key, amount, micro = key_of(charge, month)
        draft = Draft(
            line=key,
            amount_micro=amount,
            micro=micro,
            says=charge.says,
            text_ref=charge.text_ref,
            due=charge.due,
        )
        first = found.get(key.id)
        if first is not None:
            draft = msgspec.structs.replace(
                first,
                amount_micro=first.amount_micro + amount,
                micro=first.micro + micro,
                says=f"{first.says}; {charge.says}",
            )
        found[key.id] = draft
    return found.values()


def _withdrawn(line: Line) -> Draft:
    says = "owed no more, by what has come on record since"
    return Draft(line=line.key, amount_micro=-line.posted_micro, micro=-line.micro, says=says)


def key_of(charge: ChargeLine, month: str) -> tuple[LineKey, int, int]:
    """The line that a clause's charge is, its amount and its count, in millionths.

    Shares of stock are counted, not paid. Hours on chips are counted in seconds, which are exact.
    """
    unit, amount = "usd", charge.amount_micro_usd
    if charge.kind == "equity":
        unit, amount = f"shares/{charge.payer}", _micro(charge.quantity)
    metric = HOURLY.get(charge.unit, charge.unit)
    key = LineKey(
        kind=charge.kind,
        payer=charge.payer,
        payee=charge.payee,
        month=month,
        start=charge.period.start,
        end=charge.period.end,
        clause=charge.clause,
        unit=unit,
        metric=metric,
        price_usd=charge.price_usd,
        portion=charge.portion,
        attributes=charge.attributes,
    )
    quantity = charge.quantity
    return key, amount, _micro(None if quantity is None else quantity * unit_of(metric)[1])


def _micro(quantity: Decimal | None) -> int:
    return 0 if quantity is None else int((quantity * 1_000_000).to_integral_value())


def _said(key: LineKey, micro: int, amount_micro: int) -> str:
    """The arithmetic of a line of use; of money, what became of it."""
    if key.kind in ("payment", "opening"):
        amount = format_usd(abs(amount_micro))
        return f"{amount} paid" if key.kind == "payment" else f"{amount} owed when these books began"
    quantity = f"{Decimal(micro).scaleb(-6).normalize():,f}"
    assert key.price_usd is not None, "a line of use has a price"
    return f"{quantity} {_at(key.metric, f'{key.price_usd:f}', key.clause)} = {format_usd(amount_micro)}"


@lru_cache(maxsize=1024)
def _at(metric: str, price: str, clause: str) -> str:
    """The metric, and its price, as lines say them."""
    unit, per = unit_of(metric)
    of = f" / {per:,}" if per != 1 else ""
    return f"{metric}{of} x ${price} a {unit.removesuffix('s')} ({clause or 'the price quoted'})"
