"""The same layouts to Calculon (calculon-ai/calculon): run by an interpreter that has pandas and psutil.

`PYTHONPATH=CLONE python calculon.py CLONE ROWS.json` prints, as JSON, the seconds of each row's step (or what
Calculon says it cannot do) and how many configurations it computes per CPU second, with its systems already
loaded. Its own files describe the chips. It knows no tables, gates, grouped queries, experts or context
parallelism; recomputation is all, attention's core (which is what flash attention keeps), or nothing. Rows
without a micro-batch or parts are asked with 1, and once more (`best_seconds`) with whatever comes
closest to what was measured.
"""

from __future__ import annotations

import json
import logging
import statistics
import sys
import time
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

SYSTEMS = {"A100-80GB-SXM": "a100_80g.json", "H100-SXM": "h100_80g_nvl8.json"}
ROUNDS = 5
MICRO_BATCHES = (1, 2, 4, 8)
PARTS = (1, 2, 3, 4, 5, 6, 8)


def execution(row: dict[str, Any]) -> dict[str, Any]:
    """The row as one of Calculon's execution files: tensor parallelism in the node, all else between nodes."""
    apart = row["data"] > 1
    recompute = row.get("recompute") or ("full" if row["full_recompute"] else "attn_only")
    sequence_parallel = bool(row["sequence_parallel"]) and row["tensor"] > 1
    return {
        "num_procs": row["tensor"] * row["pipeline"] * row["data"],
        "tensor_par": row["tensor"],
        "pipeline_par": row["pipeline"],
        "data_par": row["data"],
        "tensor_par_net": 0,
        "pipeline_par_net": 1,
        "data_par_net": 1,
        "batch_size": row["batch"],
        "microbatch_size": row["micro_batch"],
        "datatype": "float8" if row["precision"] == "fp8" else "float16",
        "fused_activation": False,
        "attention_type": "multihead",
        "activation_recompute": recompute,
        "pipeline_interleaving": row["virtual"],
        "optimizer_sharding": bool(row["shard_optimizer"]) and apart,
        "tensor_par_comm_type": "rs_ag" if sequence_parallel else "ar",
        "tensor_par_overlap": "none",
        "seq_par_ag_redo": sequence_parallel and recompute == "attn_only",
        "data_par_overlap": bool(row["shard_optimizer"]) and apart,
        "weight_offload": False,
        "activations_offload": False,
        "optimizer_offload": False,
        "training": True,
    }


def application(row: dict[str, Any]) -> dict[str, int]:
    """The row's model as one of Calculon's model files."""
    return {
        "hidden": row["hidden"],
        "feedforward": row["ffn"],
        "seq_size": row["sequence"],
        "attn_heads": row["heads"],
        "attn_size": row["head_dim"],
        "num_blocks": row["layers"],
    }


def main() -> None:
    """Compute every row and print."""
    import calculon
    from calculon.llm import Llm

    clone, rows = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    systems = {
        chip: calculon.System(json.loads((clone / "systems" / name).read_text()))
        for chip, name in SYSTEMS.items()
    }
    quiet = logging.getLogger("calculon")

    def once(row: dict[str, Any]) -> float:
        model = Llm(Llm.Application(application(row)), quiet)
        model.compile(systems[row["chip"]], Llm.Execution.from_json(execution(row)))
        model.run(systems[row["chip"]])
        return float(model.get_total_time())

    seconds: dict[str, float] = {}
    refused: dict[str, str] = {}
    for row in rows:
        try:
            seconds[row["id"]] = once(row)
        except (Llm.Error, AssertionError, KeyError) as error:
            refused[row["id"]] = f"{type(error).__name__}: {error}"
    able = [row for row in rows if row["id"] in seconds]

    def closest(row: dict[str, Any]) -> float:
        micros = (row["micro_batch"],) if row["micro_batch_stated"] else MICRO_BATCHES
        parts = (row["virtual"],) if row["virtual_stated"] else PARTS
        stated = row["full_recompute"] or row["selective"]
        recomputes = (None,) if stated else ("attn_only", "none")
        times = [seconds[row["id"]]]
        for micro, virtual, recompute in product(micros, parts, recomputes):
            with suppress(Llm.Error, AssertionError):
                times.append(once(row | {"micro_batch": micro, "virtual": virtual, "recompute": recompute}))
        return min(times, key=lambda time: abs(time / row["measured_seconds"] - 1))

    taken = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for row in able:
            once(row)
        taken.append(time.process_time() - start)
    print(
        json.dumps(
            {
                "seconds": seconds,
                "refused": refused,
                "best_seconds": {row["id"]: closest(row) for row in able},
                "per_second": len(able) / statistics.median(taken),
            },
        )
    )


if __name__ == "__main__":
    main()
