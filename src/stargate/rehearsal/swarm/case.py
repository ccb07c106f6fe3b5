"""What one run of the swarm is made from: a seed, and what a smaller run leaves out of what the seed draws."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from stargate.broker import Envelope

Seed = Annotated[int, Meta(ge=0)]

FAULTS = ("duplicates", "delays", "losses", "lies", "crashes", "jumps", "outages", "breaks", "amendments")
"""Kinds of faults, each with a rate that the seed draws; about one run in six has none at all."""

Crash = Literal["", "written", "unwritten", "torn"]
"""Where the process dies: not at all; after the batch was written and before anybody was answered; before it was
written; while it was written."""


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the machine is told at once, and how the process ends with it, if it does."""

    envelopes: tuple[Envelope, ...]
    singly: bool = False
    """Each command is decided by itself, as the server does; else all together, as a rehearsal does."""
    crash: Crash = ""
    cut: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """The part of a torn write that has reached the disk."""
    snapshot: bool = False
    """After the crash, or now, the machine goes on from a snapshot."""


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One run. The same case on the same commit gives the same digest."""

    seed: Seed
    events: Annotated[int, Meta(ge=1)] = 400
    """Commands after which the faults end and everything is healed."""
    skip: tuple[int, ...] = ()
    """Workloads that are drawn and not submitted, by number."""
    without: tuple[str, ...] = ()
    """Kinds of faults that are left out."""
    tape: tuple[Batch, ...] = ()
    """What was said, word for word: no world is drawn then. It outlives every change of how worlds are drawn."""
    found: str = ""
    """What was violated when the case was kept."""
    commit: str = ""
    """Where it was found."""
