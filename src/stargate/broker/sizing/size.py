"""Stated work to the sizes that placement chooses among: decided once, at submission, and kept in the fact."""

from __future__ import annotations

import msgspec

from stargate.base.errors import UserError
from stargate.base.time import Duration, Instant
from stargate.broker.ground import Ground
from stargate.broker.sizing.asked import Train, asked
from stargate.broker.sizing.choose import fewest_chips
from stargate.broker.sizing.estimator import Estimator
from stargate.broker.sizing.hardware import Machines
from stargate.broker.sizing.ladder import Rung
from stargate.broker.sizing.made import Made, of_runs, of_service, seconds_left, settled
from stargate.broker.sizing.say import grounds, impossible
from stargate.broker.sizing.tried import Tried, tried
from stargate.workloads import Resources, Size, Workload


class Sizes(msgspec.Struct, frozen=True):
    """What stated work comes to."""

    sizes: tuple[Size, ...]
    """Cheapest first; in the order of the alternatives where that is a preference."""
    replicas: int | None
    """Of a service; None: a run."""
    grounds: tuple[Ground, ...]


def size(
    work: Workload,
    machines: Machines,
    estimator: Estimator,
    at: Instant,
    longest: Duration,
) -> Sizes:
    """The sizes of stated work on these machines.

    `longest` bounds a run that has neither deadline nor time limit. Raises UserError where nothing will do,
    with what stands in the way, and where the model is not known.
    """
    question = asked(work)
    seconds = seconds_left(work, at, longest)
    attempts = [
        (number, wanted, tried(question, one, estimator, seconds, stated_gang(work, wanted)))
        for number, wanted in enumerate(work.alternatives)
        for one in machines.suited(work, wanted)
    ]
    if isinstance(question, Train):
        found = [
            made for number, wanted, one in attempts for made in of_runs(work, number, wanted, one, seconds)
        ]
    else:
        found = _services(work, attempts)
    found += _counted_only(work, found)
    if not found:
        raise UserError(*impossible(work, [one for _, _, one in attempts], seconds))
    sizes = settled(found, ordered=work.ordered)
    replicas = None if isinstance(question, Train) else sizes[0].replicas
    return Sizes(sizes, replicas, grounds(sizes, question.assumed, [one for _, _, one in attempts], seconds))


def stated_gang(work: Workload, wanted: Resources) -> Rung | None:
    """The gang that people counted; None: they left it open."""
    return Rung(work.nodes, wanted.chips_per_node) if wanted.chips_per_node else None


def _services(work: Workload, attempts: list[tuple[int, Resources, Tried]]) -> list[Made]:
    """Every slot of a service may stand on any chip: so one number of replicas must do for all that stay."""
    made = [
        of_service(number, wanted, one.hardware, best)
        for number, wanted, one in attempts
        if (best := fewest_chips(one.services)) is not None
    ]
    if not made:
        return []
    first = min(made, key=lambda each: (each.alternative if work.ordered else 0, each.cost_usd, each.use))
    return [
        of_service(number, wanted, one.hardware, best)
        for number, wanted, one in attempts
        if (best := fewest_chips(one.services, first.size.replicas)) is not None
    ]


def _counted_only(work: Workload, found: list[Made]) -> list[Made]:
    """Alternatives that people counted themselves stay, also where no time is known for them."""
    timed = {made.alternative for made in found}
    return [
        Made(number, None, float("inf"), float("inf"), Size(resources=wanted, nodes=work.nodes))
        for number, wanted in enumerate(work.alternatives)
        if wanted.chips_per_node and number not in timed
    ]
