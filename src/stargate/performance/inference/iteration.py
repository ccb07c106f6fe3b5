"""The time of one iteration of continuous batching: some sequences decode, and some tokens of prompts are computed.

Every layer is bound by reading its weights and caches or by computing, and each small kernel and collective
operation adds its latency (roofline: Williams et al., CACM 2009; for serving: Pope et al., arXiv 2211.05102).
"""

from __future__ import annotations

import msgspec

from stargate.performance.device import Device
from stargate.performance.inference.constants import Constants
from stargate.performance.inference.format import Format
from stargate.performance.inference.layout import Layout
from stargate.performance.models.shape import Shape
from stargate.performance.number import Number, Space


class Engine(msgspec.Struct, frozen=True):
    """What an iteration runs on."""

    shape: Shape
    form: Format
    layout: Layout
    device: Device
    constants: Constants


class Iteration(msgspec.Struct, frozen=True):
    """Seconds of one iteration by what they are spent on."""

    weights: Number
    """Large matrices: reading or multiplying, whichever binds, and what of the other is not hidden."""
    experts: Number
    cache: Number
    """Attention: caches of decoding sequences, and prompts with themselves."""
    communication: Number
    overhead: Number
    """Kernels' latency and the host's work."""

    @property
    def seconds(self) -> Number:
        """The whole iteration."""
        return self.weights + self.experts + self.cache + self.communication + self.overhead


def distinct_experts(x: Space, experts: Number, active: Number, tokens: Number, evenness: Number) -> Number:
    """Experts that at least one of `tokens` chooses, each choosing `active` of `experts`.

    Where all are alike it is E * (1 - (1 - k/E)^n). Where popularity varies as a gamma distribution of shape
    `evenness`, choices of one expert are negative binomial: E * (1 - (1 + c/a)^-a) with c = -n ln(1 - k/E),
    which comes near the former as `a` grows.
    """
    share = x.minimum(active / x.maximum(experts, 1.0), 0.999999)
    each = -tokens * x.log(1.0 - share)
    return experts * (1.0 - x.exp(-evenness * x.log(1.0 + each / evenness)))


def launches(x: Space, shape: Shape, form: Format) -> Number:
    """Kernels of one iteration, counted from open engines' layers: norms, projections, rotation, attention, gates.

    A latent adds projections down and up, an indexer its scores and selection, experts routing, permutation and
    combination.
    """
    latent = x.where(shape.cache_elements < shape.kv_width, 1.0, 0.0)
    sparse = x.where(shape.sparse_topk > 0, 1.0, 0.0)
    attention_layers = shape.layers - shape.linear_layers
    mixers = attention_layers * (6.0 + 6.0 * latent + 20.0 * sparse) + shape.linear_layers * 16.0
    narrow = x.where(form.wide_attention > 0, 0.0, 2.0) + x.where(form.wide_experts > 0, 0.0, 2.0)
    return mixers + shape.dense_layers * 4.0 + shape.moe_layers * (6.0 + narrow)


def _bound(x: Space, reading: Number, computing: Number, overlap: Number) -> Number:
    return x.maximum(reading, computing) + overlap * x.minimum(reading, computing)


def iteration(
    x: Space, engine: Engine, sequences: Number, context: Number, tokens: Number, prompt: Number
) -> Iteration:
    """One iteration: `sequences` decode at a mean `context`; `tokens` of prompts of length `prompt` besides.

    Both are of the whole engine. Pipeline stages take turns: each passes its share of the sequences, and the
    latency of all stages adds up.
    """
    shape, form, layout = engine.shape, engine.form, engine.layout
    constants, device = engine.constants, engine.device
    rate = constants.bandwidth * device.bandwidth_bytes_per_s
    peak = constants.compute * device.peak_flops_per_s
    peak16 = constants.compute * device.bf16_flops_per_s
    every = (sequences + tokens) / layout.pipeline
    rows = every / layout.attention_data + constants.tile_rows
    overlap = constants.overlap

    attention_layers = shape.layers - shape.linear_layers
    mixers = attention_layers * shape.attention_params + shape.linear_layers * shape.linear_params
    mixers = mixers / layout.tensor
    dense = shape.dense_layers * shape.dense_ffn_params + shape.moe_layers * shape.shared_params
    dense = dense / layout.tensor
    table = shape.embedding_params / layout.tensor
    heads = sequences / layout.pipeline / layout.attention_data + constants.tile_rows
    read = mixers * form.attention_bytes + dense * form.ffn_bytes + table * form.table_bytes
    mixed = x.where(form.wide_attention > 0, peak16, peak)
    experts_peak = x.where(form.wide_experts > 0, peak16, peak)
    multiplied = 2.0 * (rows * (mixers / mixed + dense / experts_peak) + heads * table / peak16)
    weights = _bound(x, read / rate, multiplied, overlap) + _between(engine, every) / rate

    cache = _attention(x, engine, sequences, context, tokens, prompt)
    slow = x.where(tokens > 0, constants.eager, 1.0)
    overhead = slow * launches(x, shape, form) * constants.kernel_seconds + constants.iteration_seconds
    overhead = overhead + constants.sequence_seconds * sequences
    return Iteration(weights, _experts(x, engine, every), cache, _communication(x, engine, every), overhead)


