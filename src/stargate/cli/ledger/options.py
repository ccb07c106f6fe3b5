"""Which ledger is meant, and which months."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from stargate.base.errors import UserError
from stargate.base.time import Instant
from stargate.cli.options import data_option
from stargate.ledger import Store, open_store
from stargate.ledger.record.month import span_of

FILE = "ledger.sqlite"


def ledger_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--ledger` and `--data`: a file or an address, else the file of a server."""
    command = click.option(
        "--ledger",
        metavar="PATH|URL",
        envvar="STARGATE_LEDGER",
        help=f"The ledger: a file, an archive's folder, or postgresql://...  [STARGATE_LEDGER; else DATA/{FILE}]",
    )(command)
    return data_option(command)


def months_option(*, required: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`--from` and `--to`: months, both included."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for name, variable, says in (
            ("--to", "last", "Last month."),
            ("--from", "first", "First month, as 2026-01."),
        ):
            command = click.option(
                name, variable, metavar="MONTH", required=required, callback=a_month, help=says
            )(command)
        return command

    return add


@contextlib.contextmanager
def opened(ledger: str | None, data: Path, *, readonly: bool = True) -> Iterator[Store]:
    """The ledger that is meant. One that is written to is made where there is none."""
    where = ledger or str(data / FILE)
    if not readonly and "://" not in where:
        Path(where).parent.mkdir(parents=True, exist_ok=True)
    store = open_store(where, readonly=readonly)
    try:
        yield store
    finally:
        store.close()


def now() -> Instant:
    """The time, from the machine's clock."""
    return Instant(time.time_ns() // 1_000)


def a_month(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A callback for options and arguments: a month, as 2026-03."""
    if value is None:
        return None
    try:
        span_of(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, parameter) from None
    return value


def spanned(first: str, last: str) -> None:
    """Refuse months in the wrong order. Raises UserError."""
    if last < first:
        raise UserError(f"{last} lies before {first}", "Give the earlier month with --from.")
