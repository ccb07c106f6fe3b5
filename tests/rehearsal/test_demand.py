"""Jobs as workloads, and when they are submitted."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from stargate.base.errors import InputError, NotFoundError
from stargate.base.time import HOUR, SECOND, Duration, Instant
from stargate.broker.fact import Submitted
from stargate.catalog import Infrastructure
from stargate.catalog.chip import builtin_chips
from stargate.rehearsal.demand import Form, Shaper
from stargate.rehearsal.traces import Job
from stargate.workloads import Topology
from stargate.workloads.sound import unsound
from tests.broker.world import infrastructure, pool
from tests.rehearsal.world.stages import demand, job, play

START = Instant.parse("2026-01-05")


def world() -> Infrastructure:
    import msgspec

    pools = (pool("a"), pool("b", chip="GB200-NVL72", chips_per_node=4), pool("none", chip="B200-SXM"))
    empty = msgspec.structs.replace(pools[2], nodes=())
    return msgspec.structs.replace(infrastructure(*pools[:2], empty), chips=builtin_chips())


def given(**fields: object) -> Job:
    usual = {"id": "1", "submit_seconds": 5, "run_seconds": 60, "chips": 8, "requested_seconds": 90}
    return Job(**{**usual, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("chips", "form", "nodes", "per_node"),
    [
        (1, Form(), 1, 1),
        (4, Form(), 1, 4),
        (8, Form(), 2, 4),  # whichever machine it gets: GB200 nodes have four
        (8, Form(chips=("H100",)), 1, 8),
        (12, Form(chips=("H100",)), 2, 8),
        (72, Form(chips=("GB200",)), 18, 4),
    ],
)
def test_a_gang_fits_every_machine_that_will_do(chips: int, form: Form, nodes: int, per_node: int) -> None:
    work = Shaper(world(), form).workload(given(chips=chips), "j", START)
    assert (work.nodes, {one.chips_per_node for one in work.alternatives}) == (nodes, {per_node})
    assert unsound(work) == []


def test_kinds_are_those_that_some_pool_holds() -> None:
    work = Shaper(world(), Form()).workload(given(), "j", START)
    assert [one.chip for one in work.alternatives] == ["H100-SXM", "GB200-NVL72"]
    own = Shaper(world(), Form()).workload(given(chip="h100"), "j", START)
    assert [one.chip for one in own.alternatives] == ["H100-SXM"]
    unknown = Shaper(world(), Form()).workload(given(chip="V100M32"), "j", START)
    assert len(unknown.alternatives) == 2


def test_what_a_job_says_is_kept() -> None:
    told = given(team="a", provider="azure", residency="US", deadline_seconds=600, kind="finetune")
    form = Form(
        priority=7, save_every=Duration(HOUR), save_gib=Decimal(3), preferred="block", preemptible=False
    )
    work = Shaper(world(), form).workload(told, "j", START)
    assert (work.kind, work.team, work.priority, work.preemptible) == ("finetune", "a", 7, False)
    assert {one.provider for one in work.alternatives} == {"azure"}
    assert work.residency == ("US",)
    assert work.deadline == START.plus(605 * SECOND)
    assert work.time_limit == 90 * SECOND
    assert work.checkpoint is not None
    assert (work.checkpoint.interval, work.checkpoint.size_gib) == (Duration(HOUR), Decimal(3))
    assert work.topology == Topology(None, "block")
    assert Shaper(world(), Form(saves=False)).workload(given(), "j", START).checkpoint is None


def test_there_must_be_chips() -> None:
    with pytest.raises(InputError, match="no pool has chips"):
        Shaper(infrastructure(), Form())
    with pytest.raises(NotFoundError):
        Shaper(world(), Form(chips=("H1000",)))


def test_sources_are_merged_in_order_of_time(tmp_path: Path) -> None:
    text = "start: 2026-01-05\n" + demand(
        job("a", submit_seconds=50), job("b", submit_seconds=10), job("z", chips=0)
    )
    text = text[:-1] + ", {name: u, after: 20s, jobs: [" + job("odd name!") + "]}]"
    played = play(tmp_path, text)
    assert [fact.id for fact in played.facts(Submitted)] == ["t.b", "u.0", "t.a"]
    assert played.seconds(Submitted) == [10, 20, 50]
    assert [row.job_id for row in played.stage.rows] == ["t.b", "u.0", "t.a"]


def test_services_of_a_trace_end_with_their_time(tmp_path: Path) -> None:
    played = play(tmp_path, "start: 2026-01-05\nhorizon: 3d\n" + demand(job("web", kind="serve")))
    (row,) = played.stage.rows
    assert (row.start, row.end) == (0, 3600)
    assert played.stage.world.engines.totals.hows == {"cancelled": 1}
