"""What a program writes about itself into its progress file. Programs are not trusted: anything else is no news.

Either one JSON object, replaced in one step, or one object per line (the first and the last are read):

    {"first_step": 101, "step": 140, "total_steps": 300, "checkpoint_step": 125, "loss": 2.31}

With `"done": true` the figures are final. `metrics` may hold further figures by name.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

READ_LIMIT = 65_536
METRICS_LIMIT = 64
_STEP_LIMIT = 2**53
_NAME_LIMIT = 128


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """The file's content, checked."""

    first_step: int | None = None
    step: int | None = None
    total_steps: int | None = None
    checkpoint_step: int | None = None
    loss: Decimal | None = None
    done: bool = False
    metrics: dict[str, Decimal] = {}

    def figures(self) -> dict[str, Decimal]:
        """All figures by name, the loss among them."""
        return self.metrics if self.loss is None else {**self.metrics, "loss": self.loss}


def read_progress(path: Path) -> Told | None:
    """What the program says; None when it says nothing that can be read."""
    try:
        with path.open("rb") as file:
            head = file.read(READ_LIMIT)
            size = file.seek(0, 2)
            if size <= READ_LIMIT:
                return parse_progress(head)
            file.seek(size - READ_LIMIT)
            return parse_progress(head, file.read(READ_LIMIT))
    except OSError:
        return None


def parse_progress(head: bytes, tail: bytes | None = None) -> Told | None:
    """The figures of the first and the last whole object; `tail` is the end of a file too long to read."""
    whole = _load(head) if tail is None else None
    if whole is None:
        first, last = _load(head.partition(b"\n")[0]), None
        for line in reversed((head if tail is None else tail).split(b"\n")):
            last = _load(line)
            if last is not None:
                break
        if first is None and last is None:
            return None
        whole = {**(first or {}), **(last or {})}
    metrics = whole.get("metrics")
    return Told(
        first_step=_count(whole.get("first_step")),
        step=_count(whole.get("step")),
        total_steps=_count(whole.get("total_steps")),
        checkpoint_step=_count(whole.get("checkpoint_step")),
        loss=_figure(whole.get("loss")),
        done=whole.get("done") is True,
        metrics=_figures(metrics) if isinstance(metrics, dict) else {},
    )


def _load(data: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(data, parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _refuse(constant: str) -> None:
    """NaN and the infinities are figures that nothing can be done with."""
    raise ValueError(constant)


def _count(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _STEP_LIMIT:
        return value
    return None


def _figure(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    exact = Decimal(value)
    return exact if abs(exact.adjusted()) < _NAME_LIMIT else None


def _figures(values: dict[str, Any]) -> dict[str, Decimal]:
    named = {name: _figure(value) for name, value in values.items() if len(name) <= _NAME_LIMIT}
    return dict([(name, figure) for name, figure in named.items() if figure is not None][:METRICS_LIMIT])
