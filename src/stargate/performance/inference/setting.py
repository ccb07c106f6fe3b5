"""On what rows of serving measurements were made: formats, devices and columns, and the constants they depend on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from stargate.base.errors import InputError, Problem
from stargate.performance.calibration.measured import Key, Parameter
from stargate.performance.calibration.reading import Row
from stargate.performance.device import Device
from stargate.performance.inference.constants import (
    CELL,
    ENGINE_MEAN,
    ENGINES,
    LINES,
    PREFIX,
    RELEASES,
    SHARED,
    Constants,
)
from stargate.performance.inference.format import Format, format_of
from stargate.performance.inference.iteration import Engine
from stargate.performance.inference.layout import Layout
from stargate.performance.models.architecture import Architecture
from stargate.performance.models.shape import shape_of
from stargate.performance.number import stack

Values = NDArray[np.float64]

KNOWN = ("TensorRT-LLM", "vllm", "sglang")
"""Engines with constants of their own; others take those of the second."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """On what a row was measured."""

    model: Architecture
    device: Device
    form: Format
    precision: str
    """Of the cell of the calibration: `int4` where four-bit weights are multiplied in 16 bits."""
    engine: str
    software: str


def number(row: Row, name: str, otherwise: float = 0.0) -> float:
    """The number in a column; `otherwise` where it is blank, missing or no number."""
    try:
        value = float(row.get(name) or otherwise)
    except ValueError:
        return otherwise
    return value if 0.0 <= value < 1e15 else otherwise


def fault(message: str, remedy: str) -> InputError:
    """Why one row cannot be read."""
    return InputError((Problem(message, remedy),))


def precision_of(stated: str, device: Device | None) -> str:
    """The precision that a model runs in; four-bit weights are multiplied in 16 bits by chips without such units."""
    named = {"fp8": "fp8", "fp8_block": "fp8", "int8": "int8", "int4": "int4", "bf16": "bf16", "fp16": "bf16"}
    word = stated.lower()
    if word in {"fp4", "nvfp4", "mxfp4"}:
        return "nvfp4" if device is not None and device.native else "int4"
    return named.get(word, "fp8")


def setting_of(
    model: Architecture,
    chip: str,
    stated: str,
    engine: str,
    software: str,
    devices: Mapping[tuple[str, str], Device],
) -> Setting:
    """Raises InputError where the chip is not known."""
    precision = precision_of(stated, devices.get((chip, "nvfp4")))
    device = devices.get((chip, "bf16" if precision == "int4" else precision))
    if device is None:
        raise fault(f"no chip {chip!r} with a figure for {precision}", "Add it to your catalog of chips")
    return Setting(
        model=model,
        device=device,
        form=format_of(model, precision),
        precision=precision,
        engine=engine if engine in KNOWN else KNOWN[1],
        software=software,
    )


def engine_of(name: str) -> str:
    """The usual name of an engine; empty where none is stated."""
    word = name.lower().replace("-", "").replace("_", "")
    if word.startswith(("trt", "tensorrt")):
        return "TensorRT-LLM"
    return "vllm" if word.startswith("vllm") else "sglang" if word.startswith("sglang") else name


def software_of(engine: str, version: str) -> str:
    """Engine and release as one name: `vllm 0.19.0`, `TensorRT 10.11`; the engine alone where none is stated.

    Versions of TensorRT-LLM below 1 are those of the Dynamo images that it comes in.
    """
    stated = version.partition(",")[0].strip()
    found = re.match(r"(?:([A-Za-z][\w-]*)\s+)?v?(\d[\w.]*)", stated)
    if found is None:
        return " ".join(part for part in (engine, stated) if part)
    name = found[1] or engine
    release = re.sub(r"\.dev.*$", "", found[2])
    if name == "TensorRT":
        release = ".".join(release.split(".")[:2])
    elif name == "TensorRT-LLM" and release.startswith("0."):
        name = "Dynamo TensorRT-LLM"
    return f"{engine_of(name) if name.lower() in {'vllm', 'sglang'} else name} {release}"


class Columns:
    """Settings as columns, and where their constants stand among the parameters."""

    def __init__(self, settings: Sequence[Setting], parameters: Sequence[Parameter]) -> None:
        """`settings` has one entry per configuration that is computed."""
        self.shape = stack([shape_of(each.model) for each in settings])
        self.device = stack([each.device for each in settings])
        self.form = stack([each.form for each in settings])
        place = {parameter.key: index for index, parameter in enumerate(parameters)}
        self._shared = {name: place[_shared(name)] for name in SHARED if name not in CELL}
        self._columns = {
            name: np.array([place[_cell(each, name)] for each in settings], dtype=np.intp) for name in CELL
        }
        for name in ENGINES:
            self._columns[name] = np.array(
                [place[_shared(f"{name} {each.engine}")] for each in settings], dtype=np.intp
            )
        self._columns["release"] = np.array([place[_release(each)] for each in settings], dtype=np.intp)

    def constants(self, values: Values) -> Constants:
        """Numbers for those that all share, columns for the others."""
        numbers = {name: float(values[index]) for name, index in self._shared.items()}
        return Constants(**numbers, **{name: values[places] for name, places in self._columns.items()})

    def engine(self, values: Values, layout: Layout) -> Engine:
        """All configurations, cut as `layout` says."""
        return Engine(self.shape, self.form, layout, self.device, self.constants(values))


def _shared(name: str) -> Key:
    return ("shared", f"{PREFIX}{name}")


def _cell(setting: Setting, name: str) -> Key:
    return ("cell", setting.device.chip, setting.precision, f"{PREFIX}{name}")


def _release(setting: Setting) -> Key:
    return ("release", setting.software or setting.engine)


def parameters_of(settings: Sequence[Setting]) -> tuple[Parameter, ...]:
    """The constants of these settings, in a fixed order: shared, by engine, cells, engines' means, releases."""
    made = [span.parameter(_shared(name)) for name, span in SHARED.items()]
    for name, spans in ENGINES.items():
        made += [span.parameter(_shared(f"{name} {engine}")) for engine, span in spans.items()]
    for chip, precision in sorted({(each.device.chip, each.precision) for each in settings}):
        for name, span in CELL.items():
            made.append(span.parameter(("cell", chip, precision, f"{PREFIX}{name}"), _shared(name)))
    made += [ENGINE_MEAN.parameter(("release", engine)) for engine in KNOWN]
    made += [span.parameter(("release", line)) for line, span in LINES.items()]
    releases = sorted({(_release(each), each.engine) for each in settings})
    for key, engine in releases:
        line = key[1].rpartition(" ")[0]
        if key[1] not in KNOWN and key[1] not in LINES:
            made.append(RELEASES.parameter(key, ("release", line if line in LINES else engine)))
    return tuple(made)
