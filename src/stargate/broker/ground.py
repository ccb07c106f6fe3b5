"""Why: the sentence a decision rests on, with the clause and the facts it cites."""

from __future__ import annotations

import msgspec


class Ground(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One reason for a decision."""

    says: str
    """One sentence for people."""
    clause: str = ""
    """`agreement/clause` where a promise decided; empty where policy or plain arithmetic did."""
    facts: tuple[str, ...] = ()
    """Facts of the world that were used, as `name=value`."""
