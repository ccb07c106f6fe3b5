from __future__ import annotations

import pytest

from stargate.base.errors import InputError
from stargate.server.api.page import cut

NAMES = [f"n{number}" for number in range(10)]


def name(item: str) -> str:
    return item


def test_pages_follow_each_other_without_gap_or_repetition() -> None:
    seen: list[str] = []
    after = ""
    while True:
        found, total, following = cut(NAMES, 3, after, name)
        assert total == 10
        seen += found
        if following is None:
            break
        after = following
    assert seen == NAMES


def test_the_last_page_has_no_next() -> None:
    assert cut(NAMES, 10, "", name)[2] is None
    assert cut(NAMES, 9, "", name)[2] == "n8"
    assert cut([], 5, "", name) == ((), 0, None)


def test_what_is_not_kept_is_not_counted() -> None:
    found, total, following = cut(NAMES, 2, "", name, lambda item: item in {"n2", "n4", "n6"})
    assert (found, total, following) == (("n2", "n4"), 3, "n4")


def test_a_place_that_is_no_longer_kept_is_still_a_place() -> None:
    found, total, _ = cut(NAMES, 5, "n3", name, lambda item: item in {"n2", "n4", "n6"})
    assert (found, total) == (("n4", "n6"), 3)


def test_a_place_that_never_was_is_an_error() -> None:
    with pytest.raises(InputError, match="nothing here is called"):
        cut(NAMES, 5, "elsewhere", name)
