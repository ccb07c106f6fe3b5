"""A small world to decide in: three providers, a few pools, and a machine that is checked after every command."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from stargate.agreements import Agreement
from stargate.base.time import HOUR, MINUTE, Duration, Instant
from stargate.broker import Envelope, Machine, Outcome, Policy, State
from stargate.broker.command import Command, Declare, Report, Submit
from stargate.broker.invariants import violations
from stargate.broker.policy import SourcingPolicy
from stargate.catalog import Infrastructure
from stargate.catalog.dated import DatedCount, Price
from stargate.catalog.party import Party, Provider
from stargate.catalog.pool import EngineRef, Pool
from stargate.catalog.site import Site
from stargate.workloads import Checkpoint, Resources, Workload

START = Instant.parse("2026-01-01")
PROVIDERS = {"azure": "microsoft", "oracle": "oracle-co", "aws": "amazon"}
SITES = {"wi": "US-WI", "tx": "US-TX", "no": "NO-18"}


def pool(name: str, provider: str = "azure", site: str = "tx", **changes: Any) -> Pool:
    """A pool of 4 nodes x 8 H100, on demand at $2, unless said otherwise."""
    nodes = changes.pop("nodes", 4)
    price = changes.pop("price", "2")
    tenure = changes.pop("tenure", "on_demand")
    fields: dict[str, Any] = {
        "id": name,
        "provider": provider,
        "site": site,
        "chip": "H100-SXM",
        "engine": EngineRef(kind="local"),
        "chips_per_node": 8,
        "block_nodes": 4,
        "tenure": tenure,
        "nodes": (DatedCount(nodes=nodes, from_=Instant(0)),),
        "prices": (Price(usd_per_chip_hour=Decimal(price), from_=Instant(0)),),
        "agreement": "held" if tenure == "reserved" else None,
    }
    return Pool(**(fields | changes))


def infrastructure(*pools: Pool) -> Infrastructure:
    """The given pools at the providers and sites of this world."""
    return Infrastructure(
        parties=tuple(Party(id=party) for party in ("lab", *PROVIDERS.values())),
        providers=tuple(Provider(id=name, party=party) for name, party in PROVIDERS.items()),
        sites=tuple(Site(id=name, jurisdiction=code) for name, code in SITES.items()),
        pools=pools,
    )


def work(name: str = "job", nodes: int = 1, **changes: Any) -> Workload:
    """A training run of one hour on whole nodes, saving checkpoints, unless said otherwise."""
    resources: dict[str, Any] = {"chip": "H100", "chips_per_node": 8} | {
        key: changes.pop(key)
        for key in ("chip", "chips_per_node", "provider", "site", "pool", "max_usd_per_chip_hour")
        if key in changes
    }
    fields: dict[str, Any] = {
        "name": name,
        "kind": "train",
        "nodes": nodes,
        "alternatives": (Resources(**resources),),
        "time_limit": Duration(1 * HOUR),
        "checkpoint": Checkpoint(path="ckpt"),
    }
    return Workload(**(fields | changes))


class Bench:
    """A machine with a clock in hand. After every command the invariants hold, or the test fails."""

    def __init__(
        self, *pools: Pool, policy: Policy | None = None, agreements: tuple[Agreement, ...] = ()
    ) -> None:
        self.machine = Machine()
        self.now = START
        self.facts: list[Any] = []
        self.effects: list[Any] = []
        self._count = 0
        self.entries: list[Any] = []
        self.do(Declare(infrastructure(*pools), agreements, policy or Policy(lab="lab")))

    @property
    def state(self) -> State:
        """The machine's state."""
        return self.machine.state

    def do(self, command: Command, name: str = "") -> Outcome:
        """Handle a command now; remember what came of it."""
        self._count += 1
        outcome = self.machine.handle(Envelope(name or f"c{self._count}", self.now, command))
        self.facts = [entry.fact for entry in outcome.entries]
        self.entries += outcome.entries
        self.effects = list(outcome.effects)
        assert violations(self.state) == []
        return outcome

    def submit(self, workload: Workload, name: str = "") -> None:
        """Submit under the workload's own name."""
        self.do(Submit(name or workload.name, workload, "tester"))

    def report(self, attempt: str, phase: Any, **said: Any) -> None:
        """What the engine says."""
        self.do(Report(attempt, phase, **said))

    def run(self, attempt: str) -> None:
        """Accepted and running."""
        self.report(attempt, "accepted")
        self.report(attempt, "running", step=1)

    def wait(self, duration: int = MINUTE) -> None:
        """Time passes; nothing wakes by itself."""
        self.now = self.now.plus(duration)

    def where(self, workload: str, slot: int = 0) -> str:
        """The pool that a slot runs on; empty if it waits."""
        holder = self.state.records.workloads[workload]
        held = holder.slots[slot]
        return self.state.records.attempts[held.attempt].pool if held.status == "placed" else ""

    def of(self, kind: type) -> list[Any]:
        """Facts of one kind that the last command caused."""
        return [fact for fact in self.facts if type(fact) is kind]

    def replayed(self) -> State:
        """The state that the entries alone give."""
        machine = Machine()
        for entry in self.entries:
            machine.apply(entry)
        return machine.state


def policy(**changes: Any) -> Policy:
    """Held capacity only, unless sourcing is asked for."""
    fields: dict[str, Any] = {"lab": "lab", "sourcing": SourcingPolicy(automatic=False)}
    return Policy(**(fields | changes))


def _listed(groups: Mapping[Any, Mapping[str, object]]) -> list[tuple[Any, list[str]]]:
    return [(group, sorted(held)) for group, held in sorted(groups.items()) if held]


def derived(state: State) -> dict[str, Any]:
    """Every index of a state, as plain data: two states with the same records must agree in all of it."""
    return {
        "queue": state.queue,
        "live": sorted(state.live),
        "live_on": {pool: sorted(live) for pool, live in sorted(state.live_on.items()) if live},
        "stopping": sorted(state.stopping),
        "lost_on": {pool: sorted(lost) for pool, lost in sorted(state.lost_on.items()) if lost},
        "teams": {team: chips for team, chips in sorted(state.team_chips.items()) if chips},
        "tally": {pool: groups for pool in sorted(state.nodes) if (groups := state.tally.groups(pool))},
        "on_pools": {pool: _listed(state.tally.on_pool(pool)) for pool in sorted(state.nodes)},
        "of_teams": [
            (team, listed)
            for team, groups in sorted(state.tally.teams.items())
            if (listed := _listed(groups))
        ],
        "providers": {name: chips for name, chips in sorted(state.provider_chips.items()) if chips},
        "spent_up": state.spent_up,
        "counts": (state.chips_in_use, state.open_workloads, state.held_chips(), state.nominal_chips),
        "nodes": {
            pool: (nodes.nodes, nodes.free_nodes, nodes.free_chips, nodes.used_nodes)
            for pool, nodes in sorted(state.nodes.items())
        },
        "supplies": {
            name: (s.pool, s.kind, s.price, s.marginal, s.chips, s.used, s.until)
            for name, s in sorted(state.supplies.by_id.items())
        },
        "listed": {
            chip: (listed.keys, listed.most_free(), state.supplies.classes[chip])
            for chip, listed in state.supplies.by_chip.items()
            if listed.keys
        },
    }
