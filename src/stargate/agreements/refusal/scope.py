"""Whether a covered need must be put before the holder at all: thresholds, carve-outs, and tricks with size.

A right may leave small or short needs alone. So that nobody empties it by asking in small portions, needs
count together when they have a parent in common, or arise within the right's aggregation window. Where the
sum errs (two needs side by side are not one of twice the length), it errs on the holder's side.
"""

from __future__ import annotations

import msgspec

from stargate.agreements.right import Right
from stargate.base.time import Duration, Instant


class Portion(msgspec.Struct, frozen=True):
    """A need as thresholds see it: one among others that may belong together."""

    id: str
    root: str
    """The need from which it was split; its own id where it was not."""
    chips: int
    duration: Duration
    opened_at: Instant


class Circumstances(msgspec.Struct, frozen=True):
    """What carve-outs look at beside size."""

    start_by: Instant
    emergency: bool = False
    renewal: bool = False


def together(right: Right, this: Portion, others: tuple[Portion, ...]) -> tuple[Portion, ...]:
    """The portions that count with this one, itself included: parts of one whole, those in the window.

    The window reaches both ways, so that the first of several small needs does not escape while it is open.
    """
    window = right.aggregation_window
    return (
        this,
        *(
            other
            for other in others
            if other.id != this.id
            and (other.root == this.root or abs(other.opened_at - this.opened_at) < window)
        ),
    )


def outside(right: Right, this: Portion, others: tuple[Portion, ...], around: Circumstances) -> str:
    """Why the right does not apply to the need although its scope covers it; empty: it applies."""
    if around.emergency and right.emergency == "no_trigger":
        return "emergencies are outside the right"
    if around.renewal and right.renewal == "no_trigger":
        return "renewals are outside the right"
    if right.short_lead and around.start_by < this.opened_at.plus(right.short_lead):
        return f"a start within {right.short_lead} is outside the right"
    counted = together(right, this, others)
    chips = sum(portion.chips for portion in counted)
    if chips < right.threshold_chips:
        return f"{chips} chips{_counted(counted)} are below the threshold of {right.threshold_chips}"
    duration = Duration(sum(portion.duration for portion in counted))
    if duration < right.threshold_duration:
        return f"{duration}{_counted(counted)} is below the threshold of {right.threshold_duration}"
    return ""


def _counted(counted: tuple[Portion, ...]) -> str:
    return "" if len(counted) == 1 else f" (over {len(counted)} needs that count together)"
