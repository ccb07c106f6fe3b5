"""Why here and not there: every candidate of a decision with its score, or the filter or clause that excluded it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from stargate.base.errors import NotFoundError
from stargate.base.time import Duration, Instant
from stargate.broker import quota
from stargate.broker.ask import Ask, Option, ask_of, least_chips
from stargate.broker.budget import over_budget
from stargate.broker.filters import Refusal, refuse_class, refuse_share, refuse_supply
from stargate.broker.ground import Ground
from stargate.broker.place import Choice, fit, forgiving

if TYPE_CHECKING:
    from stargate.broker.state import State
    from stargate.broker.supply import Supply


class Candidate(msgspec.Struct, frozen=True, omit_defaults=True):
    """One supply, seen for one alternative of the work."""

    supply: str
    pool: str
    provider: str
    site: str
    chip: str
    tenure: str
    verdict: Literal["best", "possible", "busy", "excluded"]
    price_micro_usd_per_chip_hour: int
    score_micro_usd: int | None = None
    nodes: int = 0
    """Of the gang, where stated work was sized; 0: as the workload says."""
    chips: int = 0
    """The same, of all its nodes."""
    duration: Duration | None = None
    """Expected run time there, and the range in which 8 of 10 such runs lie; None: not known."""
    shortest: Duration | None = None
    longest: Duration | None = None
    memory_bytes: int = 0
    """Needed per chip."""
    energy_kwh: int = 0
    binds: str = ""
    """What the time is mostly spent on."""
    late: bool = False
    """It would miss the deadline."""
    filter: str = ""
    says: str = ""
    clause: str = ""


class Explanation(msgspec.Struct, frozen=True):
    """The whole answer for one slot at one moment."""

    workload: str
    slot: int
    at: Instant
    summary: str
    candidates: tuple[Candidate, ...]
    """Best first, then possible by score, busy, excluded."""
    grounds: tuple[Ground, ...] = ()


def explain(state: State, workload: str, slot: int, at: Instant) -> Explanation:
    """Judge every supply, and every pool that would have to be sourced first. Raises NotFoundError."""
    holder = state.workload(workload)
    if not 0 <= slot < len(holder.slots):
        raise NotFoundError(
            f"{workload} has no slot {slot}", f"it has {len(holder.slots)}; the first is slot 0"
        )
    ask = ask_of(state, holder, holder.slots[slot])
    candidates = _candidates(state, ask, at)
    served = {"best"} if ask.workload.kind == "serve" else {"best", "busy"}
    if ask.avoid and not any(c.verdict in served for c in candidates):
        # Providers that failed it are passed over only while others can serve.
        candidates = _candidates(state, forgiving(ask), at)
    candidates += _unsourced(state)
    spent = over_budget(state, holder, holder.slots[slot], at)
    summary = _summary(state, ask, candidates) if spent is None else spent.says
    return Explanation(workload, slot, at, summary, tuple(candidates), () if spent is None else (spent,))


def _candidates(state: State, ask: Ask, at: Instant) -> list[Candidate]:
    judged: list[tuple[int, int, str, Candidate]] = []
    best: Choice | None = None
    for option in ask.options:
        first = best  # of an earlier alternative: where they are ordered, it stays the best
        for supply in state.supplies.by_id.values():
            candidate, choice = _judge(state, ask, option, supply, at)
            settled = ask.workload.ordered and first is not None and not first.late
            if choice is not None and not settled and choice.better_than(best):
                best = choice
            judged.append((_RANK[candidate.verdict], candidate.score_micro_usd or 0, supply.id, candidate))
    judged.sort(key=lambda item: (item[0], item[3].late, *item[1:3]))
    if ask.workload.sizes:
        # A place is shown once, with the size that suits it best.
        judged = list({item[2]: item for item in reversed(judged)}.values())[::-1]
    candidates = [candidate for *_, candidate in judged]
    marked = next((n for n, c in enumerate(candidates) if best is not None and _is(c, best)), None)
    if marked is not None:
        winner = msgspec.structs.replace(candidates.pop(marked), verdict="best")
        candidates.insert(0, winner)
    return candidates


_RANK = {"best": 0, "possible": 1, "busy": 2, "excluded": 3}


def _is(candidate: Candidate, choice: Choice) -> bool:
    return (
        candidate.verdict == "possible"
        and candidate.supply == choice.supply.id
        and candidate.score_micro_usd == choice.score
    )


def _judge(
    state: State, ask: Ask, option: Option, supply: Supply, at: Instant
) -> tuple[Candidate, Choice | None]:
    refusal: Refusal | None
    if option.chips and supply.chip not in option.chips:
        refusal = Refusal("chip", f"it has {supply.chip}; the work wants {' or '.join(option.chips)}")
    else:
        refusal = (
            refuse_class(state, ask, option, supply.kind, supply.chip, at)
            or refuse_share(state, option, supply.kind)
            or refuse_supply(state, ask, option, supply, at)
        )
    if refusal is not None:
        return _candidate(supply, option, at, "excluded", None, refusal), None
    choice = fit(state, ask, option, supply, at)
    if choice is None:
        busy = Refusal(
            "capacity", f"{_free(state, supply)} chips are free; the gang wants {option.gang_chips}"
        )
        return _candidate(supply, option, at, "busy", None, busy), None
    return _candidate(supply, option, at, "possible", choice.score, None), choice


def _free(state: State, supply: Supply) -> int:
    free = state.nodes[supply.pool].free_chips
    return free if supply.spare is None else min(free, supply.spare)


def _candidate(
    supply: Supply,
    option: Option,
    at: Instant,
    verdict: Literal["possible", "busy", "excluded"],
    score: int | None,
    refusal: Refusal | None,
) -> Candidate:
    size = option.size if refusal is None or refusal.filter != "chip" else None
    timed = size is not None and size.duration > 0
    return Candidate(
        nodes=0 if size is None else option.nodes,
        chips=0 if size is None else option.gang_chips,
        duration=option.duration if timed else None,
        shortest=size.shortest if size is not None and timed else None,
        longest=size.longest if size is not None and timed else None,
        memory_bytes=0 if size is None else size.memory_bytes,
        energy_kwh=0 if size is None else size.energy_kwh,
        binds="" if size is None else size.binds,
        late=size is not None and at >= option.late_from,
        supply=supply.id,
        pool=supply.pool,
        provider=supply.kind.provider,
        site=supply.kind.site,
        chip=supply.chip,
        tenure=supply.kind.tenure,
        verdict=verdict,
        price_micro_usd_per_chip_hour=supply.price,
        score_micro_usd=score,
        filter=refusal.filter if refusal is not None else "",
        says=refusal.says if refusal is not None else "",
        clause=refusal.clause if refusal is not None else "",
    )


def _unsourced(state: State) -> list[Candidate]:
    leased = {supply.pool for supply in state.supplies.by_id.values()}
    return [
        Candidate(
            supply="",
            pool=pool.id,
            provider=pool.provider,
            site=pool.site,
            chip=pool.chip,
            tenure=pool.tenure,
            verdict="excluded",
            price_micro_usd_per_chip_hour=state.records.prices.get(pool.id, 0),
            filter="tenure",
            says="not held: it must be sourced first, and whoever holds a right of first refusal is asked before",
        )
        for pool in state.catalog_pools.values()
        if pool.tenure == "market" and pool.id not in leased
    ]


def _summary(state: State, ask: Ask, candidates: list[Candidate]) -> str:
    counts = {verdict: sum(c.verdict == verdict for c in candidates) for verdict in _RANK}
    quota_says = quota.over_quota(state, ask.workload.team, least_chips(ask.workload))
    if quota_says is not None:
        return quota_says.says
    if counts["best"]:
        return f"{candidates[0].provider}/{candidates[0].pool} is the best of {counts['possible'] + 1} possible places"
    if counts["busy"] == 1:
        return "1 place would do but is busy"
    if counts["busy"]:
        return f"{counts['busy']} places would do but are busy"
    return f"none of {len(candidates)} places may or can serve it"
