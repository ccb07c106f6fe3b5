"""Many runs, one after another, until so many events were seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from stargate.base import wire
from stargate.base.errors import UserError
from stargate.rehearsal.draw import stream
from stargate.rehearsal.swarm.case import Case
from stargate.rehearsal.swarm.run import Result, run
from stargate.rehearsal.swarm.shrink import shrink

LENGTHS = (50, 150, 300, 300, 800)
"""Commands before healing, one of which a seed draws."""
FAILURES_KEPT = 20
"""After so many runs that fail the swarm stops: there is enough to look at."""


class Outcome(msgspec.Struct, frozen=True):
    """What a swarm came to."""

    events: int
    """Commands said and facts checked."""
    seeds: int
    """Runs."""
    violations: int
    digest: str
    """Of the digests of all runs: the same for the same events and seed."""
    failures: tuple[Result, ...] = ()
    marks: dict[str, int] = {}
    """How often each state was reached."""


def swarm(events: int, seed: int, tell: Callable[[Result], object] | None = None) -> Outcome:
    """Runs with the seeds from `seed` on, until so many events were seen. `tell` hears of each."""
    if events < 1:
        raise UserError(f"{events} events", "ask for one or more")
    summed = blake2b(digest_size=16)
    marks: Counter[str] = Counter()
    failures: list[Result] = []
    seen = seeds = violations = 0
    while seen < events and len(failures) < FAILURES_KEPT:
        result = run(case_of(seed + seeds))
        seeds += 1
        seen += result.events
        summed.update(result.digest.encode())
        marks.update(result.marks)
        if result.violations:
            violations += len(result.violations)
            failures.append(result)
        if tell is not None:
            tell(result)
    return Outcome(seen, seeds, violations, summed.hexdigest(), tuple(failures), dict(sorted(marks.items())))


def case_of(seed: int) -> Case:
    """The run of a seed, as the swarm plays it."""
    return Case(seed, stream(seed, "length").choice(LENGTHS))


def kind_of(violation: str) -> str:
    """What two failures have in common: the sentence without its numbers and names."""
    return " ".join(word for word in violation.split() if word.isalpha())


def smaller(result: Result) -> Result:
    """The same failure, from less."""
    wanted = kind_of(result.violations[0])

    def fails(case: Case) -> bool:
        found = run(case).violations
        return bool(found) and kind_of(found[0]) == wanted

    return run(shrink(result.case, fails))


def keep(result: Result, folder: Path, commit: str) -> Path:
    """Write a failing case down, to be run for ever: `<seed>.json`."""
    case = msgspec.structs.replace(result.case, found=result.violations[0], commit=commit)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{case.seed}.json"
    path.write_bytes(msgspec.json.format(wire.to_json(case), indent=2) + b"\n")
    return path


def kept(path: Path) -> Case:
    """A case that was written down."""
    return wire.from_json(path.read_bytes(), Case)


def plain(outcome: Outcome) -> dict[str, Any]:
    """As `--json` prints it."""
    return {
        "events": outcome.events,
        "seeds": outcome.seeds,
        "violations": outcome.violations,
        "digest": outcome.digest,
        "failures": [
            {"seed": one.case.seed, "events": one.case.events, "violation": one.violations[0]}
            for one in outcome.failures
        ],
    }
