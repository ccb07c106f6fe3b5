"""Small scenarios on the fly: a plan without files, and the entries of its play."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stargate.base.time import SECOND, Instant
from stargate.broker import Entry
from stargate.rehearsal.scenario import Plan, load
from stargate.rehearsal.stage import Stage, stage

START = Instant.parse("2026-01-05")
WORLD = """
parties: [{id: lab}, {id: cloudy}, {id: windy}]
providers: [{id: own, party: lab}, {id: cloudy, party: cloudy}, {id: windy, party: windy}]
sites:
- {id: texas, jurisdiction: US-TX, power: [{from: 2025-01-01, power_mw: 1}]}
- {id: ohio, jurisdiction: US-OH}
pools:
- id: home
  provider: own
  site: texas
  chip: H100-SXM
  chips_per_node: 8
  tenure: owned
  nodes: [{from: 2025-01-01, nodes: 4}]
- id: cloud
  provider: cloudy
  site: ohio
  chip: H100-SXM
  chips_per_node: 8
  tenure: on_demand
  nodes: [{from: 2025-01-01, nodes: 2}]
  prices: [{from: 2025-01-01, usd_per_chip_hour: 2}]
"""


def write(folder: Path, scenario: str, world: str = WORLD, policy: str = "{lab: lab}") -> Path:
    """A scenario's file with its world in the same file. `scenario` is what stands below `scenario:`."""
    indented = "".join(f"  {line}\n" for line in scenario.strip("\n").splitlines())
    path = folder / "scenario.yaml"
    path.write_text(f"scenario:\n{indented}---\n{world}\n---\npolicy: {policy}\n")
    return path


class Played:
    """A scenario that has been played to its end."""

    def __init__(self, path: Path, seed: int | None = None) -> None:
        self.entries: list[Entry] = []
        self.plan: Plan = load(path)
        self.stage: Stage = stage(self.plan, seed, self.entries.extend)
        self.stage.run()

    def facts(self, kind: type) -> list[Any]:
        """Facts of one kind, in order."""
        return [entry.fact for entry in self.entries if type(entry.fact) is kind]

    def seconds(self, kind: type) -> list[int]:
        """When they happened, from the start."""
        return [(entry.at - self.stage.start) // SECOND for entry in self.entries if type(entry.fact) is kind]


def play(folder: Path, scenario: str, **more: Any) -> Played:
    """Write, load, stage and run."""
    seed = more.pop("seed", None)
    return Played(write(folder, scenario, **more), seed)


def job(id: str, **fields: Any) -> str:
    """A job of the demand, as YAML: one node for an hour at once, unless said otherwise."""
    told: dict[str, Any] = {"id": id, "submit_seconds": 0, "run_seconds": 3600, "chips": 8} | fields
    told.setdefault("requested_seconds", max(1, told["run_seconds"]))
    return "{" + ", ".join(f"{name}: {value}" for name, value in told.items()) + "}"


def demand(*jobs: str, form: str = "{}", name: str = "t") -> str:
    """The demand of these jobs."""
    return f"demand: [{{name: {name}, form: {form}, jobs: [{', '.join(jobs)}]}}]"
