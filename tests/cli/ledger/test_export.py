"""`stargate ledger export`, `import` and `costs`, as a person and a script use them."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from stargate.ledger import open_store
from tests.cli.conftest import Run
from tests.ledger.focus.books import keep

NAMES = ("billing_period", "contract_commitment", "cost_and_usage", "invoice_detail")


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Books of three months."""
    path = tmp_path_factory.mktemp("books") / "ledger.sqlite"
    store = open_store(path, durable=False)
    keep(store)
    store.close()
    return path


@pytest.fixture
def exported(run: Run, ledger: Path, tmp_path: Path) -> Path:
    """The folder of an export."""
    words = ("ledger", "export", "--from", "2026-01", "--to", "2026-03", "--ledger", ledger)
    ran = run(*words, "--output", tmp_path / "out")
    assert (ran.code, ran.err.splitlines()[-1]) == (0, "left out: 1 line of kind payment")
    return tmp_path / "out"


def toolkit(*words: object) -> subprocess.CompletedProcess[str]:
    """The independent validator, as a program."""
    command = [sys.executable, "-m", "focus_data_toolkit", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_files_pass_validation_by_others(exported: Path) -> None:
    for name in NAMES:
        done = toolkit("validate", "--dataset", name.replace("_", "-"), exported / f"{name}.csv")
        assert done.returncode == 0, done.stdout + done.stderr
    done = toolkit("validate-bundle", "--directory", exported, "--format", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["counts"]["ERROR"] == 0


def test_the_manifest_says_what_is_in_the_files(exported: Path) -> None:
    manifest = json.loads((exported / "manifest.json").read_text())
    assert sorted(path.name for path in exported.iterdir()) == sorted(
        [*(f"{name}.csv" for name in NAMES), "manifest.json"]
    )
    for item in manifest["files"]:
        content = (exported / item["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == item["sha256"]
        assert len(list(csv.DictReader(content.decode().splitlines()))) == item["rows"]
    billed = sum(Decimal(row["BilledCost"]) for row in _rows(exported / "cost_and_usage.csv"))
    assert sum(Decimal(total["billed_usd"]) for total in manifest["totals"]) == billed
    assert manifest["left_out"] == [{"kind": "payment", "unit": "usd", "rows": 1, "total": "-500.000000"}]


def test_packed_files_are_the_same_every_time(run: Run, ledger: Path, tmp_path: Path, exported: Path) -> None:
    outs = []
    for name in ("one", "two"):
        words = ("--gzip", "--output", tmp_path / name, "--json")
        ran = run("ledger", "export", "--from", "2026-01", "--to", "2026-02", "--ledger", ledger, *words)
        assert ran.json["files"][0]["file"] == "cost_and_usage.csv.gz"
        outs.append((tmp_path / name / "cost_and_usage.csv.gz").read_bytes())
    assert outs[0] == outs[1]
    january = [row for row in _rows(exported / "cost_and_usage.csv") if row["BillingPeriodStart"] < "2026-03"]
    assert list(csv.DictReader(gzip.decompress(outs[0]).decode().splitlines())) == january


def test_real_bills_go_in_and_out_unchanged(run: Run, shared: Path, tmp_path: Path) -> None:
    given = shared / "data/focus/given/focus_1_0_real_anonymised_501.csv"
    packed = tmp_path / "bill.csv.gz"
    packed.write_bytes(gzip.compress(given.read_bytes()))
    ledger = tmp_path / "data/ledger.sqlite"
    ran = run("ledger", "import", packed, given, "--data", tmp_path / "data", "--json")
    assert [(item["number"], item["new"], item["version"]) for item in ran.json["items"]] == [
        (1, True, "1.0"),
        (1, False, "1.0"),
    ]
    words = (
        "ledger",
        "export",
        "--from",
        "2024-09",
        "--to",
        "2024-09",
        "--imported",
        "--output",
        tmp_path / "out",
    )
    assert run(*words, STARGATE_LEDGER=str(ledger)).code == 0
    assert (tmp_path / "out/imported/1-bill.csv").read_bytes() == given.read_bytes()
    found = run("ledger", "costs", "--from", "2024-09", "--to", "2024-09", "--ledger", ledger, "--json").json[
        "items"
    ]
    assert {item["provider"] for item in found} == {"AWS", "Microsoft", "Oracle"}
    with given.open(newline="") as stream:
        billed = sum(Decimal(row["BilledCost"]) for row in csv.DictReader(stream))
    assert sum(Decimal(item["billed"]) for item in found) == billed
    ran = run("ledger", "costs", "--from", "2024-09", "--to", "2024-09", "--ledger", ledger)
    assert ran.out.startswith("MONTH    PROVIDER   FROM    ROWS  BILLED")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("export", "--from", "2026-13", "--to", "2026-01", "-o", "x"), "is not a month; write 2026-03"),
        (("export", "--from", "2026-02", "--to", "2026-01", "-o", "x"), "2026-01 lies before 2026-02"),
        (("costs", "--from", "2026-01", "--to", "2026-01"), "there is no ledger at"),
        (("import", __file__), "no FOCUS file"),
    ],
)
def test_what_cannot_be_is_said(run: Run, tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    ran = run("ledger", *words, "--data", tmp_path)
    assert ran.code == 2
    assert says in ran.err


def test_a_file_that_is_damaged_is_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bill.csv.gz").write_bytes(gzip.compress(b"BilledCost,ChargePeriodStart\n1,2\n")[:-9])
    ran = run("ledger", "import", tmp_path / "bill.csv.gz", "--data", tmp_path)
    assert ran.code == 2
    assert "cannot be unpacked" in ran.err


def test_nothing_is_left_where_an_export_fails(
    run: Run, ledger: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    from stargate.base.errors import LedgerError
    from stargate.ledger.focus.export import Export

    def refuse(self: Export) -> None:
        raise LedgerError("the charges differ", "Run `stargate ledger verify`.")

    monkeypatch.setattr(Export, "check", refuse)
    words = ("--ledger", ledger, "--output", tmp_path / "out")
    assert run("ledger", "export", "--from", "2026-01", "--to", "2026-01", *words).code == 1
    assert list((tmp_path / "out").iterdir()) == []


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))
