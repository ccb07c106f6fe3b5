"""The gangs of one kind of machines that are worth a look, with what the performance model says of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec

from stargate.base.errors import NotFoundError
from stargate.broker.sizing.asked import Serve, Train
from stargate.broker.sizing.choose import Replicas, Run
from stargate.broker.sizing.estimator import (
    Estimator,
    NoLayout,
    RunAnswer,
    RunEstimate,
    ServiceEstimate,
)
from stargate.broker.sizing.hardware import Hardware
from stargate.broker.sizing.ladder import Rung, ladder
from stargate.performance.estimate import DoesNotFit

REPLICA_CHIPS = 128
"""No replica of a served model is tried on more, or than a scale-up domain has."""
BELOW, ABOVE = 2, 8
"""Rungs around the smallest gang that is in time: a few below, as odd numbers cut badly, and three doublings above,
where a run with more memory a chip may be cheaper, or has less time."""


class Tried(msgspec.Struct, frozen=True):
    """What came of one kind of machines."""

    hardware: Hardware
    runs: tuple[Run, ...] = ()
    services: tuple[Replicas, ...] = ()
    refusal: str = ""
    """Why there is nothing: what the gang that comes nearest says."""

    @property
    def possible(self) -> bool:
        """Whether any gang will do."""
        return bool(self.runs or self.services)


def tried(
    question: Train | Serve,
    hardware: Hardware,
    estimator: Estimator,
    seconds: float,
    gang: Rung | None = None,
) -> Tried:
    """Ask for gangs that these machines can form, or for the one that was stated.

    Of runs those around what is done within `seconds`; of services replicas of every size.
    """
    try:
        device = hardware.device(question.precision)
    except NotFoundError as error:
        return Tried(hardware, refusal=error.message)
    if isinstance(question, Train):
        answers = _Asked(lambda rung: estimator.train(question, device, rung.chips))
        least = (
            max(estimator.least_chips(question, device, seconds), _cut_over(question)) if gang is None else 0
        )
        ways = _ladder(hardware, hardware.nodes)
        rungs = (gang,) if gang is not None else _around(ways, answers, seconds, least)
        runs = tuple(Run(rung, one) for rung in rungs if isinstance(one := answers(rung), RunEstimate))
        return Tried(hardware, runs=runs, refusal="" if runs else _refusal([answers(rung) for rung in rungs]))
    most = max(1, max(REPLICA_CHIPS, hardware.domain_chips) // hardware.chips_per_node)
    rungs = (gang,) if gang is not None else _ladder(hardware, min(hardware.nodes, most))
    said = [estimator.serve(question, device, rung.chips) for rung in rungs]
    services = tuple(
        Replicas(rung, one) for rung, one in zip(rungs, said, strict=True) if isinstance(one, ServiceEstimate)
    )
    return Tried(hardware, services=services, refusal="" if services else _refusal(said))


class _Asked:
    """Answers that are kept, as a search comes back to them."""

    def __init__(self, ask: Callable[[Rung], RunAnswer]) -> None:
        self._ask = ask
        self._known: dict[Rung, RunAnswer] = {}

    def __call__(self, rung: Rung) -> RunAnswer:
        if rung not in self._known:
            self._known[rung] = self._ask(rung)
        return self._known[rung]


def _ladder(hardware: Hardware, nodes: int) -> tuple[Rung, ...]:
    return ladder(nodes, hardware.chips_per_node, hardware.domain_chips)


def _cut_over(question: Train) -> int:
    """Chips that hold one copy of the model as it is settled to be cut: fewer have no layout."""
    wanted = question.layout
    return math.prod(
        degree or 1 for degree in (wanted.tensor_parallel, wanted.pipeline_parallel, wanted.context_parallel)
    )


def _around(
    rungs: Sequence[Rung], answers: Callable[[Rung], RunAnswer], seconds: float, least: int
) -> Sequence[Rung]:
    """The rungs around the first that is in time, found by halving: more chips are faster, but for odd numbers.

    Where none is, and the largest have no layout, as a small batch leaves them nothing to do: the largest that have.
    """
    known = min(sum(rung.chips < least for rung in rungs), len(rungs) - 1)
    low = _first(rungs, known, lambda rung: _in_time(answers(rung), seconds))
    if low == len(rungs) and all(_undivided(answers(rung)) for rung in rungs[max(known, low - BELOW) :]):
        low = _first(rungs, known, lambda rung: _in_time(answers(rung), seconds) or _undivided(answers(rung)))
    return rungs[max(known, low - BELOW) : low + ABOVE]


def _first(rungs: Sequence[Rung], low: int, holds: Callable[[Rung], bool]) -> int:
    """The place of the first from which on this holds; behind the last, where it never does."""
    high = len(rungs)
    while low < high:
        middle = (low + high) // 2
        if holds(rungs[middle]):
            high = middle
        else:
            low = middle + 1
    return low


def _in_time(answer: RunAnswer, seconds: float) -> bool:
    return isinstance(answer, RunEstimate) and answer.seconds.point <= seconds


def _undivided(answer: RunAnswer) -> bool:
    return isinstance(answer, NoLayout)


def _refusal(answers: Sequence[object]) -> str:
    """What stands in the way, of the gang that comes nearest."""
    tight = [answer for answer in answers if isinstance(answer, DoesNotFit)]
    others = [answer for answer in answers if not isinstance(answer, DoesNotFit)]
    if tight and not others:
        return str(min(tight, key=lambda answer: answer.missing_bytes))
    return str(others[-1]) if others else "no gang can be formed"
