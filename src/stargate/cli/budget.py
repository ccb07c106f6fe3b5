"""`stargate budget`."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal

import click

from stargate.base.errors import UserError
from stargate.cli.ledger.options import a_month, ledger_option, now, opened
from stargate.cli.options import pass_on
from stargate.cli.output import dollars, json_option, print_json, table
from stargate.ledger import Budget, Ledger
from stargate.ledger.record.month import month_of


class NumberType(click.ParamType[Any]):
    """An exact number."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Fails for what is no number."""
        try:
            return Decimal(str(value).replace(",", ""))
        except InvalidOperation:
            self.fail(f"{value!r} is no number; write 5000 or 0.8", param, ctx)


@click.group("budget", invoke_without_command=True)
@click.option("--month", callback=a_month, help="Which month.  [default: this one]")
@ledger_option
@json_option
@click.pass_context
def command(ctx: click.Context, *, month: str | None, data: Path, ledger: str | None, as_json: bool) -> None:
    """Show what teams may spend in a month, what they have spent, and what it will be at this pace."""
    if ctx.invoked_subcommand is not None:
        pass_on(ctx, data=data, ledger=ledger, as_json=as_json, month=month)
        return
    with opened(ledger, data) as store:
        at = now()
        states = Ledger(store).budgets(month or month_of(at), at)
    if as_json:
        print_json({"items": states})
        return
    rows = [
        (
            state.team,
            state.month,
            dollars(state.limit_micro_usd),
            dollars(state.spent_micro_usd),
            dollars(state.left_micro_usd),
            dollars(state.forecast_micro_usd),
            state.status,
            state.then,
        )
        for state in states
    ]
    click.echo(table(("TEAM", "MONTH", "LIMIT", "SPENT", "LEFT", "FORECAST", "STATUS", "THEN"), rows))


@command.command("set")
@click.argument("team", metavar="TEAM")
@click.option("--limit-usd", type=NumberType(), help="For a month.")
@click.option("--no-limit", is_flag=True, help="There is no limit any more.")
@click.option(
    "--warn", type=NumberType(), default="0.8", show_default=True, help="From this fraction of the limit on."
)
@click.option(
    "--then",
    type=click.Choice(("warn", "block")),
    default="warn",
    show_default=True,
    help="At the limit: nothing more, or new work of the team waits.",
)
@click.option("--month", callback=a_month, help="For this month alone.  [default: every month]")
@ledger_option
@json_option
def set_budget(
    *,
    team: str,
    limit_usd: Decimal | None,
    no_limit: bool,
    warn: Decimal,
    then: Literal["warn", "block"],
    month: str | None,
    data: Path,
    ledger: str | None,
    as_json: bool,
) -> None:
    """Set what a TEAM may spend in a month.

    A running server looks each minute. With `--then block` new work of a team waits once its budget is spent; what
    has begun goes on.
    """
    if (limit_usd is None) is not no_limit:
        raise UserError("a budget has one limit", "give either --limit-usd, or --no-limit")
    try:
        budget = Budget(team=team, limit_usd=limit_usd, month=month or "", warn=warn, then=then)
    except ValueError as error:
        raise UserError(str(error), "change the option") from None
    with opened(ledger, data, readonly=False) as store:
        Ledger(store).allow(budget, now())
    if as_json:
        print_json(budget)
        return
    limit = "no limit" if limit_usd is None else f"${limit_usd:,} a month, then {then}"
    click.echo(f"{team}: {limit if not month else limit.replace('a month', f'in {month}')}")
