"""`stargate ledger costs`: what every provider bills, ours and imported, month by month."""

from __future__ import annotations

from pathlib import Path

import click

from stargate.cli.ledger.options import ledger_option, months_option, now, opened, spanned
from stargate.cli.output import json_option, print_json, table

HEADINGS = ("MONTH", "PROVIDER", "FROM", "ROWS", "BILLED", "EFFECTIVE", "CURRENCY")


@click.command("costs")
@months_option(required=True)
@ledger_option
@json_option
def command(first: str, last: str, ledger: str | None, data: Path, as_json: bool) -> None:
    """Report what each provider bills for each month: the ledger's own charges and imported bills, exact.

    Names of providers stand as each file writes them. What does not say its month is shown in every report.
    """
    from stargate.ledger.focus.cost import costs

    spanned(first, last)
    with opened(ledger, data) as store, store.snapshot():
        found = costs(store, first, last, now())
    if as_json:
        print_json({"items": found})
        return
    rows = [
        (
            one.month,
            one.provider,
            one.source,
            one.rows,
            f"{one.billed:,f}",
            f"{one.effective:,f}",
            one.currency,
        )
        for one in found
    ]
    click.echo(table(HEADINGS, rows))
