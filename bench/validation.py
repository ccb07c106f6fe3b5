"""Scores the measured rows and writes the validation page: its tables, its plots, and the figures behind them.

`python -m bench.validation [--rows FOLDER]`, or `make validation`. The folder holds `training_given.csv`,
`inference_given.csv` and `latency_given.csv`; it is not part of the repository. Each kind is scored by
`stargate performance score` three times: held out (`--cross-validate`), by the shipped constants, and by
these as if no release were known.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from docs._ext.validation import DOCS, PAGE, SCORES, written

ROOT = Path(__file__).resolve().parents[1]
ROWS = ROOT.parent / "shared" / "data" / "perf"
CALIBRATION = ROOT / "src" / "stargate" / "performance" / "data" / "calibration.json"
FILES = {
    "training": ("training_given.csv",),
    "serving": ("inference_given.csv", "latency_given.csv"),
}
WAYS = {
    "held_out": ("--cross-validate",),
    "fitted": (),
    "without_release": ("--cross-validate", "--without-release"),
}
FEWEST_ROWS = 5
"""Of a cell that the page lists."""
MOST_FAMILIES = 3
"""Of each group, that the page lists: those that make most of its error."""


def main() -> None:
    """Score, then write."""
    reader = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    reader.add_argument("--rows", type=Path, default=ROWS, help="the folder of measured rows")
    folder = reader.parse_args().rows
    missing = [name for names in FILES.values() for name in names if not (folder / name).is_file()]
    if missing:
        sys.exit(f"{folder} has no {', '.join(missing)}: name the folder of measured rows with --rows")
    kinds: dict[str, dict[str, Any]] = {}
    cells: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as made:
        for kind, names in FILES.items():
            rows = Path(made) / f"{kind}.csv"
            plot = DOCS / "_static" / f"validation-{kind}.svg"
            kinds[kind] = {}
            for way, words in WAYS.items():
                drawn = ("--rows", str(rows), "--plot", str(plot)) if way == "held_out" else ()
                print(f"{kind}: {way} ...", flush=True)
                kinds[kind][way] = score([folder / name for name in names], (*words, *drawn))
            cells += by_cell(rows)
    scores = {
        "calibration_sha256": hashlib.sha256(CALIBRATION.read_bytes()).hexdigest(),
        "kinds": kinds,
        "cells": cells,
        "families": by_family(CALIBRATION.with_name("calibration_rows.csv")),
    }
    SCORES.write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), scores), encoding="utf-8")


def score(files: list[Path], words: tuple[str, ...]) -> dict[str, Any]:
    """What the command answers."""
    command = [
        str(Path(sys.executable).parent / "stargate"),
        "performance",
        "score",
        *map(str, files),
        *words,
    ]
    done = subprocess.run([*command, "--json"], stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def by_cell(path: Path) -> list[dict[str, Any]]:
    """Errors by chip, precision and group, from the rows that the command wrote."""
    parts: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    with path.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            parts[row["chip"], row["precision"], row["group"]].append(float(row["error_percent"]))
    return [
        {
            "chip": chip,
            "precision": precision,
            "group": group,
            "n": len(errors),
            "mape": round(sum(map(abs, errors)) / len(errors), 2),
            "bias": round(sum(errors) / len(errors), 2),
        }
        for (chip, precision, group), errors in sorted(parts.items())
        if len(errors) >= FEWEST_ROWS
    ]


def by_family(path: Path) -> list[dict[str, Any]]:
    """The families that make most of each group's held-out error, from the rows beside the calibration."""
    groups: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with path.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            groups[row["group"]][row["family"]].append(100.0 * abs(float(row["held_out"]) - 1.0))
    found = []
    for group, families in sorted(groups.items()):
        total = sum(map(sum, families.values()))
        worst = sorted(families.items(), key=lambda each: (-sum(each[1]), each[0]))[:MOST_FAMILIES]
        for family, errors in worst:
            mape, share = sum(errors) / len(errors), sum(errors) / total
            found.append(
                {
                    "group": group,
                    "family": family,
                    "n": len(errors),
                    "mape": round(mape, 1),
                    "share": round(share, 3),
                }
            )
    return found


if __name__ == "__main__":
    main()
