"""The formulas as the estimator that sizing asks; without calibration, so that refits change nothing here."""

from __future__ import annotations

from functools import cache

import msgspec
import pytest

from stargate.broker.device import device_of
from stargate.broker.sizing import Hardware, Modelled, NoLayout, RunEstimate, ServiceEstimate, TooSlow
from stargate.broker.sizing.asked import Bound, Serve, Train
from stargate.broker.sizing.choose import cheapest_in_time
from stargate.broker.sizing.running import group_of, terms
from stargate.broker.sizing.tried import tried
from stargate.catalog import chip_named
from stargate.performance.calibration import Calibration, Cell
from stargate.performance.device import Device
from stargate.performance.estimate import DoesNotFit
from stargate.performance.models.library import model_named
from stargate.performance.models.shape import shape_of
from stargate.performance.training.layout import layout
from stargate.performance.training.step import ORDER, Step
from stargate.workloads import Layout

MODELLED = Modelled(Calibration(rows=0, digest="", shared={}, cells=(), releases=(), residuals=()))
TRAIN = Train(
    model=model_named("llama-3.1-8b"),
    tokens=10**12,
    sequence=8_192,
    batch=512,
    precision="bf16",
    layout=Layout(),
)
SERVE = Serve(
    model=model_named("llama-3.1-70b"),
    requests_per_s=40.0,
    input_tokens=2_000,
    output_tokens=300,
    ttft=Bound(95, 1.0),
    tpot=Bound(99, 0.04),
    precision="fp8",
    layout=Layout(),
)


@cache
def device(chip: str = "H100", precision: str = "bf16") -> Device:
    """As the catalog has it."""
    return device_of(chip_named(chip), precision)  # type: ignore[arg-type]


def run(chips: int, work: Train = TRAIN, chip: str = "H100") -> RunEstimate:
    """The estimate, where there is one."""
    found = MODELLED.train(work, device(chip, work.precision), chips)
    assert isinstance(found, RunEstimate), str(found)
    return found


def serve(chips: int, work: Serve = SERVE, chip: str = "H100") -> ServiceEstimate:
    """The estimate, where there is one."""
    found = MODELLED.serve(work, device(chip, work.precision), chips)
    assert isinstance(found, ServiceEstimate), str(found)
    return found


@pytest.mark.parametrize("chips", [8, 64, 512])
def test_twice_the_chips_are_faster_and_use_more(chips: int) -> None:
    small, large = run(chips), run(2 * chips)
    assert large.seconds.point < small.seconds.point
    assert 2 * large.seconds.point > 0.9 * small.seconds.point
    assert large.seconds.low < large.seconds.point < large.seconds.high


