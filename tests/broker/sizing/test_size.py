"""Stated work to sizes, with a model whose answers can be worked out by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stargate.base.errors import UserError
from stargate.base.time import DAY, HOUR, SECOND, Duration, Instant
from stargate.broker.sizing import Pools, Sizes, size
from stargate.broker.sizing.asked import Train, asked
from stargate.catalog import Fabric, Infrastructure, Pool
from stargate.workloads import Latency, Layout, Resources, Service, Size, Traffic, Training, Workload
from tests.broker.sizing.fake import OVERHEAD_SECONDS, Fake
from tests.broker.world import START, infrastructure, pool

TOKENS = 10**12


def run(*chips: str | None, **changes: Any) -> Workload:
    """A training run of 1e12 tokens on any of these chips, not counted."""
    wanted = tuple(Resources(chip=chip) for chip in chips or (None,))
    fields: dict[str, Any] = {
        "name": "lm",
        "kind": "train",
        "model": "llama-3.1-8b",
        "training": Training(tokens=TOKENS),
        "alternatives": wanted,
    }
    return Workload(**(fields | changes))


def service(rate: str = "40", **changes: Any) -> Workload:
    """A service of so many requests per second."""
    traffic = Traffic(requests_per_s=Decimal(rate), input_tokens=1_000, output_tokens=100)
    fields: dict[str, Any] = {
        "name": "chat",
        "kind": "serve",
        "model": "llama-3.1-8b",
        "traffic": traffic,
        "service": Service(),
    }
    return Workload(**(fields | changes))


def sizes(work: Workload, *pools: Pool, **changes: Any) -> Sizes:
    """What the work comes to on these pools."""
    catalog = infrastructure(*(pools or (pool("a", nodes=512),)))
    if "fabrics" in changes:
        catalog = Infrastructure(
            **{name: getattr(catalog, name) for name in ("parties", "providers", "sites", "pools")},
            fabrics=changes["fabrics"],
        )
    machines = Pools(
        catalog,
        catalog.pools,
        lambda one: one.nodes_at(START),
        lambda one: 0 if one.tenure == "owned" else int(one.prices[0].usd_per_chip_hour * 1_000_000),
    )
    return size(work, machines, Fake(), START, changes.get("longest", Duration(30 * DAY)))


def hours(chips: int, tflops: float = 989.0) -> float:
    """Of the whole run on chips of this peak."""
    return (TOKENS * 1e10 / (0.5 * tflops * 1e12 * chips) + OVERHEAD_SECONDS) / 3_600


def test_the_cheapest_size_that_is_done_in_what_policy_allows() -> None:
    (one,) = sizes(run("H100")).sizes
    assert (one.chips, one.resources.chips_per_node, one.resources.chip) == (16, 8, "H100")
    assert one.longest <= 30 * DAY < hours(8) * 1.2 * HOUR
    assert one.duration == Duration(int(-(-hours(one.chips) * 3_600 // 1)) * SECOND)
    assert one.binds == "matmul"
    assert one.layout == Layout(data_parallel=one.chips)


def test_a_deadline_leaves_room_to_wait() -> None:
    """Sizes for all of the time, a half and a quarter of it."""
    found = sizes(run("H100", deadline=START.plus(8 * DAY))).sizes
    assert [one.longest <= 8 * DAY / pressure for one, pressure in zip(found, (1, 2, 4), strict=True)]
    assert found[0].chips < found[1].chips < found[2].chips


def test_a_time_limit_bounds_like_a_deadline() -> None:
    (one,) = sizes(run("H100", time_limit=Duration(2 * DAY))).sizes
    assert one.longest <= 2 * DAY


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 400), min_size=2, max_size=6))
def test_a_tighter_deadline_never_gets_fewer_chips(given_hours: list[int]) -> None:
    chosen = []
    for bound in sorted(given_hours, reverse=True):
        try:
            found = sizes(run("H100", deadline=START.plus(bound * HOUR))).sizes
        except UserError:
            break
        chosen.append(min(one.chips for one in found))
    assert chosen == sorted(chosen)


def test_a_deadline_that_nothing_meets() -> None:
    with pytest.raises(
        UserError, match="cannot be done within 1h: the fastest size, 4,096 H100-SXM"
    ) as caught:
        sizes(run("H100", deadline=START.plus(HOUR)))
    assert "move the deadline" in caught.value.remedy


@pytest.mark.parametrize("late", [0, SECOND, 10_000 * DAY])
def test_a_deadline_that_has_passed_is_no_question_of_chips(late: int) -> None:
    with pytest.raises(UserError, match="deadline of lm has passed"):
        sizes(run("H100-SXM", deadline=Instant(START - late)))


def test_what_is_met_only_as_often_as_not_is_the_fastest() -> None:
    """1.2 times of the fastest does not fit into the time, the fastest itself does."""
    time = Duration(int(hours(512 * 8) * 1.1 * HOUR))
    (one,) = sizes(run("H100", deadline=START.plus(time))).sizes
    assert one.chips == 4_096


def test_a_batch_smaller_than_most_gangs_bounds_the_size() -> None:
    """Of 4,096 chips in the pool no more than 16 have something to do; the search must not stop at the others."""
    training = Training(tokens=10**10, sequence_length=8_192, batch_sequences=2)
    found = sizes(run("H100-SXM", training=training), longest=Duration(DAY)).sizes
    assert [one.chips for one in found] == [4]
    with pytest.raises(UserError, match="the fastest size, 16 H100-SXM, takes"):
        sizes(run("H100-SXM", training=training), longest=Duration(HOUR))


def test_each_chip_gets_its_size_cheapest_first() -> None:
    found = sizes(
        run("H100", "B200"),
        pool("old", nodes=512, price="2"),
        pool("new", nodes=512, chip="B200-SXM", price="3"),
    ).sizes
    assert [one.resources.chip for one in found] == ["B200", "H100"]
    ordered = sizes(
        run("H100", "B200", ordered=True),
        pool("old", nodes=512, price="2"),
        pool("new", nodes=512, chip="B200-SXM", price="3"),
    ).sizes
    assert [one.resources.chip for one in ordered] == ["H100", "B200"]


def test_any_chip_that_there_is() -> None:
    found = sizes(
        run(),
        pool("old", nodes=512),
        pool("new", nodes=512, chip="B200-SXM"),
        pool("none", nodes=0, chip="MI300X"),
    ).sizes
    assert {one.resources.chip for one in found} == {"H100-SXM", "B200-SXM"}


def test_a_size_is_no_larger_than_a_pool() -> None:
    with pytest.raises(UserError, match="the fastest size, 32 H100"):
        sizes(run("H100"), pool("a", nodes=4), pool("b", nodes=2), longest=Duration(DAY))


def test_networks_that_differ_are_told_apart() -> None:
    """The fast one is named; the size for the slow one holds everywhere."""
    fabrics = (
        Fabric(id="rail", gbit_per_s_per_chip=Decimal(400)),
        Fabric(id="old", gbit_per_s_per_chip=Decimal(100)),
    )
    pools = (pool("fast", nodes=512, fabric="rail"), pool("slow", nodes=512, fabric="old"))
    found = sizes(run("H100"), *pools, fabrics=fabrics).sizes
    assert {one.fabrics for one in found} == {("rail",), ()}
    fast, slow = sorted(found, key=lambda one: one.fabrics, reverse=True)
    assert fast.chips * fast.duration < slow.chips * slow.duration
    (alone,) = sizes(run("H100"), pools[0], fabrics=fabrics).sizes
    assert alone.fabrics == ()


def test_places_and_residency_narrow_what_is_looked_at() -> None:
    pools = (pool("tx", nodes=1), pool("no", nodes=512, site="no", provider="aws"))
    for work in (
        run(alternatives=(Resources(chip="H100", site="no"),)),
        run(alternatives=(Resources(chip="H100", provider="aws"),)),
        run(alternatives=(Resources(chip="H100", pool="no"),)),
        run("H100", residency=("NO",)),
    ):
        assert sizes(work, *pools).sizes[0].nodes > 1
    with pytest.raises(UserError, match="no pool has H100"):
        sizes(run("H100", residency=("DE",)), *pools)


def test_stated_chips_keep_their_count_and_get_a_time() -> None:
    work = run(alternatives=(Resources(chip="H100", chips_per_node=8),), nodes=16)
    (one,) = sizes(work).sizes
    assert (one.nodes, one.chips) == (16, 128)
    assert one.duration == Duration(int(-(-hours(128) * 3_600 // 1)) * SECOND)


def test_stated_chips_that_are_too_slow_are_told_so() -> None:
    work = run(
        alternatives=(Resources(chip="H100", chips_per_node=8),), nodes=2, deadline=START.plus(3 * DAY)
    )
    found = sizes(work)
    assert found.sizes[0].chips == 16
    assert found.grounds[0].says.endswith("; that is longer than the 3d there are")


def test_stated_chips_stay_where_nothing_is_known_of_them() -> None:
    """What does not fit by the model, and a chip that no pool has: people counted, and may be right."""
    work = run(
        alternatives=(
            Resources(chip="H100", chips_per_node=1),
            Resources(chip="B200", chips_per_node=8),
        )
    )
    found = sizes(work)
    assert found.sizes == (
        Size(resources=work.alternatives[0], nodes=1),
        Size(resources=work.alternatives[1], nodes=1),
    )
    assert any("GB too much, mostly weights" in ground.says for ground in found.grounds)


def test_what_is_settled_of_the_layout_is_kept() -> None:
    with pytest.raises(UserError, match="fewer than are cut over"):
        sizes(run("H100", layout=Layout(tensor_parallel=64)), pool("a", nodes=2))


def test_what_was_assumed_is_said() -> None:
    said = " ".join(ground.says for ground in sizes(run("H100")).grounds)
    assert "precision bf16" in said
    assert "sequences of 8,192 tokens" in said
    assert "512 sequences in a step" in said
    stated = run(
        "H100", precision="fp8", training=Training(TOKENS, sequence_length=4096, batch_sequences=1024)
    )
    assert "assumed" not in " ".join(ground.says for ground in sizes(stated).grounds)


@pytest.mark.parametrize(
    ("tokens", "sequences"),
    [(4_000_000, 512), (16_000_000, 2_048), (2**22, 512), (8_192, 1), (100_000, 12), (3_000_000, 352)],
)
def test_a_batch_in_tokens_is_one_that_chips_divide(tokens: int, sequences: int) -> None:
    """Within a sixteenth of what was written, where that is more than a few sequences."""
    question = asked(run("H100", training=Training(TOKENS, sequence_length=8_192, batch_tokens=tokens)))
    assert isinstance(question, Train)
    assert question.batch == sequences
    assert any(text.startswith(f"{sequences:,} sequence") for text in question.assumed)


@pytest.mark.parametrize(
    ("tokens", "sequences"),
    [(8_192, 1), (10**9, 512), (2 * 10**12, 512), (15 * 10**12, 3_584), (10**18, 242_221_056)],
)
def test_longer_runs_take_larger_batches(tokens: int, sequences: int) -> None:
    question = asked(run("H100-SXM", training=Training(tokens=tokens)))
    assert isinstance(question, Train)
    assert question.batch == pytest.approx(sequences, rel=0.04)
    assert tokens / (question.batch * question.sequence) <= 550_000


def test_a_bound_for_first_tokens_is_assumed_and_said() -> None:
    assert "95 of 100 first tokens within 10s" in " ".join(ground.says for ground in sizes(service()).grounds)


def test_counted_chips_without_a_deadline_have_no_bound() -> None:
    work = run(alternatives=(Resources(chip="H100", chips_per_node=8),))
    (one,) = sizes(work).sizes
    assert one.duration > 20 * DAY
    assert "longer than" not in sizes(work, longest=Duration(DAY)).grounds[0].says


def test_a_chip_without_the_figure() -> None:
    with pytest.raises(UserError, match="chip OpenAI-Titan has no figure"):
        sizes(run("OpenAI-Titan"), pool("a", chip="OpenAI-Titan", nodes=8))


def test_an_unknown_model_is_refused_with_a_near_name() -> None:
    with pytest.raises(UserError, match="no model is called 'llama-3") as caught:
        sizes(run("H100", model="llama-3.1-9b"))
    assert "llama-3.1" in caught.value.remedy.lower()
    assert "config.json" in caught.value.remedy


def test_a_described_model_needs_no_library() -> None:
    config = {
        "model_type": "llama",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
    }
    assert sizes(run("H100", model="own", model_config=config)).sizes
    with pytest.raises(UserError, match="'own' cannot be read"):
        sizes(run("H100", model="own", model_config={"model_type": "llama"}))


def test_a_service_gets_replicas() -> None:
    """40 requests a second at 0.989 a chip are 41 chips; a replica of one chip wastes least."""
    found = sizes(service())
    (one,) = found.sizes
    assert (found.replicas, one.replicas, one.chips, one.duration) == (41, 41, 1, 0)
    assert "41 replicas of 1 H100-SXM" in found.grounds[0].says


def test_latency_makes_replicas_larger() -> None:
    work = service()
    assert work.traffic is not None
    bound = Traffic(
        requests_per_s=Decimal(40),
        input_tokens=1_000,
        output_tokens=100,
        tpot=Latency(99, Duration(SECOND // 50)),
    )
    found = sizes(service(traffic=bound))
    assert (found.replicas, found.sizes[0].chips) == (11, 4)
    hopeless = Traffic(
        requests_per_s=Decimal(40),
        input_tokens=1_000,
        output_tokens=100,
        tpot=Latency(99, Duration(SECOND // 10_000)),
    )
    with pytest.raises(UserError, match="its tpot is 1 ms at the least, where 0 ms are asked"):
        sizes(service(traffic=hopeless))


def test_one_number_of_replicas_does_on_every_chip() -> None:
    """A slot may be placed on any of the sizes: none may carry less than its share."""
    found = sizes(
        service(),
        pool("old", nodes=512, price="9"),
        pool("new", nodes=512, chip="B200-SXM", price="1"),
    )
    assert found.replicas == 18
    for one in found.sizes:
        assert one.replicas <= found.replicas
        peak = {"H100-SXM": 0.989, "B200-SXM": 2.25}[one.resources.chip or ""]
        assert found.replicas * one.chips * peak >= 40


def test_sizes_are_whole_numbers_that_travel() -> None:
    from stargate.base import wire

    work = run("H100", deadline=Instant(START + 8 * DAY), sizes=sizes(run("H100")).sizes)
    assert wire.unpacker(Workload).decode(wire.pack(work)) == work
