"""`stargate statement`: every form carries the same figures."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stargate.cli import main
from stargate.ledger import open_store
from tests.ledger.focus.books import keep


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("books") / "ledger.sqlite"
    store = open_store(path, durable=False)
    keep(store)
    store.close()
    return path


def run(books: Path, *words: str, ok: bool = True) -> Result:
    found = CliRunner().invoke(main, ["statement", "lab", "alpha", *words, "--ledger", str(books)])
    assert (found.exit_code == 0) is ok, found.output
    return found


def shown(books: Path, *words: str) -> Any:
    return json.loads(run(books, *words, "--json").stdout)


@pytest.mark.parametrize("as_of", [(), ("--as-of", "20")])
def test_json_csv_page_and_groups_say_the_same(books: Path, tmp_path: Path, as_of: tuple[str, ...]) -> None:
    sheet, paper, parts = (tmp_path / name for name in ("s.csv", "s.html", "g.csv"))
    words = ("--period", "2026-01", *as_of)
    told = shown(books, *words, "--csv", str(sheet), "--html", str(paper))["statement"]
    with sheet.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [micro(row["amount"]) for row in rows] == [item["amount_micro"] for item in told["items"]]
    assert [row["quantity"] for row in rows] == [item.get("quantity", "") for item in told["items"]]
    assert {row["as_of_entry"] for row in rows} == {str(told["as_of_entry"])}
    text = paper.read_text()
    assert told["digest"] in text
    assert text.count("<article ") == len(rows)
    groups = shown(books, *words, "--by", "team,kind", "--csv", str(parts))["groups"]
    with parts.open(newline="") as stream:
        assert [micro(row["amount"]) for row in csv.DictReader(stream)] == [
            one["amount_micro"] for one in groups
        ]
    for payer in ("lab", "alpha"):
        listed = (
            sum(one["amount_micro"] for one in rows if one["payer"] == payer)
            for rows in (groups, told["items"])
        )
        assert len(set(listed)) == 1


def test_the_page_is_the_same_bytes_each_time(books: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        run(books, "--period", "2026-02", "--by", "team", "--html", str(tmp_path / name))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_line_shows_clause_entries_and_usage(books: Path) -> None:
    items = shown(books, "--period", "2026-01")["statement"]["items"]
    number = next(place for place, item in enumerate(items, 1) if item["clause"] == "deal/chips")
    found = shown(books, "--period", "2026-01", "--line", str(number))
    assert found["clause"][0]["text_ref"] == "section 4.1"
    assert sum(entry["amount_micro"] for entry in found["entries"]) == items[number - 1]["amount_micro"]
    text = run(books, "--period", "2026-01", "--line", str(number)).output
    assert "deal/chips, see section 4.1" in text
    assert "2026-01-0" in text


def test_a_name_that_no_line_knows_is_refused(books: Path) -> None:
    assert "'tem'" in run(books, "--period", "2026-01", "--by", "tem", ok=False).output


def micro(text: str) -> int:
    return int(Decimal(text).scaleb(6))
