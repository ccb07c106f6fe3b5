"""An agreement: parties, status, and the clauses they signed."""

from __future__ import annotations

from typing import Literal

import msgspec

from stargate.agreements.clause.amendment import Clause
from stargate.agreements.clause.common import ClauseName
from stargate.agreements.right import Calendar
from stargate.base.time import Instant

AgreementStatus = Literal["draft", "letter_of_intent", "signed"]


class Agreement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One signed paper, or one that is not signed and therefore binds nobody."""

    id: ClauseName
    title: str = ""
    parties: tuple[str, ...] = ()
    customer: str = ""
    """Who takes capacity: the default grantor of access clauses and payer of money clauses."""
    supplier: str = ""
    """Who provides capacity: the default holder and payee."""
    third_parties: tuple[str, ...] = ()
    """Who did not sign and yet counts, as a panel that verifies."""
    status: AgreementStatus = "signed"
    """A draft and a letter of intent never bind."""
    signed_on: Instant | None = None
    """Nothing in it holds before."""
    master: str = ""
    """This is an order form under that master agreement."""
    amends: str = ""
    """This paper amends that agreement; its amendment clauses act there."""
    supersedes: tuple[str, ...] = ()
    """Papers that this one replaces from its signature on: signed ones end, letters of intent are history."""
    calendars: tuple[Calendar, ...] = ()
    clauses: tuple[Clause, ...] = ()
    source: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        for role in ("customer", "supplier"):
            party = getattr(self, role)
            if party and self.parties and party not in self.parties:
                raise ValueError(f"{role}: {party!r} is not among the parties {', '.join(self.parties)}")

    @property
    def binds(self) -> bool:
        """Whether it was signed."""
        return self.status == "signed"