def test_a_run_is_as_long_as_its_tokens_say() -> None:
    """8 billion parameters, 1e12 tokens, 64 H100 at 25 to 60 % of their peak: 15 to 40 days."""
    days = run(64).seconds.point / 86_400
    assert 15 < days < 40
    half = run(64, msgspec.structs.replace(TRAIN, tokens=TRAIN.tokens // 2))
    assert half.seconds.point == pytest.approx(days * 86_400 / 2, rel=1e-6)


def test_energy_is_that_of_the_chips_and_what_is_around_them() -> None:
    """Between the rated power of the chips alone at half load, and twice the rated power."""
    found = run(64)
    rated_kwh = 0.7 * 64 * found.seconds.point / 3_600
    assert 0.5 * rated_kwh < found.energy_kwh < 2 * rated_kwh
    silent = msgspec.structs.replace(device(), power_w=0.0)
    unknown = MODELLED.train(TRAIN, silent, 64)
    assert isinstance(unknown, RunEstimate)
    assert unknown.energy_kwh == 0


def test_what_does_not_fit_is_refused_by_how_much() -> None:
    found = MODELLED.train(TRAIN, device(), 1)
    assert isinstance(found, DoesNotFit)
    assert found.missing_bytes > 10e9


def test_fewer_chips_than_the_least_never_do() -> None:
    for chip in ("H100", "GB200", "A100"):
        for seconds in (1e5, 1e6, 1e9):
            least = MODELLED.least_chips(TRAIN, device(chip), seconds)
            for chips in (1, 2, 4, 8, 16, 64, 256):
                found = MODELLED.train(TRAIN, device(chip), chips)
                if isinstance(found, RunEstimate) and found.seconds.point <= seconds:
                    assert chips >= least


@pytest.mark.parametrize(
    "wanted",
    [
        Layout(tensor_parallel=4),
        Layout(pipeline_parallel=4, virtual_stages=2),
        Layout(context_parallel=2),
        Layout(data_parallel=16),
        Layout(micro_batch_size=2, recompute="full"),
        Layout(sharding="fsdp"),
    ],
)
def test_what_is_settled_of_the_layout_is_kept(wanted: Layout) -> None:
    found = run(64, msgspec.structs.replace(TRAIN, layout=wanted)).layout
    for name in wanted.__struct_fields__:
        if getattr(wanted, name) is not None:
            assert getattr(found, name) == getattr(wanted, name)
    ways = (found.tensor_parallel, found.pipeline_parallel, found.context_parallel, found.data_parallel)
    product = 1
    for each in ways:
        assert each is not None
        product *= each
    assert product == 64


def test_a_layout_that_cannot_be() -> None:
    for wanted in (Layout(tensor_parallel=7), Layout(data_parallel=48)):
        assert isinstance(
            MODELLED.train(msgspec.structs.replace(TRAIN, layout=wanted), device(), 64), NoLayout
        )


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (Layout(tensor_parallel=7), "tensor 7 does not divide the 32 attention heads"),
        (Layout(context_parallel=3), "context 3 does not divide the 8192 tokens"),
        (Layout(expert_parallel=8), "Llama-3.1-8B has no experts"),
        (Layout(pipeline_parallel=64), "virtual 64 parts are more than the 32 layers"),
    ],
)
def test_what_does_not_divide_the_model_is_named(wanted: Layout, says: str) -> None:
    found = MODELLED.train(msgspec.structs.replace(TRAIN, layout=wanted), device(), 7 * 3 * 64)
    assert isinstance(found, NoLayout)
    assert found.says.startswith(says)


def test_so_many_chips_that_the_run_never_ends() -> None:
    """Eight million chips are interrupted more often than they restart."""
    found = MODELLED.train(msgspec.structs.replace(TRAIN, batch=2**23), device(), 2**23)
    assert isinstance(found, NoLayout)
    assert "makes no progress" in str(found)


def test_the_table_of_measurements_that_a_step_belongs_to() -> None:
    dense, sparse = shape_of(TRAIN.model), shape_of(model_named("deepseek-v3"))
    plain = layout(sequence=8, batch=8, chips=8)
    whole = layout(sequence=8, batch=8, chips=8, sharding="fsdp")
    assert group_of(dense, device(), plain) == "dense_3d"
    assert group_of(dense, device(), whole) == "fsdp"
    assert group_of(sparse, device(), plain) == "moe"
    assert group_of(sparse, device("TPU-v5p"), plain) == "tpu"


def test_terms_are_those_of_the_step_and_never_below_nothing() -> None:
    values = dict.fromkeys(Step.__struct_fields__, 1.0) | {"overhead": -0.5}
    found = {term.name: term.seconds for term in terms(Step(**values))}
    assert tuple(found) == ORDER
    assert found["overhead"] == 0
    assert found["matmul"] == 1


def test_a_chip_of_ones_own_borrows_constants() -> None:
    own = msgspec.structs.replace(device(), chip="own-chip")
    found = MODELLED.train(TRAIN, own, 64)
    assert isinstance(found, RunEstimate)
    assert found.seconds.point == pytest.approx(run(64).seconds.point, rel=0.05)


def test_more_traffic_never_gets_fewer_replicas() -> None:
    counts = [
        serve(4, msgspec.structs.replace(SERVE, requests_per_s=rate)).replicas
        for rate in (1.0, 10.0, 40.0, 400.0)
    ]
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]


def test_nobody_waits_without_end_where_no_bound_is_stated() -> None:
    """However even the load: engines are not filled until the queue is as long as the day."""
    for rate in (1.0, 1e3, 1e6):
        work = msgspec.structs.replace(SERVE, requests_per_s=rate, ttft=None, tpot=None)
        found = serve(8, work).ttft_seconds
        assert found is not None
        assert 0 < found.point <= 10.0
    # A prompt that takes longer by itself is no refusal.
    long = msgspec.structs.replace(SERVE, ttft=None, tpot=None, input_tokens=120_000, requests_per_s=1.0)
    assert serve(4, long, "A100").replicas >= 1


