"""Writes the reference pages from the code, so that they cannot say anything else than the code does.

A page holds markers such as `<!-- generated: errors -->`; when Sphinx reads the page, the text made by the
chapter of that name stands in its place. The documentation tests call the same chapters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docs._ext.reference.chapters import CHAPTERS, fill

if TYPE_CHECKING:
    from sphinx.application import Sphinx

__all__ = ["CHAPTERS", "fill", "setup"]


def setup(app: Sphinx) -> dict[str, Any]:
    """Join Sphinx."""
    app.connect("source-read", _read)
    app.connect("env-get-outdated", _generated_pages)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def _read(app: Sphinx, page: str, source: list[str]) -> None:
    source[0] = fill(source[0])


def _generated_pages(
    app: Sphinx, env: Any, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """The code may have changed where the page has not: read these pages every time."""
    return [page for page in env.found_docs if page.startswith(("reference/", "decisions/"))]
