"""`usage`, `statement`, `commitments`, `budget`, `ledger close` and `ledger follow`, on a ledger in a file."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stargate.base.time import HOUR, MINUTE
from stargate.broker.command import Report
from stargate.cli import main
from stargate.journal import SqliteJournal, to_record
from tests.broker.world import Bench, pool, work
from tests.conftest import REPOSITORY

USAGE = """
usage:
  - {source: "gateway:eu", key: a, metric: output_tokens, quantity: 1000, start: 2025-03-02T10:00:00Z, party: lab,
     provider: alpha, quoted_usd: 0.01, attributes: {team: red, model: sol}}
  - {source: "gateway:eu", key: b, metric: output_tokens, quantity: 500, start: 2025-03-03, party: lab,
     provider: alpha, attributes: {team: blue}}
  - {source: books, key: c, metric: revenue_usd, quantity: 90, start: 2025-03-03, party: lab}
"""


class Books:
    """A ledger, and the command line on it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "ledger.sqlite"

    def run(self, *words: str, ok: bool = True) -> Result:
        """Run it; it must work, or must not."""
        found = CliRunner().invoke(main, [*words, "--ledger", str(self.file)])
        assert (found.exit_code == 0) is ok, found.output
        return found

    def json(self, *words: str) -> Any:
        """What it prints as JSON."""
        return json.loads(self.run(*words, "--json").stdout)

    def add(self, text: str, name: str = "usage.yaml", *, ok: bool = True) -> Result:
        """Add a file."""
        path = self.folder / name
        path.write_text(text)
        return self.run("usage", "add", str(path), ok=ok)


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path)


def test_usage_is_added_once_and_shown_with_what_has_no_price(books: Books) -> None:
    """$10 quoted and charged; 500 tokens without a price; revenue is not used."""
    assert "3 new events; 1 entry posted" in books.add(USAGE).output
    assert "0 new events, 3 known already; 0 entries posted" in books.add(USAGE).output
    items = books.json("usage", "--month", "2025-03", "--by", "team,model")["items"]
    assert [(one["by"], one["quantity"], one["charged_micro_usd"], one["unpriced"]) for one in items] == [
        ({"team": "blue", "model": ""}, "500", 0, "500"),
        ({"team": "red", "model": "sol"}, "1000", 10_000_000, "0"),
        ({"team": "", "model": ""}, "90", 0, "0"),
    ]
    assert "1 row with use that is not charged" in books.run("usage", "--month", "2025-03").output


def test_an_event_that_contradicts_the_record_is_refused(books: Books) -> None:
    """The others of the file are taken, and the exit code says that something is wrong."""
    books.add(USAGE)
    found = books.add(USAGE.replace("quantity: 1000", "quantity: 999").replace("key: b", "key: d"), ok=False)
    assert "refused: a of gateway:eu" in found.output
    assert "1 new event, 1 known already" in found.output


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("u.yaml", USAGE.replace("quantity: 500", "quantity: much"), ("u.yaml:5", "usage[1].quantity")),
        ("u.yaml", USAGE.replace("key: b", "kee: b"), ("u.yaml:5", "Did you mean 'key'?")),
        (
            "u.yaml",
            "payments: [{key: a, payer: x, payee: y, amount_usd: -1, paid_at: 2025-01-01}]",
            ("u.yaml:1", "more than nothing"),
        ),
        ("u.csv", "source,key,metric,quantity,start\ns,k,tokens,x,2025-03-01\n", ("u.csv:2", "quantity")),
        ("u.csv", "source,key,metric,quantity,start,team\n", ("u.csv:1", "attributes.team")),
    ],
)  # fmt: skip
def test_faults_name_file_line_and_field(books: Books, name: str, text: str, says: tuple[str, ...]) -> None:
    """Nothing of a faulty file is taken."""
    found = books.add(text, name, ok=False)
    assert all(part in found.output for part in says), found.output
    assert not books.file.exists()


