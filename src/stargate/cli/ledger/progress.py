"""How far long work is, on stderr: a line that changes where somebody looks, else one for each thing that is done."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from stargate.ledger.tell import Tell, quiet

CLEAR = "\r\x1b[K"
"""To the beginning of the line, and nothing on it."""


@contextmanager
def progress(*, shown: bool) -> Iterator[Tell]:
    """Hears what is being done, how much of it is, and how much it is in all."""
    if not shown:
        yield quiet
        return
    looks, doing = sys.stderr.isatty(), ""

    def tell(what: str, done: int, total: int) -> None:
        nonlocal doing
        if looks:
            of = f" {done / total:.0%}" if total else f" {done:,}" if done else ""
            click.echo(f"{CLEAR}{what}{of} …", err=True, nl=False)
        elif what != doing:
            click.echo(f"{what} …", err=True)
        doing = what

    try:
        yield tell
    finally:
        if looks and doing:
            click.echo(CLEAR, err=True, nl=False)
