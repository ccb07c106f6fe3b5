"""Attempts: what one execution did, and its output."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from litestar.params import QueryParameter

from stargate.base.time import Instant
from stargate.broker import Ground, State
from stargate.broker.records import AttemptState
from stargate.broker.recover import cost_so_far
from stargate.broker.spans import from_spans
from stargate.engines.engine import LOG_PAGE_LIMIT, Progress
from stargate.server.access import not_found
from stargate.server.api.page import Id
from stargate.server.api.route import Here, reading
from stargate.server.fleet import Fleet

_OFFSET_LIMIT = 1 << 48
_CONTINUATION = range(0x80, 0xC0)
_LEADS = {2: range(0xC2, 0xE0), 3: range(0xE0, 0xF0), 4: range(0xF0, 0xF5)}
"""Bytes that begin a character of so many bytes."""


class AttemptView(msgspec.Struct, frozen=True, omit_defaults=True):
    """One execution of one slot on one placement."""

    id: str
    slot: int
    number: int
    status: str
    provider: str
    pool: str
    supply: str
    """The pool or lease that it is charged to."""
    nodes: tuple[int, ...]
    chips: int
    price_micro_usd_per_chip_hour: int
    placed_at: Instant
    placed_seq: int
    """The journal entry of the decision: `GET /v1/explain/{seq}` gives every candidate."""
    accepted_at: Instant | None = None
    started_at: Instant | None = None
    ended_at: Instant | None = None
    expected_end: Instant | None = None
    first_step: int | None = None
    last_step: int | None = None
    checkpoint_step: int | None = None
    stop_reason: str = ""
    outcome: str = ""
    failure: str = ""
    detail: str = ""
    cost_micro_usd: int = 0
    metrics: dict[str, Decimal] = {}
    progress: Progress | None = None
    """What the program says, and the engine believes."""
    grounds: tuple[Ground, ...] = ()
    """Why it was placed there."""


class LogText(msgspec.Struct, frozen=True):
    """A piece of output."""

    attempt: str
    text: str
    """Bytes that are no UTF-8 are replaced."""
    next_offset: int
    """Where to read on, in bytes."""
    ended: bool
    """The attempt is over and this was the end of its output."""


@reading("/v1/attempts/{id:str}/logs", "logs.read")
async def read_logs(
    house: Here,
    id: Id,
    rank: Annotated[
        int | None, QueryParameter(ge=0, le=1_000_000, description="One rank; without it all ranks in one.")
    ] = None,
    offset: Annotated[
        int, QueryParameter(ge=0, le=_OFFSET_LIMIT, description="In bytes, from the beginning.")
    ] = 0,
    limit: Annotated[int, QueryParameter(ge=16, le=LOG_PAGE_LIMIT, description="Most bytes.")] = 65_536,
) -> LogText:
    """Output of an attempt, also while it runs: read on from `next_offset`."""

    def find(state: State) -> tuple[str, bool]:
        attempt = state.records.attempts.get(id)
        if attempt is None:
            raise not_found("attempt", id)
        return attempt.pool, attempt.status == "ended"

    pool, ended = await house.driver.read(find)
    page = await house.fleet.logs(id, pool, rank, offset, limit)
    data = page.data
    if len(data) >= limit:
        data = data[: len(data) - _partial(data)]
    return LogText(
        attempt=id,
        text=data.decode(errors="replace"),
        next_offset=offset + len(data),
        ended=ended and len(page.data) < limit,
    )


def _partial(data: bytes) -> int:
    """How many bytes at the end are the beginning of a UTF-8 character whose rest comes later."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte not in _CONTINUATION:
            wanted = next((size for size, leads in _LEADS.items() if byte in leads), 1)
            return back if wanted > back else 0
    return 0


def view_attempts(fleet: Fleet, attempts: Sequence[AttemptState], now: Instant) -> tuple[AttemptView, ...]:
    """For people, without the grounds, which are in the journal."""
    return tuple(_view(fleet, attempt, now) for attempt in attempts)


def _view(fleet: Fleet, attempt: AttemptState, now: Instant) -> AttemptView:
    over = attempt.status == "ended"
    return AttemptView(
        id=attempt.id,
        slot=attempt.slot,
        number=attempt.number,
        status=attempt.status,
        provider=attempt.provider,
        pool=attempt.pool,
        supply=attempt.supply,
        nodes=attempt.nodes or from_spans(attempt.stood_on),
        chips=attempt.chips,
        price_micro_usd_per_chip_hour=attempt.price_micro_usd_per_chip_hour,
        placed_at=attempt.placed_at,
        placed_seq=attempt.placed_seq,
        accepted_at=attempt.accepted_at,
        started_at=attempt.started_at,
        ended_at=attempt.ended_at,
        expected_end=None if over else attempt.expected_end,
        first_step=attempt.first_step,
        last_step=attempt.last_step,
        checkpoint_step=attempt.checkpoint_step,
        stop_reason=attempt.stop_reason or "",
        outcome=attempt.outcome,
        failure=attempt.failure or "",
        detail=attempt.detail,
        cost_micro_usd=attempt.cost_micro_usd if over else cost_so_far(attempt, now),
        metrics=dict(attempt.metrics),
        progress=fleet.progress(attempt.id, attempt.pool),
    )


ROUTES: tuple[Any, ...] = (read_logs,)
