"""Sphinx: `make docs` builds the pages, and a warning is an error."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from stargate import __version__  # noqa: E402 - after the path is set

project = "Stargate"
author = "The Stargate maintainers"
copyright = "The Stargate maintainers, Apache-2.0"  # noqa: A001 - Sphinx's word
version = release = __version__

extensions = ["myst_parser", "docs._ext.drawn_math", "docs._ext.reference"]
exclude_patterns = ["_build", "_ext"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "fieldlist"]
myst_dmath_allow_digits = False
myst_dmath_allow_space = False
myst_heading_anchors = 4
nitpicky = True
suppress_warnings: list[str] = []

html_theme = "furo"
html_math_renderer = "drawn"
html_title = "Stargate"
html_static_path = ["_static"]
html_css_files = ["house.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
