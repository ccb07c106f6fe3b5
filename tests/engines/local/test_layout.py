"""Names stay below the root; files are whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from stargate.base.errors import EngineError
from stargate.engines.local.layout import Layout, write_once, write_whole


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "/etc", ".hidden", "a\0b", "x" * 200, "a..b"])
def test_no_name_leads_anywhere_else(tmp_path: Path, name: str) -> None:
    layout = Layout(tmp_path)
    for lead in (layout.home, layout.index, layout.secret, lambda n: layout.checkpoint(n, 0)):
        with pytest.raises(EngineError, match="not safe"):
            lead(name)


def test_replicas_keep_their_state_apart(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert layout.checkpoint("w", 0) == tmp_path / "work" / "w" / "checkpoint"
    assert layout.checkpoint("w", 1) != layout.checkpoint("w", 2)


def test_a_file_is_replaced_in_one_step_and_private(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")
    write_whole(path, b"new", durable=True)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_the_first_writer_wins(tmp_path: Path) -> None:
    path = tmp_path / "outcome"
    assert write_once(path, b"first")
    assert not write_once(path, b"second")
    assert path.read_bytes() == b"first"
    assert [entry.name for entry in tmp_path.iterdir()] == ["outcome"]


def test_the_root_is_the_owners_alone(tmp_path: Path) -> None:
    Layout(tmp_path / "a" / "root").make("azure")
    assert (tmp_path / "a" / "root").stat().st_mode & 0o777 == 0o700


def test_a_root_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match="data directory"):
        Layout(tmp_path / "file").make("azure")
