"""`stargate usage`."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import click

from stargate.base.errors import UserError
from stargate.base.time import Instant
from stargate.cli.ledger.declared import Declared, read_declared
from stargate.cli.ledger.options import a_month, ledger_option, now, opened
from stargate.cli.options import pass_on
from stargate.cli.output import count, dollars, json_option, print_json, table
from stargate.ledger import Ledger, Taken
from stargate.ledger.record.month import month_of
from stargate.ledger.statement import Used

BATCH = 10_000
"""Events in one transaction."""
BY_LIMIT = 8
"""Most names in one question."""


@click.group("usage", invoke_without_command=True)
@click.option("--month", callback=a_month, metavar="MONTH", help="Which month.  [default: this one]")
@click.option(
    "--by",
    default="provider",
    show_default=True,
    help="What to tell apart, with commas: day, metric, party, or an attribute of the use, as key, team, provider,"
    " product, model, workload, site, chip, pool.",
)
@ledger_option
@json_option
@click.pass_context
def command(
    ctx: click.Context, *, month: str | None, by: str, ledger: str | None, data: Path, as_json: bool
) -> None:
    """Show what was used in a month, at the prices quoted and as charged, and what has no price."""
    if ctx.invoked_subcommand is not None:
        pass_on(ctx, data=data, ledger=ledger, as_json=as_json)
        return
    names = names_of(by)
    with opened(ledger, data) as store:
        month = month or month_of(now())
        found = Ledger(store).used(month, names)
    if as_json:
        print_json({"month": month, "items": found})
        return
    rows = [
        (
            *(one.by[name] for name in names),
            one.unit,
            shown(one.quantity),
            *_money(one),
            shown(one.unpriced) if one.unpriced else "",
        )
        for one in found
    ]
    heads = (
        *(name.upper() for name in names),
        "UNIT",
        "QUANTITY",
        "QUOTED",
        "CHARGED",
        "DIFFERENCE",
        "UNPRICED",
    )
    click.echo(table(heads, rows))
    unpriced = sum(1 for one in found if one.unpriced)
    if unpriced:
        click.echo(
            f"\n{count(unpriced, 'row')} with use that is not charged by the unit: no price was quoted and no clause"
            " speaks of it, or the clause goes by tiers or a reservation, which a month is charged for when it closes"
        )


def names_of(by: str) -> tuple[str, ...]:
    """What `--by` names, each once. Raises UserError."""
    names = tuple(dict.fromkeys(name.strip() for name in by.split(",") if name.strip()))
    if not 0 < len(names) <= BY_LIMIT:
        raise UserError(f"--by takes 1 to {BY_LIMIT} names", "write --by team,provider")
    return names


@command.command("add")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@ledger_option
@json_option
def add(*, files: tuple[Path, ...], ledger: str | None, data: Path, as_json: bool) -> int:
    """Put on record what others counted: FILES in YAML, JSON or CSV.

    YAML and JSON hold lists under `usage`, `openings` and `payments`; CSV holds usage, one event a row. Each event
    counts once, however often it is added; one that contradicts what is on record is refused.
    """
    declared = [read_declared(path) for path in files]
    with opened(ledger, data, readonly=False) as store:
        books, at = Ledger(store), now()
        taken = [part for one in declared for part in _taken(books, one, at)]
        entries = books.rate(at)
    refused = [one for part in taken for one in part.refused]
    new, known = sum(part.new for part in taken), sum(part.known for part in taken)
    if as_json:
        said = [{"source": one.source, "key": one.key, "says": one.says} for one in refused]
        print_json({"new": new, "known": known, "refused": said, "entries": entries})
        return 1 if refused else 0
    for one in refused:
        click.echo(f"refused: {one.key} of {one.source}: {one.says}", err=True)
    known_too = f", {known:,} known already" if known else ""
    click.echo(f"{count(new, 'new event')}{known_too}; {count(entries, 'entry', 'entries')} posted")
    return 1 if refused else 0


def _taken(books: Ledger, declared: Declared, at: Instant) -> Iterator[Taken]:
    """What became of each part of a file."""
    for first in range(0, len(declared.usage), BATCH):
        yield books.take(declared.usage[first : first + BATCH], at)
    if declared.openings:
        yield books.open(declared.openings, at)
    if declared.payments:
        yield books.pay(declared.payments, at)


def _money(one: Used) -> tuple[str, str, str]:
    """Quoted, charged and the difference; nothing where no price is known."""
    quoted, charged = one.quoted_micro_usd, one.charged_micro_usd
    return (
        (dollars(quoted), dollars(charged), dollars(charged - quoted)) if quoted or charged else ("", "", "")
    )


def shown(quantity: Decimal) -> str:
    """A quantity for people: at most three places."""
    return f"{round(quantity, 3).normalize():,f}"
