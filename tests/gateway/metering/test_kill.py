"""Kill a worker that writes, and take the room from another: what was acknowledged is there, once, in order."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stargate.base.errors import SpoolError
from stargate.gateway.metering import ShipLimits, Shipper, Spool
from stargate.gateway.metering.epoch import segments
from stargate.gateway.record import Admitted
from tests.gateway.metering.making import (
    BEGIN,
    Receiver,
    admission,
    attempt,
    nobody,
    only,
    opened,
    records,
    settlement,
    whole,
)

KILLS = int(os.environ.get("STARGATE_KILLS", "6"))
SEED = int(os.environ.get("STARGATE_SEED", "1"))


def told(folder: Path, writers: int, lines: int, limit_bytes: int = 0) -> list[str]:
    """What a worker told; after so many lines it was killed, if it still lived."""
    command = [
        sys.executable,
        "-m",
        "tests.gateway.metering.writer",
        str(folder),
        str(writers),
        str(limit_bytes),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        got = [line for _, line in zip(range(lines), worker.stdout, strict=False)]
        worker.kill()
        got += worker.stdout.readlines()
    return [line.decode().strip() for line in got if line.endswith(b"\n")]


def held(epoch: Path, lines: list[str]) -> tuple[int, int]:
    """Hold an epoch to what was acknowledged; how many admissions and settlements it has."""
    found = records(epoch)
    settled = whole(found)
    admitted = {record.seq for record in found if isinstance(record, Admitted)}
    acknowledged = [line.split() for line in lines if line[1:2] == " "]
    assert len({tuple(each) for each in acknowledged}) == len(acknowledged), "a number was given out twice"
    assert {int(seq) for kind, seq in acknowledged if kind == "a"} <= admitted
    assert {int(seq) for kind, seq in acknowledged if kind == "s"} <= settled.keys()
    return len(admitted), len(settled)


@pytest.mark.parametrize("kill", range(KILLS))
def test_what_a_killed_worker_acknowledged_is_there(tmp_path: Path, kill: int) -> None:
    chance = random.Random(SEED * 1_000 + kill)
    writers = chance.choice((1, 3, 16, 64))
    lines = told(tmp_path, writers, chance.randint(1, 60 * writers))
    admitted, settled = held(only(tmp_path), lines)
    # Beyond what was told there is at most what each writer had in hand.
    assert admitted - settled <= writers
    assert settled <= sum(line.startswith("s ") for line in lines) + writers


def test_a_full_disk_refuses_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    lines = told(tmp_path, 16, 1_000_000, limit_bytes=20_011)
    assert lines[-1] == "closed"
    assert "room" in lines, "it was never refused"
    room = lines.index("room")
    assert sum(line.startswith("a ") for line in lines[room:]) > 100
    admitted, settled = held(only(tmp_path), lines)
    assert admitted == settled, "what could not be settled at once was settled later"
    assert len(segments(only(tmp_path))) > 1


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def fill(spool: Spool, says: str) -> list[int]:
    """Admit until that is refused; the numbers that are on disk."""
    seqs: list[int] = []
    try:
        while True:
            seq = spool.number()
            await spool.write(admission(seq))
            seqs.append(seq)
    except SpoolError as error:
        assert says in str(error)  # noqa: PT017 - how often it goes well is not known
    return seqs


@pytest.mark.anyio
async def test_a_disk_without_room(tiny: Path) -> None:
    spool = opened(tiny / "spool", free_bytes=0)
    seqs = await fill(spool, "No space left on device")
    assert len(seqs) > 10
    with pytest.raises(SpoolError, match="No space left on device"):
        await asyncio.gather(*(spool.write(settlement(seq, said=b"x" * 2_000)) for seq in seqs))
    with pytest.raises(SpoolError, match=r"no epoch can be begun .* No space left"):
        opened(tiny / "spool")
    await asyncio.to_thread(subprocess.run, ["mount", "-o", "remount,size=8m", str(tiny)], check=True)
    assert await attempt(spool) == len(seqs) + 1
    await spool.close()
    assert len(whole(records(only(tiny / "spool")))) == len(seqs) + 1


@pytest.mark.anyio
async def test_room_is_left_for_what_must_be_settled_and_remembered(tiny: Path) -> None:
    spool = opened(tiny / "spool", free_bytes=40_000)
    seqs = await fill(spool, "bytes are free on its disk, and 40,000 are left")
    assert len(seqs) > 10
    await asyncio.gather(*(spool.write(settlement(seq)) for seq in seqs))
    receiver = Receiver()
    ships = Shipper(tiny / "spool", receiver.send, nobody, lambda: BEGIN, ShipLimits(grace_s=0))
    await ships.ship()
    assert not (await ships.backlog()).troubles
    assert len(receiver.kept()) == len(seqs)
    await spool.close()
