"""Watches one workload until it ends (or, for a service, serves): a live table, or lines where no one looks."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from stargate.cli.client import Client, ServerUnreachableError, part
from stargate.cli.output import count, dollars, table

POLL_S = 0.5
PATIENCE_S = 60.0
"""How long a server may be away, as between a crash and its restart."""
HEADINGS = ("ATTEMPT", "PROVIDER", "POOL", "STATUS", "STEP", "LOSS", "COST", "WHY IT ENDED")
ATTEMPTS_SHOWN = 12
BAR = 30


def follow(
    client: Client,
    id: str,
    *,
    quiet: bool = False,
    poll_s: float = POLL_S,
    until: Callable[[dict[str, Any]], bool] | None = None,
    timeout_s: float = math.inf,
) -> dict[str, Any]:
    """Poll until there is nothing to wait for, or for so long; the last view.

    `until` says of a view whether one waits no longer; without it, it has settled. Raises ServerUnreachableError
    after a while.
    """
    over = until or settled
    before_s = time.monotonic() + timeout_s
    with _shown(quiet=quiet) as show:
        while True:
            shown: dict[str, Any] = patiently(client, f"workloads/{part(id)}")
            show(shown)
            if over(shown) or time.monotonic() >= before_s:
                return shown
            time.sleep(poll_s)


@contextmanager
def _shown(*, quiet: bool) -> Iterator[Callable[[dict[str, Any]], None]]:
    """What shows a view: a live table, or a line for each change where no one looks."""
    if quiet:
        yield lambda shown: None  # noqa: ARG005 - the others look at it
    elif not sys.stdout.isatty():
        yield _line_by_line()
    else:
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        with Live(console=Console(highlight=False), refresh_per_second=8, transient=False) as live:
            yield lambda shown: live.update(Text(picture(shown)))


def _line_by_line() -> Callable[[dict[str, Any]], None]:
    said = ""

    def show(shown: dict[str, Any]) -> None:
        nonlocal said
        line = headline(shown)
        if line != said:
            click.echo(line)
        said = line

    return show


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
    if shown["kind"] == "serve" and not shown.get("ended_at"):
        return f"{text}, {shown.get('ready', 0)} of {count(shown['replicas'], 'replica')} ready"
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
