"""`stargate ledger close`."""

from __future__ import annotations

from pathlib import Path

import click

from stargate.cli.ledger.options import a_month, ledger_option, now, opened
from stargate.cli.ledger.progress import progress
from stargate.cli.output import count, json_option, print_json
from stargate.ledger import Ledger


@click.command("close")
@click.argument("month", callback=a_month)
@ledger_option
@json_option
def command(*, month: str, data: Path, ledger: str | None, as_json: bool) -> None:
    """Close a MONTH that has ended: what its clauses say is posted, and its root is fixed.

    Months close in order. What becomes known of a closed month later is booked in the first open one.
    """
    with opened(ledger, data, readonly=False) as store, progress(shown=not as_json) as tell:
        tell(f"closing {month}", 0, 0)
        closed = Ledger(store).close(month, now(), tell)
    if as_json:
        print_json({"month": month, "entries": closed.entries, "root": closed.month.root.hex()})
        return
    click.echo(f"{month} is closed: {count(closed.entries, 'entry', 'entries')} posted")
    click.echo(f"root {closed.month.root.hex()}")
