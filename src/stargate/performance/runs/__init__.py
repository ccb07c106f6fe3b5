"""Whole training runs: failures, checkpoints, spares and the time they cost; wall time, chip-hours, cost and energy."""
