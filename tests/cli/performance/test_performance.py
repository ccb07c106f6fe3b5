"""`stargate performance`: scores, fits and explanations, as a person or a script asks for them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from stargate.cli import main
from tests.cli.performance.measured import LATENCY, TRAINING, write

EXAMPLES = Path("examples/stargate/workloads")


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["performance", *words])


@pytest.fixture
def training(tmp_path: Path) -> Path:
    """Three lengths of one model, each measured a fifth below what is usual."""
    lengths = ({"seq_len": "2048"}, {"seq_len": "4096"}, {"seq_len": "8192", "config_complete": "0"})
    return write(tmp_path / "training.csv", TRAINING, "row_id", *lengths)


def test_a_score_has_every_row_and_the_complete_ones_apart(training: Path) -> None:
    answer = json.loads(run("score", str(training), "--json").stdout)
    assert answer["groups"].keys() == {"fsdp"}
    assert answer["groups"]["fsdp"]["n"] == 3
    assert answer["complete"]["fsdp"]["n"] == 2
    assert answer["sources"]["own"]["n"] == 3
    assert answer["overall"]["coverage"] == 1.0
    assert 0 < answer["overall"]["mape"] <= 40
    assert answer["overall"]["mape"] <= answer["overall"]["p90"] * 3


def test_people_see_a_table(training: Path) -> None:
    said = run("score", str(training))
    assert said.exit_code == 0, said.output
    assert "MAPE %" in said.stdout
    assert "fsdp" in said.stdout


def test_rows_and_a_plot_are_written(training: Path, tmp_path: Path) -> None:
    rows, plot = tmp_path / "rows.csv", tmp_path / "plot.svg"
    assert run("score", str(training), "--rows", str(rows), "--plot", str(plot)).exit_code == 0
    with rows.open() as stream:
        found = list(csv.DictReader(stream))
    assert [row["id"] for row in found] == ["own-0", "own-1", "own-2"]
    for row in found:
        error = 100 * (float(row["predicted"]) / float(row["measured"]) - 1)
        assert float(row["error_percent"]) == pytest.approx(error, abs=0.02)
        assert float(row["low"]) <= float(row["predicted"]) <= float(row["high"])
    assert ET.parse(plot).getroot().tag.endswith("svg")
    again = tmp_path / "again.svg"
    run("score", str(training), "--plot", str(again))
    assert plot.read_bytes() == again.read_bytes()


def test_latencies_are_two_rows_each(tmp_path: Path) -> None:
    file = write(tmp_path / "latency.csv", LATENCY, "id", {}, {"batch_size": "64"})
    answer = json.loads(run("score", str(file), "--json").stdout)
    assert {name: part["n"] for name, part in answer["groups"].items()} == {"tpot": 2, "ttft": 2}


def test_several_files_are_scored_as_one(training: Path, tmp_path: Path) -> None:
    latency = write(tmp_path / "latency.csv", LATENCY, "id", {})
    answer = json.loads(run("score", str(training), str(latency), "--json").stdout)
    assert answer["overall"]["n"] == 5


def test_own_measurements_move_own_estimates(training: Path, tmp_path: Path) -> None:
    """Rows that a chip and release of one's own gave are predicted better once they were fitted."""
    slow = write(
        tmp_path / "slow.csv", TRAINING, "row_id",
        *({"seq_len": str(length), "target_value": "5200"} for length in (2048, 3072, 4096, 6144, 8192) * 8),
    )  # fmt: skip
    before = json.loads(run("score", str(slow), "--json").stdout)["overall"]["mape"]
    mine = tmp_path / "mine.json"
    fitted = run("fit", str(slow), "--out", str(mine), "--json")
    assert fitted.exit_code == 0, fitted.output
    assert json.loads(fitted.stdout)["fitted"]["overall"]["n"] == 40
    after = json.loads(run("score", str(slow), "--calibration", str(mine), "--json").stdout)["overall"][
        "mape"
    ]
    assert after < before / 2
    # What the rows do not touch stays.
    latency = write(tmp_path / "latency.csv", LATENCY, "id", {})
    plain = run("score", str(latency), "--json").stdout
    assert run("score", str(latency), "--calibration", str(mine), "--json").stdout == plain


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no rows"),
        ("a,b\n1,2\n", "columns of no known kind"),
    ],
)
def test_files_of_another_kind_are_refused_by_name(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "other.csv"
    file.write_text(text)
    said = run("score", str(file))
    assert said.exit_code == 2
    assert says in said.stderr
    assert "other.csv" in said.stderr


def test_a_file_that_is_not_there_is_refused() -> None:
    said = run("score", "nowhere.csv")
    assert said.exit_code == 2
    assert "cannot be read" in said.stderr


def test_a_row_that_cannot_be_read_lowers_the_coverage(tmp_path: Path) -> None:
    file = write(tmp_path / "training.csv", TRAINING, "row_id", {}, {"hidden": "many"})
    answer = json.loads(run("score", str(file), "--json").stdout)
    assert answer["overall"]["coverage"] == 0.5
    assert answer["refused"][0][0] == "own-1"


def test_a_table_from_a_spreadsheet_is_read(training: Path, tmp_path: Path) -> None:
    """With a byte order mark, CRLF and spaces around headings and cells."""
    heading, *rows = training.read_text().splitlines()
    other = tmp_path / "other.csv"
    spaced = [heading.replace(",", " , "), *(row.replace(",", " ,") for row in rows)]
    other.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(spaced).encode())
    assert run("score", str(other), "--json").stdout == run("score", str(training), "--json").stdout


