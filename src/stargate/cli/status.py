"""`stargate status`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stargate.cli.client import connect
from stargate.cli.options import server_options
from stargate.cli.output import count, json_option, print_json, say


@click.command("status")
@server_options
@json_option
def command(data: Path, url: str | None, as_json: bool) -> None:
    """Show what the server holds, how far its journal goes, and what needs a look."""
    with connect(data, url) as client:
        found = client.get("status")
    if as_json:
        print_json(found)
        return
    say(lines(found))


def lines(found: dict[str, Any]) -> list[str]:
    """The status in a few sentences."""
    counts = found["counts"]
    return [
        f"Stargate {found['version']}: {found['status']}, up since {found['started_at']}",
        f"You are {found['actor']} ({found['role']})",
        f"{count(counts['workloads_open'], 'open workload')}, {counts['slots_waiting']} waiting",
        f"{counts['chips_in_use']:,} of {counts['chips_held']:,} held chips in use, {count(counts['pools'], 'pool')}",
        ", ".join(count(counts[f"{name}s_open"], f"open {name}") for name in ("need", "offer", "lease")),
        f"Journal at {found['head']}",
        *(f"Look at: {trouble}" for trouble in found.get("troubles", ())),
    ]
