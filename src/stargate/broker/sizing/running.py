"""A whole training run on so many chips: the best layout, its step, failures on the way, and the energy."""

from __future__ import annotations

from functools import lru_cache

from stargate.base.errors import InputError
from stargate.broker.sizing.asked import Train
from stargate.broker.sizing.estimator import NoLayout, RunAnswer, RunEstimate
from stargate.performance.calibration import Lookup
from stargate.performance.device import Device
from stargate.performance.energy import Power, utilisation
from stargate.performance.estimate import Range, Term
from stargate.performance.models.shape import Shape, shape_of
from stargate.performance.runs.failures import interruptions_per_chip_hour
from stargate.performance.runs.goodput import Conditions
from stargate.performance.runs.run import Run, whole_run
from stargate.performance.training.candidates import RECOMPUTES, SHARDINGS, Choices
from stargate.performance.training.constants import CELL, RELEASE, SHARED, Constants
from stargate.performance.training.layout import RECOMPUTE, problems
from stargate.performance.training.layout import Layout as Cut
from stargate.performance.training.search import Found, best_layouts
from stargate.performance.training.search import NoLayout as Tight
from stargate.performance.training.step import BINDS, ORDER, Step
from stargate.workloads import Layout

_KWH_PER_MWH = 1_000.0
LEAST_BYTES = 4.0
"""Per parameter, on some chip: weights and gradients in 16 bits; the rest may lie in the host's memory."""
_ALL = 1 << 20
"""More chips than there are, and more ways to cut a model than a search finds."""


def constants_of(lookup: Lookup, device: Device) -> Constants:
    """What calibration knows of training on a chip in a precision; of no release in particular."""
    shared = {
        name: lookup.value(("shared", name), span.start) for name, span in SHARED.items() if name != RELEASE
    }
    cell = {
        name: lookup.value(("cell", device.chip, device.precision, name), shared.get(name, span.start))
        for name, span in CELL.items()
    }
    return Constants(**(shared | cell))


def least_chips(work: Train, device: Device, seconds: float) -> int:
    """Chips that multiply at their peak all the time, and hold nothing but what every layout must keep.

    6 FLOPs for each parameter that a token passes (Kaplan et al., arXiv 2001.08361, section 2.1).
    """
    shape = shape_of(work.model)
    # The table of the vocabulary is no matrix of its own where input and output share it: stay below.
    passed = shape.active_parameters - shape.embedding_params
    peak = max(device.peak_flops_per_s, device.bf16_flops_per_s)
    computing = 6.0 * passed * work.tokens / (peak * max(seconds, 1.0))
    holding = LEAST_BYTES * shape.parameters / device.memory_bytes
    return max(1, int(min(max(computing, holding), _ALL)))


@lru_cache(maxsize=4_096)
def run_on(work: Train, device: Device, chips: int, lookup: Lookup) -> RunAnswer:
    """The run on so many chips. Kept, as much the same is asked when much the same is submitted."""
    shape = shape_of(work.model)
    constants = constants_of(lookup, device)
    found = best_on(shape, device, chips, work, constants)
    if not isinstance(found, Found):
        return found.refusal if isinstance(found, Tight) else found
    try:
        run = _whole(work, device, found, lookup, shape)
    except InputError as error:
        return NoLayout(says=error.problems[0].message)
    slower = max(1.0, constants.production * run.goodput.fraction)
    # What production runs were measured to take beyond their steps holds their interruptions already.
    energy = 0.0 if run.energy_mwh is None else run.energy_mwh.point * _KWH_PER_MWH
    return RunEstimate(
        seconds=run.wall_seconds.scaled(slower),
        energy_kwh=energy * slower,
        memory_bytes=found.memory.total_bytes,
        memory_available_bytes=device.memory_bytes,
        binds=found.step.binding(),
        layout=written(found.layout),
        lent_by=lent_by(lookup, device, "matmul"),
    )


def lent_by(lookup: Lookup, device: Device, constant: str) -> str:
    """The chip that lends a constant to this one; empty where it was measured itself, or nobody has one."""
    cell = (device.chip, device.precision)
    lender = lookup.lender(*cell, constant)
    return "" if lender in (None, cell) else " ".join(lender)


