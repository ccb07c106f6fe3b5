"""The list of decisions, from the pages themselves."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "decisions"


def pages() -> list[Path]:
    """`NNNN-title.md`, in order."""
    return sorted(FOLDER.glob("[0-9][0-9][0-9][0-9]-*.md"))


def index() -> str:
    """A table of contents in Sphinx's words."""
    names = "\n".join(page.stem for page in pages())
    return f"```{{toctree}}\n:maxdepth: 1\n\n{names}\n```"
