"""Every clause as written, wherever it stands, with the names that can be used for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stargate.agreements.agreement import Agreement
from stargate.agreements.clause import Amendment, Clause
from stargate.agreements.firing import absolute
from stargate.base.errors import Problem


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A clause in its place."""

    paper: Agreement
    path: str
    """In the paper, as `clauses[3].adds[0]`."""
    clause: Clause
    home: Agreement
    """The agreement it belongs to, which for an amendment's clauses is the one amended."""

    @property
    def ref(self) -> str:
        """`agreement/clause`."""
        return absolute(self.clause.id, self.home.id)

    def problem(self, message: str, remedy: str, field: str = "") -> Problem:
        """Something wrong with it."""
        path = f"{self.path}.{field}" if field else self.path
        return Problem(f"{self.ref}: {message}", remedy, path=f"{self.paper.id}.{path}")

    def party(self, role: str, default: str) -> str:
        """The party in a role, or the agreement's customer or supplier."""
        named: str = getattr(self.clause, role, "")
        return named or getattr(self.home, default)


def entries(agreements: Sequence[Agreement]) -> tuple[Entry, ...]:
    """All clauses of all papers, signed or not, those that amendments bring included."""
    homes = {agreement.id: agreement for agreement in agreements}
    return tuple(entry for paper in agreements for entry in _of(paper, homes))


def _of(paper: Agreement, homes: dict[str, Agreement]) -> Iterator[Entry]:
    for index, clause in enumerate(paper.clauses):
        path = f"clauses[{index}]"
        yield Entry(paper, path, clause, paper)
        if isinstance(clause, Amendment):
            home = homes.get(clause.of or paper.amends or paper.id, paper)
            for name, brought in (("replaces", clause.replaces), ("adds", clause.adds)):
                for number, inner in enumerate(brought):
                    yield Entry(paper, f"{path}.{name}[{number}]", inner, home)