@pytest.mark.parametrize("said", ["0", "-1", "nan", "inf", "1e999", "1e-300"])
@pytest.mark.parametrize("column", ["seq_len", "gbs_seqs", "mbs", "n_chips", "tp", "pp", "cp", "layers"])
def test_what_can_be_no_number_of_a_run_counts_as_blank(tmp_path: Path, column: str, said: str) -> None:
    files = [write(tmp_path / f"{name}.csv", TRAINING, "row_id", {column: cell}) for name, cell in
             (("odd", said), ("blank", ""))]  # fmt: skip
    odd, blank = (run("score", str(file), "--json") for file in files)
    assert odd.exit_code == 0, odd.output
    assert odd.stdout == blank.stdout


def test_chips_and_models_go_by_the_names_of_other_tables(tmp_path: Path) -> None:
    changes = ({"system": "mi300x"}, {"system": "H200"}, {"model_path": "someone/Unheard-13B-Chat"})
    file = write(tmp_path / "latency.csv", LATENCY, "id", *changes)
    answer = json.loads(run("score", str(file), "--json").stdout)
    assert answer["overall"]["n"] == 6
    assert answer["refused"] == []


def test_rows_that_a_fit_leaves_out_are_named(tmp_path: Path) -> None:
    odd = {"target_value": "1e-300"}
    file = write(tmp_path / "odd.csv", TRAINING, "row_id", {}, odd, {"chip": "Abacus"})
    found = run("fit", str(file))
    assert found.exit_code == 0, found.output
    assert "left out: own-1: " in found.stdout
    assert "left out: own-2: chip: no chip 'Abacus'" in found.stdout
    assert len(json.loads(run("fit", str(file), "--json").stdout)["refused"]) == 2
    none = run("fit", str(write(tmp_path / "none.csv", TRAINING, "row_id", odd)))
    assert none.exit_code == 2
    assert "none of the rows can be read: own-0" in none.stderr


def test_afresh_and_base_exclude_each_other(training: Path) -> None:
    assert run("fit", str(training), "--afresh", "--base", str(training)).exit_code == 2


def test_every_given_row_is_answered(shared: Path) -> None:
    files = [
        str(shared / "data" / "perf" / f"{kind}_given.csv") for kind in ("training", "inference", "latency")
    ]
    answer = json.loads(run("score", *files, "--json").stdout)
    assert answer["overall"]["coverage"] == 1.0
    assert answer["overall"]["n"] == 395 + 367 + 2 * 3_464
    for group, part in answer["groups"].items():
        assert 0.6 <= part["within"] <= 1.0, group


@pytest.mark.parametrize(("file", "of"), [("pretrain.yaml", "step"), ("serve-traffic.yaml", "iteration")])
def test_an_estimate_is_taken_apart(repository: Path, tmp_path: Path, file: str, of: str) -> None:
    path, chart = str(repository / EXAMPLES / file), tmp_path / "terms.svg"
    said = run("explain", path, "--chip", "H200", "--json", "--svg", str(chart))
    assert said.exit_code == 0, said.output
    found = json.loads(said.stdout)
    assert found["of"] == of
    assert found["chip"] == "H200-SXM"
    assert sum(term["seconds"] for term in found["terms"]) == pytest.approx(
        found["seconds"]["point"], rel=0.02
    )
    assert sum(found["memory_bytes"].values()) <= found["memory_available_bytes"]
    drawn = "".join(ET.parse(chart).getroot().itertext())
    assert found["terms"][0]["name"].replace("_", " ") in drawn


def test_an_explanation_for_people_names_terms_and_constants(repository: Path) -> None:
    said = run("explain", str(repository / EXAMPLES / "pretrain.yaml"), "--chip", "H100", "--chips", "1024")
    assert said.exit_code == 0, said.output
    assert "WAITS FOR" in said.stdout
    assert "matmul" in said.stdout
    assert "CONSTANT" in said.stdout


def test_what_does_not_fit_is_said_with_a_way_out(repository: Path) -> None:
    said = run("explain", str(repository / EXAMPLES / "pretrain.yaml"), "--chip", "H100", "--chips", "1")
    assert said.exit_code == 2
    assert "Try another number of chips" in said.stderr


def test_models_are_listed_with_their_sizes() -> None:
    items = {item["name"]: item for item in json.loads(run("models", "--json").stdout)["items"]}
    assert items["Llama-3.1-70B"]["parameters"] == pytest.approx(70.55e9, rel=0.005)
    assert "Llama-3.1-70B" in run("models").stdout
