"""`stargate ps`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from stargate.base.time import Instant
from stargate.cli.client import Client, connect
from stargate.cli.options import server_options
from stargate.cli.output import age, count, dollars, json_option, print_json, table

HEADINGS = ("ID", "STATUS", "KIND", "TEAM", "NODES", "CHIPS", "PROVIDER", "POOL", "STEP", "COST", "AGE")
WATCH_S = 1.0


@click.command("ps")
@click.option("--state", "-s", help="Only those in this state; `active` is all that have not ended.")
@click.option(
    "--limit", "-n", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Most rows."
)
@click.option("--watch", "-w", is_flag=True, help="Keep looking, until Ctrl-C.")
@server_options
@json_option
def command(data: Path, url: str | None, state: str | None, limit: int, watch: bool, as_json: bool) -> None:
    """List workloads, newest first."""
    with connect(data, url) as client:
        if watch and not as_json:
            _watch(client, state, limit)
            return
        found = list(client.pages("workloads", most=limit, state=state))
        now = Instant.parse(client.get("status")["now"])
    if as_json:
        print_json({"items": found})
        return
    click.echo(picture(found, now))


def picture(found: list[dict[str, Any]], now: Instant) -> str:
    """The table; a sentence where there is none."""
    if not found:
        return "No workloads. `stargate submit FILE` asks for one."
    return table(HEADINGS, [_row(item, now) for item in found])


def _row(item: dict[str, Any], now: Instant) -> tuple[Any, ...]:
    step = item.get("step")
    total = item.get("total_steps")
    return (
        item["id"],
        ", ".join(filter(None, (item["status"], item.get("rollout"), item.get("given_up")))),
        item["kind"],
        item["team"],
        item["nodes"],
        item["chips"] or "",
        item["provider"],
        item["pool"],
        f"{step:,}/{total:,}" if step is not None and total else step,
        dollars(item["cost_micro_usd"]),
        age(item["submitted_at"], now),
    )


def _watch(client: Client, state: str | None, limit: int) -> None:
    from rich.live import Live
    from rich.text import Text

    with Live(refresh_per_second=4) as live:
        while True:
            found = list(client.pages("workloads", most=limit, state=state))
            status = client.get("status")
            counts = status["counts"]
            head = (
                f"{count(counts['workloads_open'], 'open workload')}, "
                f"{counts['chips_in_use']:,} of {counts['chips_held']:,} chips in use"
            )
            live.update(Text(f"{head}\n{picture(found, Instant.parse(status['now']))}"))
            time.sleep(WATCH_S)
