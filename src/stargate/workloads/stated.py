"""The keys that state the work (`model`, `tokens`, `traffic`, …) to the records of `work.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from stargate.workloads import quantity
from stargate.workloads.authored import LayoutEntry, ModelEntry, Task
from stargate.workloads.reading import Reading, carried
from stargate.workloads.work import (
    BATCH_LIMIT,
    SEQUENCE_LIMIT,
    TOKENS_LIMIT,
    WAYS_LIMIT,
    Latency,
    Layout,
    Precision,
    Traffic,
    Training,
)

CONFIG_LIMIT = 1024 * 1024
"""Bytes of a `config.json`."""
_DETAILS = ("sequence_length", "global_batch_size")
_WAYS = tuple(name for name in LayoutEntry.__struct_fields__ if name not in ("sharding", "recompute"))


class Stated(msgspec.Struct, frozen=True):
    """What a file says of the work itself."""

    model: str
    model_config: dict[str, Any]
    training: Training | None
    traffic: Traffic | None
    precision: Precision | None
    layout: Layout | None


def stated(reading: Reading, task: Task, folder: Path | None) -> Stated:
    """The work as it is stated. `folder` is where the path of a `config.json` begins; None: none can be read."""
    name, config = _model(reading, task.model, folder)
    training = None if task.tokens is None else _training(reading, task)
    for key in _DETAILS if training is None else ():
        if getattr(task, key) is not None:
            reading.fault(key, f"`{key}` says nothing without `tokens`", "Add `tokens:`, or remove it.")
    return Stated(
        model=name,
        model_config=config,
        training=training,
        traffic=_traffic(reading, task),
        precision=task.precision,
        layout=_layout(reading, task.layout),
    )


def _model(
    reading: Reading, entry: str | ModelEntry | None, folder: Path | None
) -> tuple[str, dict[str, Any]]:
    if not isinstance(entry, ModelEntry):
        return entry or "", {}
    given = entry.config
    if isinstance(given, str):
        read = reading.attempt("model.config", lambda path: _read(path, folder), given, None)
        return entry.name, read or {}
    if not given:
        reading.fault("model.config", "the description is empty", "Copy the model's `config.json`.")
    nothing: dict[str, Any] = {}
    return entry.name, reading.attempt("model.config", carried, given, nothing)


def _read(path: str, folder: Path | None) -> dict[str, Any]:
    """A `config.json` beside the workload file. Raises ValueError."""
    if folder is None:
        raise ValueError("a path can be read beside a file only; write the content of the config.json here")
    try:
        with (folder / path).open("rb") as stream:
            raw = stream.read(CONFIG_LIMIT + 1)
    except (OSError, ValueError):
        raise ValueError(
            f"{quantity.shown(path)} cannot be read; check the path, it begins at this file"
        ) from None
    try:
        content = msgspec.json.decode(raw) if len(raw) <= CONFIG_LIMIT else None
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        content = None
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{quantity.shown(path)} is no JSON object; name the config.json of the model")
    return carried(content)


def _training(reading: Reading, task: Task) -> Training:
    made = Training(tokens=_large(reading, "tokens", task.tokens, TOKENS_LIMIT))
    changes: dict[str, int] = {}
    if task.sequence_length is not None:
        changes["sequence_length"] = _large(reading, "sequence_length", task.sequence_length, SEQUENCE_LIMIT)
    batch = task.global_batch_size
    if batch is not None:
        key = "batch_sequences"
        if isinstance(batch, str) and batch.rstrip().endswith("tokens"):
            batch, key = batch.rstrip().removesuffix("tokens").rstrip(), "batch_tokens"
        changes[key] = _large(reading, "global_batch_size", batch, BATCH_LIMIT)
    return msgspec.structs.replace(made, **changes)


def _traffic(reading: Reading, task: Task) -> Traffic | None:
    entry = task.traffic
    if entry is None:
        return None
    rate = reading.attempt("traffic.requests_per_s", quantity.number, entry.requests_per_s, quantity.LARGEST)
    if not rate:
        reading.fault("traffic.requests_per_s", "no requests need no replicas", "Write the rate at the peak.")
    return Traffic(
        requests_per_s=rate,
        input_tokens=_large(reading, "traffic.input_tokens", entry.input_tokens, SEQUENCE_LIMIT),
        output_tokens=_large(reading, "traffic.output_tokens", entry.output_tokens, SEQUENCE_LIMIT),
        ttft=_latency(reading, "traffic.ttft", entry.ttft),
        tpot=_latency(reading, "traffic.tpot", entry.tpot),
    )


def _latency(reading: Reading, path: str, value: Any) -> Latency | None:
    if value is None:
        return None
    found = reading.attempt(path, quantity.latency, value, None)
    return None if found is None else Latency(*found)


def _layout(reading: Reading, entry: LayoutEntry | None) -> Layout | None:
    if entry is None:
        return None
    ways = {
        name: _large(reading, f"layout.{name}", getattr(entry, name), WAYS_LIMIT)
        for name in _WAYS
        if getattr(entry, name) is not None
    }
    made = Layout(**ways, sharding=entry.sharding, recompute=entry.recompute)
    if made == Layout():
        reading.fault(
            "layout", "the layout says nothing", "Name a degree, as `tensor_parallel: 8`, or remove it."
        )
        return None
    return made


def _large(reading: Reading, path: str, value: Any, most: int) -> int:
    return reading.attempt(path, lambda given: quantity.large(given, most), value, 1)
