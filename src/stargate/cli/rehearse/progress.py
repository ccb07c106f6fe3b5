"""How far a long rehearsal is: a bar on stderr, where somebody looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

PERIOD_S = 600.0
"""Time that is looked back at to tell what is left."""


@contextmanager
def progress(label: str, length: float | None, *, shown: bool) -> Iterator[Callable[[float], None]]:
    """What takes how much of `length` is done; of an unknown length only that it goes on."""
    if not shown:
        yield lambda _done: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
        TextColumn("elapsed,"), TimeRemainingColumn(), TextColumn("left"),
    )  # fmt: skip
    console = Console(stderr=True)
    with Progress(*columns, console=console, speed_estimate_period=PERIOD_S, transient=True) as bar:
        task = bar.add_task(label, total=length)
        begun = False

        def done(amount: float) -> None:
            nonlocal begun
            if not begun:
                bar.reset(task)  # the time until now does not say how fast it goes
                begun = True
            bar.update(task, completed=amount)

        yield done
