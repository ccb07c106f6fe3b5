"""How agreements begin, change and end."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from stargate.agreements.clause.amount import Amount
from stargate.agreements.clause.capacity import TerminationScope
from stargate.agreements.clause.common import ClauseBase
from stargate.agreements.condition import Comparison
from stargate.base.time import Duration

Names = tuple[str, ...]
SomeNames = Annotated[tuple[str, ...], Meta(min_length=1)]


class Term(ClauseBase, frozen=True, tag="term"):
    """From when to when the agreement runs. An order form's clause precedes its master's of the same id.

    With `renewal_months` it goes on by so many months, again and again, unless notice of non-renewal was
    received `renewal_notice` before the end: the fact `not_renewed/AGREEMENT/CLAUSE`.
    """

    precedence: Literal["order", "master"] = "order"
    """In an order form: whose clause speaks where both have one of the same id."""
    renewal_months: Annotated[int, Meta(ge=1, le=1200)] | None = None
    renewal_notice: Duration = Duration(0)
    renewals: Annotated[int, Meta(ge=1)] | None = None
    """At most so many; default: without end."""

    def check(self) -> None:
        """What renews has an end, and what belongs to renewal needs one."""
        if self.renewal_months is None and (self.renewal_notice or self.renewals is not None):
            raise ValueError("renewal_notice and renewals need renewal_months: by how long it renews")
        if self.renewal_months is not None and self.until is None:
            raise ValueError("renewal_months needs until: the end that is renewed")


class Suspend(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="effect", tag="suspend"):
    """The clauses rest from the firing on. What accrued before stays owed."""

    clauses: SomeNames


class End(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="effect", tag="end"):
    """The clauses end."""

    clauses: SomeNames


class Start(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="effect", tag="start"):
    """The clauses come into force; before, they are not."""

    clauses: SomeNames


class OpenNegotiation(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="effect",
    tag="open_negotiation",
):
    """The parties must talk."""

    topics: Names = ()
    within: Duration = Duration(0)
    """0: no date."""


class Transfer(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="effect",
    tag="transfer",
):
    """Something goes to a party, as control of a technology to a board."""

    what: str
    to: str


TriggerEffect = Suspend | End | Start | OpenNegotiation | Transfer


class Trigger(ClauseBase, frozen=True, tag="trigger"):
    """When facts come true, something follows: a list of effects, from that instant on."""

    when: Annotated[tuple[Comparison, ...], Meta(min_length=1)]
    """All must be true."""
    effects: Annotated[tuple[TriggerEffect, ...], Meta(min_length=1)]
    verifier: str = ""
    """Only what this party verified fires it."""
    evidence: Literal["optional", "required"] = "optional"
    """required: only facts with the hash of a document count."""
    lasts: Literal["for_good", "while_true"] = "for_good"


class ConditionPrecedent(ClauseBase, frozen=True, tag="condition_precedent"):
    """Clauses that require it are not in force before the facts are true."""

    when: Annotated[tuple[Comparison, ...], Meta(min_length=1)]
    """All must have come true."""
    clauses: Names = ()
    """Clauses that wait for it, besides those that name it in `requires`."""
    verifier: str = ""


class Termination(ClauseBase, frozen=True, tag="termination"):
    """Who may end it, how, and what then happens to running work."""

    by: str = ""
    """The party that may; empty: each."""
    cause: Literal["convenience", "default"] = "convenience"
    notice: Duration = Duration(0)
    cure: Duration = Duration(0)
    """default: time to mend before the notice takes effect."""
    wind_down: Duration = Duration(0)
    """Clauses stay in force this long beyond the end, so that work can move."""
    ends: TerminationScope = "agreement"
    """agreement and order: this document; master: its order forms too; tranche: only `clauses`."""
    fee_usd: Amount | None = None
    """Paid by the party that ends it (`by`, or else the customer), when the notice takes effect."""
    clauses: Names = ()
    notice_fact: str = ""
    """True from when notice was received. Default: `notice/AGREEMENT/CLAUSE`."""
    cured_fact: str = ""
    """Default: `cured/AGREEMENT/CLAUSE`."""

    def check(self) -> None:
        """A partial end names its clauses."""
        if self.ends == "tranche" and not self.clauses:
            raise ValueError("ends: tranche needs clauses, the ones that end")


class Survival(ClauseBase, frozen=True, tag="survival"):
    """Clauses that outlive the agreement."""

    clauses: SomeNames
    lasts: Duration | None = None
    """How long beyond the end; None: for ever, or until the clause's own end."""


class Waiver(ClauseBase, frozen=True, tag="waiver"):
    """A party gives up a right in writing: for one need, for a class (scope), or until a date."""

    clauses: SomeNames
    by: str = ""
    """Who waives: the holder of the right."""
    needs: Names = ()
    """Only these needs (attribute `need`); empty: all within scope."""
    irrevocable: bool = True
    revoked_fact: str = ""
    """Where revocable: true from the revocation on. Default: `revoked/AGREEMENT/CLAUSE`."""
