"""What rows of measured latencies say of their layout, in the several ways that their sources write it."""

from __future__ import annotations

import re

import msgspec

from stargate.performance.calibration.reading import Row
from stargate.performance.inference.disaggregated import Pools
from stargate.performance.inference.layout import Layout
from stargate.performance.inference.memory import available_bytes, weight_bytes
from stargate.performance.inference.setting import Setting, number
from stargate.performance.models.shape import shape_of

_CONCURRENCY = re.compile(r"silicon_concurrency=(\d+)")
WIDE = 12
"""From so many chips on, a tensor-parallel degree without experts' stands for all chips of both pools."""
NARROW = 8.0
"""Chips of an engine within one node."""
FEW = 600.0
"""Requests in flight below which recipes decode on several engines within one node each."""
WIDEST = 48.0
EACH = 32.0
PREFILL_WEIGHT = 0.25
"""Chips that a token of a prompt needs against one of an answer, in public recipes for pools."""
PREFILL_CHIPS = 4.0
"""Of one engine that computes prompts, where only the number of all chips is stated."""


class Degrees(msgspec.Struct, frozen=True, kw_only=True):
    """The layout of a row."""

    decode: Layout
    prefill: Layout
    pools: Pools
    concurrency: float
    complete: bool


def stated_concurrency(row: Row) -> float:
    """Requests in flight as the source says; 0 where it does not."""
    found = _CONCURRENCY.search(row.get("silicon_data_source", ""))
    return float(found[1]) if found else 0.0


def unlike(row: Row) -> bool:
    """A row that calls itself aggregated, whose degree is the number of chips of two pools."""
    tensor, spread = number(row, "tp_size"), number(row, "moe_ep_size")
    whole = tensor >= WIDE and spread <= 1 and int(tensor) & (int(tensor) - 1) != 0
    return row.get("mode") == "agg" and (whole or (tensor > WIDE + 4 and spread <= 1))


def aggregated(row: Row, setting: Setting) -> Degrees:
    """One engine. Sources that multiply degrees out are told by products that no engine has.

    - tensor 64 with experts 8 x 8 is tensor 8 with experts over 8: eight chips (`tp8_ep8` in the row's name);
    - tensor 1, attention_data 64 and experts 8 x 8 are eight chips with attention copied;
    - tensor 4, attention_data 4 and experts over 16 are four chips with attention copied (vLLM).
    """
    tensor, copies = number(row, "tp_size", 1.0), number(row, "attention_dp_size")
    cut, spread = number(row, "moe_tp_size", 1.0), number(row, "moe_ep_size", 1.0)
    batch = number(row, "batch_size") * max(copies, 1.0)
    said = stated_concurrency(row)
    concurrency = min(said or batch, batch or said) or 1.0
    complete = bool(concurrency)
    if copies == 0:
        copies = max(cut * spread / tensor, 1.0)
    if cut == spread > 1 and tensor * copies == cut * spread:
        tensor, copies = (1.0, cut) if tensor == 1 else (cut, 1.0)
        cut = 1.0
    elif spread == tensor * copies and tensor == copies > 1:
        tensor, spread = 1.0, copies
    chips = tensor * copies
    if setting.model.experts is None:
        cut = spread = 1.0
    elif cut * spread != chips:
        cut, spread = chips, 1.0
    layout = Layout(tensor=tensor, attention_data=copies, expert=spread, expert_tensor=cut)
    return Degrees(decode=layout, prefill=layout, pools=Pools(), concurrency=concurrency, complete=complete)


def pools_of(row: Row, setting: Setting) -> Degrees:
    """Two pools. What the source leaves out is assumed: see `_pool` and `_engines`."""
    concurrency = stated_concurrency(row)
    batch, engines = number(row, "decode_batch_size"), number(row, "decode_num_workers")
    copies = number(row, "decode_attention_dp_size", 1.0)
    concurrency = (
        concurrency or batch * max(engines, 1.0) * max(copies, 1.0) or number(row, "batch_size", 1.0)
    )
    if unlike(row):
        return _whole(row, number(row, "tp_size"), concurrency)
    known = engines > 0 and number(row, "prefill_num_workers") > 0
    decode = _pool(row, "decode_", setting, concurrency, known=known)
    prefill = _pool(row, "prefill_", setting, concurrency, known=known)
    if known:
        pools = Pools(prefill_engines=number(row, "prefill_num_workers"), decode_engines=engines)
    else:
        pools = _engines(concurrency, decode)
    return Degrees(decode=decode, prefill=prefill, pools=pools, concurrency=concurrency, complete=known)


