"""Draws formulas as SVG when the pages are built, so that they read without a network and in both themes."""

from __future__ import annotations

import io
import re
from functools import cache
from html import escape
from typing import Any, NoReturn

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import MathTextParser

STYLE: dict[Any, Any] = {"mathtext.fontset": "stix", "svg.fonttype": "path", "svg.hashsalt": "stargate"}
SIZE = 11.0
"""Points: the height of letters beside the text of a page."""
POINTS_PER_EM = 11.0
MARGIN = 1.0


@cache
def drawing(formula: str) -> str:
    """A formula of LaTeX as an `svg` element in the colour of the text. Raises ValueError where it cannot be read."""
    text = f"${' '.join(formula.split())}$"
    with mpl.rc_context(STYLE):
        font = FontProperties(size=SIZE)
        width, height, depth, *_ = MathTextParser("path").parse(text, dpi=72, prop=font)
        wide, high = width + 2 * MARGIN, height + 2 * MARGIN
        figure = Figure(figsize=(wide / 72, high / 72))
        figure.patch.set_visible(False)
        figure.text(MARGIN / wide, (depth + MARGIN) / high, text, fontproperties=font)
        stream = io.StringIO()
        metadata = {"Date": None, "Creator": None}
        FigureCanvasSVG(figure).print_svg(stream, metadata=metadata)  # type: ignore[no-untyped-call]
    drawn = stream.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    # Its style sheet would hold for the whole page.
    drawn = re.sub(r"<metadata>.*?</metadata>|<style .*?</style>|<!--.*?-->", "", drawn, flags=re.DOTALL)
    size = f'width="{wide / POINTS_PER_EM:.3f}em" height="{high / POINTS_PER_EM:.3f}em"'
    place = f'style="vertical-align: {-(depth + MARGIN) / POINTS_PER_EM:.3f}em"'
    drawn = re.sub(r'(?<=<svg )([^>]*?)width="[^"]*" height="[^"]*"', rf"\1{size} {place}", drawn, count=1)
    label = f'role="img" aria-label="{escape(formula.strip(), quote=True)}" fill="currentColor"'
    return drawn.replace("<svg ", f'<svg class="sg-formula" {label} ', 1)


def _inline(writer: Any, node: Any) -> None:
    writer.body.append(drawing(node.astext()))
    _nothing_inside()


def _block(writer: Any, node: Any) -> None:
    # Fractions of their full size, as LaTeX has them in a line of their own.
    formula = node.astext().replace(r"\frac", r"\dfrac")
    writer.body.append(f'<div class="sg-formulas">{drawing(formula)}</div>')
    _nothing_inside()


def _nothing_inside() -> NoReturn:
    # Imported here, so that tests draw formulas without Sphinx.
    from docutils import nodes  # type: ignore[import-untyped]

    raise nodes.SkipNode


def setup(app: Any) -> dict[str, Any]:
    """Join Sphinx."""
    app.add_html_math_renderer("drawn", inline_renderers=(_inline, None), block_renderers=(_block, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
