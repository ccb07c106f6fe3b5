"""Rows of training measurements as a batch: what each says, and what the formulas predict for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from stargate.base.errors import InputError, Problem
from stargate.performance.calibration.lookup import release_parts
from stargate.performance.calibration.measured import Key, Measured, Parameter, Span
from stargate.performance.calibration.reading import Row, each_read
from stargate.performance.device import Device
from stargate.performance.models.shape import Shape, shape_of
from stargate.performance.number import ARRAY, SCALAR, stack
from stargate.performance.training.constants import CELL, RELEASE, RELEASES, SHARED, Constants
from stargate.performance.training.described import architecture_of, group_of, number, precision_of
from stargate.performance.training.layout import Layout
from stargate.performance.training.mfu import convention_of, flops_per_token
from stargate.performance.training.stated import layout_of, software_of
from stargate.performance.training.step import step

OUTPUTS = {
    "tokens_s_chip": "tokens_per_second_per_chip",
    "model_tflops_chip": "model_tflops_per_chip",
    "mfu_pct": "mfu_percent",
    "chip_hours": "chip_hours",
}
"""The quantity that each value of the column `target_metric` stands for."""


class _Read(msgspec.Struct, frozen=True):
    """One row with all that its prediction needs besides constants."""

    measured: Measured
    shape: Shape
    device: Device
    layout: Layout
    scale: float
    """What tokens per second and chip are multiplied by."""
    inverse: bool
    """Chip-hours: divided by them instead."""
    production: bool


class TrainingBatch:
    """Rows of training measurements. A `Batch`."""

    def __init__(self, rows: Sequence[Row], devices: Mapping[tuple[str, str], Device]) -> None:
        """Reads the rows; those that cannot be read are in `refused` with the reason."""
        read, refused = each_read(rows, lambda row: _read(row, devices), "row_id")
        self.measured = tuple(each.measured for each in read)
        self.refused = refused
        self.parameters = _parameters(self.measured)
        self._read = tuple(read)
        if not read:
            return
        self._shape = stack([each.shape for each in read])
        self._device = stack([each.device for each in read])
        self._layout = stack([each.layout for each in read])
        self._scale = np.array([each.scale for each in read])
        self._inverse = np.array([each.inverse for each in read])
        self._production = np.array([each.production for each in read])
        place = {parameter.key: index for index, parameter in enumerate(self.parameters)}
        self._shared = {name: place["shared", name] for name in SHARED if name not in CELL}
        self._columns = {
            name: np.array(
                [place["cell", row.chip, row.precision, name] for row in self.measured], dtype=np.intp
            )
            for name in CELL
        }
        none = len(self.parameters)
        self._columns[RELEASE] = np.array(
            [place["release", row.software] if row.software else none for row in self.measured], dtype=np.intp
        )

    def layouts(self) -> tuple[Layout, ...]:
        """The layout of each row, stated or assumed, in the order of `measured`."""
        return tuple(each.layout for each in self._read)

    def constants(self, values: NDArray[np.float64]) -> Constants:
        """The constants of each row: numbers for those that all share, columns for the others."""
        numbers = {name: float(values[index]) for name, index in self._shared.items()}
        known = np.append(values, 1.0)
        columns = {name: known[places] for name, places in self._columns.items()}
        return Constants(**numbers, **columns)

    def predict(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """One value per row in its own unit, from constants in the order of `parameters`."""
        if not self._read:
            return np.empty(0)
        constants = self.constants(values)
        found = step(ARRAY, self._shape, self._device, self._layout, constants)
        rate = found.tokens_per_second_per_chip
        answer: NDArray[np.float64] = np.where(self._inverse, self._scale / rate, self._scale * rate)
        return np.where(self._production, answer * constants.production, answer)


def training_batch(rows: Sequence[Row], devices: Mapping[tuple[str, str], Device]) -> TrainingBatch:
    """A batch of rows with the columns of `training_given.csv`; `devices` by (chip, precision)."""
    return TrainingBatch(rows, devices)


def _read(row: Row, devices: Mapping[tuple[str, str], Device]) -> _Read:
    chip, precision = row.get("chip", ""), precision_of(row)
    device = devices.get((chip, precision))
    if device is None:
        raise _refused(f"no chip {chip!r} computing in {precision}", "Name a chip of the catalog.", "chip")
    model = architecture_of(row)
    shape = shape_of(model)
    layout = layout_of(row, shape, device)
    metric = row.get("target_metric", "")
    if metric not in OUTPUTS or number(row, "target_value") <= 0:
        raise _refused(
            f"no measured value: target_metric is {metric!r}",
            f"Give one of {sorted(OUTPUTS)}.",
            "target_metric",
        )
    scale = 1.0
    if metric == "chip_hours":
        scale = number(row, "tokens_b") * 1e9 / 3600.0
    elif metric != "tokens_s_chip":
        convention = convention_of(row.get("flops_convention", ""))
        each = flops_per_token(
            SCALAR, shape, layout.sequence, convention, layout.full_recompute, layout.prediction
        )
        scale = each / 1e12 if metric == "model_tflops_chip" else 100.0 * each / device.peak_flops_per_s
    return _Read(
        measured=Measured(
            id=row.get("row_id", ""),
            group=group_of(row),
            source=row.get("group", ""),
            complete=row.get("config_complete") == "1",
            family=f"{row.get('model', '')}/{chip}/{precision}",
            chip=chip,
            precision=precision,
            software=software_of(row),
            output=OUTPUTS[metric],
            value=number(row, "target_value"),
        ),
        shape=shape,
        device=device,
        layout=layout,
        scale=scale,
        inverse=metric == "chip_hours",
        production=metric == "chip_hours",
    )


def _refused(message: str, remedy: str, field: str) -> InputError:
    return InputError((Problem(message, remedy, path=field),))


def _parameters(measured: Sequence[Measured]) -> tuple[Parameter, ...]:
    """The shared constants, then those of each cell, then each software and its releases, as rows name them."""
    found: dict[Key, Parameter] = {}

    def add(key: Key, span: Span, pulled_to: Key | None = None) -> None:
        found.setdefault(key, span.parameter(key, pulled_to))

    for name, span in SHARED.items():
        add(("shared", name), span)
    for row in measured:
        for name, span in CELL.items():
            add(("cell", row.chip, row.precision, name), span, ("shared", name))
    for row in measured:
        if not row.software:
            continue
        software = release_parts(row.software)[0]
        add(("release", software), RELEASES)
        if software != row.software:
            add(("release", row.software), RELEASES, ("release", software))
    return tuple(found.values())
