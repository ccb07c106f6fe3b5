"""What a language model is made of, from its published dimensions. No weights, no files, no names of chips."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=1, le=10**7)]
CountOrNone = Annotated[int, Meta(ge=0, le=10**7)]
Tokens = Annotated[int, Meta(ge=0, le=10**9)]
Text = Annotated[str, Meta(max_length=2_048)]


class GroupedQuery(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag="grouped_query",
    tag_field="kind",
):
    """Heads of queries share heads of keys and values. All equal: multi-head; one: multi-query."""

    heads: Count
    kv_heads: Count
    head_dim: Count
    """Of queries and keys, per head."""
    gated: bool = False
    """An output gate as wide as the queries (Qwen3.5)."""
    value_dim: CountOrNone = 0
    """Per head; 0: as `head_dim`."""
    shared_values: bool = False
    """Keys serve as values: there is no value projection (the global layers of Gemma 4)."""
    index_heads: CountOrNone = 0
    """Of a sparse indexer (MiniMax-M3); 0: attention reads every token."""
    index_dim: CountOrNone = 0
    index_topk: CountOrNone = 0
    """Tokens that attention reads at most, where there is an indexer."""

    def __post_init__(self) -> None:
        if self.kv_heads > self.heads:
            raise ValueError("there are more heads of keys than of queries; kv_heads is at most heads")
        _checked_index(self)


class Latent(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag="latent",
    tag_field="kind",
):
    """Keys and values are kept as one low-rank vector per token (MLA, DeepSeek-V2, arXiv 2405.04434)."""

    heads: Count
    kv_rank: Count
    rope_dim: CountOrNone
    nope_dim: Count
    value_dim: Count
    q_rank: CountOrNone = 0
    """0: queries are not compressed."""
    index_heads: CountOrNone = 0
    """Of a sparse indexer (DSA, DeepSeek-V3.2); 0: attention reads every token."""
    index_dim: CountOrNone = 0
    index_topk: CountOrNone = 0
    """Tokens that attention reads at most, where there is an indexer."""
    index_layers: CountOrNone = 0
    """Layers with an indexer of their own; the others use what a layer before them found. 0: all have one."""
    gated: bool = False
    """An output gate as wide as the values of all heads (Kimi-K3)."""

    def __post_init__(self) -> None:
        _checked_index(self)


class Compressed(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag="compressed",
    tag_field="kind",
):
    """One head of keys, which serve as values too, kept for groups of tokens instead of for each (DeepSeek-V4).

    Most layers keep one entry per `ratio` tokens and read the `index_topk` best of them; `heavy_layers` keep
    one per `heavy_ratio` and read all. Every layer sees the last few tokens as well; those few are left out.
    """

    heads: Count
    head_dim: Count
    q_rank: Count
    output_groups: Count
    output_rank: Count
    """Of each group of heads, before the output projection."""
    ratio: Count
    heavy_ratio: Count
    heavy_layers: CountOrNone
    index_heads: CountOrNone
    index_dim: CountOrNone
    index_topk: CountOrNone
    """Entries that attention reads at most, each of `ratio` tokens."""

    def __post_init__(self) -> None:
        _checked_index(self)


Attention = GroupedQuery | Latent | Compressed


def _checked_index(attention: Attention) -> None:
    parts = (attention.index_heads, attention.index_dim, attention.index_topk)
    if any(parts) and not all(parts):
        raise ValueError("a part of the indexer is missing; give index_heads, index_dim and index_topk")


class LinearAttention(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Layers whose state has a fixed size, in place of attention over the context.

    Of a gated delta net (arXiv 2412.06464) the fields are called so. Of Mamba-2 (arXiv 2405.21060) the groups
    are `key_heads`, the state is `key_dim`, the heads are `value_heads` of width `value_dim`.
    """

    layers: Count
    key_heads: Count
    value_heads: Count
    key_dim: Count
    value_dim: Count
    convolution: CountOrNone = 4
    """Tokens that the short convolution spans; 0: there is none."""
    head_gates: CountOrNone = 2
    """Scalars per value head and token: decay and strength; 1 in Mamba-2."""
    decay_rank: CountOrNone = 0
    """Of a decay per channel (KDA, arXiv 2510.26692); 0: the decay is one of `head_gates`."""
    gate_rank: CountOrNone = 0
    """Of the output gate; 0: a full matrix."""


class Experts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The routed part of a mixture-of-experts layer, and what every token passes besides."""

    count: Count
    active: Count
    """Routed experts per token."""
    ffn: Count
    """Width of one expert."""
    shared: CountOrNone = 0
    """Experts that every token passes."""
    shared_ffn: CountOrNone = 0
    """Width of one shared expert; 0: as wide as a routed one."""
    dense_layers: CountOrNone = 0
    """Layers of the model that have an ordinary feed-forward part instead."""
    latent: CountOrNone = 0
    """Width to which tokens are projected before routed experts and back after them; 0: the model's own."""

    def __post_init__(self) -> None:
        if self.active > self.count:
            raise ValueError("more experts are active than there are; active is at most count")


class Architecture(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A decoder. Widths are elements, counts are counts; nothing here depends on precision or hardware."""

    name: Annotated[str, Meta(max_length=256)]
    layers: Count
    hidden: Count
    ffn: CountOrNone
    """Width of the ordinary feed-forward part; 0 where every layer has experts only."""
    vocabulary: Count
    attention: Attention
    """Of the layers that look at the whole context, and of window layers unless those have their own."""
    window_attention: GroupedQuery | None = None
    """Of window layers, where their heads differ (Gemma 4, MiMo-V2)."""
    gated: bool = True
    """The feed-forward part has a gate (SwiGLU): three matrices instead of two."""
    clamped: bool = False
    """The activation limits its inputs and experts add biases (gpt-oss): more than fused kernels cover."""
    experts: Experts | None = None
    linear_attention: LinearAttention | None = None
    mixing_layers: CountOrNone = 0
    """Layers with attention or what stands in for it; 0: all. Less in Nemotron-H, where a layer is one part."""
    feeding_layers: CountOrNone = 0
    """Layers with a feed-forward part or experts; 0: all."""
    window: CountOrNone = 0
    """Tokens that a sliding-window layer looks back; 0: there is none."""
    window_layers: CountOrNone = 0
    """How many layers look back only so far."""
    tied_embeddings: bool = False
    learned_positions: CountOrNone = 0
    """Length of a table of learned positions (GPT-3); 0: rotary."""
    max_context: Tokens = 0
    """Tokens; 0: not stated."""
    prediction_layers: CountOrNone = 0
    """Extra layers that predict further tokens while training (MTP). Not counted in `layers`."""
    aliases: tuple[Text, ...] = ()
    source: Text = ""
    note: Text = ""

    def __post_init__(self) -> None:
        mixing, feeding = self.mixing_layers or self.layers, self.feeding_layers or self.layers
        if mixing > self.layers or feeding > self.layers:
            raise ValueError(
                "a part has more layers than the model; mixing_layers and feeding_layers count some"
            )
        linear = self.linear_attention.layers if self.linear_attention else 0
        if linear + self.window_layers > mixing:
            raise ValueError("window and linear layers together are more than there are with attention")
        if self.window_layers and not self.window:
            raise ValueError("window_layers without a window; give the tokens that they look back")
        dense = self.experts.dense_layers if self.experts else feeding
        if dense > feeding:
            raise ValueError("experts.dense_layers is more than the layers with a feed-forward part")
        if dense and not self.ffn:
            raise ValueError(
                "ordinary feed-forward layers without a width; give ffn, or experts for every layer"
            )
