"""`stargate models`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stargate.cli.client import connect
from stargate.cli.options import server_options
from stargate.cli.output import count, json_option, print_json, table

HEADINGS = ("MODEL", "OWNER", "CONTEXT", "INPUT", "CACHED", "OUTPUT", "ENDPOINTS", "SERVED BY", "FALLBACKS")


@click.command("models")
@server_options
@json_option
def command(data: Path, url: str | None, as_json: bool) -> None:
    """List models that gateways serve: where, and at which price for a million tokens."""
    with connect(data, url) as client:
        found = list(client.pages("models"))
    if as_json:
        print_json({"items": found})
        return
    click.echo(picture(found))


def picture(found: list[dict[str, Any]]) -> str:
    """The table; a sentence where there is none."""
    if not found:
        return "No models. `stargate serve FILE` starts a service; `models` and `apis` of the catalog name others."
    return table(HEADINGS, [_row(item) for item in found])


def _row(item: dict[str, Any]) -> tuple[Any, ...]:
    price, places = item["price"], item["places"]
    cached = price.get("cached_usd_per_million_tokens")
    draining = sum(place["draining"] for place in places)
    endpoints = f"{sum(place['endpoints'] for place in places):,}"
    return (
        item["id"],
        item["owner"],
        f"{item['context_tokens']:,}" if item["context_tokens"] else None,
        _dollars(price.get("input_usd_per_million_tokens")),
        _dollars(cached),
        _dollars(price.get("output_usd_per_million_tokens")),
        f"{endpoints}, {count(draining, 'draining', 'draining')}" if draining else endpoints,
        ", ".join(" ".join(part for part in (place["provider"], place["site"]) if part) for place in places),
        ", ".join(item["fallbacks"]),
    )


def _dollars(usd: str | None) -> str:
    """As it stands in the catalog."""
    return f"${usd}" if usd else ""
