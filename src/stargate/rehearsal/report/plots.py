"""Plots as SVG that stands inside a page: colours that do on light and dark, text that stays text, no links, no dates.

What is drawn has no names in it, but for ticks: names stand in the page's legend, where they are text like any other.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import matplotlib as mpl
import matplotlib.dates as mdates
import msgspec
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from stargate.base.time import DAY, HOUR, SECOND, Instant

COLOURS = (
    "#2f7ed8",
    "#d9661f",
    "#3a9a5b",
    "#9a5cc0",
    "#a5862a",
    "#7d8590",
    "#cf3f62",
    "#2b9aa0",
    "#6b74dd",
    "#8f6b4f",
)
"""Each with a contrast of 3:1 or more to white and to a dark page; told apart in most kinds of colour blindness."""
INK = "#010203"
"""Stands for the colour of the page's text, whatever that is."""
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.grid": True,
    "axes.formatter.useoffset": False,
    "figure.facecolor": "none",
    "grid.color": "#808080",
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "path.simplify": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "stargate",
    "svg.id": None,
}
WIDTH_INCHES = 9.0
HEIGHT_INCHES = 2.7


class Curve(msgspec.Struct, frozen=True):
    """Something that is drawn over time, one value for each part of it."""

    name: str
    values: Sequence[float]
    dashed: bool = False


class Span(msgspec.Struct, frozen=True):
    """The time along the bottom."""

    begins: Instant
    part_seconds: float
    dated: bool = True
    """False: time since the beginning instead of dates."""


def colour(place: int) -> str:
    """Of the curve at that place."""
    return COLOURS[place % len(COLOURS)]


def over_time(
    name: str, span: Span, curves: Sequence[Curve], says: str, kind: Literal["lines", "stacked"] = "lines",
    *, percent: bool = False,
) -> str:  # fmt: skip
    """Levels over time as steps, or stacked upon one another; `name` is the plot's own in the page."""
    with mpl.rc_context():
        figure, axes = _figure()
        edges = _edges(span, max((len(curve.values) for curve in curves), default=0))
        if kind == "stacked" and curves:
            below = [0.0] * (len(edges) - 1)
            for place, curve in enumerate(curves):
                top = [low + value for low, value in zip(below, curve.values, strict=True)]
                axes.stairs(
                    top, edges, baseline=below, fill=True, color=colour(place), alpha=0.85, linewidth=0
                )
                below = top
        else:
            for place, curve in enumerate(curves):
                style = (0, (4, 2)) if curve.dashed else "solid"
                axes.stairs(
                    list(curve.values),
                    edges,
                    baseline=None,
                    color=colour(place),
                    linewidth=1.3,
                    linestyle=style,
                )
        _time_axis(axes, span, edges)
        _value_axis(axes, percent=percent)
        return _svg(figure, name, says)


def shares(name: str, quantiles: Sequence[tuple[Sequence[float], str]], says: str) -> str:
    """How many percent waited at most so many seconds; each curve with the colour of its place."""
    with mpl.rc_context():
        figure, axes = _figure()
        most = 1.0
        for place, (values, _) in enumerate(quantiles):
            axes.plot(
                list(values), range(len(values)), color=colour(place), linewidth=1.4, drawstyle="steps-post"
            )
            most = max(most, *values) if values else most
        axes.set_xscale("symlog", linthresh=1.0)
        axes.set_xlim(0, most * 1.1)
        axes.set_ylim(0, 101)
        axes.set_xlabel("seconds")
        axes.set_ylabel("% of workloads")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        return _svg(figure, name, says)


def dots(name: str, span: Span, rows: Sequence[Sequence[int]], says: str) -> str:
    """One line of dots per row, larger where more happened in that part; rows are numbered from 1 at the top."""
    with mpl.rc_context():
        figure, axes = _figure(0.9 + 0.24 * max(len(rows), 1))
        edges = _edges(span, max((len(row) for row in rows), default=0))
        most = max((max(row, default=0) for row in rows), default=0)
        for place, row in enumerate(rows):
            marked = [(part, count) for part, count in enumerate(row) if count]
            axes.scatter(
                [(edges[part] + edges[part + 1]) / 2 for part, _ in marked],
                [place + 1] * len(marked),
                s=[14 + 60 * (count / most) ** 0.5 for _, count in marked],
                color=colour(place),
                alpha=0.8,
                linewidths=0,
            )
        axes.set_yticks(range(1, len(rows) + 1))
        axes.set_ylim(max(len(rows), 1) + 0.6, 0.4)
        _time_axis(axes, span, edges)
        return _svg(figure, name, says)


def _figure(height_inches: float = HEIGHT_INCHES) -> tuple[Figure, Axes]:
    # A user's own settings would change the file.
    mpl.rcdefaults()
    mpl.rcParams.update(STYLE)
    figure = Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained")
    return figure, figure.add_subplot()


def _edges(span: Span, parts: int) -> list[float]:
    """The borders of the parts: days, since 1970 where they have dates."""
    first = span.begins / DAY if span.dated else 0.0
    step = span.part_seconds * SECOND / DAY
    return [first + step * part for part in range(parts + 1)]


def _time_axis(axes: Axes, span: Span, edges: Sequence[float]) -> None:
    if len(edges) > 1:
        axes.set_xlim(edges[0], edges[-1])
    length = edges[-1] - edges[0]
    if span.dated and len(edges) > 1:
        locator: Any = mdates.AutoDateLocator(tz=UTC, maxticks=9)  # type: ignore[no-untyped-call]  # it has no types
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(_dates(length))
        return
    hours = length < 3
    axes.set_xlabel("hours since the beginning" if hours else "days since the beginning")
    if hours:
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * DAY / HOUR:,.4g}"))


def _dates(length_days: float) -> FuncFormatter:
    pattern = "%Y-%m-%d" if length_days > 8 else "%m-%d %H:%M" if length_days > 0.01 else "%H:%M:%S"
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return FuncFormatter(lambda value, _: (epoch + timedelta(days=value)).strftime(pattern))


def _value_axis(axes: Axes, *, percent: bool) -> None:
    axes.set_ylim(bottom=0)
    if percent:
        axes.set_ylim(0, 1.02)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:.0f} %"))
        return
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))


def _svg(figure: Figure, name: str, says: str) -> str:
    stream = io.StringIO()
    canvas: Any = FigureCanvasSVG(figure)
    canvas.print_svg(stream, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return inline(stream.getvalue(), name, says)


def inline(drawing: str, name: str, says: str) -> str:
    """A drawing of Matplotlib as part of a page: its ids under `name`, its ink the page's, its size the column's.

    `says` is what the plot shows, in a sentence of ours: no name that others gave.
    """
    body = drawing[drawing.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<style.*?</style>", "", body, count=1, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->\n?", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', body)
    body = re.sub(r'\b(?:xlink:)?href="#([^"]+)"', rf'href="#{name}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", body)
    body = body.replace(INK, "currentColor")
    box = re.search(r'viewBox="([^"]+)"', body)
    assert box is not None, "Matplotlib writes a viewBox"
    head = (
        f'<svg viewBox="{box[1]}" role="img" aria-labelledby="{name}-says">'
        f'<title id="{name}-says">{says}</title>'
    )
    return head + body[body.index(">") + 1 :].strip()
