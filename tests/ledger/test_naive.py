"""The ledger and a naive second one, in random worlds. A million events: `python -m tests.ledger.compare --help`."""

from __future__ import annotations

import pytest

from tests.ledger.compare import compare


@pytest.mark.parametrize("seed", [*range(10), 212, 238, 259, 278])
def test_a_naive_ledger_comes_to_the_same(seed: int) -> None:
    assert compare(seed, 60) == []


@pytest.mark.parametrize("seed", [1004])
def test_a_naive_ledger_comes_to_the_same_of_more_events(seed: int) -> None:
    assert compare(seed, 600) == []