def test_latencies_are_kept() -> None:
    found = serve(4)
    assert found.ttft_seconds is not None
    assert found.tpot_seconds is not None
    assert found.ttft_seconds.point <= 1.0
    assert found.tpot_seconds.point <= 0.04
    assert found.memory_bytes <= found.memory_available_bytes


def test_a_bound_that_no_number_of_replicas_keeps() -> None:
    hurried = msgspec.structs.replace(SERVE, tpot=Bound(99, 0.001))
    found = MODELLED.serve(hurried, device(precision="fp8"), 2)
    assert isinstance(found, TooSlow)
    assert found.what == "tpot"
    assert found.seconds > found.bound_seconds
    assert "where 1 ms are asked" in str(found)


def test_weights_that_do_not_fit() -> None:
    wide = msgspec.structs.replace(SERVE, precision="bf16")
    assert isinstance(MODELLED.serve(wide, device(), 1), DoesNotFit)
    assert serve(4, wide).replicas >= serve(4).replicas


def test_four_bits_on_a_chip_without_them_are_read_narrow_and_multiplied_wide() -> None:
    """Half of the bytes of eight bits, at the speed of sixteen."""
    narrow = msgspec.structs.replace(SERVE, precision="nvfp4")
    assert not device(precision="nvfp4").native
    assert serve(4, narrow).memory_bytes != serve(4).memory_bytes
    assert serve(1, narrow).replicas >= 1


@pytest.mark.parametrize(
    ("wanted", "chips"),
    [
        (Layout(tensor_parallel=2, data_parallel=4), 8),
        (Layout(expert_parallel=8), 8),
        (Layout(pipeline_parallel=2), 16),
    ],
)
def test_settled_degrees_of_serving_are_kept(wanted: Layout, chips: int) -> None:
    sparse = msgspec.structs.replace(
        SERVE, model=model_named("deepseek-v3"), layout=wanted, ttft=None, tpot=None
    )
    found = serve(chips, sparse, "GB200").layout
    for name in wanted.__struct_fields__:
        if getattr(wanted, name) is not None:
            assert getattr(found, name) == getattr(wanted, name)


def test_a_layout_of_serving_that_cannot_be() -> None:
    odd = msgspec.structs.replace(SERVE, layout=Layout(tensor_parallel=3))
    assert isinstance(MODELLED.serve(odd, device(precision="fp8"), 3), NoLayout)


def test_who_lends_its_constants_is_said() -> None:
    """Of a chip that was measured nobody does; a chip that was not takes those of the nearest."""
    cell = Cell(
        chip="H100-SXM", precision="bf16", rows=9, constants={"matmul": 0.7, "serving_bandwidth": 0.7}
    )
    known = Modelled(Calibration(rows=9, digest="", shared={}, cells=(cell,), releases=(), residuals=()))
    wide = msgspec.structs.replace(SERVE, precision="bf16")
    for chip, lender in (("H100", ""), ("B200", "H100-SXM bf16")):
        run_there = known.train(TRAIN, device(chip), 64)
        serve_there = known.serve(wide, device(chip), 4)
        assert isinstance(run_there, RunEstimate)
        assert isinstance(serve_there, ServiceEstimate)
        assert run_there.lent_by == serve_there.lent_by == lender
    slower = known.train(TRAIN, device(), 64)
    assert isinstance(slower, RunEstimate)
    assert slower.seconds.point != run(64).seconds.point


@pytest.mark.parametrize(("chip", "per_node"), [("H100", 8), ("GB200", 4)])
def test_a_tighter_deadline_never_gets_fewer_chips(chip: str, per_node: int) -> None:
    """Also where odd numbers of chips cut badly and more of them are slower."""
    machines = Hardware(
        chip=chip_named(chip),
        chips_per_node=per_node,
        domain_chips=chip_named(chip).scaleup_domain_chips or 1,
        scaleout_gbit_per_s=None,
        nodes=4_096,
        price_micro_usd_per_chip_hour=1,
    )
    chosen = []
    for days in (400, 200, 120, 90, 60, 45, 30, 20, 14, 10, 7, 5):
        best = cheapest_in_time(tried(TRAIN, machines, MODELLED, days * 86_400.0).runs, days * 86_400.0)
        assert best is not None
        assert best.estimate.seconds.point <= days * 86_400
        chosen.append(best.gang.chips)
    assert chosen == sorted(chosen)
