"""What a slot asks for, resolved against the declared world: which chips, how many, for how long."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from stargate.base import wire
from stargate.base.errors import NotFoundError
from stargate.base.money import micro_usd
from stargate.base.time import FOREVER, Duration, Instant

if TYPE_CHECKING:
    from stargate.broker.nodes import Topology
    from stargate.broker.records import Slot, WorkloadState
    from stargate.broker.state import State
    from stargate.workloads import Resources, Size, Workload


class Option(msgspec.Struct, frozen=True, gc=False):
    """One alternative of a workload, ready to be matched."""

    resources: Resources
    chips: tuple[str, ...]
    """Catalog ids of the chips that will do; empty: any chip."""
    chips_per_node: int
    nodes: int
    gang_chips: int
    cap_micro_usd_per_chip_hour: int | None
    duration: Duration
    """Expected run time on these chips: as sized, else the workload's time limit, else what policy assumes."""
    late_from: Instant = FOREVER
    """Started later, sized work misses its deadline."""
    size: Size | None = None
    """What was computed when the work was submitted; None: nothing was."""

    @property
    def use(self) -> int:
        """Chips x time of sized work: what is spared where nothing more is to be paid. 0: nothing was computed."""
        return 0 if self.size is None else self.gang_chips * self.duration

    def ends(self, starts: int) -> int:
        """When a run that starts then should be over."""
        return starts + self.duration


class Ask(msgspec.Struct, frozen=True, gc=False):
    """A slot's wish."""

    workload: Workload
    workload_id: str
    options: tuple[Option, ...]
    budget_micro_usd: int | None
    """What this workload may still cost."""
    avoid: tuple[str, ...]
    """Providers that failed it lately."""
    moves_from: str
    """Provider that holds its checkpoint; empty: none."""

    @property
    def shape(self) -> bytes:
        """Equal shapes get equal answers at the same moment."""
        work = self.workload
        return wire.pack(
            (
                work.alternatives, work.ordered, work.nodes, work.kind, work.team, work.product, work.model,
                work.customer, work.residency, work.time_limit, work.topology, work.checkpoint, work.inputs,
                work.priority, self.budget_micro_usd, self.avoid, self.moves_from, work.sizes,
                work.deadline if work.sizes else None,
            )
        )  # fmt: skip


def ask_of(state: State, holder: WorkloadState, slot: Slot) -> Ask:
    """The wish of one slot now."""
    work = holder.workload
    moves_from = ""
    if slot.checkpoint_step is not None and (last := state.records.attempts.get(slot.attempt)) is not None:
        moves_from = last.provider
    budget = None
    if work.max_cost_usd is not None:
        budget = micro_usd(work.max_cost_usd) - holder.cost_micro_usd
    options = _options(state, work)
    return Ask(
        workload=work,
        workload_id=holder.id,
        options=options,
        budget_micro_usd=budget,
        avoid=slot.avoid,
        moves_from=moves_from,
    )


def resolve_chips(state: State, name: str | None) -> tuple[str, ...]:
    """Catalog ids for a chip as a person wrote it. Unknown names resolve to themselves, and match nothing."""
    if name is None:
        return ()
    try:
        return (state.chip_id(name),)
    except NotFoundError:
        return (name,)


def _options(state: State, work: Workload) -> tuple[Option, ...]:
    """The sizes of stated work, in their order; of other work its alternatives."""
    if work.sizes:
        return tuple([_option(state, work, size.resources, size.nodes, size) for size in work.sizes])
    return tuple([_option(state, work, resources, work.nodes, None) for resources in work.alternatives])


def _option(state: State, work: Workload, resources: Resources, nodes: int, size: Size | None) -> Option:
    # Work without accelerators still occupies a host; it is counted as one chip's share of it, here and above.
    per_node = max(1, resources.chips_per_node)
    cap = resources.max_usd_per_chip_hour
    duration = expected_run(state, work)
    late_from = FOREVER
    if size is not None and size.duration:
        duration = size.duration if work.time_limit is None else min(size.duration, work.time_limit)
        late_from = FOREVER if work.deadline is None else Instant(max(0, work.deadline + 1 - duration))
    return Option(
        resources=resources,
        chips=resolve_chips(state, resources.chip),
        chips_per_node=per_node,
        nodes=nodes,
        gang_chips=per_node * nodes,
        cap_micro_usd_per_chip_hour=None if cap is None else micro_usd(Decimal(cap)),
        duration=duration,
        late_from=late_from,
        size=size,
    )


def least_chips(work: Workload) -> int:
    """Chips of the gang under the alternative that wants fewest."""
    if work.sizes:
        return min([size.nodes * max(1, size.resources.chips_per_node) for size in work.sizes])
    if len(work.alternatives) == 1:
        return work.nodes * max(1, work.alternatives[0].chips_per_node)
    return work.nodes * max(1, min([resources.chips_per_node for resources in work.alternatives]))


def expected_run(state: State, work: Workload) -> Duration:
    """The time limit, or what policy assumes where there is none."""
    return state.records.policy.expected_run if work.time_limit is None else work.time_limit


def required(work: Workload) -> Topology:
    """How close the gang must stand. One pool is what it always gets."""
    return "block" if work.topology.required == "block" else "any"


def expected_end(at: Instant, ask: Ask, option: Option) -> Instant:
    """When an attempt placed now should be over; a replica of a service never is."""
    return FOREVER if ask.workload.kind == "serve" else Instant(min(option.ends(at), FOREVER))
