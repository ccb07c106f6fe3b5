"""Archives say what the ledger says, to the digit, and only grow."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stargate.base.errors import LedgerError, NotFoundError, StateConflictError
from stargate.base.time import Instant
from stargate.cli import main
from stargate.ledger import Ledger, Store, open_store
from stargate.ledger.record.month import span_of

duckdb = pytest.importorskip("duckdb")
from stargate.ledger.archive import Archive, extend  # noqa: E402 # needs what may be missing
from tests.ledger import making  # noqa: E402
from tests.ledger.focus.books import MONTHS, keep, used  # noqa: E402

T = Instant.parse
PAIRS = (("lab", "alpha"), ("alpha", "lab"), ("lab", "beta"))


@pytest.fixture
def books(opened: Callable[..., Store]) -> Ledger:
    """Three months, the last one closed too, so that nothing lies beyond the archive."""
    ledger = keep(opened())
    ledger.close("2026-03", T("2026-04-02"))
    return ledger


def read(folder: Path) -> Ledger:
    return Ledger(Archive(folder))


def test_every_statement_and_report_is_the_ledgers_own(books: Ledger, tmp_path: Path) -> None:
    extend(books.store, tmp_path / "archive")
    archived = read(tmp_path / "archive")
    for month in MONTHS:
        for parties in PAIRS:
            drawn = books.statement(parties, month)
            assert drawn.items
            assert archived.statement(parties, month) == drawn
            middle = drawn.as_of_entry // 2
            assert archived.statement(parties, month, middle) == books.statement(parties, month, middle)
            for by in (["team"], ["day"], ["clause", "site", "provider"]):
                assert archived.grouped(drawn, by) == books.grouped(drawn, by)
            assert archived.details(drawn, 100) == books.details(drawn, 100)
            for item in drawn.items:
                ours = list(books.entries_of(drawn, item))
                assert list(archived.entries_of(drawn, item)) == ours
                assert list(archived.usage_of(drawn, item, ours)) == list(books.usage_of(drawn, item, ours))
        for by in (["metric"], ["team", "provider"], ["day"]):
            assert archived.used(month, by) == books.used(month, by)
    at = T("2026-04-03")
    assert archived.payables(PAIRS[0], at) == books.payables(PAIRS[0], at)
    assert archived.commitments(at) == books.commitments(at)
    assert archived.store.position() == books.store.position()


def test_many_random_events_come_to_the_same(opened: Callable[..., Store], tmp_path: Path) -> None:
    store = opened()
    ledger = Ledger(store)
    ledger.declare([making.paper()], [], making.BEGIN)
    ledger.take(making.events(3_000), making.BEGIN)
    making.closed(store)
    extend(store, tmp_path / "archive")
    archived = read(tmp_path / "archive")
    for month in making.MONTHS:
        assert archived.statement(("lab", "alpha"), month) == ledger.statement(("lab", "alpha"), month)
        assert archived.used(month, ["team", "workload"]) == ledger.used(month, ["team", "workload"])
    assert list(archived.store.usage(span_of("2026-01"))) == list(store.usage(span_of("2026-01")))


def test_only_months_that_closed_since_are_added_and_nothing_twice(books: Ledger, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    assert [one.month for one in extend(books.store, folder)] == list(MONTHS)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert extend(books.store, folder) == ()
    books.take([used("later", "3600", T("2026-01-09"), quoted_usd=Decimal(3))], T("2026-04-03"))
    books.rate(T("2026-04-03"))
    books.close("2026-04", T("2026-05-02"))
    assert [one.month for one in extend(books.store, folder)] == ["2026-04"]
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    kept = {path for path in before if path.name != "manifest.json"}
    assert {path: after[path] for path in kept} == {path: before[path] for path in kept}
    archived = read(folder)
    for parties in PAIRS:
        assert archived.statement(parties, "2026-04") == books.statement(parties, "2026-04")
    assert archived.used("2026-01", ["team"]) == books.used("2026-01", ["team"])
    assert list(Archive(folder).faults()) == []


def test_written_twice_or_bit_by_bit_it_is_the_same_bytes(books: Ledger, tmp_path: Path) -> None:
    extend(books.store, tmp_path / "a")
    extend(books.store, tmp_path / "b")
    for path in (tmp_path / "a").rglob("*.*"):
        assert (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes() == path.read_bytes()


def test_what_a_crash_left_behind_is_replaced(books: Ledger, tmp_path: Path) -> None:
    """Killed before the month took its name, or after, before the manifest did: done again it is whole."""
    extend(books.store, tmp_path / "whole")
    folder = tmp_path / "broken"
    (folder / ".2026-01.partial").mkdir(parents=True)
    (folder / ".2026-01.partial" / "staging").write_bytes(b"half")
    (folder / "2026-01").mkdir()
    (folder / "2026-01" / "entry.parquet").write_bytes(b"half")
    extend(books.store, folder)
    assert list(Archive(folder).faults()) == []
    found = sorted(path.name for path in folder.iterdir())
    assert found == [".lock", "2026-01", "2026-02", "2026-03", "manifest.json"]
    assert (folder / "manifest.json").read_bytes() == (tmp_path / "whole" / "manifest.json").read_bytes()


def test_two_programs_do_not_write_one_archive(books: Ledger, tmp_path: Path) -> None:
    def while_it_writes(month: str, table: str, rows: int) -> None:
        with pytest.raises(StateConflictError, match="another program"):
            extend(books.store, tmp_path / "archive")

    assert [one.month for one in extend(books.store, tmp_path / "archive", while_it_writes)] == list(MONTHS)
    assert extend(books.store, tmp_path / "archive") == ()


def test_an_archive_of_another_ledger_is_refused(books: Ledger, tmp_path: Path) -> None:
    extend(books.store, tmp_path / "archive")
    other = Ledger(open_store(tmp_path / "other.sqlite", durable=False))
    other.take([used("one", "3600", T("2026-01-09"), quoted_usd=Decimal(3))], T("2026-01-10"))
    other.close("2026-01", T("2026-02-02"))
    with pytest.raises(StateConflictError, match="2026-01"):
        extend(other.store, tmp_path / "archive")


def test_files_that_changed_or_are_missing_are_named(books: Ledger, tmp_path: Path) -> None:
    extend(books.store, tmp_path / "archive")
    entry, usage = (tmp_path / "archive" / "2026-02" / f"{name}.parquet" for name in ("entry", "usage_event"))
    whole = entry.read_bytes()
    entry.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    assert [fault for fault in Archive(tmp_path / "archive").faults() if "2026-02/entry.parquet" in fault]
    entry.write_bytes(whole)
    usage.unlink()
    with pytest.raises(LedgerError, match="usage_event"):
        Archive(tmp_path / "archive")


def test_figures_that_were_forged_with_their_digests_do_not_come_to_the_root(
    books: Ledger, tmp_path: Path
) -> None:
    folder = tmp_path / "archive"
    extend(books.store, folder)
    entry, manifest = folder / "2026-02" / "entry.parquet", folder / "manifest.json"
    duckdb.sql(f"COPY (SELECT * REPLACE (CASE WHEN seq % 7 = 0 THEN amount + 1 ELSE amount END AS amount)"
               f" FROM '{entry}') TO '{tmp_path}/forged.parquet'")  # fmt: skip
    shutil.copy(tmp_path / "forged.parquet", entry)
    told = json.loads(manifest.read_text())
    from stargate.ledger.archive.manifest import digest_of

    for one in told["closings"]:
        for file in one["files"]:
            path = folder / file["path"]
            file |= {"sha256": digest_of(path), "size_bytes": path.stat().st_size}
    manifest.write_text(json.dumps(told))
    assert [fault[:7] for fault in Archive(folder).faults()] == ["2026-02"]


def test_nothing_is_written_to_an_archive(books: Ledger, tmp_path: Path) -> None:
    extend(books.store, tmp_path / "archive")
    with pytest.raises(LedgerError, match="archive"):
        read(tmp_path / "archive").take([used("x", "1", T("2026-05-01"))], T("2026-05-01"))
    with pytest.raises(NotFoundError, match="stargate ledger archive"):
        open_store(tmp_path, readonly=True)


def test_an_empty_archive_says_what_to_do(tmp_path: Path) -> None:
    store = open_store(tmp_path / "l.sqlite", durable=False)
    assert extend(store, tmp_path / "archive") == ()
    with pytest.raises(NotFoundError, match="there is no archive"):
        Archive(tmp_path / "archive")


def test_the_commands(books: Ledger, where: str, tmp_path: Path) -> None:
    folder = str(tmp_path / "archive")

    def run(*words: str) -> Any:
        found = CliRunner().invoke(main, [*words, "--json"])
        assert found.exit_code == 0, found.output
        return json.loads(found.stdout)

    assert [one["month"] for one in run("ledger", "archive", folder, "--ledger", where)["added"]] == list(
        MONTHS
    )
    assert run("ledger", "archive", folder, "--check") == {"months": list(MONTHS), "faults": []}
    for words in (
        ("statement", "lab", "alpha", "--month", "2026-02", "--by", "team"),
        ("usage", "--month", "2026-02"),
    ):
        ours, theirs = run(*words, "--ledger", where), run(*words, "--ledger", folder)
        assert ours.pop("payables", []) == theirs.pop("payables", [])
        assert ours == theirs


def test_without_duckdb_the_error_names_the_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sys

    for name in [name for name in sys.modules if name.startswith(("stargate.ledger.archive", "duckdb"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "duckdb", None)
    found = CliRunner().invoke(main, ["usage", "--ledger", str(tmp_path)])
    assert found.exit_code != 0
    assert "stargate[archive]" in found.output
