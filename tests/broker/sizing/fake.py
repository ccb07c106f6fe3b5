"""A performance model whose answers can be worked out by hand."""

from __future__ import annotations

from stargate.broker.sizing import NoLayout, RunEstimate, ServiceEstimate, TooSlow
from stargate.broker.sizing.asked import Serve, Train
from stargate.broker.sizing.estimator import RunAnswer, ServiceAnswer
from stargate.performance.device import Device
from stargate.performance.estimate import DoesNotFit, Range
from stargate.workloads import Layout

OVERHEAD_SECONDS = 600.0
"""Of a run, however many chips it has: so more chips cost more in all."""


class Fake:
    """A run takes 1e10 FLOPs a token at half of the peak, and 100 GB over all its chips. An `Estimator`.

    Eight chips cut a sequence at most. A replica carries a request per second and chip and petaflop; its tokens
    take 80 ms over its chips.
    """

    def __init__(self) -> None:
        self.asked = 0

    def least_chips(self, work: Train, device: Device, seconds: float) -> int:
        """Any number may do."""
        return 1

    def train(self, work: Train, device: Device, chips: int) -> RunAnswer:
        """On so many chips."""
        self.asked += 1
        each = 100e9 / chips
        if each > device.memory_bytes:
            return DoesNotFit(needed_bytes=each, available_bytes=device.memory_bytes, largest="weights")
        if work.layout.tensor_parallel is not None and work.layout.tensor_parallel > chips:
            return NoLayout(says=f"{chips} chips are fewer than are cut over")
        if 8 * work.batch < chips:
            return NoLayout(says=f"no layout divides {chips} chips and {work.batch} sequences a step")
        network = 1.0 if device.scaleout_bytes_per_s >= 50e9 else 2.0
        seconds = network * work.tokens * 1e10 / (0.5 * device.peak_flops_per_s * chips) + OVERHEAD_SECONDS
        return RunEstimate(
            seconds=Range(seconds, 0.9 * seconds, 1.2 * seconds),
            energy_kwh=seconds * chips / 3_600,
            memory_bytes=each,
            memory_available_bytes=99e9,
            binds="matmul",
            layout=Layout(data_parallel=chips),
        )

    def serve(self, work: Serve, device: Device, chips: int) -> ServiceAnswer:
        """Replicas of so many chips."""
        self.asked += 1
        token = 0.08 / chips
        if work.tpot is not None and token > work.tpot.seconds:
            return TooSlow(what="tpot", seconds=token, bound_seconds=work.tpot.seconds)
        carried = chips * device.peak_flops_per_s / 1e15
        return ServiceEstimate(
            replicas=max(1, -int(-work.requests_per_s // carried)),
            ttft_seconds=Range(0.2, 0.1, 0.3),
            tpot_seconds=Range(token, token, token),
            energy_kwh_per_hour=float(chips),
            memory_bytes=1e9,
            memory_available_bytes=99e9,
            binds="weights",
            layout=Layout(tensor_parallel=chips),
        )
