"""How one training step is cut over chips: the ways of parallelism, the batch, and what is kept or recomputed."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from stargate.base.errors import Problem
from stargate.performance.models.shape import Shape
from stargate.performance.number import Number

Recompute = Literal["none", "attention", "selective", "minimal", "full"]
"""What the backward pass computes again. `attention`: scores, which flash kernels do anyway;
`selective`: that and what is cheap (norms, activation functions); `minimal`: all but the inputs of large
matrices' products, which are kept or offloaded; `full`: every layer from its input."""
Sharding = Literal["none", "zero1", "zero2", "zero3", "fsdp"]
"""What data-parallel chips share out: the optimizer's state; gradients too; parameters too (FSDP)."""
Schedule = Literal["1f1b", "interleaved", "zero_bubble", "dualpipe"]

RECOMPUTE: dict[str, dict[str, float]] = {
    "none": {},
    "attention": {"attention_recompute": 1.0},
    "selective": {"attention_recompute": 1.0, "elementwise_recompute": 1.0},
    "minimal": {"attention_recompute": 1.0, "elementwise_recompute": 1.0, "offload": 1.0},
    "full": {"full_recompute": 1.0},
}
SHARDING: dict[str, dict[str, float]] = {
    "none": {},
    "zero1": {"shard_optimizer": 1.0},
    "zero2": {"shard_optimizer": 1.0, "shard_gradients": 1.0},
    "zero3": {"shard_optimizer": 1.0, "shard_gradients": 1.0, "shard_parameters": 1.0},
    "fsdp": {"shard_optimizer": 1.0, "shard_gradients": 1.0, "shard_parameters": 1.0},
}
BUBBLE: dict[str, float] = {"1f1b": 1.0, "interleaved": 1.0, "zero_bubble": 1.0 / 3.0, "dualpipe": 0.25}
"""Idle share of a schedule against 1F1B at the same stages and micro-batches. A zero-bubble schedule without
more memory keeps a third (ZB-H1, arXiv 2401.10241, table 2: forward, input and weight gradients take alike);
DualPipe fills from both ends with half the stages' distance and splits the backward pass (arXiv 2412.19437,
table 2)."""


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """One configuration of a training step, as flat numbers; each may be a column.

    `chips` = tensor x pipeline x context x data. Experts lie across `expert` of the data (and context, and
    tensor) chips. Flags are 0 or 1.
    """

    sequence: Number
    """Tokens per sequence."""
    batch: Number
    """Sequences per step, over all chips."""
    micro_batch: Number = 1
    """Sequences that pass a stage at once."""
    tensor: Number = 1
    pipeline: Number = 1
    virtual: Number = 1
    """Parts of the model that each stage holds (interleaving)."""
    context: Number = 1
    data: Number = 1
    """Copies of the model: chips / (tensor x pipeline x context)."""
    expert: Number = 1
    """Over how many chips the experts of a layer are cut."""
    expert_tensor: Number = 1
    """Over how many chips one expert's matrices are cut."""
    slices: Number = 1
    """Scale-up domains that copies are spread over and joined by the data-centre network (TPU multi-slice)."""
    shard_optimizer: Number = 0
    shard_gradients: Number = 0
    shard_parameters: Number = 0
    shard_chips: Number = 0
    """Over how many chips of the data-parallel ones state is cut; 0: over all `data x context`."""
    sequence_parallel: Number = 0
    """Tensor-parallel chips cut what lies between the large matrices along the sequence."""
    full_recompute: Number = 0
    attention_recompute: Number = 0
    elementwise_recompute: Number = 0
    offload: Number = 0
    """Share of kept activations that lies in the host's memory."""
    offload_optimizer: Number = 0
    """Share of the optimizer's state that lies in the host's memory."""
    bubble_share: Number = 1
    """Of the idle time of 1F1B; see `BUBBLE`."""
    recompute_share: Number = 1
    """Of a layer that full recomputation repeats: less where a compiler drops what nobody reads (XLA)."""
    gradient_bytes: Number = 4
    """Per parameter, of the gradients that are kept."""
    reduce_bytes: Number = 2
    """Per parameter, of gradients on the wire."""
    optimizer_bytes: Number = 12
    """Per parameter: the 32-bit copy and two moments of Adam; 8 where moments are 16 bits."""
    balance: Number = 1
    """Tokens on the fullest expert chip against an even share; 1: routing is forced to be even."""
    stored_scores: Number = 0
    """Attention writes its scores to memory and multiplies the whole square, as before FlashAttention."""
    tensor_overlap: Number = 1
    """Tensor-parallel collectives run in pieces along with the products that feed them."""
    expert_overlap: Number = 0
    """Tokens travel to experts and back while another micro-batch computes (DualPipe)."""
    prediction: Number = 0
    """Extra prediction layers (MTP) are trained."""

    @property
    def chips(self) -> Number:
        """All chips of the step."""
        return self.tensor * self.pipeline * self.context * self.data

    @property
    def micro_batches(self) -> Number:
        """Micro-batches per step and stage."""
        return self.batch / (self.data * self.micro_batch)

    @property
    def tokens(self) -> Number:
        """Tokens per step, over all chips."""
        return self.batch * self.sequence


