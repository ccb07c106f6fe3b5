"""The performance model beside Calculon and llm-analysis: how fast they answer, and how far off on the same rows.

`python -m bench.performance [--rows FILE.csv] [--calculon CLONE] [--peer PYTHON] [--quick] [--json]`. `make
bench-peer` installs the peers into `.bench/performance`; Calculon itself is a clone of its repository, named by
`--calculon` or by the variable CALCULON. CPU time, medians. Accuracy is over the rows that Calculon can express:
dense GPTs on A100 and H100 in 3D parallel layouts. Ours is out of fold: each row is predicted by constants that
never saw its family (`--quick`: by the shipped constants, which did). The peers get the micro-batch and the parts
that a row states, else 1, their own descriptions of the chips, and once more the benefit of every doubt.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stargate.broker.device import devices
from stargate.catalog.chip import builtin_chips
from stargate.performance.calibration import Lookup, shipped
from stargate.performance.calibration.fold import cross_validate
from stargate.performance.device import Device
from stargate.performance.models.library import model_named
from stargate.performance.models.shape import shape_of
from stargate.performance.number import ARRAY, SCALAR, stack
from stargate.performance.training.constants import Constants
from stargate.performance.training.layout import Layout
from stargate.performance.training.layout import layout as laid_out
from stargate.performance.training.memory import memory
from stargate.performance.training.rows import TrainingBatch, training_batch
from stargate.performance.training.search import best_layouts
from stargate.performance.training.step import step

ROOT = Path(__file__).resolve().parents[1]
ROWS = ROOT.parent / "shared" / "data" / "perf" / "training_given.csv"
PEER = ROOT / ".bench" / "performance" / "bin" / "python"
PEERS = Path(__file__).parent / "peers"

SINGLE_PER_SECOND = 20_000
COLUMN_PER_SECOND = 1_000_000
COLUMN = 10_000
EXPRESSIBLE = ("seqsel", "sc21_weak", "sc21_strong", "mtnlg", "mcore_h100", "mlperf_gpt3")
"""Groups of rows whose models and layouts Calculon can express."""
CHIPS = ("A100-80GB-SXM", "H100-SXM")

Row = dict[str, str]


def main() -> None:
    """Measure and print."""
    given = _arguments()
    known = devices(builtin_chips())
    result: dict[str, Any] = {"targets": {"single": SINGLE_PER_SECOND, "column": COLUMN_PER_SECOND}}
    result["ours"] = speed(known["H100-SXM", "bf16"])
    said: list[str] = []
    if given.rows.exists():
        rows = list(csv.DictReader(given.rows.open(newline="")))
        batch = training_batch(rows, known)
        asked = questions(rows, batch)
        result["rows"] = len(asked)
        answers = {"ours": ours(batch, known, quick=given.quick)}
        _ask_peers(given, asked, result, answers, said)
        result["accuracy"] = accuracy(asked, answers)
    else:
        said.append(f"no rows at {given.rows}: accuracy and peers are left out; name a file with --rows")
    result["left_out"] = said
    print(json.dumps(result) if given.json else report(result, quick=given.quick))


def speed(device: Device) -> dict[str, float]:
    """Configurations per CPU second: step time, and step time with memory; one at a time, and as columns."""
    constants = Constants()
    shape = shape_of(model_named("Llama-3.1-70B"))
    one = laid_out(
        sequence=8192, batch=512, chips=256, recompute="attention", tensor=4, pipeline=4, virtual=5
    )
    many = stack([one] * COLUMN)

    def alone() -> None:
        step(SCALAR, shape, device, one, constants)

    def with_memory() -> None:
        step(SCALAR, shape, device, one, constants)
        memory(SCALAR, shape, device, one)

    def column() -> None:
        step(ARRAY, shape, device, many, constants)

    def column_with_memory() -> None:
        step(ARRAY, shape, device, many, constants)
        memory(ARRAY, shape, device, many)

    def search() -> None:
        best_layouts(shape, device, 256, 1024, 8192, constants)

    return {
        "single_per_second": 1 / seconds_of(alone, 2_000),
        "single_with_memory_per_second": 1 / seconds_of(with_memory, 2_000),
        "column_per_second": COLUMN / seconds_of(column, 5),
        "column_with_memory_per_second": COLUMN / seconds_of(column_with_memory, 5),
        "search_ms": seconds_of(search, 5) * 1e3,
    }


def seconds_of(work: Callable[[], None], times: int, rounds: int = 7) -> float:
    """Median CPU seconds of one call."""
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        for _ in range(times):
            work()
        taken.append((time.process_time() - start) / times)
    return statistics.median(taken)


def questions(rows: Sequence[Row], batch: TrainingBatch) -> list[dict[str, Any]]:
    """The rows that Calculon can express, in plain numbers: model, layout and measured seconds."""
    layouts = dict(zip((each.id for each in batch.measured), batch.layouts(), strict=True))
    asked = []
    for row in rows:
        layout = layouts.get(row["row_id"])
        fits = row["group"] in EXPRESSIBLE and row["chip"] in CHIPS and row["tp"] != ""
        if layout is None or not fits or layout.shard_parameters or not row["step_time_s"]:
            continue
        asked.append(_question(row, layout))
    return asked


def _question(row: Row, layout: Layout) -> dict[str, Any]:
    ways = ("tensor", "pipeline", "data", "batch", "sequence")
    return {
        "id": row["row_id"],
        "group": row["group"],
        "chip": row["chip"],
        "precision": "fp8" if "fp8" in row["precision"].lower() else "bf16",
        "measured_seconds": float(row["step_time_s"]),
        "layers": int(row["layers"]),
        "hidden": int(row["hidden"]),
        "ffn": int(row["ffn"]),
        "heads": int(row["heads"]),
        "head_dim": int(row["head_dim"] or int(row["hidden"]) // int(row["heads"])),
        "vocabulary": int(row["vocab"]),
        "micro_batch": int(row["mbs"] or 1),
        "virtual": int(row["vp"] or 1),
        "micro_batch_stated": bool(row["mbs"]),
        "virtual_stated": bool(row["vp"]) or row["pp"] == "1",
        "selective": row["recompute"].startswith("selective"),
        **{name: int(getattr(layout, name)) for name in ways},
        **{
            name: float(getattr(layout, name))
            for name in ("sequence_parallel", "full_recompute", "shard_optimizer")
        },
    }


def ours(batch: TrainingBatch, known: dict[tuple[str, str], Device], *, quick: bool) -> dict[str, float]:
    """Seconds of a step by row: out of fold, or by the shipped constants."""
    if quick:
        predicted = batch.predict(Lookup(shipped(), known).values(batch.parameters))
    else:
        predicted = cross_validate(batch, known)
    found = {}
    for measured, layout, value in zip(batch.measured, batch.layouts(), predicted, strict=True):
        if measured.output == "tokens_per_second_per_chip":
            found[measured.id] = float(layout.tokens / (value * layout.chips))
    return found


def _ask_peers(
    given: argparse.Namespace,
    asked: list[dict[str, Any]],
    result: dict[str, Any],
    answers: dict[str, dict[str, float]],
    said: list[str],
) -> None:
    if not given.peer.exists():
        said.append("the peers are not installed here: `make bench-peer` installs them")
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.json"
        file.write_text(json.dumps(asked))
        if given.calculon is None:
            said.append(
                "Calculon is left out: clone calculon-ai/calculon and name it with --calculon or CALCULON"
            )
        else:
            clone = str(given.calculon)
            found = _run(given.peer, ["calculon.py", clone, str(file)], {"PYTHONPATH": clone})
            answers["calculon"] = found.pop("seconds")
            answers["calculon_best"] = found.pop("best_seconds")
            result["calculon"] = found
        found = _run(given.peer, ["llm_analysis.py", str(file)], {})
        answers["llm_analysis"] = found.pop("seconds")
        answers["llm_analysis_best"] = found.pop("best_seconds")
        result["llm_analysis"] = found


def _run(python: Path, arguments: list[str], environment: dict[str, str]) -> dict[str, Any]:
    """What a peer's script prints. It runs from its own folder, with nothing of ours on its path."""
    done = subprocess.run(  # our own script, by an interpreter that the caller named
        [str(python), "-P", str(PEERS / arguments[0]), *arguments[1:]],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ.get("PATH", ""), "HOME": os.environ.get("HOME", ""), **environment},
    )
    if done.returncode:
        sys.exit(f"{arguments[0]} failed:\n{done.stderr[-2000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def accuracy(
    asked: Sequence[dict[str, Any]], answers: dict[str, dict[str, float]]
) -> dict[str, dict[str, dict[str, float]]]:
    """Mean absolute error in percent, and the largest, by group and by who answered."""
    table: dict[str, dict[str, dict[str, float]]] = {}
    for group in (*EXPRESSIBLE, "all"):
        of_group = [row for row in asked if group in {row["group"], "all"}]
        for who, seconds in answers.items():
            errors = [
                100 * abs(seconds[row["id"]] / row["measured_seconds"] - 1)
                for row in of_group
                if row["id"] in seconds
            ]
            if errors:
                table.setdefault(group, {})[who] = {
                    "n": len(errors),
                    "mape": float(np.mean(errors)),
                    "max": max(errors),
                }
    return table


