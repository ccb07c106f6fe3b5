"""`stargate ledger verify`."""

from __future__ import annotations

from pathlib import Path

import click

from stargate.cli.ledger.options import ledger_option, opened
from stargate.cli.ledger.progress import progress
from stargate.cli.output import count, json_option, print_json
from stargate.ledger.verify import verify

SHOWN = 50


@click.command("verify")
@click.option(
    "--head", default="", metavar="BLOCK:HASH", help="A head noted earlier: shows a history written anew."
)
@ledger_option
@json_option
def command(*, head: str, ledger: str | None, data: Path, as_json: bool) -> int:
    """Rebuild every line and balance from the entries, every block and root from what they cover.

    Prints the head, which is worth noting elsewhere; exit code 1 if anything is wrong, with each row that does not fit.
    """
    with opened(ledger, data) as store, progress(shown=not as_json) as tell:
        found = verify(store.audit(), head, tell)
    if as_json:
        print_json({"ok": found.ok, "verified": found})
        return 0 if found.ok else 1
    for fault in found.faults[:SHOWN]:
        click.echo(str(fault), err=True)
    if not found.ok:
        click.echo(f"{count(len(found.faults), 'fault')}: restore the ledger from a backup", err=True)
        return 1
    counted = f"{count(found.usage, 'usage event')}, {count(found.entries, 'entry', 'entries')}"
    click.echo(f"{counted} and {count(found.closed, 'closed month')} verify")
    click.echo(f"head {found.head}")
    return 0