def layout(
    *,
    sequence: int,
    batch: int,
    chips: int,
    recompute: Recompute = "none",
    sharding: Sharding = "zero1",
    schedule: Schedule = "interleaved",
    **numbers: Any,
) -> Layout:
    """A layout from the names people use; `data` is what the chips leave over.

    `numbers` are further fields of `Layout` and win over what the names stand for. Raises KeyError for a
    name that is none.
    """
    ways = {name: numbers.pop(name, 1) for name in ("tensor", "pipeline", "context")}
    data = numbers.pop("data", 0) or chips / (ways["tensor"] * ways["pipeline"] * ways["context"])
    named = RECOMPUTE[recompute] | SHARDING[sharding] | {"bubble_share": BUBBLE[schedule]}
    return Layout(sequence=sequence, batch=batch, data=data, **ways, **(named | numbers))


def problems(layout: Layout, shape: Shape, chips: int = 0) -> tuple[Problem, ...]:
    """Everything that cannot be about one layout of a model. `chips`: how many there are, 0 if not said."""
    wrong: list[Problem] = []

    def say(field: str, message: str, remedy: str) -> None:
        wrong.append(Problem(message=message, remedy=remedy, path=field))

    for field in ("sequence", "batch", "micro_batch", "tensor", "pipeline", "virtual", "context", "data"):
        value = getattr(layout, field)
        if value < 1 or value != int(value):
            say(
                field,
                f"{value:g} is no whole number above zero",
                "Choose degrees whose product divides the chips.",
            )
    if wrong:
        return tuple(wrong)
    if chips and layout.chips != chips:
        say(
            "data",
            f"tensor x pipeline x context x data is {layout.chips:g}, but there are {chips} chips",
            "Choose degrees whose product is the number of chips.",
        )
    for field, whole, what in (
        ("tensor", shape.heads, "attention heads"),
        ("context", layout.sequence, "tokens of a sequence"),
        ("expert", shape.experts, "experts"),
    ):
        degree = getattr(layout, field)
        if degree > 1 and whole % degree:
            say(field, f"{degree:g} does not divide the {whole:g} {what}", f"Choose a divisor of {whole:g}.")
    if layout.batch % (layout.data * layout.micro_batch):
        say(
            "batch",
            f"{layout.batch:g} sequences are no multiple of data x micro_batch = "
            f"{layout.data * layout.micro_batch:g}",
            "Change the batch or the micro-batch.",
        )
    if layout.expert > layout.data * layout.context * layout.tensor:
        say("expert", f"{layout.expert:g} is more than the chips of one stage", "Lower it, or the pipeline.")
    if layout.pipeline * layout.virtual > shape.layers + 2:
        say(
            "virtual",
            f"{layout.pipeline * layout.virtual:g} parts are more than the {shape.layers:g} layers",
            "Lower pipeline or virtual.",
        )
    if layout.virtual > 1 and layout.pipeline == 1:
        say("virtual", "interleaving needs a pipeline", "Set virtual to 1.")
    return tuple(wrong)
