from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stargate.base.errors import InputError, JournalError
from stargate.base.wire import pack
from stargate.journal import Record, SqliteJournal, SqliteReader, export_lines, import_lines
from stargate.journal.export import to_line
from tests.journal.making import journal, records, tamper


def exported(folder: Path, entries: int = 12) -> list[bytes]:
    with journal(folder, entries) as made:
        return list(export_lines(made))


def test_it_is_json_lines_that_people_can_read(tmp_path: Path) -> None:
    first, *entries, last = [msgspec.json.decode(line) for line in exported(tmp_path, 3)]
    assert first == {"stargate_journal": 1}
    assert last["head"].startswith("3:")
    assert [entry["seq"] for entry in entries] == [1, 2, 3]
    assert entries[0]["at"] == "2023-11-14T22:13:20.000001Z"
    assert entries[0]["fact"] == {"type": "noted", "number": 1}
    assert set(entries[0]) == {"seq", "at", "cause", "kind", "fact", "hash"}


def test_importing_it_gives_the_same_hashes(tmp_path: Path) -> None:
    lines = exported(tmp_path, 2_345)
    with SqliteJournal(tmp_path / "copy.db") as copy, SqliteReader(tmp_path / "journal.db") as original:
        assert import_lines(lines, copy) == original.head()
        assert list(copy.read()) == list(original.read())


def test_an_empty_journal_is_exported_and_imported(tmp_path: Path) -> None:
    lines = exported(tmp_path, 0)
    with SqliteJournal(tmp_path / "copy.db") as copy:
        assert import_lines(lines, copy).seq == 0


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text()
    | st.binary()
    | st.decimals(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(0, 9), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.lists(st.tuples(PLAIN, st.text(), st.integers(-(2**63), 2**63 - 1)), max_size=5))
@settings(max_examples=40, deadline=None)
def test_any_fact_at_any_time_survives(
    tmp_path_factory: pytest.TempPathFactory, facts: list[tuple[object, str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("exported")
    with SqliteJournal(folder / "one.db", durable=False) as one, SqliteJournal(folder / "two.db") as two:
        one.append(
            [Record(seq, at, cause, "any", pack(fact)) for seq, (fact, cause, at) in enumerate(facts, 1)]
        )
        assert import_lines(list(export_lines(one)), two) == one.head()


def test_bytes_are_kept_beside_what_json_cannot_carry() -> None:
    assert to_line(Record(1, 0, "c", "k", pack({"price": Decimal("1.50")}))).body == ""
    assert to_line(Record(1, 0, "c", "k", pack({"raw": b"\x00"}))).body != ""
    assert to_line(Record(1, 0, "c", "k", pack({1: "a"}))).body != ""


def change(lines: list[bytes], number: int, old: bytes, new: bytes) -> list[bytes]:
    assert old in lines[number - 1]
    return [line.replace(old, new) if at == number else line for at, line in enumerate(lines, 1)]


@pytest.mark.parametrize(
    ("number", "old", "new", "says"),
    [
        (1, b"1", b"9", "export has format 9, newer than 1"),
        (1, b"stargate_journal", b"recipe", "not an exported journal"),
        (5, b'"number":4', b'"number":5', "entry 4 .noted. does not match its hash"),
        (5, b'"seq":4', b'"seq":7', "entry 4 is missing"),
        (5, b"cmd-4", b"cmd-5", "entry 4 .noted. does not match its hash"),
        (5, b'"at":"2023', b'"at":"soon', "is not a time"),
        (5, b'"hash":"', b'"hash":"x', "non-hexadecimal"),
        (5, b'"kind"', b'"kine"', "unknown field `kine`|missing required field `kind`"),
        (5, b"{", b"[", "Expected `object`, got `array`"),
        (14, b"12:", b"13:", "the export ends at 12:.* but was of 13:"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, number: int, old: bytes, new: bytes, says: str) -> None:
    lines = change(exported(tmp_path), number, old, new)
    with SqliteJournal(tmp_path / "copy.db") as copy, pytest.raises(InputError, match=says) as caught:
        import_lines(lines, copy, "dump.jsonl")
    assert str(caught.value).startswith(f"dump.jsonl:{number}: ")


@pytest.mark.parametrize("kept", [0, 1, 5, 13])
def test_a_cut_export_is_noticed(tmp_path: Path, kept: int) -> None:
    lines = exported(tmp_path)[:kept]
    with (
        SqliteJournal(tmp_path / "copy.db") as copy,
        pytest.raises(InputError, match=r"closing line is missing|not an exported journal"),
    ):
        import_lines(lines, copy)


def test_only_an_empty_journal_takes_an_import(tmp_path: Path) -> None:
    lines = exported(tmp_path)
    with journal(tmp_path) as made, pytest.raises(JournalError, match="empty journal only"):
        import_lines(lines, made)


def test_a_damaged_journal_exports_what_is_whole_and_then_says_so(tmp_path: Path) -> None:
    journal(tmp_path, entries=12).close()
    tamper(tmp_path / "journal.db", "UPDATE fact SET body = x'80' WHERE seq = 9")
    lines: list[bytes] = []
    with (
        SqliteReader(tmp_path / "journal.db") as reader,
        pytest.raises(JournalError, match="does not verify: entry 9"),
    ):
        lines.extend(export_lines(reader))
    assert [record.seq for record in records(1, 8)] == [
        msgspec.json.decode(line)["seq"] for line in lines[1:]
    ]
