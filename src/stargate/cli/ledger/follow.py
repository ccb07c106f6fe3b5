"""`stargate ledger follow`: what a server does while it runs, from the file of a journal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click

from stargate.base.time import Instant
from stargate.broker import Machine, State
from stargate.broker.fact import Declared
from stargate.cli.journal import FILE as JOURNAL
from stargate.cli.ledger.options import ledger_option, now, opened
from stargate.cli.output import count, json_option, print_json
from stargate.journal import Form, Reader, Record, SqliteReader, replay, to_entry
from stargate.ledger import Ledger, Taken
from stargate.ledger.intake import Follower, hour_of, on_chips

SHOWN = 1_000
"""Entries between two looks at the progress."""


@click.command("follow")
@click.argument("journal", type=click.Path(path_type=Path, exists=True))
@click.option("--name", default="main", show_default=True, help="The journal's name in the ledger.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
@ledger_option
@json_option
def command(*, journal: Path, name: str, quiet: bool, data: Path, ledger: str | None, as_json: bool) -> None:
    """Count what a JOURNAL says that is not counted yet: full hours on chips, terms and facts.

    JOURNAL is the file, or the folder of a server, whose ledger is then meant too. A running server does this by
    itself; doing it again changes nothing.
    """
    if journal.is_dir():
        data, journal = journal, journal / JOURNAL
    with SqliteReader(journal) as reader, opened(ledger, data, readonly=False) as store:
        bar = click.progressbar(
            length=reader.head().seq, label="following", file=sys.stderr, hidden=quiet or as_json
        )
        with bar as shown:
            taken, upto = follow(reader, Follower(Ledger(store), name), shown.update)
        entries = Ledger(store).rate(now())
    if as_json:
        refused = [{"source": one.source, "key": one.key, "says": one.says} for one in taken.refused]
        print_json(
            {
                "new": taken.new,
                "known": taken.known,
                "refused": refused,
                "entries": entries,
                "upto": str(upto),
            }
        )
        return
    for one in taken.refused:
        click.echo(f"refused: {one.key}: {one.says}", err=True)
    click.echo(
        f"counted up to {upto}: {count(taken.new, 'new event')}, {count(entries, 'entry', 'entries')} posted"
    )


def follow(reader: Reader, follower: Follower, tell: Callable[[int], object]) -> tuple[Taken, Instant]:
    """Replay a journal and count its hours; what was taken, and up to when.

    Hours are counted with the catalog that held when they had passed, as a server counts them that runs.
    """
    total = Taken(new=0, known=0)
    mark = follower.mark()

    def count_until(state: State, at: Instant) -> None:
        nonlocal total, mark
        hour = hour_of(at)
        if hour <= mark:
            return
        taken = follower.take(on_chips(state, mark, hour), hour, now())
        total = Taken(
            new=total.new + taken.new,
            known=total.known + taken.known,
            refused=(*total.refused, *taken.refused),
        )
        mark = hour

    def apply(machine: Machine, record: Record) -> None:
        entry = to_entry(record)
        if isinstance(entry.fact, Declared) and machine.state.records.attempts:
            count_until(machine.state, entry.at)
        machine.apply(entry)
        if entry.seq % SHOWN == 0:
            tell(SHOWN)

    # No snapshot has this form: the whole history is seen, and verified.
    form: Form[Machine] = Form("followed", Machine, _no_snapshot, apply, lambda _: "")
    state = replay(reader, form).state.state
    tell(state.records.seq % SHOWN)
    count_until(state, state.records.at)
    follower.declare(state.records.agreements, state.records.world_facts, now())
    return total, mark


def _no_snapshot(data: bytes) -> Machine:
    raise AssertionError("a snapshot of another form is never restored")
