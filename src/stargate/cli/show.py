"""`stargate show`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stargate.base.time import Duration
from stargate.cli.client import connect, part
from stargate.cli.options import server_options
from stargate.cli.output import dollars, json_option, moment, print_json, say
from stargate.cli.watch import picture


@click.command("show")
@click.argument("id")
@server_options
@json_option
def command(id: str, data: Path, url: str | None, as_json: bool) -> None:
    """Show a workload: what was asked, each attempt, and the grounds of its placement."""
    with connect(data, url) as client:
        shown = client.get(f"workloads/{part(id)}")
    if as_json:
        print_json(shown)
        return
    say(lines(shown))


def lines(shown: dict[str, Any]) -> list[str]:
    """Everything about one workload."""
    work = shown["workload"]
    said = [
        picture(shown),
        "",
        f"Asked: {shown['kind']} by {shown['actor'] or 'somebody'}, {moment(shown['submitted_at'])}",
    ]
    if shown.get("rollout") or shown.get("given_up"):
        said.append(f"New version: {shown.get('rollout') or shown['given_up']}")
    said += [f"  {wish(each, work.get('nodes', 1))}" for each in work.get("alternatives", [{}])[:10]]
    said += [f"  sized: {sized(each)}" for each in work.get("sizes", [])[:10]]
    for name in ("deadline", "time_limit", "max_cost_usd", "residency", "priority"):
        if work.get(name):
            value = work[name]
            said.append(f"  {name}: {', '.join(value) if isinstance(value, list) else value}")
    for attempt in shown["attempts"]:
        said.append(
            f"{attempt['id']}: entry {attempt['placed_seq']}, {attempt['chips']} chips in {attempt['pool']} at "
            f"{dollars(attempt['price_micro_usd_per_chip_hour'])} per chip-hour"
        )
        said += [f"  because {_ground(ground)}" for ground in attempt.get("grounds", ())]
    if shown.get("needs"):
        said.append(f"Sourced for it: {', '.join(shown['needs'])}")
    return said


def wish(each: dict[str, Any], nodes: int) -> str:
    """`2 nodes with H100:8 at azure`."""
    text = f"{nodes} node{'' if nodes == 1 else 's'}"
    if each.get("chip"):
        count = each.get("chips_per_node")
        text = f"{text} with {each['chip']}:{count}" if count else f"{each['chip']}, as many as it takes"
    place = "/".join(each.get(name) or "*" for name in ("provider", "site", "pool"))
    if place != "*/*/*":
        text += f" at {place}"
    if each.get("max_usd_per_chip_hour"):
        text += f", at most ${each['max_usd_per_chip_hour']} per chip-hour"
    return text


def sized(each: dict[str, Any]) -> str:
    """`2 nodes with H100:8 for about 14d15h`, as it was computed when it was submitted."""
    text = wish(each["resources"], each["nodes"])
    if each.get("replicas", 1) > 1:
        text = f"{each['replicas']} replicas of {text}"
    return f"{text} for about {Duration.parse(each['duration']).brief()}" if each.get("duration") else text


def _ground(ground: dict[str, Any]) -> str:
    clause = f" [{ground['clause']}]" if ground.get("clause") else ""
    return f"{ground['says']}{clause}"
