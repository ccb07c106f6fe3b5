"""What sizing says: the sizes in a sentence each, what was assumed, what will not do, and the way out."""

from __future__ import annotations

from collections.abc import Iterable

from stargate.base.time import SECOND, Duration
from stargate.broker.ground import Ground
from stargate.broker.sizing.choose import fastest
from stargate.broker.sizing.tried import Tried
from stargate.workloads import Size, Workload

GROUNDS_LIMIT = 8


def grounds(
    sizes: tuple[Size, ...], assumed: tuple[str, ...], attempts: list[Tried], seconds: float
) -> tuple[Ground, ...]:
    """The sizes and why they are so; a bounded number of each kind of sentence."""
    said = [f"sized: {described(each)}{_late(each, seconds)}" for each in sizes if each.binds][:GROUNDS_LIMIT]
    if assumed:
        said.append(f"assumed, as nothing else is stated: {', '.join(assumed)}")
    said += _refusals(attempts)
    return tuple(Ground(text) for text in said)


def _late(one: Size, seconds: float) -> str:
    """Of chips that people counted: what they have to know."""
    if one.duration <= seconds * SECOND:
        return ""
    return f"; that is longer than the {Duration(max(0, int(seconds)) * SECOND).brief()} there are"


def described(one: Size) -> str:
    """`64 H100 for 3d4h (2d20h to 3d12h), bound by matmul`."""
    chips = f"{one.chips:,} {one.resources.chip}"
    bound = f", bound by {one.binds}" if one.binds else ""
    if not one.duration:
        return f"{one.replicas:,} replica{'' if one.replicas == 1 else 's'} of {chips}{bound}"
    return f"{chips} for {one.duration.brief()} ({one.shortest.brief()} to {one.longest.brief()}){bound}"


def impossible(work: Workload, attempts: list[Tried], seconds: float) -> tuple[str, str]:
    """What stands in the way of every size, and the way out."""
    if not attempts:
        wanted = " or ".join(dict.fromkeys(each.chip or "any chip" for each in work.alternatives))
        return (
            f"no pool has {wanted}, so there is nothing to size {work.name} for",
            "name another chip, or declare a pool that has it",
        )
    runs = [(run, one.hardware.chip.id) for one in attempts for run in one.runs]
    best = fastest(run for run, _ in runs)
    if best is None:
        return (
            f"{work.model} cannot run on any of these chips: {'; '.join(_refusals(attempts))}",
            "name other chips or more of them, a narrower precision, or another layout",
        )
    chip = next(chip for run, chip in runs if run is best)
    takes, bound = (
        Duration(int(best.estimate.seconds.point) * SECOND),
        Duration(max(0, int(seconds)) * SECOND),
    )
    size = f"the fastest size, {best.gang.chips:,} {chip}, takes {takes.brief()}"
    remedy = "set a `deadline` or a `time_limit` that leaves the time, or declare more chips"
    if work.deadline is not None:
        remedy = "move the deadline, train on fewer tokens, or declare more chips"
    return f"{work.name} cannot be done within {bound.brief()}: {size}", remedy


def _refusals(attempts: Iterable[Tried]) -> list[str]:
    said = dict.fromkeys(f"{one.hardware.chip.id}: {one.refusal}" for one in attempts if one.refusal)
    return list(said)[:GROUNDS_LIMIT]