def best_on(
    shape: Shape, device: Device, chips: int, work: Train, constants: Constants
) -> Found | Tight | NoLayout:
    """The layout on so many chips that takes the shortest step, of those that keep what is settled."""
    wanted = work.layout
    uncut = _uncut(work, shape)
    if uncut:
        return NoLayout(says=uncut)
    try:
        answer = best_layouts(
            shape,
            device,
            chips,
            work.batch,
            work.sequence,
            constants,
            choices=_choices(wanted),
            limit=1 if wanted.data_parallel is None else _ALL,
        )
    except InputError as error:
        return NoLayout(says=error.problems[0].message)
    if isinstance(answer, Tight):
        return answer
    copies = wanted.data_parallel
    fitting = [found for found in answer if copies is None or found.layout.data == copies]
    if not fitting:
        return NoLayout(says=f"no layout on {chips} chips has {copies} copies of the model")
    return fitting[0]


def _uncut(work: Train, shape: Shape) -> str:
    """Why what is settled cannot cut the model, however many chips there are; empty: it can."""
    wanted = work.layout
    expert = wanted.expert_parallel or 1
    if expert > 1 and not shape.experts:
        return f"{work.model.name} has no experts to lay on {expert} chips"
    cut = Cut(
        sequence=work.sequence,
        batch=work.batch,
        micro_batch=1,
        tensor=wanted.tensor_parallel or 1,
        pipeline=wanted.pipeline_parallel or 1,
        virtual=wanted.virtual_stages or 1,
        context=wanted.context_parallel or 1,
        expert=expert,
        data=expert,
    )
    wrong = [one for one in problems(cut, shape) if one.path != "batch"]
    return f"{wrong[0].path} {wrong[0].message}" if wrong else ""


def _choices(wanted: Layout) -> Choices:
    def one(degree: int | None) -> tuple[int, ...]:
        return () if degree is None else (degree,)

    return Choices(
        tensor=one(wanted.tensor_parallel),
        pipeline=one(wanted.pipeline_parallel),
        context=one(wanted.context_parallel),
        expert=one(wanted.expert_parallel),
        micro_batch=one(wanted.micro_batch_size),
        virtual=one(wanted.virtual_stages),
        recompute=RECOMPUTES if wanted.recompute is None else (wanted.recompute,),
        sharding=SHARDINGS if wanted.sharding is None else (wanted.sharding,),
    )


def _whole(work: Train, device: Device, found: Found, lookup: Lookup, shape: Shape) -> Run:
    rate = found.step.tokens_per_second_per_chip
    power = None
    if device.power_w:
        power = Power(rated_w=device.power_w, busy_share=utilisation(terms(found.step)))
    return whole_run(
        tokens=work.tokens,
        tokens_per_second_per_chip=lookup.range(
            group_of(shape, device, found.layout), device.chip, device.precision, rate
        ),
        conditions=Conditions(chips=found.layout.chips),
        interruptions_per_chip_hour=_interruptions(device.chip),
        power=power,
    )


@lru_cache(maxsize=256)
def _interruptions(chip: str) -> Range:
    return interruptions_per_chip_hour(chip)


def terms(step: Step) -> tuple[Term, ...]:
    """The parts of a step, without what a release is faster than the model says."""
    return tuple(
        Term(name, max(0.0, getattr(step, name)), BINDS.get(name, "communication")) for name in ORDER
    )


def group_of(shape: Shape, device: Device, cut: Cut) -> str:
    """The table of measurements that such a step belongs to."""
    if device.vendor == "Google":
        return "tpu"
    if shape.experts:
        return "moe"
    return "fsdp" if cut.shard_parameters else "dense_3d"


def written(cut: Cut) -> Layout:
    """A layout in the words of workload files."""
    recompute = next(
        name
        for name in ("full", "minimal", "selective", "attention", "none")
        if all(getattr(cut, flag) for flag in RECOMPUTE[name])
    )
    sharding = "fsdp" if cut.shard_parameters else "zero2" if cut.shard_gradients else "zero1"
    return Layout(
        tensor_parallel=int(cut.tensor),
        pipeline_parallel=int(cut.pipeline),
        virtual_stages=int(cut.virtual),
        context_parallel=int(cut.context),
        expert_parallel=int(cut.expert),
        data_parallel=int(cut.data),
        micro_batch_size=int(cut.micro_batch),
        sharding=sharding if cut.shard_optimizer else "none",  # type: ignore[arg-type]
        recompute=recompute,  # type: ignore[arg-type]
    )
