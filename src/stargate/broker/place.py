"""Placement: the best permitted supply for a slot, or why there is none.

Candidates pass the filters, then the cheapest wins: marginal cost over the expected run, plus what moving data and
checkpoints costs. Supplies come in order of marginal price, so the search stops as soon as no later one can win.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from stargate.base.ids import attempt_id
from stargate.base.money import cost_micro_usd, format_usd, micro_usd
from stargate.base.time import Instant
from stargate.broker.ask import expected_end
from stargate.broker.fact import Placed
from stargate.broker.filters import Refusal, refuse_share
from stargate.broker.ground import Ground
from stargate.broker.verdicts import verdict

if TYPE_CHECKING:
    from stargate.broker.ask import Ask, Option
    from stargate.broker.permits import Permit
    from stargate.broker.pricelist import PriceList
    from stargate.broker.records import Slot
    from stargate.broker.reserve import Reservation
    from stargate.broker.state import State
    from stargate.broker.supply import Supply, SupplyClass

    Allowed = list[tuple[str, Permit]]
    """Chips that will do, and who is let in to each."""


class Choice(msgspec.Struct, frozen=True, gc=False):
    """Where a slot goes."""

    option: Option
    supply: Supply
    nodes: tuple[int, ...]
    score: int
    """Micro-USD; lower is better."""
    loose: bool
    """A preferred topology is missed."""
    late: bool = False
    """Sized work would miss its deadline here."""

    def better_than(self, other: Choice | None) -> bool:
        """In time first; then cheaper; then the preferred topology; then fewer chip-hours; then a stable order."""
        return other is None or self.rank < other.rank

    @property
    def rank(self) -> tuple[bool, int, bool, int, int, str]:
        """What choices are compared by; the least is the best."""
        supply = self.supply
        return (self.late, self.score, self.loose, self.option.use, supply.marginal, supply.id)


class Survey(msgspec.Struct, gc=False):
    """What a search found: the choice, the runner-up, who was busy, who was out and why."""

    choice: Choice | None = None
    runner_up: Choice | None = None
    busy: list[tuple[Option, Supply]] = []
    """Passed every filter, but has too little free at the moment (at most BUSY_LIMIT are kept)."""
    refusals: dict[tuple[str, str, str], int] = {}
    """(filter, sentence, clause) to how many offers it excluded."""

    def refuse(self, refusal: Refusal, offers: int = 1) -> None:
        """Count an exclusion."""
        key = (refusal.filter, refusal.says, refusal.clause)
        self.refusals[key] = self.refusals.get(key, 0) + offers

    def grounds(self) -> tuple[Ground, ...]:
        """The reasons in a sentence each; the commonest exclusions, clauses first."""
        said: list[Ground] = []
        if self.choice is not None:
            said.append(Ground(self._winner(self.choice)))
        if not self.refusals:
            return tuple(said)
        ranked = sorted(self.refusals.items(), key=lambda item: (item[0][2] == "", -item[1], item[0]))
        for (_, says, clause), offers in ranked[:GROUNDS_LIMIT]:
            count = "1 offer" if offers == 1 else f"{offers} offers"
            said.append(Ground(f"{count} excluded: {says}", clause))
        return tuple(said)

    def _winner(self, choice: Choice) -> str:
        supply = choice.supply
        paid = _PAID.get(supply.kind.tenure)
        if paid is None and supply.price and not supply.marginal:
            paid = f"committed spend under {supply.kind.agreement}, owed whether used or not:"
        price = f"{format_usd(supply.price)} a chip-hour" if paid is None else f"{paid} capacity"
        text = f"{supply.kind.provider}/{supply.pool} is the cheapest permitted: {price}{_extent(choice)}"
        if self.runner_up is not None:
            other = self.runner_up
            text += (
                f", {format_usd(choice.score)} for the run against {format_usd(other.score)}"
                f" on {other.supply.kind.provider}/{other.supply.pool}{_extent(other)}"
            )
        return text


def _extent(choice: Choice) -> str:
    """Of sized work: how many chips and how long, as these differ from place to place."""
    option = choice.option
    if option.size is None or not option.size.duration:
        return ""
    late = ", too late" if choice.late else ""
    return f" ({option.gang_chips:,} chips for {option.duration.brief()}{late})"


_PAID = {"owned": "owned", "reserved": "already paid", "market": "leased"}
GROUNDS_LIMIT = 8
BUSY_LIMIT = 64


def place(state: State, ask: Ask, at: Instant, reservation: Reservation | None = None) -> Survey:
    """Search without the providers that failed this work lately; with them if nothing else can serve.

    A replica does not wait for other places to become free: what is there is taken by services, which do not end.
    """
    survey = _search(state, ask, at, reservation)
    if survey.choice is None and ask.avoid and (not survey.busy or ask.workload.kind == "serve"):
        return _search(state, forgiving(ask), at, reservation)
    return survey


def forgiving(ask: Ask) -> Ask:
    """The same wish, with no provider to pass over."""
    return replace(ask, avoid=())


def placed(
    ask: Ask, number: int, slot: Slot, choice: Choice, at: Instant, grounds: tuple[Ground, ...] = ()
) -> Placed:
    """The fact that slot `number` goes where the choice says."""
    return Placed(
        attempt=attempt_id(ask.workload_id, number, slot.number + 1),
        workload=ask.workload_id,
        slot=number,
        number=slot.number + 1,
        supply=choice.supply.id,
        pool=choice.supply.pool,
        provider=choice.supply.kind.provider,
        nodes=choice.nodes,
        chips_per_node=choice.option.chips_per_node,
        price_micro_usd_per_chip_hour=choice.supply.price,
        expected_end=expected_end(at, ask, choice.option),
        score_micro_usd=choice.score,
        grounds=grounds,
    )


def _search(state: State, ask: Ask, at: Instant, reservation: Reservation | None) -> Survey:
    survey = Survey()
    asked: list[tuple[Option, Allowed]] = []
    for option in ask.options:
        known = state.verdicts.of(state, ask, option)
        late, permits = at >= option.late_from, permits_of(state, ask, option, at)
        asked.append((option, permits))
        for supply in _roomy(state, option, permits, survey):
            best, second = survey.choice, survey.runner_up
            if best is not None:
                cost = _base_cost(option, supply)
                if (best.late, best.score) < (late, cost):
                    break
                if (
                    second is not None
                    and second.option is option
                    and second.score <= cost
                    and not second.loose
                ):
                    break  # what comes later costs as much at least, and stands behind where it costs as much
            refusal = refuse_share(state, option, supply.kind) or verdict(
                state, ask, option, supply, at, known
            )
            if refusal is not None:
                survey.refuse(refusal)
                continue
            _consider(state, ask, option, supply, at, reservation, survey)
        if ask.workload.ordered and survey.choice is not None and not survey.choice.late:
            break
    if survey.choice is None:
        # Behind the first in line nobody asks where a busy place will be free, unless a deadline has to be met.
        brief = reservation is not None and ask.workload.deadline is None
        _find_busy(state, ask, at, survey, 1 if brief else BUSY_LIMIT, asked)
    return survey


def _find_busy(
    state: State,
    ask: Ask,
    at: Instant,
    survey: Survey,
    limit: int,
    asked: list[tuple[Option, Allowed]],
) -> None:
    """Where the gang may stand and has no room now, cheapest first."""
    for option, permits in asked:
        known = state.verdicts.of(state, ask, option)
        for supply in _in_price_order(state, permits, 0):
            refusal = refuse_share(state, option, supply.kind) or verdict(
                state, ask, option, supply, at, known
            )
            if refusal is None:
                survey.busy.append((option, supply))
                if len(survey.busy) == limit:
                    return
            elif state.nodes[supply.pool].free_chips < option.gang_chips:
                survey.refuse(refusal)  # the others were looked at


def least_marginals(state: State, ask: Ask, at: Instant) -> Iterator[tuple[Option, int]]:
    """Of each alternative for which there may be room: for less by the chip-hour no supply that is let in has it."""
    anywhere = forgiving(ask) if ask.avoid else ask
    for option in ask.options:
        for supply in _in_price_order(state, permits_of(state, anywhere, option, at), option.gang_chips):
            yield option, supply.marginal
            break


def _roomy(state: State, option: Option, permits: Allowed, survey: Survey) -> Iterable[Supply]:
    """Supplies of the right chip whose class is let in and whose pool has enough chips free, cheapest first."""
    offered = False
    for chip, permit in permits:
        offered = offered or bool(state.supplies.classes.get(chip))
        for refusal, offers in permit.counts:
            survey.refuse(refusal, offers)
    if not offered and option.resources.chip is not None:
        survey.refuse(Refusal("chip", f"no held capacity has the chip {option.resources.chip}"), 0)
    return _in_price_order(state, permits, option.gang_chips)


def permits_of(state: State, ask: Ask, option: Option, at: Instant) -> Allowed:
    """The chips that will do, and who is let in to each."""
    chips = option.chips or tuple(state.supplies.by_chip)
    return [(chip, state.permits.of(state, ask, option, chip, at)) for chip in chips]


def _in_price_order(state: State, permits: Allowed, free_chips: int) -> Iterable[Supply]:
    """Supplies whose class is let in and whose pool has so much free, cheapest first."""
    by_chip = state.supplies.by_chip
    streams = [
        let_in(by_chip[chip], permit, free_chips) for chip, permit in permits if not permit.all_refused
    ]
    if len(streams) == 1:
        return streams[0]
    return heapq.merge(*streams, key=lambda supply: (supply.marginal, supply.id))


def let_in(listed: PriceList, permit: Permit, free_chips: int) -> Iterator[Supply]:
    """Supplies of one chip whose class is let in and whose pool has so much free, cheapest first."""
    supplies, refused = listed.supplies, permit.refused
    if free_chips <= 0:
        yield from [supply for supply in supplies if supply.kind not in refused]
        return
    at = listed.roomy(0, free_chips)
    while at >= 0:
        supply = supplies[at]
        if supply.kind not in refused:
            yield supply
        at = listed.roomy(at + 1, free_chips)


def _consider(
    state: State,
    ask: Ask,
    option: Option,
    supply: Supply,
    at: Instant,
    reservation: Reservation | None,
    survey: Survey,
) -> None:
    choice = fit(state, ask, option, supply, at)
    if choice is None:
        survey.refuse(Refusal("capacity", f"{supply.kind.provider}/{supply.pool} has too little free now"))
        return
    refusal = None if reservation is None else reservation.refuse(ask, option, supply, choice.nodes, at)
    if refusal is not None:
        survey.refuse(refusal)
    elif choice.better_than(survey.choice):
        survey.runner_up, survey.choice = survey.choice, choice
    elif choice.better_than(survey.runner_up):
        survey.runner_up = choice


def fit(state: State, ask: Ask, option: Option, supply: Supply, at: Instant) -> Choice | None:
    """The gang's nodes on this supply, all or none, as they are free now."""
    spare = supply.spare
    if spare is not None and spare < option.gang_chips:
        return None
    topology = ask.workload.topology
    nodes = state.nodes[supply.pool]
    count = option.nodes
    found = None
    if "block" in (topology.required, topology.preferred):
        found = nodes.find(count, option.chips_per_node, "block")
    loose = found is None
    if found is None and topology.required != "block":
        found = nodes.find(count, option.chips_per_node)
    if found is None:
        return None
    score = _base_cost(option, supply) + move_cost(state, ask, supply.kind)
    late = at >= option.late_from
    return Choice(option, supply, found, score, loose and topology.preferred == "block", late)


def _base_cost(option: Option, supply: Supply) -> int:
    """What the whole run adds: price x chips x its time on these chips, so that unlike chips compare."""
    return cost_micro_usd(supply.marginal, option.gang_chips, option.duration)


def move_cost(state: State, ask: Ask, kind: SupplyClass) -> int:
    """What it costs to bring inputs and checkpoint to a place: size x the source's egress price."""
    if not ask.workload.inputs and not ask.moves_from:
        return 0
    total = Decimal(0)
    for data in ask.workload.inputs:
        if data.site and data.site != kind.site:
            total += data.size_gib * state.egress_usd_per_gib(site=data.site)
    if ask.moves_from and ask.moves_from != kind.provider and ask.workload.checkpoint is not None:
        total += ask.workload.checkpoint.size_gib * state.egress_usd_per_gib(provider=ask.moves_from)
    return micro_usd(total)
