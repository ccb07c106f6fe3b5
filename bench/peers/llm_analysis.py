"""The same layouts to llm-analysis: run by an interpreter that has it installed, never imported by us.

`python llm_analysis.py ROWS.json` prints, as JSON, the seconds of each row's step at the efficiency of 1 that it
assumes by default, the same at the one efficiency that suits these very rows best, and how many
configurations it computes per CPU second.
"""

from __future__ import annotations

import json
import logging
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# A file of the same name as the package stands first on the path of whoever runs it as a script.
sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]

CHIPS = {"A100-80GB-SXM": "a100-sxm-80gb", "H100-SXM": "h100-sxm-80gb"}
EFFICIENCIES = tuple(percent / 100 for percent in range(25, 101, 5))
FORMATS = {"bf16": "w16a16e16", "fp8": "w8a8e16"}
ROUNDS = 3


def answering() -> Callable[[dict[str, Any], float], float]:
    """A function that gives the seconds of a row's step at an efficiency."""
    from llm_analysis.analysis import ActivationRecomputation, DSZeRO, LLMAnalysis
    from llm_analysis.config import (
        ModelConfig,
        ParallelismConfig,
        get_dtype_config_by_name,
        get_gpu_config_by_name,
    )

    formats = {name: get_dtype_config_by_name(said) for name, said in FORMATS.items()}
    chips = {chip: get_gpu_config_by_name(name) for chip, name in CHIPS.items()}

    def once(row: dict[str, Any], efficiency: float) -> float:
        model = ModelConfig(
            name=row["id"],
            num_layers=row["layers"],
            n_head=row["heads"],
            hidden_dim=row["hidden"],
            vocab_size=row["vocabulary"],
            max_seq_len=row["sequence"],
            ffn_embed_dim=row["ffn"],
        )
        ways = ParallelismConfig(
            tp_size=row["tensor"],
            pp_size=row["pipeline"],
            dp_size=row["data"],
            sp_size=row["tensor"] if row["sequence_parallel"] else 1,
        )
        analysis = LLMAnalysis(
            model, chips[row["chip"]], formats[row["precision"]], ways, flops_efficiency=efficiency
        )
        done = analysis.training(
            batch_size_per_gpu=row["micro_batch"],
            global_batch_size=row["batch"],
            seq_len=row["sequence"],
            activation_recomputation=(
                ActivationRecomputation.FULL if row["full_recompute"] else ActivationRecomputation.NONE
            ),
            ds_zero=DSZeRO.STAGE_1 if row["shard_optimizer"] else DSZeRO.NONE,
        )
        return float(done["latency_per_iter"])

    return once


def main() -> None:
    """Compute every row and print."""
    logging.disable(logging.CRITICAL)
    rows = json.loads(Path(sys.argv[1]).read_text())
    once = answering()
    seconds: dict[str, float] = {}
    refused: dict[str, str] = {}
    for row in rows:
        try:
            seconds[row["id"]] = once(row, 1.0)
        except (AssertionError, KeyError, ValueError) as error:
            refused[row["id"]] = f"{type(error).__name__}: {error}"
    able = [row for row in rows if row["id"] in seconds]

    def missed(efficiency: float) -> float:
        return statistics.mean(abs(once(row, efficiency) / row["measured_seconds"] - 1) for row in able)

    best = min(EFFICIENCIES, key=missed)
    taken = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for row in able:
            once(row, 1.0)
        taken.append(time.process_time() - start)
    print(
        json.dumps(
            {
                "seconds": seconds,
                "refused": refused,
                "efficiency": best,
                "best_seconds": {row["id"]: once(row, best) for row in able},
                "per_second": len(able) / statistics.median(taken),
            }
        )
    )


if __name__ == "__main__":
    main()
