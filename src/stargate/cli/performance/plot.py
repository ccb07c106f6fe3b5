"""Plots of the performance model, as SVG text."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from stargate.performance.calibration import Scored
from stargate.performance.estimate import Term

COLOURS = ("#2563a8", "#c2571a", "#3b8c54", "#8a4fa3", "#a8842c", "#7b7b7b", "#b0304f", "#2f9ca0", "#5b6ad0")
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "stargate",
}
"""Text stays text, and the same rows give the same file."""
PANELS_ACROSS = 3
RATIOS = (0.45, 2.2)
"""What a panel shows; points beyond lie on its edge."""
CROWD = 300
"""More points than this are drawn as a picture within the SVG, which is a tenth as large."""


def scatter(rows: Sequence[Scored]) -> str:
    """Predicted over measured, one panel per group and one colour per precision, with lines at 10 and 25 %."""
    groups = sorted({each.row.group for each in rows})
    precisions = sorted({each.row.precision for each in rows})
    across = min(len(groups), PANELS_ACROSS) or 1
    down = -(-len(groups) // across) or 1
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.6 * across, 3.0 * down), layout="constrained")
        for index, group in enumerate(groups):
            part = [each for each in rows if each.row.group == group]
            _panel(figure.add_subplot(down, across, index + 1), group, part, precisions)
        return _svg(figure)


def _panel(axes: Axes, group: str, rows: Sequence[Scored], precisions: Sequence[str]) -> None:
    for share, dashes in ((0.0, "-"), (0.10, "--"), (0.25, ":")):
        for line in {1.0 + share, 1.0 / (1.0 + share)}:
            axes.axhline(line, color="#777", linewidth=0.7, linestyle=dashes)
    low, high = RATIOS
    for precision in precisions:
        part = [each for each in rows if each.row.precision == precision]
        if part:
            measured = [each.row.value for each in part]
            ratios = [min(max(each.predicted / each.row.value, low), high) for each in part]
            colour = COLOURS[precisions.index(precision) % len(COLOURS)]
            crowd = len(part) > CROWD
            axes.scatter(
                measured, ratios, 9, color=colour, alpha=0.55, linewidths=0, label=precision, rasterized=crowd
            )
    error = sum(abs(each.error_percent) for each in rows) / len(rows)
    axes.set(xscale="log", yscale="log", ylim=RATIOS, xlabel=_quantity(rows), ylabel="predicted / measured")
    axes.set_yticks([0.5, 0.75, 1.0, 1.33, 2.0], ["0.5", "0.75", "1", "1.33", "2"])
    axes.yaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_title(f"{group.replace('_', ' ')}: {len(rows):,} rows, mean error {error:.1f} %", loc="left")
    axes.legend(frameon=False, fontsize=7, ncols=3, loc="upper left")


def _quantity(rows: Sequence[Scored]) -> str:
    return ", ".join(sorted({each.row.output.replace("_", " ") for each in rows}))


def bars(terms: Sequence[Term], title: str) -> str:
    """The terms of one estimate as bars, longest first; the colour says what each waits for."""
    kinds = sorted({term.binds for term in terms})
    shown = sorted((term for term in terms if term.seconds > 0), key=lambda term: term.seconds)
    unit, scale = ("s", 1.0) if max((term.seconds for term in shown), default=0.0) >= 1.0 else ("ms", 1e3)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.0, 0.32 * len(shown) + 1.3), layout="constrained")
        axes = figure.add_subplot()
        for kind in kinds:
            part = [(index, term) for index, term in enumerate(shown) if term.binds == kind]
            colour = COLOURS[kinds.index(kind) % len(COLOURS)]
            places = [index for index, _ in part]
            drawn = axes.barh(places, [term.seconds * scale for _, term in part], color=colour, label=kind)
            axes.bar_label(drawn, fmt=" %.3g", fontsize=8)
        axes.set_yticks(range(len(shown)), [term.name.replace("_", " ") for term in shown])
        axes.set_xlabel(unit)
        axes.set_title(title, loc="left")
        axes.margins(x=0.12)
        axes.legend(frameon=False, fontsize=8, loc="lower right")
        return _svg(figure)


def _svg(figure: Figure) -> str:
    stream = io.StringIO()
    canvas: Any = FigureCanvasSVG(figure)
    canvas.print_svg(stream, metadata={"Date": None, "Creator": "Stargate"})
    return stream.getvalue()
