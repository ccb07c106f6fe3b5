"""What a language model is made of, from its published dimensions. No weights, no files, no names of chips."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=1, le=10**7)]
CountOrNone = Annotated[int, Meta(ge=0, le=10**7)]
Text = Annotated[str, Meta(max_length=2_048)]


class GroupedQuery(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="grouped_query", tag_field="kind"
):
    """Heads of queries share heads of keys and values. All equal: multi-head; one: multi-query."""

    heads: Count
    kv_heads: Count
    head_dim: Count
    gated: bool = False
    """An output gate as wide as the queries (Qwen3.5)."""


class Latent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="latent", tag_field="kind"):
    """Keys and values are kept as one low-rank vector per token (MLA, DeepSeek-V2, arXiv 2405.04434)."""

    heads: Count
    kv_rank: Count
    rope_dim: Count
    nope_dim: Count
    value_dim: Count
    q_rank: CountOrNone = 0
    """0: queries are not compressed."""
    index_heads: CountOrNone = 0
    """Of a sparse indexer (DSA, DeepSeek-V3.2); 0: attention reads every token."""
    index_dim: CountOrNone = 0
    index_topk: CountOrNone = 0
    """Tokens that attention reads at most, where there is an indexer."""


class LinearAttention(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Layers whose state has a fixed size (gated delta net, Mamba), in place of attention over the context."""

    layers: Count
    key_heads: Count
    value_heads: Count
    key_dim: Count
    value_dim: Count
    convolution: CountOrNone = 4


class Experts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
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


class Architecture(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A decoder. Widths are elements, counts are counts; nothing here depends on precision or hardware."""

    name: Annotated[str, Meta(max_length=256)]
    layers: Count
    hidden: Count
    ffn: CountOrNone
    """Width of the ordinary feed-forward part; 0 where every layer has experts only."""
    vocabulary: Count
    attention: GroupedQuery | Latent
    gated: bool = True
    """The feed-forward part has a gate (SwiGLU): three matrices instead of two."""
    experts: Experts | None = None
    linear_attention: LinearAttention | None = None
    window: CountOrNone = 0
    """Tokens that a sliding-window layer looks back; 0: there is none."""
    window_layers: CountOrNone = 0
    """How many layers look back only so far."""
    tied_embeddings: bool = False
    learned_positions: CountOrNone = 0
    """Length of a table of learned positions (GPT-3); 0: rotary."""
    max_context: CountOrNone = 0
    prediction_layers: CountOrNone = 0
    """Extra layers that predict further tokens while training (MTP). Not counted in `layers`."""
    aliases: tuple[Text, ...] = ()
    source: Text = ""
    note: Text = ""
