"""Files of measured rows, small and made up, with the columns that published tables have."""

from __future__ import annotations

import csv
from pathlib import Path

TRAINING = {
    "row_id": "", "group": "own", "config_complete": "1", "model": "llama-3-8b", "arch": "dense", "layers": "32",
    "hidden": "4096", "heads": "32", "kv_heads": "8", "head_dim": "128", "ffn": "14336", "gated_mlp": "1",
    "vocab": "128256", "experts": "", "topk": "", "moe_ffn": "", "shared_experts": "", "dense_layers": "",
    "params_b": "8.03", "active_params_b": "8.03", "seq_len": "8192", "gbs_seqs": "128", "mbs": "1",
    "precision": "bf16", "chip": "H100-SXM", "n_chips": "8", "scaleup_domain": "8", "tp": "1", "pp": "1", "vp": "",
    "cp": "1", "ep": "", "dp": "8", "sharding": "fsdp", "seq_parallel": "", "recompute": "none",
    "schedule_note": "", "step_time_s": "", "tokens_s_chip": "", "reported_tflops_chip": "",
    "flops_convention": "", "reported_mfu_pct": "", "chip_hours": "", "tokens_b": "", "time_to_train_min": "",
    "target_metric": "tokens_s_chip", "target_value": "9000", "software": "own 1.0", "note": "",
}  # fmt: skip
LATENCY = {
    "id": "", "silicon_data_source": "silicon_concurrency=16", "backend": "vllm", "backend_version": "0.19.0",
    "model_path": "meta-llama/Llama-3.1-8B", "system": "h100_sxm", "precision": "fp8", "mode": "agg", "isl": "1024",
    "osl": "1024", "gemm_quant_mode": "fp8", "moe_quant_mode": "fp8", "batch_size": "16", "tp_size": "1",
    "pp_size": "1", "attention_dp_size": "1", "moe_tp_size": "1", "moe_ep_size": "1", "silicon_ttft_ms": "60",
    "silicon_tpot_ms": "8",
}  # fmt: skip
"""Columns of disaggregated rows are left out: a file need not have them."""


def write(path: Path, plain: dict[str, str], name: str, *changes: dict[str, str]) -> Path:
    """One row per change, each with its own id in the column `name`."""
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(plain))
        writer.writeheader()
        for place, change in enumerate(changes):
            writer.writerow(plain | {name: f"own-{place}"} | change)
    return path
