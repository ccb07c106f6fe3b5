"""What every clause has, whatever it promises."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, field

from stargate.agreements.clause.amount import Part, check_amounts
from stargate.agreements.condition import Comparison, Moment, check_moment
from stargate.agreements.scope import Scope

ClauseName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$")]
"""Letters, digits, dot, dash, underscore. From outside an agreement it is `agreement/clause`."""
Action = Literal[
    "train",
    "finetune",
    "batch",
    "serve",
    "source",
    "ship",
    "use",
    "resell",
    "sublicense",
    "exercise",
    "cancel",
    "modify",
    "terminate",
]
"""`source`: take new capacity; `ship`: launch a product; `exercise`: an option; the rest as the words say."""


class CarveOut(Part, frozen=True):
    """A labelled exception inside a clause: where it matches, the clause is silent."""

    id: ClauseName
    scope: Scope
    from_: Moment | None = field(default=None, name="from")
    until: Moment | None = None
    text_ref: str = ""
    note: str = ""

    def check(self) -> None:
        """Its dates can be read, and it leaves something of the clause."""
        check_moment(self.from_, "from")
        check_moment(self.until, "until")
        if not self.scope:
            raise ValueError("an exception without a scope would swallow the clause: add scope")


class ClauseBase(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="kind",
):
    """The fields that all kinds share. In force: from <= at < until, and nothing suspends it."""

    id: ClauseName
    text_ref: str = ""
    """Where it stands: section of the paper, or the page that quotes it."""
    quote: str = ""
    """The words themselves, where they are public."""
    note: str = ""
    scope: Scope = ()
    """What it is about; empty: everything."""
    from_: Moment | None = field(default=None, name="from")
    """Default: when the agreement or the amendment that added it comes into force."""
    until: Moment | None = None
    """Exclusive. Default: the end of the agreement."""
    priority: int = 0
    """Between equals the higher one decides; without one they are a conflict."""
    exception_to: str | tuple[str, ...] = ()
    """The clause or clauses that are silent where this one speaks."""
    exceptions: tuple[CarveOut, ...] = ()
    requires: str | tuple[str, ...] = ()
    """Condition precedents that must be fulfilled first."""
    suspended_by: tuple[Comparison, ...] = ()
    """While any of these holds, the clause rests."""
    status: Literal["in_force", "suspended"] = "in_force"

    def __post_init__(self) -> None:
        check_amounts(self)
        check_moment(self.from_, "from")
        check_moment(self.until, "until")
        labels = [item.id for item in self.exceptions]
        if len(set(labels)) != len(labels):
            raise ValueError("two exceptions have the same id")
        self.check()

    def check(self) -> None:
        """What a kind asks of its own fields. Raises ValueError."""


def many(names: str | tuple[str, ...]) -> tuple[str, ...]:
    """One name or several, as several."""
    return (names,) if isinstance(names, str) else names
