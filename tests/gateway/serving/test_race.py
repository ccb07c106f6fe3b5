"""A second endpoint where the first does not begin: one answer, one charge, and the count that each endpoint has."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from stargate.gateway.record import Admitted, Model, Settled
from tests.gateway.provider import Provider
from tests.gateway.serving.rig import Call, Rig, chat, endpoint, rig

pytestmark = pytest.mark.anyio

MODEL = Model("tiny", hedge_after_ms=60, prefer="cheapest")
"""Endpoints are asked in the order of their prices."""


def cheap(provider: Provider, **more: Any) -> Any:
    return endpoint(provider, cost_usd_per_million_tokens=1, **more)


def dear(provider: Provider, **more: Any) -> Any:
    return endpoint(provider, cost_usd_per_million_tokens=9, **more)


async def settled(made: Rig) -> list[tuple[Admitted, Settled]]:
    """All attempts, once the last is settled."""
    await made.desk.hedges.close()
    found = [(admitted, each) for admitted, each in made.attempts() if each is not None]
    assert len(found) == len(made.attempts())
    assert not any(post.outstanding for post in made.desk.switchboard.posts.values())
    return found


def counted(made: list[tuple[Admitted, Settled]], *providers: Provider) -> None:
    """As each endpoint counts itself; what is estimated is so because it does not."""
    for admitted, each in made:
        (provider,) = (one for one in providers if admitted.endpoint == f"at-{one.port}")
        used = provider.tally.requests.get(admitted.upstream_id)
        assert each.counted != "estimate"
        if used is not None:
            assert each.tokens == used.tokens()


@pytest.mark.parametrize("policy", ["cancel", "drain"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_whoever_begins_first_answers(tmp_path: Path, stream: bool, policy: str) -> None:
    """The other is told to stop, or read to its end where it bills anyway; its cost is on record, and not charged."""
    async with Provider() as slow, Provider() as fast, rig(tmp_path) as made:
        slow.play("first_ms=700&tokens=9")
        fast.play("tokens=5&pace_ms=2")
        made.route(cheap(slow, abort=policy), dear(fast), models=(MODEL,))
        call = await made.ask(stream=stream)
        assert call.status == 200
        assert fast.tally.total().finished == 1
        found = await settled(made)
        assert [(each.outcome, each.chargeable) for _, each in found] == [("outrun", False), ("done", True)]
        assert [admitted.nth for admitted, _ in found] == [0, 1]
        assert found[1][1].tokens.output_tokens == 5
        assert found[0][1].tokens.output_tokens == (9 if policy == "drain" else 0)
        counted(found, slow, fast)
        assert made.desk.switchboard.posts[f"at-{slow.port}"].paces[stream].expected_us() >= 60_000


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_the_first_wins_where_it_begins_before_the_second(tmp_path: Path, stream: bool) -> None:
    async with Provider() as first, Provider() as second, rig(tmp_path) as made:
        first.play("first_ms=200&tokens=4")
        second.play("first_ms=5000")
        made.route(cheap(first), dear(second), models=(MODEL,))
        call = await made.ask(stream=stream)
        assert call.status == 200
        found = await settled(made)
        assert [each.outcome for _, each in found] == ["done", "outrun"]
        counted(found, first, second)


async def test_nobody_else_is_asked_where_the_first_begins_in_time(tmp_path: Path) -> None:
    """A stream that began may pause as it likes."""
    async with Provider() as first, Provider() as second, rig(tmp_path) as made:
        first.play("tokens=3&pace_ms=100")
        made.route(cheap(first), dear(second), models=(MODEL,))
        assert (await made.ask(stream=True)).status == 200
        assert [each.outcome for _, each in await settled(made)] == ["done"]
        assert second.tally.total().calls == 0


async def test_a_small_part_of_the_requests_is_hedged(tmp_path: Path) -> None:
    """An overload is not doubled."""
    async with Provider() as slow, Provider() as other, rig(tmp_path) as made:
        slow.play("first_ms=150")
        other.play("first_ms=150")
        made.route(cheap(slow), dear(other), models=(MODEL,))
        for _ in range(4):
            await asyncio.gather(*(made.ask() for _ in range(20)))
        found = await settled(made)
        assert sum(each.chargeable for _, each in found) == 80
        assert 80 + 1 <= len(found) <= 80 + 1 + 4
        counted(found, slow, other)


@pytest.mark.parametrize("fault", ["500", "429", "shut"])
@pytest.mark.parametrize("first_fails", [True, False])
async def test_one_that_fails_leaves_the_other(tmp_path: Path, fault: str, first_fails: bool) -> None:
    """Whichever it is."""
    async with Provider() as first, Provider() as second, rig(tmp_path) as made:
        (first if first_fails else second).play(f"play={fault}&first_ms=150")
        (second if first_fails else first).play("first_ms=400&tokens=7")
        made.route(cheap(first), dear(second), models=(MODEL,))
        call = await made.ask()
        found = await settled(made)
        assert call.status == 200
        assert sorted(each.chargeable for _, each in found) == [False, True]
        done = next(each for _, each in found if each.chargeable)
        assert (done.outcome, done.tokens.output_tokens) == ("done", 7)
        counted(found, first, second)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_client_that_leaves_ends_both(tmp_path: Path, stream: bool) -> None:
    """Its request is charged once, by what the first had made."""
    async with Provider() as first, Provider() as second, rig(tmp_path) as made:
        first.play("first_ms=5000")
        second.play("first_ms=5000")
        made.route(cheap(first), dear(second), models=(MODEL,))
        call = Call(chat(stream=stream))
        running = asyncio.create_task(made.run(call))
        await asyncio.sleep(0.3)
        call.leave()
        await asyncio.wait_for(running, 5)
        found = await settled(made)
        assert [(each.outcome, each.chargeable) for _, each in found] == [
            ("aborted", True),
            ("outrun", False),
        ]
        counted(found, first, second)
        assert first.tally.total().aborted == second.tally.total().aborted == 1


async def test_where_nobody_else_may_answer_the_first_is_waited_for(tmp_path: Path) -> None:
    """One that is full, or rests, is not asked."""
    async with Provider() as first, Provider() as full, Provider() as resting, rig(tmp_path) as made:
        first.play("first_ms=200")
        made.route(cheap(first), dear(full, outstanding_requests=1), dear(resting), models=(MODEL,))
        made.desk.switchboard.posts[f"at-{full.port}"].outstanding = 1
        made.desk.switchboard.posts[f"at-{resting.port}"].breaker.failed(
            made.desk.clock_us(), unreachable=True
        )
        assert (await made.ask()).status == 200
        made.desk.switchboard.posts[f"at-{full.port}"].outstanding = 0
        assert [each.outcome for _, each in await settled(made)] == ["done"]
        assert made.desk.hedges.left, "what was not used is kept"
