"""Small pieces of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def cell(text: str) -> str:
    """Text that fits into one cell of a table."""
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; empty text where there are no rows."""
    lines = ["| " + " | ".join(cell(part) for part in row) + " |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head), *lines])


def code(text: str, language: str = "text") -> str:
    """A block of code."""
    return f"```{language}\n{text.rstrip()}\n```"
