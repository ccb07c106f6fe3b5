"""The wordings of clauses over time: what stood in an agreement from when to when, and which amendment said so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from stargate.agreements.agreement import Agreement
from stargate.agreements.clause import Amendment, Change, Clause
from stargate.agreements.condition import day
from stargate.agreements.horizon import EVER
from stargate.base import wire
from stargate.base.errors import Problem
from stargate.base.ids import clause_id
from stargate.base.time import FOREVER, Instant


@dataclass(slots=True, eq=False)
class Version:
    """One wording of a clause while it stands: added <= at < removed."""

    ref: str
    """`agreement/clause`; later wordings of the same clause have the same."""
    clause: Clause
    home: Agreement
    """The agreement it belongs to, also where an amendment's paper carries it."""
    added: Instant = EVER
    added_by: str = ""
    """The amendment's ref; empty: it was there from the start."""
    removed: Instant = FOREVER
    removed_by: str = ""
    rule: str = ""
    """What the removing amendment says of open offers; empty: as the right says."""
    paper: str = ""
    """The document that carries it: the agreement, or the one that amends it."""
    path: str = ""
    """Where it is written there, as `clauses[3]`."""

    def party(self, role: str, default: str) -> str:
        """The party a clause names in a role, or else the agreement's customer or supplier."""
        named: str = getattr(self.clause, role, "")
        return named or getattr(self.home, default)


@dataclass(slots=True, eq=False)
class _Dated:
    """An amendment with its date and its paper."""

    at: Instant
    paper: Agreement
    clause: Amendment
    path: str

    @property
    def ref(self) -> str:
        return clause_id(self.paper.id, self.clause.id)


class Chain:
    """All versions of all clauses of the agreements that bind, and what is wrong with the amendments."""

    def __init__(self, agreements: Iterable[Agreement]) -> None:
        self.problems: list[tuple[Agreement, str, str, str]] = []
        """Paper, path in it, message, remedy."""
        self.versions: list[Version] = []
        self._open: dict[str, Version] = {}
        self._homes: dict[str, Agreement] = {}
        every = tuple(agreements)
        papers = [agreement for agreement in every if agreement.binds]
        for paper in papers:
            self._homes.setdefault(paper.id, paper)
        amendments: list[_Dated] = []
        for paper in papers:
            for index, clause in enumerate(paper.clauses):
                path = f"clauses[{index}]"
                if isinstance(clause, Amendment):
                    amendments.append(_Dated(amendment_date(paper, clause), paper, clause, path))
                else:
                    self._add(
                        Version(clause_id(paper.id, clause.id), clause, paper, paper=paper.id, path=path),
                        paper,
                    )
        for dated in sorted(amendments, key=lambda dated: dated.at):
            self._amend(dated)
        for paper in papers:
            self._supersede(paper, {agreement.id for agreement in every})

    def _supersede(self, paper: Agreement, known: set[str]) -> None:
        """End every clause of the papers that a paper replaces."""
        for index, name in enumerate(paper.supersedes):
            path = f"supersedes[{index}]"
            if name not in known or name == paper.id:
                self._wrong(
                    paper,
                    path,
                    f"it supersedes {name!r}, which is no other agreement here",
                    "Name one that is.",
                )
            elif paper.signed_on is None:
                self._wrong(paper, path, f"from when it supersedes {name} is not said", "Write `signed_on:`.")
            else:
                for version in self.versions:
                    if version.home.id == name and version.removed > paper.signed_on:
                        version.removed, version.removed_by = paper.signed_on, paper.id

    def _add(self, version: Version, paper: Agreement) -> None:
        if version.ref in self._open:
            self._wrong(
                paper, version.path, f"there is already a clause {version.ref}", "Give it an id of its own."
            )
            return
        self.versions.append(version)
        self._open[version.ref] = version

    def _amend(self, dated: _Dated) -> None:
        clause = dated.clause
        target = clause.of or dated.paper.amends or dated.paper.id
        home = self._homes.get(target)
        if home is None:
            self._wrong(
                dated.paper,
                dated.path,
                f"it amends {target!r}, which is no signed agreement here",
                "Name a signed agreement in `of` or `amends`.",
            )
            return
        for index, name in enumerate(clause.removes):
            self._close(dated, home, name, f"{dated.path}.removes[{index}]")
        for index, new in enumerate(clause.replaces):
            path = f"{dated.path}.replaces[{index}]"
            if self._close(dated, home, new.id, path) is not None:
                self._insert(dated, home, new, path)
        for index, change in enumerate(clause.changes):
            path = f"{dated.path}.changes[{index}]"
            old = self._close(dated, home, change.clause, f"{path}.clause")
            if old is not None:
                self._insert(dated, home, self._changed(dated, old, change, path), path)
        for index, new in enumerate(clause.adds):
            self._insert(dated, home, new, f"{dated.path}.adds[{index}]")

    def _close(self, dated: _Dated, home: Agreement, name: str, path: str) -> Version | None:
        ref = name if "/" in name else clause_id(home.id, name)
        version = self._open.pop(ref, None)
        if version is None:
            known = ", ".join(
                sorted(ref.partition("/")[2] for ref in self._open if ref.startswith(home.id + "/"))
            )
            self._wrong(
                dated.paper,
                path,
                f"{home.id} has no clause {name!r} on {day(dated.at)}",
                f"Known then: {known or 'none'}.",
            )
            return None
        version.removed, version.removed_by, version.rule = dated.at, dated.ref, dated.clause.on_open_offers
        return version

    def _insert(self, dated: _Dated, home: Agreement, clause: Clause, path: str) -> None:
        ref = clause_id(home.id, clause.id)
        if isinstance(clause, Amendment):
            self._wrong(
                dated.paper,
                path,
                "an amendment cannot add an amendment",
                "Write it beside this one, with its date.",
            )
            return
        self._add(
            Version(ref, clause, home, dated.at, dated.ref, paper=dated.paper.id, path=path), dated.paper
        )

    def _changed(self, dated: _Dated, old: Version, change: Change, path: str) -> Clause:
        try:
            return changed(old.clause, change)
        except (msgspec.ValidationError, ValueError) as error:
            self._wrong(
                dated.paper,
                f"{path}.set",
                f"the changed clause {old.ref} does not fit: {error}",
                "Mend the fields.",
            )
            return old.clause

    def _wrong(self, paper: Agreement, path: str, message: str, remedy: str) -> None:
        self.problems.append((paper, path, message, remedy))


def amendment_date(paper: Agreement, clause: Amendment) -> Instant:
    """From when an amendment changes anything: its own date, and never before it was signed."""
    own = Instant.parse(clause.from_) if isinstance(clause.from_, str) else EVER
    return max(own, paper.signed_on if paper.signed_on is not None else EVER)


def changed(clause: Clause, change: Change) -> Clause:
    """The clause with some fields set anew. Raises ValueError (msgspec.ValidationError) where they do not fit."""
    for name in ("id", "kind"):
        if name in change.set:
            raise ValueError(f"{name} cannot change; use replaces")
    fields = wire.to_plain(clause) | wire.to_plain(change.set)
    new: Clause = msgspec.convert(fields, Clause, dec_hook=wire.from_paper)
    return new


def problems_of(agreements: Sequence[Agreement]) -> Iterator[Problem]:
    """What is wrong with the amendments, without file and line."""
    for paper, path, message, remedy in Chain(agreements).problems:
        yield Problem(message, remedy, path=f"{paper.id}.{path}")
