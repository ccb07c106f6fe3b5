"""One rank of the demo's training job.

    python -m stargate.demo.train --steps 300 --checkpoint-every 25

Rank, number of ranks, addresses, checkpoint directory and progress file come from the environment (`STARGATE_RANK`,
`STARGATE_WORLD_SIZE`, …); without them it trains alone. Exit codes: 0 finished; 143 told to stop, state saved; 75
another rank is gone, state saved; 1 superseded by a newer attempt, checkpoints of another run, or an error.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path


def main() -> int:
    """Read the command line, then train. One thread per rank: the order of additions is part of the result."""
    parser = argparse.ArgumentParser(prog="python -m stargate.demo.train", description="train a small model")
    parser.add_argument("--steps", type=int, default=300, help="how many optimiser steps")
    parser.add_argument("--checkpoint-every", type=int, default=25, metavar="STEPS")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--step-delay-ms", type=float, default=0, help="pause after each step, to pace a demo"
    )
    parser.add_argument(
        "--checkpoint-dir",
        type=Path,
        default=Path(os.environ.get("STARGATE_CHECKPOINT_DIR", "checkpoint")),
        help="default: $STARGATE_CHECKPOINT_DIR, or ./checkpoint",
    )
    asked = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        os.environ[name] = "1"
    # Only now: numpy reads these variables when it is imported.
    from stargate.demo.train.run import Options, Run  # noqa: PLC0415

    delay_s = asked.step_delay_ms / 1_000
    options = Options(asked.steps, asked.checkpoint_every, asked.seed, delay_s, asked.checkpoint_dir)
    return Run(options).run()


if __name__ == "__main__":
    sys.exit(main())
