"""`stargate commitments`."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import click

from stargate.base.time import Instant
from stargate.cli.deal import InstantType
from stargate.cli.ledger.options import ledger_option, now, opened
from stargate.cli.output import json_option, print_json, table
from stargate.ledger import CommitmentState, Ledger


@click.command("commitments")
@click.option("--at", type=InstantType(), help="As it stood then.  [default: now]")
@ledger_option
@json_option
def command(*, at: Instant | None, ledger: str | None, data: Path, as_json: bool) -> None:
    """Show where every commitment stands, in the words of FOCUS: what counted towards it, what is due next."""
    with opened(ledger, data) as store:
        found = Ledger(store).commitments(at or now())
    if as_json:
        print_json({"items": found})
        return
    heads = (
        "CLAUSE",
        "PAYER",
        "PAYEE",
        "STATUS",
        "UNIT",
        "COMMITTED",
        "CONSUMED",
        "LEFT",
        "NEXT",
        "LACKING",
        "ORDER",
    )
    click.echo(table(heads, [_row(one) for one in found]))


def _row(one: CommitmentState) -> tuple[object, ...]:
    name = f"{one.clause} ({one.portion})" if one.portion else one.clause
    return (
        name,
        one.payer,
        one.payee,
        one.status,
        one.unit,
        _amount(one.committed),
        _amount(one.consumed),
        _amount(one.remaining),
        "" if one.deadline is None else str(one.deadline)[:10],
        _amount(one.lacking) if one.deadline is not None else "",
        one.order or "",
    )


def _amount(amount: Decimal | None) -> str:
    return "" if amount is None else f"{round(amount, 2):,f}"
