"""`stargate scale`."""

from __future__ import annotations

from pathlib import Path

import click

from stargate.cli.client import connect, part
from stargate.cli.options import server_options
from stargate.cli.output import count, json_option, print_json


@click.command("scale")
@click.argument("id")
@click.argument("replicas", type=click.IntRange(0, 100_000))
@server_options
@json_option
def command(id: str, replicas: int, data: Path, url: str | None, as_json: bool) -> None:
    """Set the number of REPLICAS of the service ID."""
    with connect(data, url) as client:
        answer = client.post(f"workloads/{part(id)}/scale", {"replicas": replicas})
    if as_json:
        print_json(answer)
        return
    click.echo(f"{id} has {count(replicas, 'replica')} from now on")
