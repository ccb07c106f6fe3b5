"""Watches one workload until it ends (or, for a service, serves): a live table, or lines where no one looks."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from stargate.cli.client import Client, ServerUnreachableError, part
from stargate.cli.output import dollars, table

POLL_S = 0.5
PATIENCE_S = 60.0
"""How long a server may be away, as between a crash and its restart."""
HEADINGS = ("ATTEMPT", "PROVIDER", "POOL", "STATUS", "STEP", "LOSS", "COST", "WHY IT ENDED")
ATTEMPTS_SHOWN = 12
BAR = 30


def follow(client: Client, id: str, *, quiet: bool = False, poll_s: float = POLL_S) -> dict[str, Any]:
    """Poll until there is nothing to wait for; the last view. Raises ServerUnreachableError after a while."""
    if quiet or not sys.stdout.isatty():
        return _follow_in_lines(client, id, quiet=quiet, poll_s=poll_s)
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(highlight=False), refresh_per_second=8, transient=False) as live:
        while True:
            shown: dict[str, Any] = patiently(client, f"workloads/{part(id)}")
            live.update(Text(picture(shown)))
            if settled(shown):
                return shown
            time.sleep(poll_s)


def _follow_in_lines(client: Client, id: str, *, quiet: bool, poll_s: float) -> dict[str, Any]:
    said = ""
    while True:
        shown: dict[str, Any] = patiently(client, f"workloads/{part(id)}")
        line = headline(shown)
        if line != said and not quiet:
            click.echo(line)
        said = line
        if settled(shown):
            return shown
        time.sleep(poll_s)


def patiently(client: Client, path: str, patience_s: float = PATIENCE_S) -> Any:
    """GET, through a restart of the server."""
    give_up = time.monotonic() + patience_s
    while True:
        try:
            return client.get(path)
        except ServerUnreachableError:
            if time.monotonic() >= give_up:
                raise
            time.sleep(POLL_S)


def settled(shown: dict[str, Any]) -> bool:
    """Whether it ended; or serves with all replicas running."""
    return bool(shown.get("ended_at")) or _serves(shown)


def succeeded(shown: dict[str, Any]) -> bool:
    """Whether that is what one waited for."""
    done: bool = shown["status"] == "succeeded"
    return done or _serves(shown)


def _serves(shown: dict[str, Any]) -> bool:
    running = {attempt["slot"] for attempt in shown["attempts"] if attempt["status"] == "running"}
    wanted: int = shown["replicas"]
    return shown["kind"] == "serve" and shown["status"] == "running" and len(running) >= wanted


def headline(shown: dict[str, Any]) -> str:
    """`lm-1: running on coreweave (pool cw-1), attempt 2`."""
    text = f"{shown['id']}: {shown['status']}"
    if shown.get("provider") and not shown.get("ended_at"):
        text += f" on {shown['provider']} (pool {shown['pool']})"
    total = shown.get("attempts_total", 0)
    return f"{text}, attempt {total}" if total > 1 else text


def picture(shown: dict[str, Any]) -> str:
    """The headline, a bar where the number of steps is known, and a table of attempts."""
    parts = [headline(shown)]
    step, total = shown.get("step"), shown.get("total_steps")
    if step is not None and total:
        done = min(BAR, BAR * step // total)
        parts.append(f"[{'█' * done}{'·' * (BAR - done)}] step {step:,} of {total:,}")
    rows = attempt_rows(shown)
    if rows:
        parts.append(table(HEADINGS, rows))
    elif shown["status"] == "waiting":
        parts.append(f"Nothing runs yet; `stargate explain {shown['id']}` says why.")
    parts.append(f"Cost so far {dollars(shown['cost_micro_usd'])}")
    return "\n".join(parts)


def attempt_rows(shown: dict[str, Any]) -> list[tuple[Any, ...]]:
    """One row an attempt, in the order in which they ran."""
    rows = []
    for attempt in shown["attempts"][-ATTEMPTS_SHOWN:]:
        progress = attempt.get("progress") or {}
        metrics = attempt.get("metrics") or progress.get("metrics") or {}
        step = progress.get("step", attempt.get("last_step", attempt.get("checkpoint_step")))
        rows.append(
            (
                attempt["id"],
                attempt["provider"],
                attempt["pool"],
                attempt.get("outcome") or attempt["status"],
                step,
                progress.get("loss") or metrics.get("loss"),
                dollars(attempt.get("cost_micro_usd", 0)),
                attempt.get("failure") or attempt.get("stop_reason") or attempt.get("detail"),
            )
        )
    return rows