def _between(engine: Engine, every: Number) -> Number:
    """Bytes that one chip moves between large matrices: norms, residuals, quantising, rotation, gates, in 16 bits.

    About a dozen times the width of the model per layer and token, which no tensor parallelism cuts; four times the
    feed-forward part and the queries, which it does; and four times what is sent to experts and comes back.
    """
    shape, layout = engine.shape, engine.layout
    rows = every / layout.attention_data
    dense = shape.dense_layers * shape.dense_ffn + shape.moe_layers * shape.shared_ffn
    cut = 4.0 * (dense + shape.layers * shape.q_width) / layout.tensor
    whole = 12.0 * shape.layers * shape.hidden
    chosen = shape.moe_layers * shape.active_experts * every / layout.expert
    return 2.0 * (
        rows * (whole + cut) + 4.0 * chosen * (shape.hidden + shape.expert_ffn / layout.expert_tensor)
    )


def _experts(x: Space, engine: Engine, every: Number) -> Number:
    """Routed experts of the busiest chip, for `every` token of an iteration.

    Of `n` experts touched evenly at random over `e` chips the fullest holds about `m + sqrt(2 m ln e)`, `m` the
    mean (Raab and Steger, 1998, for many balls).
    """
    shape, form, layout, constants = engine.shape, engine.form, engine.layout, engine.constants
    device = engine.device
    peak = x.where(form.wide_experts > 0, device.bf16_flops_per_s, device.peak_flops_per_s)
    held = shape.experts / layout.expert
    mean = distinct_experts(x, shape.experts, shape.active_experts, every, constants.evenness)
    mean = mean / layout.expert
    most = x.minimum(mean + x.sqrt(2.0 * mean * x.log(layout.expert)), held)
    above = 1.0 + constants.uneven * (1.0 - 1.0 / layout.expert)
    matrices = shape.moe_layers * shape.expert_params / layout.expert_tensor
    chosen = above * every * shape.active_experts / layout.expert + most * constants.tile_rows
    rate = constants.scattered * constants.bandwidth * device.bandwidth_bytes_per_s
    width = shape.expert_ffn / layout.expert_tensor
    speed = constants.grouped * constants.compute * peak * width / (width + constants.narrow_width)
    reading = matrices * most * form.expert_bytes / rate
    return _bound(x, reading, 2.0 * matrices * chosen / x.maximum(speed, 1.0), constants.overlap)


def _attention(
    x: Space, engine: Engine, sequences: Number, context: Number, tokens: Number, prompt: Number
) -> Number:
    """Reading the caches of decoding sequences, and computing attention of prompts with themselves."""
    shape, layout, constants, device = engine.shape, engine.layout, engine.constants, engine.device
    each = sequences / (layout.attention_data * layout.pipeline)
    asked = tokens / (layout.attention_data * layout.pipeline)
    topk = x.where(shape.sparse_topk > 0, shape.sparse_topk, 1e9)
    seen = x.minimum(context, topk)
    near = x.minimum(context, shape.window)
    cut = x.minimum(layout.tensor, shape.kv_heads)
    grown = shape.full_layers * seen + shape.window_layers * near
    state = 8.0 * shape.linear_layers * shape.linear_state / layout.tensor
    read = each * (grown * shape.cache_elements * engine.form.cache_bytes / cut + state)
    rate = constants.cache * constants.bandwidth * device.bandwidth_bytes_per_s
    flops16 = constants.attention * device.bf16_flops_per_s
    index = shape.full_layers * context * shape.index_width
    scored = 2.0 * each * (grown * shape.decode_dim + index) / layout.tensor
    decoding = _bound(x, read / rate, scored / flops16, constants.overlap)
    half = 0.5 * prompt
    spans = shape.full_layers * x.minimum(half, topk) + shape.window_layers * x.minimum(half, shape.window)
    width = shape.heads * (shape.qk_dim + shape.value_dim)
    prompts = 2.0 * asked * (spans * width + shape.full_layers * half * shape.index_width) / layout.tensor
    return decoding + prompts / flops16


def _communication(x: Space, engine: Engine, every: Number) -> Number:
    """Two collectives a layer: sums over the chips of attention, and sums or exchanges around the experts."""
    shape, layout, constants, device = engine.shape, engine.layout, engine.constants, engine.device
    together = layout.stage_chips
    # Beyond the domain each of its chips carries its share over its own adapter (hierarchical collectives).
    beyond = x.where(together > device.domain_chips, 1.0, 0.0)
    apart = beyond / (device.domain_chips * device.scaleout_bytes_per_s)
    rate = constants.link / (1.0 / device.scaleup_bytes_per_s + apart)
    rows = every / layout.attention_data
    vector = 2.0 * shape.hidden
    summed = 2.0 * rows * vector * (1.0 - 1.0 / layout.tensor)
    reached = x.minimum(rows * x.minimum(shape.active_experts, together), every)
    exchanged = 1.5 * reached * vector * (1.0 - 1.0 / together)
    copies = x.where(layout.attention_data > 1, 1.0, 0.0)
    cut = x.where(layout.tensor > 1, 1.0, 0.0)
    operations = shape.layers * cut * 2.0 + shape.moe_layers * copies * (2.0 - cut)
    moved = shape.layers * summed * (2.0 - copies) + shape.moe_layers * copies * exchanged
    return operations * constants.collective_seconds + moved / rate
