"""What does not go together where a workload states its work: tokens, traffic, model, and chips without a count."""

from __future__ import annotations

from collections.abc import Iterator

from stargate.base.faults import Fault
from stargate.workloads.work import Layout
from stargate.workloads.workload import Workload

_OF_TRAINING = ("virtual_stages", "micro_batch_size", "sharding", "recompute")


def misstated(workload: Workload) -> Iterator[Fault]:
    """Everything wrong with the stated work of a record, and with what it leaves to be sized."""
    if workload.rollout is not None:
        yield Fault("rollout", "what a version takes the place of is not for it to say", "Leave it out.")
    if workload.sizes:
        yield Fault("sizes", "how work is sized is decided when it is submitted", "Leave it out.")
    if not workload.stated:
        yield from _idle(workload)
        return
    if not workload.model:
        yield Fault("model", "the work is stated without a model", "Add `model:`, as llama-3.1-70b.")
    yield from _training(workload)
    yield from _traffic(workload)
    yield from _uncounted(workload)


def _idle(workload: Workload) -> Iterator[Fault]:
    """Keys that say something about stated work only."""
    for name in ("precision", "layout", "model_config"):
        if getattr(workload, name):
            yield Fault(
                "model" if name == "model_config" else name,
                f"`{name}` says nothing without `tokens` or `traffic`",
                "Add one of them, or remove it.",
            )


def _training(workload: Workload) -> Iterator[Fault]:
    training = workload.training
    if training is None:
        return
    if workload.kind == "serve":
        remedy = "Write `traffic:` for a service, or `kind: train`."
        yield Fault("training", "a service does not end after so many tokens", remedy)
    elif workload.kind == "batch":
        remedy = "Write `kind: train` or `kind: finetune`."
        yield Fault("kind", "tokens are what a run trains on; `batch` may be anything", remedy)
    if training.batch_sequences is not None and training.batch_tokens is not None:
        yield Fault("training", "the batch is given in sequences and in tokens", "Keep one of them.")
    if (training.batch_tokens or training.tokens) < (training.sequence_length or 1):
        what = "batch" if training.batch_tokens else "whole work"
        yield Fault("training", f"the {what} is less than one sequence", "Raise it, or shorten the sequence.")


def _traffic(workload: Workload) -> Iterator[Fault]:
    traffic = workload.traffic
    if traffic is None:
        return
    if workload.kind != "serve":
        remedy = "Write `kind: serve`, or `tokens:` for a run."
        yield Fault("traffic", f"a {workload.kind} run answers no requests", remedy)
    if not traffic.requests_per_s:
        yield Fault("traffic.requests_per_s", "no requests need no replicas", "Write the rate at the peak.")
    for name in ("ttft", "tpot"):
        bound = getattr(traffic, name)
        if bound is not None and not bound.within:
            yield Fault(f"traffic.{name}", "nothing takes no time", "Raise it, or leave it out.")
    service = workload.service
    if service is not None and service.min_replicas == service.max_replicas > 1:
        remedy = "Keep one of them; bounds go into `replica_policy`."
        yield Fault("service.replicas", "`traffic` and `replicas` both say how much is needed", remedy)
    layout = workload.layout or Layout()
    for name in _OF_TRAINING:
        if getattr(layout, name) is not None:
            yield Fault(f"layout.{name}", f"`{name}` is of training only", "Remove it.")


def _uncounted(workload: Workload) -> Iterator[Fault]:
    """Where chips have no count, nothing may be said that rests on one."""
    if all(each.chips_per_node for each in workload.alternatives):
        return
    if workload.nodes != 1:
        remedy = "Give each accelerator a count, as H100:8, or remove `num_nodes`."
        yield Fault("nodes", "the nodes are counted and their chips are not", remedy)
    for index, each in enumerate(workload.alternatives):
        if not each.chips_per_node and each.max_usd_per_chip_hour is not None:
            remedy = "Write `max_cost:` for the whole run, or give the accelerator a count."
            yield Fault(
                f"alternatives[{index}]",
                "`max_hourly_cost` is of a node, whose chips are not counted",
                remedy,
            )
