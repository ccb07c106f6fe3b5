"""Stated work with everything settled that an estimate needs: the model's dimensions, lengths, batch, precision."""

from __future__ import annotations

import msgspec

from stargate.base.errors import InputError, NotFoundError, UserError
from stargate.base.time import SECOND
from stargate.performance.device import Precision
from stargate.performance.models.architecture import Architecture
from stargate.performance.models.huggingface import architecture_of_config
from stargate.performance.models.library import model_named
from stargate.workloads import Latency, Layout, Workload

SEQUENCE_TOKENS = 8_192
"""Assumed for a run that states no length, or the model's own context where that is shorter: what the models of
2024 and 2025 were mostly trained at (Llama 3, arXiv 2407.21783, section 3.4.1)."""
BATCH_TOKENS = {"train": 4 * 2**20, "finetune": 2**19}
"""Assumed per step where none is stated: what Llama 2 and the start of Llama 3 took; an eighth to tune."""

STEPS = 500_000
"""Of the longest runs at most: their batch is larger. Llama 2 took as many for 2T tokens (arXiv 2307.09288, section
2.2); with 15T, Llama 3 had come to 16M tokens a step, DeepSeek-V3 to 63M (arXiv 2412.19437, section 4.2): this lies
between."""
FIRST_TOKEN_SECONDS = 10.0
"""For 95 of 100 requests, where no bound is stated and engines can: how long people attend to one thing
(Nielsen, Usability Engineering, 1993, section 5.5)."""


class Train(msgspec.Struct, frozen=True, kw_only=True):
    """A run to estimate."""

    model: Architecture
    tokens: int
    sequence: int
    """Tokens of one."""
    batch: int
    """Sequences in a step."""
    precision: Precision
    layout: Layout
    """What is settled already."""
    assumed: tuple[str, ...] = ()
    """What was not stated, in a sentence each."""


class Bound(msgspec.Struct, frozen=True):
    """A latency that so many of a hundred requests must keep."""

    percentile: int
    seconds: float


class Serve(msgspec.Struct, frozen=True, kw_only=True):
    """A service to estimate."""

    model: Architecture
    requests_per_s: float
    input_tokens: int
    output_tokens: int
    ttft: Bound | None
    tpot: Bound | None
    precision: Precision
    layout: Layout
    assumed: tuple[str, ...] = ()


def asked(work: Workload) -> Train | Serve:
    """What a workload states. Raises UserError where its model is not known or its description cannot be read."""
    model = model_of(work)
    precision, layout = work.precision or "bf16", work.layout or Layout()
    traffic = work.traffic
    if traffic is not None:
        return Serve(
            model=model,
            requests_per_s=float(traffic.requests_per_s),
            input_tokens=traffic.input_tokens,
            output_tokens=traffic.output_tokens,
            ttft=_bound(traffic.ttft),
            tpot=_bound(traffic.tpot),
            precision=precision,
            layout=layout,
            assumed=tuple(
                text
                for text, given in (
                    ("precision bf16", work.precision),
                    (
                        f"95 of 100 first tokens within {FIRST_TOKEN_SECONDS:g}s, or twice what an idle engine takes",
                        traffic.ttft,
                    ),
                )
                if not given
            ),
        )
    training = work.training
    assert training is not None, "work that is estimated states tokens or traffic"
    assumed = [] if work.precision else ["precision bf16"]
    sequence = training.sequence_length
    if sequence is None:
        sequence = min(SEQUENCE_TOKENS, model.max_context or SEQUENCE_TOKENS, training.tokens)
        assumed.append(f"sequences of {sequence:,} token{'' if sequence == 1 else 's'}")
    batch = training.batch_sequences
    if batch is None:
        usual = max(BATCH_TOKENS[work.kind], training.tokens // STEPS)
        tokens = training.batch_tokens or min(usual, training.tokens)
        batch = _rounded(max(1, tokens // sequence))
        assumed.append(f"{batch:,} sequence{'' if batch == 1 else 's'} in a step")
    return Train(
        model=model,
        tokens=training.tokens,
        sequence=sequence,
        batch=batch,
        precision=precision,
        layout=layout,
        assumed=tuple(assumed),
    )


def _rounded(batch: int) -> int:
    """A batch that many numbers of chips divide, within 1/16: a power of two, else some times a smaller one.

    Who writes `4M tokens` of 8,192 means 512 sequences, not 488.
    """
    below = 1 << (batch.bit_length() - 1)
    power = below if batch - below <= 2 * below - batch else 2 * below
    if 16 * abs(power - batch) <= batch:
        return power
    unit = 1 << max(0, batch.bit_length() - 4)
    return (batch + unit // 2) // unit * unit


def model_of(work: Workload) -> Architecture:
    """The dimensions of the workload's model. Raises UserError."""
    try:
        if work.model_config:
            return architecture_of_config(work.model_config, work.model, "model.config")
        return model_named(work.model)
    except NotFoundError as error:
        raise UserError(
            f"{error.message}, and the work is stated by it",
            f"{error.remedy} Or describe it: `model: {{name: {work.model}, config: config.json}}`",
        ) from None
    except InputError as error:
        first = error.problems[0]
        raise UserError(f"the model {work.model!r} cannot be read: {first.message}", first.remedy) from None


def _bound(latency: Latency | None) -> Bound | None:
    return None if latency is None else Bound(latency.percentile, latency.within / SECOND)
