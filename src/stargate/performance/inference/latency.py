"""Rows of measured latencies: what each says of layout, load and software, and what the formulas predict for it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from stargate.base.errors import NotFoundError
from stargate.performance.calibration.measured import Measured, Parameter
from stargate.performance.calibration.reading import Row, each_read
from stargate.performance.device import Device
from stargate.performance.inference.disaggregated import Pools, disaggregated
from stargate.performance.inference.layout import Layout
from stargate.performance.inference.setting import (
    Columns,
    Setting,
    Values,
    engine_of,
    fault,
    number,
    parameters_of,
    setting_of,
    software_of,
)
from stargate.performance.inference.stated import Degrees, aggregated, pools_of, unlike
from stargate.performance.inference.steady import Load, Steady, steady
from stargate.performance.models.library import model_named
from stargate.performance.number import ARRAY, stack

CHIPS = {
    "a100_sxm": "A100-80GB-SXM",
    "h100_sxm": "H100-SXM",
    "h200_sxm": "H200-SXM",
    "b200_sxm": "B200-SXM",
    "b300_sxm": "B300-SXM",
    "gb200": "GB200-NVL72",
    "gb200_sxm": "GB200-NVL72",
    "gb300": "GB300-NVL72",
    "gb300_sxm": "GB300-NVL72",
}
"""Systems by the names of AIConfigurator."""

RANDOM_LENGTH = 0.9
"""InferenceX draws lengths evenly from 80 to 100 % of those it states (`--random-range-ratio 0.8`)."""
_RANDOM = re.compile(r"db-dump|source_file=\d{4}-\d\d-\d\d\.csv|gap-analysis\.csv")
"""Sources of rows that come from InferenceX."""
WEIGHTS = {"tpot": 1.0, "ttft": 0.3}
"""In a fit: times to the first token hold the start of a benchmark, warming up and waiting besides."""
APART_WEIGHT = 0.5
"""Of rows of two pools: most leave the number of engines out."""
OUTPUTS = (("tpot", "silicon_tpot_ms"), ("ttft", "silicon_ttft_ms"))


class _Read(msgspec.Struct, frozen=True, kw_only=True):
    measured: tuple[Measured, ...]
    setting: Setting
    load: Load
    decode: Layout
    prefill: Layout
    pools: Pools
    apart: bool
    """Prompts and answers on engines of their own."""


class LatencyBatch:
    """Rows of measured latencies: two values for each, time per token and time to the first. A `Batch`."""

    def __init__(self, rows: Sequence[Row], devices: Mapping[tuple[str, str], Device]) -> None:
        """Reads the rows; those that cannot be read are in `refused` with the reason."""
        read, refused = each_read(rows, lambda row: _read(row, devices), "id")
        self.measured = tuple(value for each in read for value in each.measured)
        self.refused = refused
        self.parameters = parameters_of([each.setting for each in read])
        self._count = len(read)
        apart = np.array([each.apart for each in read], dtype=bool)
        self._places = (np.flatnonzero(~apart), np.flatnonzero(apart))
        self._parts = tuple(
            None if not len(places) else _Part([read[index] for index in places], self.parameters)
            for places in self._places
        )
        tokens = [[value.output == "tpot" for value in each.measured] for each in read]
        self._row = np.array([index for index, each in enumerate(read) for _ in each.measured], dtype=np.intp)
        self._token = np.array([flag for flags in tokens for flag in flags], dtype=bool)

    def predict(self, values: Values) -> Values:
        """Milliseconds, one per measured value."""
        token, first = np.empty(self._count), np.empty(self._count)
        for places, part, solve in zip(
            self._places, self._parts, (_Part.together, _Part.separate), strict=True
        ):
            if part is not None:
                found = solve(part, values)
                token[places], first[places] = found.token_seconds, found.first_seconds
        answer: Values = 1e3 * np.where(self._token, token[self._row], first[self._row])
        return answer


class _Part:
    """Rows that are computed by one formula, as columns."""

    def __init__(self, read: Sequence[_Read], parameters: Sequence[Parameter]) -> None:
        self.columns = Columns([each.setting for each in read], parameters)
        self.load = stack([each.load for each in read])
        self.decode = stack([each.decode for each in read])
        self.prefill = stack([each.prefill for each in read])
        self.pools = stack([each.pools for each in read])

    def together(self, values: Values) -> Steady:
        return steady(ARRAY, self.columns.engine(values, self.decode), self.load)

    def separate(self, values: Values) -> Steady:
        decode = self.columns.engine(values, self.decode)
        prefill = self.columns.engine(values, self.prefill)
        return disaggregated(ARRAY, prefill, decode, self.pools, self.load)


def _read(row: Row, devices: Mapping[tuple[str, str], Device]) -> _Read:
    system = row.get("system", "")
    chip = CHIPS.get(system, system)
    try:
        model = model_named(row.get("model_path", ""))
    except NotFoundError as error:
        raise fault(str(error), "Name a shipped model") from error
    engine = engine_of(row.get("backend", ""))
    software = software_of(engine, row.get("backend_version", ""))
    stated = row.get("precision") or row.get("gemm_quant_mode") or "fp8"
    setting = setting_of(model, chip, stated, engine, software, devices)
    source = row.get("silicon_data_source", "")
    scale = RANDOM_LENGTH if _RANDOM.search(source) else 1.0
    apart = row.get("mode") == "disagg" or unlike(row)
    prompt, answer = scale * number(row, "isl", 1024.0), scale * number(row, "osl", 1024.0)
    degrees: Degrees = pools_of(row, setting) if apart else aggregated(row, setting)
    load = Load(prompt=max(prompt, 1.0), answer=max(answer, 1.0), concurrency=degrees.concurrency)
    measured = tuple(
        Measured(
            id=f"{row.get('id', '')}:{output}",
            group=output,
            source=row.get("backend", "") + (" disagg" if apart else " agg"),
            complete=degrees.complete,
            family=f"{model.name}|{chip}|{setting.precision}|{engine}",
            chip=setting.device.chip,
            precision=setting.precision,
            software=software,
            output=output,
            ranged_as=f"{output}_apart" if apart else "",
            value=number(row, column),
            weight=WEIGHTS[output] * (APART_WEIGHT if apart else 1.0),
        )
        for output, column in OUTPUTS
        if number(row, column) > 0
    )
    return _Read(
        measured=measured,
        setting=setting,
        load=load,
        decode=degrees.decode,
        prefill=degrees.prefill,
        pools=degrees.pools,
        apart=apart,
    )
