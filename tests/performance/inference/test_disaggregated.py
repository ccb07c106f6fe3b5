"""Two pools: the slower one limits, and prompts do not hold up who decodes."""

from __future__ import annotations

import msgspec
import pytest

from stargate.performance.inference.disaggregated import Pools, disaggregated, transfer_seconds
from stargate.performance.inference.iteration import Engine
from stargate.performance.inference.layout import layout
from stargate.performance.inference.steady import Load, Steady, batched_seconds, steady
from stargate.performance.number import ARRAY, SCALAR, stack
from tests.performance.inference.engines import engine

PREFILL = engine("deepseek-v3", "GB200-NVL72", "nvfp4", layout(4, expert=4, attention_data=4, experts=True))
DECODE = engine("deepseek-v3", "GB200-NVL72", "nvfp4", layout(8, expert=8, experts=True))
LOAD = Load(prompt=8_192.0, answer=1_024.0, concurrency=256.0)


def solved(prefill: float, decode: float, load: Load = LOAD) -> Steady:
    return disaggregated(SCALAR, PREFILL, DECODE, Pools(prefill_engines=prefill, decode_engines=decode), load)


def test_no_more_begins_than_the_pool_of_prompts_computes() -> None:
    each = batched_seconds(SCALAR, PREFILL, LOAD.prompt)
    for engines in (1, 2, 4):
        assert solved(engines, 4).requests_per_second <= engines / each


def test_more_engines_of_either_pool_never_give_less() -> None:
    for prefill, decode in ((1, 1), (1, 4), (4, 1), (4, 4)):
        here = solved(prefill, decode)
        assert solved(2 * prefill, decode).requests_per_second >= here.requests_per_second
        assert solved(prefill, 2 * decode).token_seconds <= here.token_seconds


def test_a_starved_pool_decodes_few() -> None:
    assert solved(1, 4).running < solved(8, 4).running
    assert solved(1, 4).first_seconds > solved(8, 4).first_seconds


def test_tokens_come_faster_than_where_prompts_are_mixed_in() -> None:
    together = steady(SCALAR, DECODE, LOAD)
    apart = solved(4, 1)
    assert apart.token_seconds < together.token_seconds


def test_pools_sized_for_the_load_leave_no_long_queue() -> None:
    fixed = solved(1, 1)
    pools = Pools(prefill_engines=1, decode_engines=1, sized=1)
    sized = disaggregated(SCALAR, PREFILL, DECODE, pools, LOAD)
    assert sized.first_seconds < fixed.first_seconds


def test_sending_a_cache_takes_its_bytes_over_the_network() -> None:
    sent = transfer_seconds(PREFILL, 1_000.0)
    adapters = PREFILL.device.scaleout_bytes_per_s * PREFILL.constants.link
    assert sent == pytest.approx(61 * 576 * 1_000 / adapters)


def test_one_pair_of_pools_is_computed_as_many_are() -> None:
    loads = [msgspec.structs.replace(LOAD, concurrency=count) for count in (1.0, 30.0, 3_000.0)]
    prefill, decode = (
        Engine(each.shape, each.form, each.layout, each.device, each.constants) for each in (PREFILL, DECODE)
    )
    many = disaggregated(ARRAY, prefill, decode, Pools(prefill_engines=2, decode_engines=3), stack(loads))
    for index, load in enumerate(loads):
        one = solved(2, 3, load)
        assert one.token_seconds == pytest.approx(float(many.token_seconds[index]), rel=1e-9)
        assert one.first_seconds == pytest.approx(float(many.first_seconds[index]), rel=1e-9)
