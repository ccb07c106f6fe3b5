"""`stargate logs`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from stargate.base.errors import NotFoundError
from stargate.cli.client import Client, connect, part
from stargate.cli.options import server_options
from stargate.cli.output import json_option, print_json
from stargate.cli.watch import patiently

POLL_S = 0.5
PAGE_BYTES = 65_536


@click.command("logs")
@click.argument("id")
@click.option("--rank", "-r", type=click.IntRange(0), help="One process of the gang; else all of them.")
@click.option("--offset", type=click.IntRange(0), default=0, help="Begin after so many bytes.")
@click.option(
    "--follow", "-f", is_flag=True, help="Go on until the workload ends, through its later attempts."
)
@server_options
@json_option
def command(
    id: str, rank: int | None, offset: int, follow: bool, data: Path, url: str | None, as_json: bool
) -> None:
    """Print what a workload wrote: of its newest attempt, or of the attempt with this ID."""
    with connect(data, url) as client:
        attempt, workload = _attempt_of(client, id, wait=follow)
        if as_json:
            print_json(_page(client, attempt, rank, offset))
            return
        while attempt:
            offset = _print(client, attempt, rank, offset, follow=follow)
            attempt = _next_attempt(client, workload, attempt) if follow and workload else ""
            offset = 0
            if attempt:
                click.echo(f"--- {attempt}", err=True)


def _attempt_of(client: Client, id: str, *, wait: bool) -> tuple[str, str]:
    """The attempt that is meant, and its workload where that is what was named."""
    try:
        shown = client.get(f"workloads/{part(id)}")
    except NotFoundError:
        return id, ""
    while wait and not shown["attempts"] and not shown.get("ended_at"):
        time.sleep(POLL_S)
        shown = patiently(client, f"workloads/{part(id)}")
    attempts = shown["attempts"]
    if not attempts:
        raise NotFoundError(f"{id} has not run yet", f"`stargate explain {id}` says what it waits for")
    return attempts[-1]["id"], id


def _page(client: Client, attempt: str, rank: int | None, offset: int) -> dict[str, Any]:
    page: dict[str, Any] = client.get(
        f"attempts/{part(attempt)}/logs", rank=rank, offset=offset, limit=PAGE_BYTES
    )
    return page


def _print(client: Client, attempt: str, rank: int | None, offset: int, *, follow: bool) -> int:
    """Print what there is, and with `follow` what comes, until the attempt has ended."""
    while True:
        page = _page(client, attempt, rank, offset)
        click.echo(page["text"], nl=False)
        moved = page["next_offset"] != offset
        offset = page["next_offset"]
        if page["ended"] or not (moved or follow):
            return offset
        if not moved:
            time.sleep(POLL_S)


def _next_attempt(client: Client, workload: str, seen: str) -> str:
    """The attempt after this one, as soon as there is one; empty when the workload has ended."""
    while True:
        shown = patiently(client, f"workloads/{part(workload)}")
        names = [attempt["id"] for attempt in shown["attempts"]]
        later = names[names.index(seen) + 1 :] if seen in names else names
        if later:
            return str(later[0])
        if shown.get("ended_at"):
            return ""
        time.sleep(POLL_S)
