"""`stargate pools`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stargate.cli.client import connect
from stargate.cli.options import server_options
from stargate.cli.output import dollars, json_option, print_json, table

HEADINGS = (
    "POOL",
    "PROVIDER",
    "SITE",
    "CHIP",
    "TENURE",
    "ENGINE",
    "STATUS",
    "CHIPS",
    "HELD",
    "IN USE",
    "PRICE",
)


@click.command("pools")
@server_options
@json_option
def command(data: Path, url: str | None, as_json: bool) -> None:
    """List pools: what is held, used and free, and at which price."""
    with connect(data, url) as client:
        found = list(client.pages("pools"))
    if as_json:
        print_json({"items": found})
        return
    click.echo(picture(found))


def picture(found: list[dict[str, Any]]) -> str:
    """The table; a sentence where there is none."""
    if not found:
        return "No pools. `stargate up --infrastructure FOLDER` declares them."
    return table(HEADINGS, [_row(item) for item in found])


def _row(item: dict[str, Any]) -> tuple[Any, ...]:
    return (
        item["id"],
        item["provider"],
        item["site"],
        item["chip"],
        item["tenure"],
        item["engine"],
        item["status"],
        f"{item['chips']:,}",
        f"{item['chips_held']:,}",
        f"{item['chips_in_use']:,}",
        dollars(item.get("price_micro_usd_per_chip_hour")),
    )