def report(result: dict[str, Any], *, quick: bool) -> str:
    """The result as lines of text."""
    mine = result["ours"]
    lines = [
        "Configurations per CPU second (median of 7 rounds; a training step of Llama 3.1 70B on 256 chips)",
        f"  one at a time, step time       {mine['single_per_second']:12,.0f}   (target {SINGLE_PER_SECOND:,})",
        f"  one at a time, with memory     {mine['single_with_memory_per_second']:12,.0f}",
        f"  columns of {COLUMN:,}, step time {mine['column_per_second']:12,.0f}   (target {COLUMN_PER_SECOND:,})",
        f"  columns, with memory           {mine['column_with_memory_per_second']:12,.0f}",
        f"  search of the best layout, 256 chips: {mine['search_ms']:.1f} ms",
    ]
    lines += [
        f"  {name:30} {result[name]['per_second']:12,.0f}   ours is {_ratio(result, name):,.0f} times as fast"
        for name in ("calculon", "llm_analysis")
        if name in result
    ]
    if "accuracy" in result:
        how = "shipped constants, which saw these rows" if quick else "out of fold, by family"
        lines += ["", f"Error of a step's time, percent: mean (largest, rows); ours {how}"]
        lines += _table(result["accuracy"])
        if "calculon" in result:
            lines.append(
                "  calculon_best: where a row states no micro-batch or parts, those that come closest to it"
            )
        if "llm_analysis" in result:
            efficiency = result["llm_analysis"]["efficiency"]
            lines.append(
                f"  llm_analysis_best: with the efficiency that suits these rows best, {efficiency:g}"
            )
    for name in ("calculon", "llm_analysis"):
        lines += [f"  {name} on {row}: {why}" for row, why in result.get(name, {}).get("refused", {}).items()]
    lines += [f"  {reason}" for reason in result["left_out"]]
    return "\n".join(lines)


def _ratio(result: dict[str, Any], name: str) -> float:
    return float(result["ours"]["single_with_memory_per_second"] / result[name]["per_second"])


def _table(table: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    who = list(dict.fromkeys(name for row in table.values() for name in row))
    lines = ["  " + " " * 12 + "".join(f"{name:>24}" for name in who)]
    for group, found in table.items():
        cells = [
            f"{found[name]['mape']:.1f} ({found[name]['max']:.0f}, {found[name]['n']})"
            if name in found
            else "–"
            for name in who
        ]
        lines.append(f"  {group:12}" + "".join(f"{cell:>24}" for cell in cells))
    return lines


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=Path, default=ROWS, help="training measurements, as a CSV file")
    parser.add_argument("--peer", type=Path, default=PEER, help="an interpreter that has the peers installed")
    clone = os.environ.get("CALCULON")
    parser.add_argument("--calculon", type=Path, default=Path(clone) if clone else None, help="a clone of it")
    parser.add_argument("--quick", action="store_true", help="no cross-validation: the shipped constants")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
