"""Names that are safe in a path and a URL."""

from __future__ import annotations

import pytest

from stargate.base.ids import attempt_id, clause_id, is_name


@pytest.mark.parametrize("text", ["a", "lm-1", "GB200.NVL72", "a_b", "x" * 128])
def test_plain_names(text: str) -> None:
    """Letters, digits, and a few marks inside."""
    assert is_name(text)


@pytest.mark.parametrize("text", ["", "-a", "a.", "a/b", "a..b", "ä", "a b", "x" * 129, "a\n"])
def test_names_that_would_cause_trouble(text: str) -> None:
    """Nothing that a path or a URL would read otherwise."""
    assert not is_name(text)


def test_made_ids() -> None:
    """Ids that the machine makes are names, or pairs of them."""
    assert is_name(attempt_id("lm", 0, 2))
    assert clause_id("msft-2025", "rofr") == "msft-2025/rofr"
