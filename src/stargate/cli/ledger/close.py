"""`stargate ledger close`."""

from __future__ import annotations

from pathlib import Path

import click

from stargate.cli.ledger.where import MonthType, ledger_options, opened, present
from stargate.cli.output import count, json_option, print_json


@click.command("close")
@click.argument("month", type=MonthType())
@ledger_options
@json_option
def command(*, month: str, data: Path, ledger: str, as_json: bool) -> None:
    """Close a MONTH that has ended: what its clauses say is posted, and its root is fixed.

    Months close in order. What becomes known of a closed month later is booked in the first open one.
    """
    with opened(data, ledger, readonly=False) as books:
        if not as_json:
            click.echo(f"closing {month} …", err=True)
        closed = books.close(month, present())
    if as_json:
        print_json({"month": month, "entries": closed.entries, "root": closed.month.root.hex()})
        return
    click.echo(f"{month} is closed: {count(closed.entries, 'entry', 'entries')} posted")
    click.echo(f"root {closed.month.root.hex()}")