def test_csv_is_usage(books: Books) -> None:
    """Attributes are columns of their own; empty cells are left out."""
    rows = "source,key,metric,quantity,start,party,provider,quoted_usd,attributes.team\n"
    books.add(
        f"{rows}s,k,tokens,10,2025-03-01,lab,alpha,2,red\ns,l,tokens,5,2025-03-01,lab,alpha,,\n", "u.csv"
    )
    items = books.json("usage", "--month", "2025-03", "--by", "team")["items"]
    assert [(one["by"]["team"], one["charged_micro_usd"]) for one in items] == [("", 0), ("red", 20_000_000)]


def test_a_statement_says_what_is_owed_and_leads_to_the_usage(books: Books) -> None:
    """Open, then closed; a payment lowers what is due."""
    books.add(USAGE)
    shown = books.run("statement", "lab", "alpha", "--month", "2025-03").output
    assert "2025-03 (open)" in shown
    assert "net: lab owes alpha $10.00" in shown
    assert "difference $0.00" in shown
    drilled = books.json("statement", "lab", "alpha", "--month", "2025-03", "--line", "1")
    assert [one["key"] for one in drilled["usage"]] == ["a"]
    assert [one["amount_micro"] for one in drilled["entries"]] == [10_000_000]
    assert (
        "1 line"
        in books.run("statement", "lab", "alpha", "--month", "2025-03", "--line", "2", ok=False).output
    )
    books.add("payments: [{key: p, payer: lab, payee: alpha, amount_usd: 4, paid_at: 2025-03-20}]", "p.yaml")
    out = books.folder / "lines.csv"
    said = books.json("statement", "lab", "alpha", "--month", "2025-03", "--csv", str(out))
    assert said["payables"][0]["overdue_micro_usd"] == 6_000_000
    with out.open() as stream:
        assert sorted(row["amount"] for row in csv.DictReader(stream)) == ["-4.000000", "10.000000"]
    closed = books.json("ledger", "close", "2025-03")
    assert len(closed["root"]) == 64
    assert books.json("ledger", "verify")["ok"]
    assert "1 closed month verify" in books.run("ledger", "verify").output
    assert "2025-03 (closed)" in books.run("statement", "lab", "alpha", "--month", "2025-03").output


def test_budgets_are_set_and_shown(books: Books) -> None:
    """Spent, left, and what follows; a month that has passed has its own forecast."""
    books.add(USAGE)
    assert (
        "red: $12 a month, then block"
        in books.run("budget", "set", "red", "--limit-usd", "12", "--then", "block").output
    )
    (state,) = books.json("budget", "--month", "2025-03")["items"]
    assert (state["spent_micro_usd"], state["left_micro_usd"], state["forecast_micro_usd"]) == (
        10**7,
        2 * 10**6,
        10**7,
    )
    assert state["status"] == "warning"
    books.run("budget", "set", "red", "--no-limit")
    assert books.json("budget", "--month", "2025-03")["items"] == []
    assert "Give either" in books.run("budget", "set", "red", ok=False).output
    assert "fraction" in books.run("budget", "set", "red", "--limit-usd", "1", "--warn", "2", ok=False).output


def test_commitments_of_a_ledger_without_any(books: Books) -> None:
    """A table with nothing in it."""
    books.add(USAGE)
    assert books.json("commitments") == {"items": []}


def test_a_journal_is_followed_to_its_last_full_hour(books: Books) -> None:
    """Done again it changes nothing; the folder of a server names its journal."""
    bench = Bench(pool("a"))
    bench.submit(work("lm", team="red"))
    bench.wait(10 * MINUTE)
    bench.report("lm.0.1", "accepted")
    bench.wait(2 * HOUR)
    bench.do(Report("lm.0.1", "done"))
    bench.wait(HOUR)
    bench.submit(work("later"))
    journal = SqliteJournal(books.folder / "journal.sqlite")
    journal.append([to_record(entry) for entry in bench.entries])
    journal.close()
    for new in (3, 0):
        assert books.json("ledger", "follow", str(books.folder))["new"] == new
    (one,) = books.json("usage", "--month", "2026-01", "--by", "team")["items"]
    assert (one["quantity"], one["charged_micro_usd"]) == ("16", 32_000_000)


def test_the_file_that_the_reference_shows_is_taken(books: Books) -> None:
    """Usage, an opening line and a payment."""
    page = (REPOSITORY / "docs" / "reference" / "ledger.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert "3 new events" in books.add(text).output
