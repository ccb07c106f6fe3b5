"""Lines, chunks and members of files."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from stargate.base.errors import InputError
from stargate.rehearsal.traces.skipped import MOST_REASONS, OTHER, Skipped
from stargate.rehearsal.traces.source import HEAD, LONGEST_LINE, Source


def test_lines_are_numbered_and_long_ones_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\r\n" + b"x" * (2 * LONGEST_LINE + 5) + b"\nthree\xff")
    lines = list(Source(path).lines())
    assert [number for number, _ in lines] == [1, 2, 3]
    assert lines[0] == (1, "one")
    assert len(lines[1][1]) == LONGEST_LINE
    assert lines[2] == (3, "three\ufffd")


def test_chunks_never_split_a_character(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    text = "x" * (HEAD - 1) + "ü" * HEAD
    path.write_text(text, encoding="utf-8")
    assert "".join(Source(path).chunks()) == text


def test_names_lose_what_packing_added(tmp_path: Path) -> None:
    path = tmp_path / "log.swf.gz"
    path.write_bytes(gzip.compress(b"x"))
    assert Source(path).name == "log.swf"


def test_a_folder_cannot_be_opened_as_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        Source(tmp_path / "absent")


def test_reasons_are_bounded() -> None:
    skipped = Skipped()
    for number in range(MOST_REASONS + 50):
        skipped.count(f"reason {number}", number)
    assert skipped.rows == MOST_REASONS + 50
    assert len(skipped.reasons()) == MOST_REASONS + 1
    assert skipped.reasons()[0].reason == OTHER
    assert skipped.reasons()[0].count == 50
    assert skipped.problems("file.csv")[0].file == "file.csv"
