"""Names that people give and ids that the machine makes. All are plain text, safe in a path and a URL."""

from __future__ import annotations

import re

NAME_LIMIT = 128
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")


def is_name(text: str) -> bool:
    """Letters, digits, dot, dash and underscore inside; at most 128 characters."""
    if text.isalnum() and text.isascii():  # most are, and need no pattern
        return len(text) <= NAME_LIMIT
    return _NAME.fullmatch(text) is not None and ".." not in text


def clause_id(agreement: str, clause: str) -> str:
    """A clause seen from outside its agreement: `msft-2025/rofr`."""
    return f"{agreement}/{clause}"


def attempt_id(workload: str, slot: int, number: int) -> str:
    """The n-th execution of one slot of a workload: `lm-1.0.2`. Engines deduplicate by it."""
    return f"{workload}.{slot}.{number}"
