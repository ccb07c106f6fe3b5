"""`stargate leases`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stargate.cli.client import connect, part
from stargate.cli.options import pass_on, server_options
from stargate.cli.output import dollars, json_option, moment, print_json, table

HEADINGS = ("LEASE", "NEED", "PROVIDER", "POOL", "CHIPS", "PRICE", "FROM", "UNTIL", "STATUS")


@click.group("leases", invoke_without_command=True)
@server_options
@json_option
@click.pass_context
def command(ctx: click.Context, data: Path, url: str | None, as_json: bool) -> None:
    """List leases: capacity that was signed for."""
    if ctx.invoked_subcommand is not None:
        pass_on(ctx, data=data, url=url)
        return
    with connect(data, url) as client:
        found = list(client.pages("leases"))
    if as_json:
        print_json({"items": found})
        return
    click.echo(picture(found))


@command.command("deliver")
@click.argument("id")
@click.option("--chips", type=click.IntRange(0), help="How many there are by now; else all of them.")
@click.option("--failed", is_flag=True, help="The rest will not come in time.")
@click.option("--evidence", default="", help="Kept in the journal.")
@server_options
@json_option
def deliver(
    *, id: str, chips: int | None, failed: bool, evidence: str, data: Path, url: str | None, as_json: bool
) -> None:
    """Say what of a lease has been delivered."""
    with connect(data, url) as client:
        if chips is None:
            chips = 0 if failed else client.get(f"leases/{part(id)}")["ordered_chips"]
        body = {"delivered_chips": chips, "failed": failed, "evidence": evidence}
        answer = client.post(f"leases/{part(id)}/deliver", body)
    if as_json:
        print_json(answer)
        return
    lease = answer["lease"]
    click.echo(f"{id}: {lease['delivery']}, {lease['chips']:,} chips, {lease['status']}")


def picture(found: list[dict[str, Any]]) -> str:
    """The table; a sentence where there is none."""
    if not found:
        return "No leases."
    return table(HEADINGS, [_row(item) for item in found])


def _row(item: dict[str, Any]) -> tuple[Any, ...]:
    return (
        item["id"],
        item["need"],
        item["provider"],
        item["pool"],
        f"{item['chips']:,}",
        dollars(item.get("price_micro_usd_per_chip_hour")),
        moment(item.get("start")),
        moment(item.get("until")),
        item["status"],
    )
