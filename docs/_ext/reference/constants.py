"""The constants that are calibrated, from the records that hold them and the calibration that ships."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from docs._ext.reference.markdown import table
from docs._ext.reference.records import field_texts
from stargate.performance.calibration import Calibration, shipped
from stargate.performance.calibration.measured import Span
from stargate.performance.inference import constants as serving
from stargate.performance.training import constants as training

HEAD = ("constant", "meaning", "starts at", "between", "fitted")
PRECISE = 3
"""Digits that a table shows."""


def number(value: float) -> str:
    """A few digits, without an exponent where it can be read without."""
    return f"{value:.{PRECISE}g}"


def _rows(spans: Mapping[str, Span], texts: Mapping[str, str], prefix: str) -> list[tuple[str, ...]]:
    known = shipped().shared
    return [
        (
            f"`{name}`",
            texts[name.partition(" ")[0]],
            number(span.start),
            f"{number(span.low)} to {number(span.high)}",
            number(known[prefix + name]) if prefix + name in known else "",
        )
        for name, span in spans.items()
    ]


def training_cells() -> str:
    """Three of each chip and precision; `fitted` is the value they are drawn to."""
    return table(HEAD, _rows(training.CELL, field_texts(training.Constants), ""))


def training_shared() -> str:
    """Those of all chips."""
    rest = {name: span for name, span in training.SHARED.items() if name not in training.CELL}
    return table(HEAD, _rows(rest, field_texts(training.Constants), ""))


def serving_cells() -> str:
    """Three more of each chip and precision."""
    return table(HEAD, _rows(serving.CELL, field_texts(serving.Constants), serving.PREFIX))


def serving_shared() -> str:
    """Those of all chips, then those of each engine."""
    texts = field_texts(serving.Constants)
    rest = {name: span for name, span in serving.SHARED.items() if name not in serving.CELL}
    engines = {
        f"{name} {engine}": span for name, spans in serving.ENGINES.items() for engine, span in spans.items()
    }
    return table(HEAD, _rows(rest | engines, texts, serving.PREFIX))


def names() -> tuple[str, ...]:
    """Every constant of the formulas, training first; `release` is among them."""
    return tuple(dict.fromkeys((*training.Constants.__struct_fields__, *serving.Constants.__struct_fields__)))


def cells() -> str:
    """The cells of the shipped calibration."""
    order = [*training.CELL, *(serving.PREFIX + name for name in serving.CELL)]
    rows = (
        (
            cell.chip,
            cell.precision,
            f"{cell.rows:,}",
            *(number(cell.constants[name]) if name in cell.constants else "" for name in order),
        )
        for cell in shipped().cells
    )
    return table(("chip", "precision", "rows", *(f"`{name}`" for name in order)), rows)


def releases() -> str:
    """The releases of the shipped calibration; a name without a version is the mean of its releases."""
    known = shipped().releases
    return table(
        ("release", "rows", "factor"),
        ((release.software, f"{release.rows:,}", number(release.factor)) for release in known),
    )


def ranges() -> str:
    """What the ranges of estimates come from, by group; those of cells and precisions are in the file."""
    return table(
        ("group", "rows", "10 % below", "10 % above", "cells with ranges of their own"),
        _ranges(shipped()),
    )


def _ranges(known: Calibration) -> Iterable[tuple[str, ...]]:
    for each in known.residuals:
        if not each.chip and not each.precision:
            own = sum(1 for part in known.residuals if part.group == each.group and part.chip)
            yield (
                f"`{each.group}`",
                f"{each.rows:,}",
                f"{each.low:.2f} ×",
                f"{each.high:.2f} ×",
                str(own),
            )
