"""Rows of measured throughput: offline, and within the bounds on latency of the benchmark they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from stargate.base.errors import NotFoundError
from stargate.performance.calibration.measured import Measured, Parameter
from stargate.performance.calibration.reading import Row, each_read
from stargate.performance.device import Device
from stargate.performance.inference.layout import Layout, layout
from stargate.performance.inference.maximal import maximal, within
from stargate.performance.inference.memory import available_bytes, weight_bytes
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
from stargate.performance.inference.steady import Load, Steady, steady
from stargate.performance.models.library import model_named
from stargate.performance.models.shape import shape_of
from stargate.performance.number import ARRAY, stack

PROMPTS = {
    "llama2-70b": 294.0,
    "llama3.1-8b": 778.0,
    "llama3.1-405b": 9_400.0,
    "mixtral-8x7b": 294.0,
    "deepseek-r1": 800.0,
}
"""Mean tokens of a prompt in the data sets of MLPerf Inference, which its rows do not state: OpenOrca (MLCommons'
announcement of v4.0), CNN/DailyMail, LongBench and others (9,400 in and 680 out), and mathematics and code (800 in
and 3,880 out; both in MLCommons' announcements of v5.0 and v5.1). Mixtral's mixes OpenOrca with shorter ones."""

TOKEN_SECONDS: dict[tuple[str, str], float] = {
    ("llama2-70b", "server"): 0.200,
    ("llama2-70b", "interactive"): 0.040,
    ("mixtral-8x7b", "server"): 0.200,
    ("llama3.1-405b", "server"): 0.175,
    ("llama3.1-405b", "interactive"): 0.080,
    ("llama3.1-8b", "server"): 0.100,
    ("llama3.1-8b", "interactive"): 0.030,
    ("deepseek-r1", "server"): 0.080,
    ("deepseek-r1", "interactive"): 0.015,
}
"""Bounds of MLPerf Inference on the 99th percentile of the time per token, by benchmark and scenario (rules of v4.0 to
v5.1)."""
TAIL = 0.85
"""Mean time per token where the 99th percentile stands at its bound."""
OPEN = 0.92
"""Of the throughput that a closed loop reaches within the bounds, what requests arriving at random reach."""
BATCH_LIMIT = 2048.0
"""Sequences an engine runs at once at most (default of TensorRT-LLM's `max_batch_size`)."""
ENDLESS = 1e9
WEIGHT = 2.0
"""In a fit: there are few such rows, and each is a long run."""
DRAIN = 0.5
"""Share of the places that stand empty while the last answers of a run end."""

REQUESTS: dict[tuple[int, int], float] = {
    (128, 128): 30_000.0,
    (128, 2048): 3_000.0,
    (128, 4096): 1_500.0,
    (1000, 2000): 1_500.0,
    (2048, 128): 3_000.0,
    (2048, 2048): 1_500.0,
    (5000, 500): 1_500.0,
    (1000, 1000): 3_000.0,
    (500, 2000): 3_000.0,
    (20000, 2000): 1_000.0,
}
"""Requests of one run of TensorRT-LLM's tables by the tokens of prompt and answer (its performance overview, v1.0)."""
LONGEST: dict[str, float] = {
    "llama2-70b": 1_024.0,
    "llama3.1-8b": 128.0,
    "llama3.1-405b": 2_000.0,
    "mixtral-8x7b": 1_024.0,
    "deepseek-r1": 20_000.0,
}
"""Tokens after which MLPerf Inference cuts an answer (its reference implementations)."""
RUN_SECONDS = 600.0
"""Shortest run that MLPerf Inference allows."""

UNSTATED_CHIP = "H100-SXM"
"""Oracle names no chip behind "Large Generic 2". By the dates of its benchmark these are assumed, in as many nodes as
the published (16-bit) weights need."""
NODE_CHIPS = 8
MOST_NODES = 8


class _Read(msgspec.Struct, frozen=True, kw_only=True):
    measured: Measured
    setting: Setting
    prompt: float
    answer: float
    layouts: tuple[Layout, ...]
    """The stated one, or all that the benchmark allows: the best of them is predicted."""
    bound: float
    """Seconds per token at most."""
    concurrency: float
    """Requests in flight of a closed loop; 0: endless."""
    total: bool
    """The value is of all chips, not of one."""
    requests: float
    """Of the run, for all chips; 0: as many as its shortest time takes."""
    longest: float
    """Tokens of the longest answer."""
    chips: float


class ThroughputBatch:
    """Rows of measured throughput in tokens of answers per second. A `Batch`."""

    def __init__(self, rows: Sequence[Row], devices: Mapping[tuple[str, str], Device]) -> None:
        """Reads the rows; those that cannot be read are in `refused` with the reason."""
        read, refused = each_read(rows, lambda row: _read(row, devices), "row_id")
        self.measured = tuple(each.measured for each in read)
        self.refused = refused
        self.parameters = parameters_of([each.setting for each in read])
        kinds = [0 if each.concurrency else 1 if each.bound < ENDLESS else 2 for each in read]
        self._groups = [
            _Group(
                [(index, each) for index, each in enumerate(read) if kinds[index] == kind], self.parameters
            )
            for kind in (0, 1, 2)
        ]

    def predict(self, values: Values) -> Values:
        """Tokens per second, one per row, in its own unit."""
        answer: Values = np.empty(len(self.measured))
        for group, solve in zip(self._groups, (_Group.closed, _Group.bounded, _Group.endless), strict=True):
            if len(group.rows):
                answer[group.rows] = group.best(solve(group, values))
        return answer


class _Group:
    """Rows of one kind, each with every layout that may be meant, as columns."""

    def __init__(self, rows: Sequence[tuple[int, _Read]], parameters: Sequence[Parameter]) -> None:
        self.rows = np.array([index for index, _ in rows], dtype=np.intp)
        if not rows:
            return
        many = [(each, one) for _, each in rows for one in each.layouts]
        self.starts = np.cumsum([0, *(len(each.layouts) for _, each in rows)])[:-1]
        self.columns = Columns([each.setting for each, _ in many], parameters)
        self.layout = stack([one for _, one in many])
        self.prompt = np.array([each.prompt for each, _ in many])
        self.answer = np.array([each.answer for each, _ in many])
        self.bound = np.array([each.bound for each, _ in many])
        self.concurrency = np.array([each.concurrency for each, _ in many])
        self.requests = np.array([each.requests / max(each.chips / one.chips, 1.0) for each, one in many])
        self.longest = np.array([each.longest for each, _ in many])
        self.share = np.array([1.0 if each.total else 1.0 / one.chips for each, one in many])

    def best(self, requests: Values) -> Values:
        """The most that any layout gives, per row."""
        found: Values = np.maximum.reduceat(requests * self.answer * self.share, self.starts)
        return found

    def _run(self, found: Steady) -> Values:
        """Requests per second of a run that begins with a burst and ends when its last answer does.

        While the last `running` sequences finish, half of the places are empty on average; then the longest
        answers go on alone, at the speed of few sequences (taken for a third of the time per token).
        """
        rate = np.asarray(found.requests_per_second, dtype=np.float64)
        requests = np.where(self.requests > 0, self.requests, np.maximum(rate * RUN_SECONDS, found.running))
        tail = (self.longest - self.answer) * found.token_seconds / 3.0
        spent = (requests + DRAIN * np.minimum(found.running, requests)) / rate + np.maximum(tail, 0.0)
        return np.asarray(requests / spent, dtype=np.float64)

    def closed(self, values: Values) -> Values:
        """A closed loop of so many requests."""
        load = Load(prompt=self.prompt, answer=self.answer, concurrency=self.concurrency)
        return np.asarray(
            steady(ARRAY, self.columns.engine(values, self.layout), load).requests_per_second,
            dtype=np.float64,
        )

    def bounded(self, values: Values) -> Values:
        """As many requests as the bound allows."""
        engine = self.columns.engine(values, self.layout)
        limit = BATCH_LIMIT + 0.0 * self.prompt
        found = within(ARRAY, engine, self.prompt, self.answer, limit, TAIL * self.bound)
        return OPEN * self._run(found)

    def endless(self, values: Values) -> Values:
        """Endless requests."""
        engine = self.columns.engine(values, self.layout)
        limit = BATCH_LIMIT + 0.0 * self.prompt
        found = maximal(ARRAY, engine, self.prompt, self.answer, limit)
        return self._run(found)


def _read(row: Row, devices: Mapping[tuple[str, str], Device]) -> _Read:
    try:
        model = model_named(row.get("model", ""))
    except NotFoundError as error:
        raise fault(str(error), "Name a shipped model") from error
    named = row.get("chip", "")
    chip = UNSTATED_CHIP if named.startswith("unstated") or not named else named
    version = row.get("engine_version", "")
    engine = engine_of(row.get("engine") or ("TensorRT-LLM" if "TensorRT" in version else ""))
    software = software_of(engine, version)
    setting = setting_of(model, chip, row.get("precision_w") or "bf16", engine, software, devices)
    prompt = number(row, "isl") or PROMPTS.get(row.get("model", ""), 1024.0)
    scenario = row.get("scenario", "").lower()
    metric = row.get("target_metric", "")
    metric = metric if metric in {"output_tok_s_chip", "output_tok_s_total"} else "output_tok_s_chip"
    value = number(row, "target_value") or number(row, metric)
    if value <= 0:
        raise fault("states no throughput", "Fill target_value")
    layouts, complete = _layouts(row, setting)
    return _Read(
        measured=Measured(
            id=row.get("row_id", ""),
            group="throughput_moe" if model.experts else "throughput_dense",
            source=row.get("group", ""),
            complete=complete,
            family=f"{model.name}|{chip}|{setting.precision}",
            chip=setting.device.chip,
            precision=setting.precision,
            software=software,
            output="tokens_per_second" if metric.endswith("total") else "tokens_per_second_per_chip",
            value=value,
            weight=WEIGHT,
        ),
        setting=setting,
        prompt=prompt,
        answer=number(row, "osl") or 256.0,
        layouts=layouts,
        bound=TOKEN_SECONDS.get((row.get("model", ""), scenario), ENDLESS),
        concurrency=number(row, "concurrency"),
        total=metric.endswith("total"),
        requests=_requests(row),
        longest=LONGEST.get(row.get("model", ""), 0.0),
        chips=number(row, "n_chips", 1.0),
    )


def _requests(row: Row) -> float:
    """Of a run on fixed lengths, endless where its source does not say; 0 where it is known by its time."""
    if row.get("isl_kind") != "fixed":
        return 0.0
    lengths = int(number(row, "isl")), int(number(row, "osl"))
    return REQUESTS.get(lengths, ENDLESS) if row.get("engine_version") == "1.0" else ENDLESS


def _layouts(row: Row, setting: Setting) -> tuple[tuple[Layout, ...], bool]:
    """The stated layout, and whether it is; else all that hold the weights on the chips there are."""
    chips = int(number(row, "n_chips")) or NODE_CHIPS
    tensor, experts = int(number(row, "tp")), setting.model.experts is not None
    if tensor:
        stated = row.get("ep", "")
        spread = int(stated) if stated.isdigit() else 1
        # Experts spread over more chips than attention is cut over: attention is copied.
        copies = int(number(row, "dp_attention")) or (max(1, spread // tensor) if experts else 1)
        stage = tensor * copies
        if not experts or stated.isdigit():
            spread = min(spread, stage)
            return (layout(stage, expert=spread, attention_data=copies, experts=experts),), True
        # TensorRT-LLM's tables leave open how experts lie, and whether attention is copied: the fastest is meant.
        ways = sorted({(1, 1), (stage, 1), (stage, stage)})
        return tuple(layout(stage, expert=e, attention_data=d, experts=True) for e, d in ways), True
    if number(row, "concurrency"):
        nodes = 1
        while nodes < MOST_NODES and not _fits(
            setting, layout(chips * nodes, pipeline=nodes, experts=experts)
        ):
            nodes += 1
        return (layout(chips * nodes, pipeline=nodes, experts=experts),), False
    found = []
    for stage in (1, 2, 4, 8):
        if stage > chips:
            break
        for copies, spread in ((1, 1), (1, stage), (stage, stage)) if experts else ((1, 1),):
            one = layout(stage, expert=spread, attention_data=copies, experts=experts)
            if one not in found and _fits(setting, one):
                found.append(one)
    return tuple(found) or (layout(min(chips, 8), experts=experts),), False


def _fits(setting: Setting, one: Layout) -> bool:
    weights = weight_bytes(shape_of(setting.model), setting.form, one)
    return bool(weights < 0.97 * available_bytes(setting.device))
