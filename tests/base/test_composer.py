"""Positions, and the words in which values and paths are shown. What is refused is tested with documents."""

from __future__ import annotations

import pytest

from stargate.base.composer import Composer, path_text, shown


def test_marks_are_found_by_path() -> None:
    ((_, mark),) = Composer("a:\n- b:\n    c: 1\n  d.e: 2\n", "f").compose()
    assert mark.find("a[0].b.c").line == 3
    assert mark.find("a[0].d.e").line == 4
    assert mark.find("a[9].b").line == 1
    assert mark.find("a[x].b").line == 1


def test_parts_of_an_alias_stand_where_they_were_written() -> None:
    ((_, mark),) = Composer("a: &a\n  b: 1\nc: *a\n", "f").compose()
    assert mark.find("c").line == 3
    assert mark.find("c.b").line == 2


def test_anchors_do_not_cross_documents() -> None:
    composer = Composer("a: &a 1\n---\nb: *a\n", "f")
    composer.compose()
    assert [problem.line for problem in composer.problems] == [3]


@pytest.mark.parametrize(
    ("path", "text"),
    [([], ""), (["pools", 2, "chip"], "pools[2].chip"), ([0, "a"], "[0].a"), (["a", "b"], "a.b")],
)
def test_paths_as_text(path: list[str | int], text: str) -> None:
    assert path_text(path) == text


def test_long_values_are_cut() -> None:
    assert shown("a") == "'a'"
    assert shown(5) == "5"
    assert len(shown("x" * 1000)) == 60
