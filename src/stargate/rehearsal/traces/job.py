"""One job of a trace: what was asked for, and how it went at the time."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Status = Literal["completed", "failed", "cancelled", "unknown"]
"""How the job ended where the trace was taken."""

FARTHEST_SECONDS = 10**10
"""No time of a trace is farther from its start than this, about 317 years: beyond it a number is garbage."""
MOST_CHIPS = 10**8
"""No job asks for more."""

Text = Annotated[str, Meta(max_length=512)]
Seconds = Annotated[int, Meta(ge=0, le=FARTHEST_SECONDS)]
Moment = Annotated[int, Meta(ge=-FARTHEST_SECONDS, le=FARTHEST_SECONDS)]
Count = Annotated[int, Meta(ge=0, le=MOST_CHIPS)]


class Job(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """A job as a trace describes it. Every reader gives these; every transformation takes and gives them.

    Times are whole seconds. An empty text and a zero mean that the trace does not say.
    """

    id: Text
    submit_seconds: Moment
    """From the trace's start. Below zero only where an SWF says so and is read verbatim."""
    run_seconds: Seconds
    """How long it ran, without its wait."""
    chips: Count
    """Accelerators that it held at once, over all its nodes; of a trace of processors, those. 0: none."""
    requested_seconds: Seconds
    """What its owner asked for or estimated; as long as it ran where the trace does not say."""
    user: Text = ""
    team: Text = ""
    """Virtual cluster, group or queue: whoever shares a quota."""
    status: Status = "unknown"
    kind: Text = "train"
    """`train`, `finetune`, `batch` or `serve`, as workloads are called here."""
    label: Text = ""
    """The trace's own word for the kind of work."""
    nodes: Count = 0
    chips_per_node: Count = 0
    wait_seconds: Seconds | None = None
    """How long it waited where the trace was taken; None where the trace does not say."""
    cpus: Annotated[float, Meta(ge=0)] = 0.0
    """Over all its nodes."""
    memory_gib: Annotated[float, Meta(ge=0)] = 0.0
    """Main memory over all its nodes."""
    chip: Text = ""
    """The kind of accelerator, in the trace's own words."""
    chip_fraction: Annotated[float, Meta(gt=0, le=1)] = 1.0
    """How much of each of its chips it asked for; `chips` counts whole ones."""
    model: Text = ""
    """What it trains or serves, in the trace's own words."""
    provider: Text = ""
    """The only provider that it may run at; empty: any. No trace says; a rule assigns it."""
    residency: Text = ""
    """The jurisdiction that it has to stay in; empty: anywhere. No trace says; a rule assigns it."""
    deadline_seconds: Seconds | None = None
    """How long after its submission it should be done; None: whenever. No trace says; a rule assigns it."""

    @property
    def chip_seconds(self) -> int:
        """Chips times the time it ran."""
        return self.chips * self.run_seconds
