"""How far a long rehearsal is: a bar on stderr, where somebody looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

PERIOD_S = 600.0
"""Time that is looked back at to tell what is left."""
LEAST = 1e-9


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
                # The time until now does not say how fast it goes. Speed is told from the first advance on, so there
                # is one now, however small.
                bar.reset(task)
                bar.update(task, completed=amount + LEAST)
                begun = True
            bar.update(task, completed=amount)

        yield done
