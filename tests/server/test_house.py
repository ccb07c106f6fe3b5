from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from stargate.agreements import WorldFact
from stargate.base.errors import InputError, StateConflictError
from stargate.base.time import Instant
from stargate.broker.command import DeclareFact, MarkSupply, Submit
from stargate.engines.fake import FakeEngine, Script
from stargate.server.house import SERVER
from tests.server.test_driver import job
from tests.server.world import INFRASTRUCTURE, JOB, configured, staged, unheard

pytestmark = pytest.mark.anyio


async def test_the_first_start_declares_what_the_files_say(tmp_path: Path) -> None:
    async with staged(configured(tmp_path)) as stage:
        assert await stage.house.driver.read(lambda state: len(state.catalog_pools)) == 5
        assert stage.house.driver.head.seq == 1
        assert stage.house.warnings == []


async def test_the_second_start_changes_nothing(tmp_path: Path) -> None:
    config = configured(tmp_path)
    async with staged(config) as stage:
        digest, head = stage.digest(), stage.house.driver.head
    async with staged(config) as stage:
        assert (stage.digest(), stage.house.driver.head) == (digest, head)
        assert stage.house.driver.snapshot_seq == head.seq


async def test_changed_files_take_effect_at_the_next_start(tmp_path: Path) -> None:
    config = configured(tmp_path)
    async with staged(config):
        pass
    configured(tmp_path, INFRASTRUCTURE.replace("nodes: 4}", "nodes: 9}"))
    async with staged(config) as stage:
        assert await stage.house.driver.read(lambda state: state.records.nodes["oci-h100"]) == 9


async def test_faulty_files_stop_the_first_start(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        async with staged(configured(tmp_path, "pools: [{id: x}]")):
            pass


async def test_faulty_files_do_not_stop_a_later_one(tmp_path: Path) -> None:
    config = configured(tmp_path)
    async with staged(config):
        pass
    configured(tmp_path, "pools: [{id: x}]")
    async with staged(config) as stage:
        assert await stage.house.driver.read(lambda state: len(state.catalog_pools)) == 5
        (warning,) = stage.house.warnings
        assert "could not be read" in warning


async def test_a_declaration_that_cannot_take_effect_does_not_stop_a_later_start(tmp_path: Path) -> None:
    config = configured(tmp_path)
    async with staged(config) as stage:
        await stage.house.ask(SERVER, Submit("a", job()))
    configured(tmp_path, "parties: [{id: lab}]")
    async with staged(config) as stage:
        assert await stage.house.driver.read(lambda state: len(state.live)) == 1
        (warning,) = stage.house.warnings
        assert "could not take effect" in warning


async def test_without_files_the_journal_decides(tmp_path: Path) -> None:
    config = configured(tmp_path)
    async with staged(config):
        pass
    bare = msgspec.structs.replace(config, infrastructure=(), agreements=(), policy=())
    async with staged(bare) as stage:
        assert await stage.house.driver.read(lambda state: len(state.catalog_pools)) == 5
        with pytest.raises(StateConflictError, match="without files"):
            await stage.house.declare_files(SERVER)


async def test_two_servers_do_not_share_a_folder(tmp_path: Path) -> None:
    config = configured(tmp_path)
    async with staged(config):
        with pytest.raises(StateConflictError, match="another server"):
            async with staged(config):
                pass


async def test_running_work_is_found_again_and_not_started_twice(tmp_path: Path) -> None:
    config = configured(tmp_path)
    engine = FakeEngine(unheard, script=lambda _: Script(ticks=0))
    async with staged(config, engine) as stage:
        await stage.house.ask(SERVER, Submit("a", job()))
        await stage.tick(2)
        assert engine.started == ["a.0.1"]
    async with staged(config, engine) as stage:
        await stage.tick(2)
        assert engine.started == ["a.0.1"]
        assert await stage.house.driver.read(lambda state: state.live["a.0.1"].status) == "running"


async def test_a_start_that_was_lost_on_the_way_is_made_up_for(tmp_path: Path) -> None:
    """Committed, and the server ended before any engine heard of it."""
    config = configured(tmp_path)
    deaf = FakeEngine(unheard)
    deaf.start = _nothing  # type: ignore[method-assign]
    async with staged(config, deaf) as stage:
        await stage.house.ask(SERVER, Submit("a", job()))
        await stage.settle()
    engine = FakeEngine(unheard)
    async with staged(config, engine) as stage:
        await stage.tick(6)
        assert engine.started == ["a.0.1"]
        assert await stage.house.driver.read(lambda state: state.records.workloads["a"].status) == "succeeded"


async def _nothing(effect: object) -> None:
    """Lost."""


async def test_what_an_operator_drains_stays_so_over_a_restart(tmp_path: Path) -> None:
    config = configured(tmp_path)
    engine = FakeEngine(unheard)
    async with staged(config, engine) as stage:
        await stage.house.ask(SERVER, MarkSupply("provider", "azure", "draining"))
    async with staged(config, engine) as stage:
        engine.restore("azure")
        await stage.settle()
        assert await stage.house.driver.read(lambda state: dict(state.records.marks)) == {
            "provider:azure": "draining"
        }


async def test_a_key_names_one_command(tmp_path: Path) -> None:
    async with staged(configured(tmp_path)) as stage:
        house = stage.house
        first = await house.ask(SERVER, Submit("a", job()), "retry")
        again = await house.ask(SERVER, Submit("a", job()), "retry")
        other = await house.ask(SERVER, Submit("b", job()), "retry")
        assert (first.repeated, again.repeated, other.repeated) == (False, True, False)
        assert again.seq == first.seq


async def test_a_command_that_holds_the_time_is_known_by_what_was_said(tmp_path: Path) -> None:
    async with staged(configured(tmp_path)) as stage:
        said = job()
        facts = [DeclareFact(WorldFact("x", 1, Instant(n))) for n in (1, 2)]
        receipts = [await stage.house.ask(SERVER, fact, "retry", said=said) for fact in facts]
        assert [receipt.repeated for receipt in receipts] == [False, True]


@pytest.mark.parametrize("text", ["\ud800", "a\udfff"])
async def test_what_no_journal_holds_is_refused(tmp_path: Path, text: str) -> None:
    async with staged(configured(tmp_path)) as stage:
        before = stage.digest()
        with pytest.raises(InputError, match="put on record"):
            await stage.house.ask(SERVER, MarkSupply("provider", "azure", "lost", text))
        with pytest.raises(InputError, match="put on record"):
            await stage.house.ask(SERVER, DeclareFact(WorldFact("x", 2**70, Instant(1))))
        assert stage.digest() == before


async def test_without_a_policy_nothing_is_bought_and_nothing_breaks(tmp_path: Path) -> None:
    config = msgspec.structs.replace(configured(tmp_path), policy=())
    async with staged(config) as stage:
        await stage.operator.post("/v1/workloads", {"id": "big", "yaml": f"{JOB}num_nodes: 99\n"})
        assert await stage.house.driver.read(lambda state: len(state.queue)) == 1
        assert not stage.house.driver.failure
