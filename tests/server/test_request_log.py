"""The log keeps what it was told first, as long as there is room, and loses nothing that it has acknowledged."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from stargate.base.errors import InternalError
from stargate.base.time import DAY, Instant
from stargate.gateway.limits import Returned, Wish
from stargate.gateway.limits.lease import Leasing
from stargate.gateway.record import Tokens
from stargate.server.request_log import TELL_US, Filed, RequestLog, Where, holder
from tests.server.told import WHY, told

pytestmark = pytest.mark.anyio

NOW = Instant.parse("2026-03-02T11:00:00Z")


def filed(seq: int, provider: str = "azure", **changes: object) -> Filed:
    epoch, admitted, settled = told(seq, "k1", **changes)  # type: ignore[arg-type]
    return Filed("gateway:eu", "node-1", epoch, admitted, settled, where=Where(provider))


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[RequestLog]:
    found = RequestLog(tmp_path / "requests.sqlite", rows=100, days=30)
    yield found
    await found.close()


async def test_attempts_of_a_request_in_their_order_with_what_decided(log: RequestLog) -> None:
    given = [filed(2, request="req_a", nth=1), filed(1, request="req_a"), filed(3)]
    assert await log.file(given, (WHY,), NOW) == [(each, True) for each in given]
    assert await log.find("req_a") == ([given[1], given[0]], {WHY.digest: WHY})
    assert await log.find("req_nobody") == ([], {})


async def test_told_again_it_is_as_it_was_told_first(log: RequestLog) -> None:
    first = filed(1)
    await log.file([first], (), NOW)
    again = await log.file([filed(1, "oci"), filed(2, "oci")], (), Instant(NOW + 1))
    assert again == [(first, False), (filed(2, "oci"), True)]
    (other,) = await log.file([filed(1, tokens=Tokens(1, 0, 0, 0))], (), NOW)
    assert other == (first, False), "whoever asks sees that this is not what was told first"


async def test_sources_and_epochs_have_numbers_of_their_own(log: RequestLog) -> None:
    one, other = filed(1), filed(1, epoch="other")
    assert [new for _, new in await log.file([one, other], (), NOW)] == [True, True]


async def test_what_is_on_record_is_there_after_a_restart(log: RequestLog, tmp_path: Path) -> None:
    await log.file([filed(1)], (WHY,), NOW)
    again = RequestLog(tmp_path / "requests.sqlite", rows=100, days=30)
    try:
        assert await again.find("req_1") == ([filed(1)], {WHY.digest: WHY})
    finally:
        await again.close()


async def test_the_oldest_go_when_there_are_too_many(log: RequestLog) -> None:
    for start in range(1, 301, 50):
        await log.file([filed(seq) for seq in range(start, start + 50)], (), NOW)
    kept = [bool((await log.find(f"req_{seq}"))[0]) for seq in (1, 200, 201, 300)]
    assert kept == [False, False, True, True]


async def test_a_batch_larger_than_the_room_is_kept_until_the_next(log: RequestLog) -> None:
    """It is not acknowledged yet, and may have to be told again."""
    given = [filed(seq) for seq in range(1, 151)]
    assert len(await log.file(given, (), NOW)) == 150
    assert [new for _, new in await log.file(given, (), NOW)] == [False] * 150


async def test_what_is_too_old_goes_with_its_reasons(log: RequestLog) -> None:
    await log.file([filed(1)], (WHY,), NOW)
    await log.file([filed(2)], (), Instant(NOW + 29 * DAY))
    await log.file([filed(3)], (), Instant(NOW + 31 * DAY))
    assert (await log.find("req_1"))[0] == []
    assert (await log.find("req_2"))[1] == {WHY.digest: WHY}, "it was named again"
    await log.file([], (), Instant(NOW + 90 * DAY))
    assert await log.find("req_3") == ([], {})


async def test_a_file_that_cannot_be_used_says_so(tmp_path: Path) -> None:
    path = tmp_path / "requests.sqlite"
    path.write_bytes(b"not a database" * 100)
    log = RequestLog(path, rows=10, days=1)
    with pytest.raises(InternalError, match=r"requests\.sqlite"):
        await log.file([filed(1)], (), NOW)
    await log.close()


async def test_nothing_of_a_failed_batch_is_there(log: RequestLog, tmp_path: Path) -> None:
    await log.file([filed(1)], (), NOW)
    with sqlite3.connect(tmp_path / "requests.sqlite") as other:
        other.execute(
            "CREATE TRIGGER stop BEFORE INSERT ON attempt WHEN new.number = 3 BEGIN SELECT raise(ABORT, 'full'); END"
        )
    with pytest.raises(InternalError):
        await log.file([filed(2), filed(3)], (WHY,), NOW)
    assert await log.find("req_2") == ([], {})


def costly(seq: int, node: str = "node-1", source: str = "gateway:eu", lease_us: int = 0) -> Filed:
    found = filed(seq)
    admitted = msgspec.structs.replace(found.admitted, lease_us=lease_us)
    return msgspec.structs.replace(found, admitted=admitted, micro_usd=100, node=node, source=source)


async def left(log: RequestLog, at: Instant, limit: int = 1_000) -> int:
    """What of a budget nobody has spent or holds."""
    for count in range(limit, 0, -1):
        wish = Wish("k1", "money", count)
        (given,) = (await log.lend(Leasing("looks", "s", 1, (wish,)), lambda _: limit, at)).slices
        if given.count:
            back = Returned("k1", "money", given.count, given.given_us)
            await log.lend(Leasing("looks", "s", 2, (), (back,)), lambda _: limit, at)
            return given.count
    return 0


async def test_what_keys_have_spent_counts_once_and_outlives_the_rows(log: RequestLog) -> None:
    for _ in range(2):
        await log.file([costly(1), costly(2), costly(3, "node-2"), costly(4, source="gateway:us")], (), NOW)
    assert await left(log, NOW) == 600
    await log.file([], (), Instant(NOW + 25 * DAY))
    assert await left(log, Instant(NOW + 25 * DAY)) == 600
    assert await left(log, Instant(NOW + 40 * DAY)) == 1_000, "a new month brings a new budget"
    await log.file([], (), Instant(NOW + 90 * DAY))
    assert (await log.find("req_1"))[0] == []


async def test_money_is_leased_until_it_is_told_as_spent(log: RequestLog, tmp_path: Path) -> None:
    """In one step it is the one and no longer the other; what is told twice is so once."""
    wish = Wish("k1", "money", 250)
    (given,) = (
        await log.lend(Leasing(holder("gateway:eu", "node-1"), "s", 1, (wish,)), lambda _: 1_000, NOW)
    ).slices
    assert given.count == 250
    assert await left(log, NOW) == 750
    for _ in range(2):
        await log.file([costly(1, lease_us=given.given_us)], (), NOW)
    assert await left(log, NOW) == 750
    back = Returned("k1", "money", 150, given.given_us)
    for _ in range(2):
        await log.lend(Leasing(holder("gateway:eu", "node-1"), "s", 2, (), (back,)), lambda _: 1_000, NOW)
    assert await left(log, NOW) == 900
    await log.file([costly(2)], (), NOW)
    assert await left(log, NOW) == 800


async def test_leases_of_the_silent_end_but_not_while_nobody_could_be_told(
    log: RequestLog, tmp_path: Path
) -> None:
    """A server that was away for hours gives its hosts time to tell what they have spent."""
    wish = Wish("k1", "money", 250)
    await log.lend(Leasing("silent", "s", 1, (wish,)), lambda _: 1_000, NOW)
    late = Instant(NOW + DAY)
    again = RequestLog(tmp_path / "requests.sqlite", rows=100, days=30)
    try:
        assert await left(again, late) == 750
        assert await left(again, Instant(late + TELL_US)) == 1_000
    finally:
        await again.close()
