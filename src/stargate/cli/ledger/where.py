"""Which ledger is meant, and how it is opened."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stargate.base.errors import UserError
from stargate.base.time import Instant
from stargate.cli.options import data_option

if TYPE_CHECKING:
    from stargate.ledger import Ledger

FILE = "ledger.sqlite"


def ledger_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--data` and `--ledger`: which ledger is meant."""
    command = click.option(
        "--ledger",
        envvar="STARGATE_LEDGER",
        default="",
        metavar="PATH|URL",
        help="The ledger: a file, or a postgresql:// address.  [default: DATA/ledger.sqlite]",
    )(command)
    return data_option(command)


@contextmanager
def opened(data: Path, ledger: str, *, readonly: bool) -> Iterator[Ledger]:
    """The ledger, beside a running server or without one. Raises NotFoundError, LedgerError."""
    from stargate.ledger import Ledger, open_store

    store = open_store(ledger or data / FILE, readonly=readonly)
    try:
        yield Ledger(store)
    finally:
        store.close()


def present() -> Instant:
    """Now."""
    return Instant(time.time_ns() // 1_000)


class MonthType(click.ParamType[Any]):
    """A month, as 2026-03."""

    name = "month"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Fails with what a month looks like."""
        from stargate.ledger.record.month import span_of

        try:
            span_of(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return str(value)


def month_or_now(month: str | None) -> str:
    """The month that was named, or the present one."""
    from stargate.ledger.record.month import month_of

    return month or month_of(present())


def parties_of(one: str, other: str) -> tuple[str, str]:
    """Two of them. Raises UserError."""
    if one == other:
        raise UserError(f"{one} owes itself nothing", "name two parties")
    return one, other
