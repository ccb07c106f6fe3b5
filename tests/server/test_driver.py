from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stargate.agreements import WorldFact
from stargate.base.errors import InternalError, JournalError, LimitError, StateConflictError
from stargate.base.time import Instant
from stargate.broker import Effect, Entry, Envelope, Machine, Outcome, StartAttempt
from stargate.broker.command import DeclareFact, Report, Submit, Wake
from stargate.broker.fact import FactDeclared, Submitted
from stargate.journal import Head, Record, SqliteJournal
from stargate.journal.restart import restart
from stargate.server.clock import system_clock
from stargate.server.config import Limits, read_texts
from stargate.server.driver import Driver
from stargate.server.errors import UnavailableError
from stargate.workloads import Workload, parse
from tests.server.world import INFRASTRUCTURE, JOB, POLICY, unheard

pytestmark = pytest.mark.anyio


class Slow(SqliteJournal):
    """A journal whose commits can be held up, and can fail."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, durable=False)
        self.open = threading.Event()
        self.open.set()
        self.broken = False
        self.commits: list[int] = []

    def append(self, records: Sequence[Record]) -> Head:
        assert self.open.wait(10)
        if self.broken:
            raise JournalError("the disk is full", "Make room.")
        self.commits.append(len(records))
        return super().append(records)


class Rig:
    def __init__(self, path: Path, machine: Machine | None = None, **limits: Any) -> None:
        self.journal = Slow(path)
        self.machine = machine or restart(self.journal).state
        self.effects: list[Effect] = []
        self.driver = Driver(self.machine, self.journal, self.effects.append, system_clock, Limits(**limits))

    async def submit(self, id: str, work: Workload | None = None) -> int:
        return (await self.driver.ask(f"c-{id}", Submit(id, work or job(id)))).seq


def job(name: str = "job") -> Workload:
    return msgspec.structs.replace(parse(JOB), name=name)


@asynccontextmanager
async def running(path: Path, machine: Machine | None = None, **limits: Any) -> AsyncIterator[Rig]:
    rig = Rig(path, machine, **limits)
    loop = asyncio.create_task(rig.driver.run())
    try:
        if not rig.driver.head.seq:
            await rig.driver.ask("declare", read_texts(f"{INFRASTRUCTURE}\n---\n{POLICY}").command)
        yield rig
    finally:
        rig.journal.open.set()
        rig.driver.stop()
        with suppress(JournalError, ZeroDivisionError):
            await asyncio.wait_for(loop, 10)
        rig.journal.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


async def moment() -> None:
    await asyncio.sleep(0.05)


async def test_a_command_is_answered_with_its_entries(path: Path) -> None:
    async with running(path) as rig:
        receipt = await rig.driver.ask("c1", Submit("a", job()))
        assert type(receipt.entries[0].fact) is Submitted
        assert receipt.seq == receipt.entries[-1].seq == rig.journal.head().seq
        assert {entry.cause for entry in receipt.entries} == {"c1"}


async def test_nothing_is_answered_seen_or_started_before_the_commit(path: Path) -> None:
    async with running(path) as rig:
        rig.journal.open.clear()
        asked = asyncio.create_task(rig.submit("a"))
        await moment()
        seen = asyncio.create_task(rig.driver.read(lambda state: "a" in state.records.workloads))
        await moment()
        assert "a" in rig.machine.state.records.workloads  # decided, but not yet on record
        assert not asked.done()
        assert not seen.done()
        assert rig.effects == []
        rig.journal.open.set()
        await asked
        assert await seen
        assert [type(effect) for effect in rig.effects] == [StartAttempt]


async def test_whoever_reads_is_not_starved_by_those_who_write(path: Path) -> None:
    async with running(path, batch_commands=1) as rig:

        async def insist(name: str) -> None:
            for n in range(20):
                await rig.driver.ask(f"{name}{n}", DeclareFact(WorldFact(name, n, Instant(1))))

        rig.journal.open.clear()
        writers = [asyncio.create_task(insist(f"w{n}")) for n in range(20)]
        await moment()
        reading = asyncio.create_task(rig.driver.read(lambda state: state.records.seq))
        await moment()
        assert not reading.done()
        before = len(rig.journal.commits)
        rig.journal.open.set()
        await reading
        assert len(rig.journal.commits) - before <= 3
        await asyncio.gather(*writers)


async def test_commands_that_wait_together_are_committed_together(path: Path) -> None:
    async with running(path, batch_ms=1_000) as rig:
        rig.journal.commits.clear()
        rig.journal.open.clear()
        asked = [asyncio.create_task(rig.submit(f"j{n}")) for n in range(40)]
        await moment()
        rig.journal.open.set()
        seqs = await asyncio.gather(*asked)
        assert len(set(seqs)) == 40
        assert len(rig.journal.commits) <= 3


async def test_what_does_not_fit_into_a_batch_comes_next_in_order(path: Path) -> None:
    async with running(path, batch_ms=0) as rig:
        seqs = await asyncio.gather(*(rig.submit(f"j{n}") for n in range(20)))
        assert list(seqs) == sorted(seqs)


async def test_a_refused_command_changes_nothing(path: Path) -> None:
    async with running(path) as rig:
        await rig.submit("a")
        before, head = rig.machine.state.digest(), rig.driver.head
        with pytest.raises(StateConflictError):
            await rig.driver.ask("c2", Submit("a", job("other")))
        assert rig.machine.state.digest() == before
        assert rig.journal.head() == head


async def test_the_same_id_is_answered_and_not_done_twice(path: Path) -> None:
    async with running(path) as rig:
        first = await rig.driver.ask("c1", Submit("a", job()))
        again = await rig.driver.ask("c1", Submit("a", job()))
        assert again.repeated
        assert again.seq == first.seq
        assert not again.entries


async def test_the_same_id_is_recognised_after_a_restart(path: Path) -> None:
    async with running(path) as rig:
        first = await rig.driver.ask("c1", Submit("a", job()))
    async with running(path) as rig:
        assert (await rig.driver.ask("c1", Submit("a", job()))).seq == first.seq


async def test_too_many_that_wait_are_refused(path: Path) -> None:
    async with running(path, inbox_commands=2) as rig:
        rig.journal.open.clear()
        asked = [asyncio.create_task(rig.submit("first"))]
        await moment()
        asked += [asyncio.create_task(rig.submit(f"j{n}")) for n in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(LimitError, match="waiting"):
            await rig.submit("late")
        rig.journal.open.set()
        await asyncio.gather(*asked)
        await rig.submit("later")


async def test_engines_are_never_refused(path: Path) -> None:
    async with running(path, inbox_commands=1) as rig:
        await rig.submit("a")
        rig.journal.open.clear()
        waiting = asyncio.create_task(rig.submit("b"))
        await moment()
        for phase in ("accepted", "running", "done"):
            rig.driver.tell(f"e/{phase}", Report("a.0.1", phase))
        rig.journal.open.set()
        await waiting
        await moment()
        assert rig.machine.state.records.workloads["a"].status == "succeeded"


async def test_a_failed_commit_is_fatal(path: Path) -> None:
    async with running(path) as rig:
        await rig.submit("a")
        rig.effects.clear()
        rig.journal.broken = True
        with pytest.raises(UnavailableError, match="Idempotency-Key"):
            await rig.submit("b")
        assert "disk is full" in rig.driver.failure
        assert rig.effects == []
        with pytest.raises(UnavailableError):
            await rig.submit("c")
        with pytest.raises(UnavailableError):
            await rig.driver.read(lambda state: state.records.seq)
        rig.driver.tell("e", Report("a.0.1", "done"))
        assert rig.driver.backlog == 0
    async with running(path) as rig:
        assert set(rig.machine.state.records.workloads) == {"a"}
        await rig.submit("b")


async def test_those_who_wait_when_it_fails_are_told(path: Path) -> None:
    async with running(path, batch_commands=1) as rig:
        rig.journal.open.clear()
        asked = [asyncio.create_task(rig.submit(f"j{n}")) for n in range(3)]
        await moment()
        rig.journal.broken = True
        rig.journal.open.set()
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(one) for one in found] == [UnavailableError] * 3


class Faulty(Machine):
    """A machine with a fault of ours: before it changes anything, or after."""

    fault = ""

    def handle(self, envelope: Envelope) -> Outcome:
        if self.fault == "before":
            raise ZeroDivisionError("a fault")
        outcome = super().handle(envelope)
        if self.fault == "after":
            raise ZeroDivisionError("a fault")
        return outcome


async def test_a_fault_that_changed_nothing_is_the_callers_bad_luck(path: Path) -> None:
    machine = Faulty()
    async with running(path, machine) as rig:
        machine.fault = "before"
        with pytest.raises(InternalError, match="nothing was changed"):
            await rig.submit("a")
        machine.fault = ""
        await rig.submit("a")


async def test_a_fault_with_entries_already_applied_is_fatal(path: Path) -> None:
    machine = Faulty()
    async with running(path, machine) as rig:
        machine.fault = "after"
        with pytest.raises(UnavailableError):
            await rig.submit("a")
        assert rig.driver.failure
        assert rig.journal.head().seq == 1
    async with running(path) as rig:
        assert not rig.machine.state.records.workloads


async def test_what_is_due_happens_by_itself(path: Path) -> None:
    async with running(path) as rig:
        soon = Instant(system_clock() + 300_000)
        more = INFRASTRUCTURE.replace("nodes: 4}]", f"nodes: 4}}, {{from: '{soon}', nodes: 6}}]")
        await rig.driver.ask("more", read_texts(f"{more}\n---\n{POLICY}").command)
        assert rig.machine.next_due() == soon
        for _ in range(200):
            await asyncio.sleep(0.02)
            if rig.driver.head.seq > 2:
                break
        assert rig.machine.state.records.nodes["oci-h100"] == 6
        assert rig.machine.state.records.at >= soon


class Insistent(Machine):
    """A machine for which something is always due and nothing ever comes of it."""

    woken = 0

    def handle(self, envelope: Envelope) -> Outcome:
        if isinstance(envelope.command, Wake):
            self.woken += 1
            return Outcome()
        return super().handle(envelope)

    def next_due(self) -> Instant | None:
        return Instant(1)


async def test_a_timer_that_brings_nothing_does_not_spin(path: Path) -> None:
    machine = Insistent()
    async with running(path, machine) as rig:
        await asyncio.sleep(0.3)
        await rig.submit("a")
        assert 1 <= machine.woken <= 5


async def test_a_snapshot_after_so_many_entries(path: Path) -> None:
    async with running(path, snapshot_entries=5) as rig:
        for n in range(6):
            await rig.submit(f"j{n}")
        for _ in range(100):
            await asyncio.sleep(0.02)
            if rig.driver.snapshot_seq:
                break
        assert rig.driver.snapshot_seq in rig.journal.snapshots()
        await rig.driver.snapshot()
        assert rig.driver.snapshot_seq == rig.driver.head.seq
        digest = rig.machine.state.digest()
    again = restart(SqliteJournal(path))
    assert again.snapshot
    assert again.state.state.digest() == digest


async def test_stopping_finishes_what_is_in_hand(path: Path) -> None:
    async with running(path) as rig:
        rig.journal.open.clear()
        asked = [asyncio.create_task(rig.submit(f"j{n}")) for n in range(5)]
        await moment()
        rig.driver.stop()
        rig.journal.open.set()
        assert len(await asyncio.gather(*asked)) == 5
        with pytest.raises(UnavailableError):
            await rig.submit("late")


async def test_a_caller_who_went_away_is_no_trouble(path: Path) -> None:
    async with running(path) as rig:
        rig.journal.open.clear()
        asked = asyncio.create_task(rig.submit("a"))
        await moment()
        asked.cancel()
        rig.journal.open.set()
        await rig.submit("b")
        assert set(rig.machine.state.records.workloads) == {"a", "b"}


async def test_entries_are_stamped_in_order_whatever_the_clock_does(path: Path) -> None:
    times = iter([*range(5_000_000, 5_000_010), *([100] * 1_000)])
    journal = Slow(path)
    entries: list[Entry] = []
    driver = Driver(Machine(), journal, unheard, lambda: Instant(next(times)), Limits())
    loop = asyncio.create_task(driver.run())
    for n in range(20):
        entries += (await driver.ask(f"f{n}", DeclareFact(WorldFact("x", n, Instant(1))))).entries
    assert [entry.at for entry in entries] == sorted({entry.at for entry in entries})
    assert all(type(entry.fact) is FactDeclared for entry in entries)
    driver.stop()
    await loop
    journal.close()
