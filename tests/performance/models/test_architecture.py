"""What a model cannot be, said where it was written."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from stargate.base.document import parse, typed
from stargate.base.errors import InputError
from stargate.performance.models.architecture import Architecture, GroupedQuery, Latent

PLAIN = """
name: mine
layers: 4
hidden: 64
ffn: 128
vocabulary: 1000
attention: {kind: grouped_query, heads: 8, kv_heads: 2, head_dim: 8}
"""


def read(text: str) -> Architecture:
    (document,) = parse(text, "mine.yaml")
    return typed(document, Architecture)


def test_people_write_their_own() -> None:
    model = read(PLAIN)
    assert isinstance(model.attention, GroupedQuery)
    assert (model.layers, model.experts, model.gated) == (4, None, True)


def test_a_latent_is_told_by_its_kind() -> None:
    text = PLAIN.replace(
        "{kind: grouped_query, heads: 8, kv_heads: 2, head_dim: 8}",
        "{kind: latent, heads: 8, kv_rank: 16, rope_dim: 4, nope_dim: 8, value_dim: 8}",
    )
    assert isinstance(read(text).attention, Latent)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("experts: {count: 4, active: 8, ffn: 8}", "more experts are active"),
        ("experts: {count: 8, active: 2, ffn: 8, dense_layers: 5}", "experts.dense_layers is more"),
        ("window_layers: 2", "window_layers without a window"),
        ("{window: 8, window_layers: 5}", "more than there are with attention"),
        ("mixing_layers: 5", "more layers than the model"),
        (
            "linear_attention: {layers: 5, key_heads: 1, value_heads: 1, key_dim: 1, value_dim: 1}",
            "linear layers",
        ),
        ("ffn: 0", "without a width"),
        ("attention: {kind: grouped_query, heads: 8, kv_heads: 16, head_dim: 8}", "more heads of keys"),
        (
            "attention: {kind: grouped_query, heads: 8, kv_heads: 8, head_dim: 8, index_heads: 2}",
            "indexer is missing",
        ),
        ("layers: 0", "must be at least 1"),
        ("hidden: 100000000", "must be at most"),
        ("attention: {kind: magic}", "is no kind known here"),
        ("wings: 2", "unknown field 'wings'"),
    ],
)
def test_what_cannot_be_is_refused(more: str, message: str) -> None:
    (plain,) = parse(PLAIN)
    (extra,) = parse(more)
    document: dict[str, Any] = {**plain.value, **extra.value}
    with pytest.raises(InputError, match=message):
        read(msgspec.json.encode(document).decode())