def _pool(row: Row, pool: str, setting: Setting, concurrency: float, *, known: bool) -> Layout:
    tensor = number(row, f"{pool}tp_size", 1.0)
    copies = max(number(row, f"{pool}attention_dp_size", 1.0), 1.0)
    cut, spread = number(row, f"{pool}moe_tp_size", 1.0), number(row, f"{pool}moe_ep_size", 1.0)
    if setting.model.experts is None:
        return Layout(tensor=tensor, attention_data=copies)
    if not known and not _fits(setting, tensor * copies):
        tensor = _needed(setting, tensor, concurrency if pool == "decode_" else 0.0)
    chips = tensor * copies
    if copies == 1 and (chips > NARROW or not known) and _copied(pool, setting, chips, concurrency):
        tensor, copies, cut, spread = 1.0, chips, 1.0, chips
    if cut * spread != chips:
        cut, spread = 1.0, chips
    return Layout(tensor=tensor, attention_data=copies, expert=spread, expert_tensor=cut)


def _copied(pool: str, setting: Setting, chips: float, concurrency: float) -> bool:
    """Whether recipes copy attention.

    They do wherever many sequences meet, on engines wider than two nodes, and on those of TensorRT-LLM that
    compute prompts or are wider than one node.
    """
    if setting.engine == "TensorRT-LLM" and (pool == "prefill_" or chips > NARROW):
        return True
    return chips > 2 * NARROW or concurrency >= (8 if chips > NARROW else 64) * chips


def _needed(setting: Setting, chips: float, concurrency: float) -> float:
    """Chips of an engine whose stated degree cannot hold the model: as many as hold it, and its sequences.

    Recipes for racks decode on 48 chips at most, with some 32 sequences each.
    """
    while chips < WIDEST and not _fits(setting, chips):
        chips *= 2.0
    return max(chips, min(concurrency // EACH, WIDEST))


def _fits(setting: Setting, chips: float) -> bool:
    """Whether the weights leave a chip a tenth of its memory."""
    shape, spread = shape_of(setting.model), Layout(tensor=chips, expert=chips)
    return bool(weight_bytes(shape, setting.form, spread) < 0.9 * available_bytes(setting.device))


def _engines(concurrency: float, decode: Layout) -> Pools:
    """Engines that a source does not count: as many as the load needs.

    Public recipes decode on one engine where it is wide or holds many sequences, else on about four.
    """
    wide = decode.chips > NARROW or concurrency >= 128 * decode.chips
    return Pools(prefill_engines=1.0, decode_engines=1.0 if wide else 4.0, sized=1.0)


def _whole(row: Row, chips: float, concurrency: float) -> Degrees:
    """All chips of two pools together: prompts are computed by four, answers by the others, as their lengths ask."""
    small = concurrency < FEW
    weight = PREFILL_WEIGHT * number(row, "isl", 1024.0) / number(row, "osl", 1024.0)
    first = 1.0 if small else max(round(chips * weight / (1.0 + weight) / PREFILL_CHIPS), 1.0)
    rest = max(chips - first * PREFILL_CHIPS, PREFILL_CHIPS)
    each = rest if not small else NARROW if rest % NARROW == 0 else PREFILL_CHIPS
    decode = Layout(tensor=each, expert=each) if small else Layout(attention_data=each, expert=each)
    return Degrees(
        decode=decode,
        prefill=Layout(attention_data=PREFILL_CHIPS, expert=PREFILL_CHIPS),
        pools=Pools(prefill_engines=first, decode_engines=max(rest // each, 1.0), sized=1.0),
        concurrency=concurrency,
        complete=False,
    )
