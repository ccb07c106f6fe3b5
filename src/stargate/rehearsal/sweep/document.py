"""A sweep as people write it.

sweep:
  scenario: small.yaml        # or trace: jobs.swf; beside this file
  seeds: 20                   # so many from `seed` on, or a list of them
  set:
    policy.backfill: [easy, none]
    faults.storm.lasts: [12h, 3d]
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from stargate.base.document import read, typed
from stargate.base.errors import InputError, Problem
from stargate.rehearsal.sweep.grid import RUNS_LIMIT, Value

Count = Annotated[int, Meta(ge=1, le=RUNS_LIMIT)]
Seed = Annotated[int, Meta(ge=0)]


class Sweep(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """The `sweep:` document: one of `scenario` and `trace`, the values to go through, the seeds for each."""

    scenario: str = ""
    """A file, beside this one."""
    trace: str = ""
    """A file or folder, for the flat pool: `policy`, `chips` and `nodes_of` can be set."""
    seeds: Count | Annotated[tuple[Seed, ...], Meta(min_length=1, max_length=RUNS_LIMIT)] = 1
    """How many, from `seed` on; or each of them."""
    seed: Seed | None = None
    """The first. Not given: the scenario's."""
    set_: dict[str, Annotated[tuple[Value, ...], Meta(min_length=1, max_length=RUNS_LIMIT)]] = msgspec.field(
        name="set", default={}
    )
    """By dotted path: every value is combined with every other path's values, and with every seed."""

    def __post_init__(self) -> None:
        if bool(self.scenario) == bool(self.trace):
            raise ValueError("a sweep is of a scenario or of a trace; give one of scenario, trace")


def load(path: Path) -> Sweep:
    """A sweep from its file. Raises InputError with every problem."""
    documents = [one for one in read(path) if isinstance(one.value, dict) and "sweep" in one.value]
    if len(documents) != 1:
        said = "several sweeps stand here" if documents else "no document here begins with `sweep:`"
        raise InputError((Problem(said, "Write one in each file.", file=str(path)),))
    (document,) = documents
    others = [key for key in document.value if key != "sweep"]
    if others:
        remedy = "Put it below `sweep:`."
        raise InputError((document.problem(others[0], f"{others[0]!r} stands beside the sweep", remedy),))
    return typed(document, Sweep, "sweep")
