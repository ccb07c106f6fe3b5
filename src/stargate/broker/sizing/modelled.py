"""The performance model with its calibration, as the estimator that sizing asks."""

from __future__ import annotations

from functools import cached_property

from stargate.broker.device import devices
from stargate.broker.sizing.asked import Serve, Train
from stargate.broker.sizing.estimator import RunAnswer, ServiceAnswer
from stargate.broker.sizing.running import least_chips, run_on
from stargate.broker.sizing.serving import replicas_on
from stargate.catalog import builtin_chips
from stargate.performance.calibration import Lookup
from stargate.performance.calibration.record import Calibration, shipped
from stargate.performance.device import Device


class Modelled:
    """Answers from formulas. An `Estimator`."""

    def __init__(self, calibration: Calibration | None = None) -> None:
        """With the shipped calibration, unless another is given."""
        self._calibration = calibration
        self._own: dict[tuple[str, str], tuple[Device, Lookup]] = {}
        """Of chips that people declared themselves."""

    def least_chips(self, work: Train, device: Device, seconds: float) -> int:
        """Fewer cannot do the run in this time, or hold it, whatever the layout."""
        return least_chips(work, device, seconds)

    def train(self, work: Train, device: Device, chips: int) -> RunAnswer:
        """The run on so many chips."""
        return run_on(work, device, chips, self._lookup_for(device))

    def serve(self, work: Serve, device: Device, chips: int) -> ServiceAnswer:
        """Replicas of so many chips each."""
        return replicas_on(work, device, chips, self._lookup_for(device))

    @cached_property
    def _known(self) -> dict[tuple[str, str], Device]:
        return devices(builtin_chips())

    @cached_property
    def _lookup(self) -> Lookup:
        return Lookup(self._calibration or shipped(), self._known)

    def _lookup_for(self, device: Device) -> Lookup:
        """A chip that is not in the shipped table borrows constants from the nearest that is."""
        key = (device.chip, device.precision)
        if key in self._known:
            return self._lookup
        if self._own.get(key, (None, None))[0] != device:
            self._own[key] = (device, Lookup(self._calibration or shipped(), self._known | {key: device}))
        return self._own[key][1]


PERFORMANCE = Modelled()
"""The shipped calibration. It is read when the first question is asked."""
