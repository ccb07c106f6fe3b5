"""The plots of the page on the year, as files that stand alone: drawn as in every report, with their legend inside."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from stargate.rehearsal.report import plots
from stargate.rehearsal.report.plots import Curve, Span, colour
from stargate.rehearsal.report.summary import Summary

INK, PAPER = "#1b1f24", "#ffffff"
LINE_POINTS = 14
LETTER_POINTS = 5.2
SMALLEST_SHARE = 0.005
"""Of the chips in use, that a curve of its own takes."""


def draw(runs: Mapping[str, Summary], folder: Path) -> None:
    """Every plot of the page."""
    year = runs["year"]
    course, span = year.course, _span(year)
    whole = course.whole
    sites = {site.id: site for site in year.sites if site.held_chip_hours}
    largest = sorted(sites, key=lambda name: -sites[name].used_chip_hours)
    used, held = course.used_chips["site"], course.held_chips["site"]
    share = [
        Curve(name, [min(1.0, a / b) if b else 0.0 for a, b in zip(used[name], held[name], strict=True)])
        for name in largest
        if sites[name].used_chip_hours > SMALLEST_SHARE * year.chip_time.used_chip_hours
    ]
    levels = [
        Curve("held", whole["held_chips"], dashed=True),
        Curve("in use", whole["used_chips"]),
        Curve("down", whole["down_chips"]),
        Curve("free, and not for the first in line", whole["stranded_chips"]),
    ]
    words = {
        "year": "as it was", "without_slip": "without the slip", "without_drop": "with the expansion",
        "without_outage": "without the outage",
    }  # fmt: skip
    queues = [Curve(says, runs[name].course.whole["waiting_slots"]) for name, says in words.items()]
    burned = [Curve(name, [usd / 1e9 for usd in spent]) for name, spent in course.burned_usd.items()]
    power = [Curve(name, course.power_mw[name]) for name in largest]
    _over_time(folder, "use", span, levels, "Chips held, in use and down over the year.")
    _over_time(folder, "sites", span, share, "Utilisation of each site over the year.", percent=True)
    _over_time(folder, "power", span, power, "Power of each site over the year, in MW.", kind="stacked")
    _over_time(folder, "queue", span, queues, "Gangs that wait, with and without each trouble.")
    _over_time(folder, "burned", span, burned, "Spend by use under each agreement, in billion USD.")
    clauses = sorted(course.bindings)
    rows = [course.bindings[name] for name in clauses]
    says = "When each clause was cited: one row for each, larger dots where more decisions cite it."
    numbered = [f"{place + 1} {name}" for place, name in enumerate(clauses)]
    _write(folder, "bound", plots.dots("bound", span, rows, says), numbered)


def _span(summary: Summary) -> Span:
    return Span(summary.course.begins, summary.course.part_seconds)


def _over_time(
    folder: Path, name: str, span: Span, curves: Sequence[Curve], says: str, kind: str = "lines", *,
    percent: bool = False,
) -> None:  # fmt: skip
    drawn = plots.over_time(
        name, span, curves, says, "stacked" if kind == "stacked" else "lines", percent=percent
    )
    _write(folder, name, drawn, [curve.name for curve in curves])


def _write(folder: Path, name: str, drawing: str, names: Sequence[str]) -> None:
    alone(folder / f"year-{name}.svg", drawing, names)


def alone(path: Path, drawing: str, names: Sequence[str]) -> None:
    """Write a plot to a file of its own, with its legend above it."""
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawing)
    assert box is not None, "a plot has its size"
    width, height = float(box[1]), float(box[2])
    keys, lines = _legend(names, width)
    above = lines * LINE_POINTS + 4
    head = (
        f'<?xml version="1.0" encoding="utf-8"?>\n<svg xmlns="http://www.w3.org/2000/svg" '
        f'xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 {-above} {width:g} {height + above:g}" '
        f'style="color: {INK}; background: {PAPER}; font-family: sans-serif" '
    )
    body = drawing.replace("<svg ", head, 1).replace(box[0], "", 1)
    path.write_text(body.removesuffix("</svg>") + keys + "</svg>\n", encoding="utf-8")


def _legend(names: Sequence[str], width: float) -> tuple[str, int]:
    """Keys and names from left to right, in as many lines as they take."""
    found: list[tuple[int, str, float, int]] = []
    left, line = 8.0, 0
    for place, name in enumerate(names):
        wide = 20 + LETTER_POINTS * len(name)
        if left + wide > width and left > 8:
            left, line = 8.0, line + 1
        found.append((place, name, left, line))
        left += wide
    lines = line + 1
    drawn = []
    for place, name, at, row in found:
        top = (row - lines) * LINE_POINTS
        drawn.append(
            f'<rect x="{at:g}" y="{top + 1:g}" width="8" height="8" fill="{colour(place)}"/>'
            f'<text x="{at + 12:g}" y="{top + 9:g}" font-size="9" fill="{INK}">{escape(name)}</text>'
        )
    return "".join(drawn), lines
