"""Agreements, facts and requests from YAML. The only place of this package that reads files."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from stargate.agreements.agreement import Agreement
from stargate.agreements.clause import FirstRefusal
from stargate.agreements.decision import Request
from stargate.agreements.lint import lint
from stargate.agreements.lint.entry import entries
from stargate.agreements.right import Calendar
from stargate.agreements.version import Chain
from stargate.agreements.world import WorldFact
from stargate.base.document import Document, read, typed, yaml_files
from stargate.base.errors import InputError, Problem
from stargate.base.faults import did_you_mean

KEYS = ("agreement", "agreements", "calendars", "facts")
"""What a document about agreements holds at its top."""
PROBLEMS_LIMIT = 100

Paths = str | Path | Iterable[str | Path]


class Place(msgspec.Struct, frozen=True):
    """Where an agreement is written."""

    document: Document
    path: str


class Loaded:
    """Agreements and facts with the places they came from."""

    def __init__(
        self, agreements: tuple[Agreement, ...], facts: tuple[WorldFact, ...], places: dict[str, Place]
    ) -> None:
        self.agreements = agreements
        self.facts = facts
        self._places = places

    def lint(
        self, parties: Collection[str] | None = None, paid_usd: Mapping[str, Decimal] | None = None
    ) -> tuple[Problem, ...]:
        """`lint`, each problem with file, line and path in the file."""
        return tuple(self.placed(problem) for problem in lint(self.agreements, parties, paid_usd or {}))

    def placed(self, problem: Problem) -> Problem:
        """A problem whose path starts with an agreement's id, with the place in the file instead."""
        for name in sorted(self._places, key=len, reverse=True):
            if problem.path == name or problem.path.startswith(f"{name}."):
                place = self._places[name]
                path = place.path + problem.path[len(name) :]
                line = place.document.line(path)
                return msgspec.structs.replace(problem, file=place.document.file, line=line, path=path)
        return problem


def load(paths: Paths) -> tuple[Agreement, ...]:
    """The agreements in files and folders of YAML; other documents there are passed over.

    Raises InputError with every problem: fields, and amendments that do not fit what they amend. What
    agreements say against each other is not an error of reading: see `lint`.
    """
    return load_all(paths).agreements


def load_all(paths: Paths) -> Loaded:
    """`load`, with the facts, and with the place of each agreement. Raises InputError."""
    problems: list[Problem] = []
    documents = _documents(paths, problems)
    return assemble(documents, problems)


def assemble(documents: Iterable[Document], problems: Iterable[Problem] = ()) -> Loaded:
    """Documents that were read already. Raises InputError, with `problems` first."""
    found = list(problems)
    agreements: list[Agreement] = []
    calendars: list[Calendar] = []
    facts: list[WorldFact] = []
    places: dict[str, Place] = {}
    for document in documents:
        value = document.value
        if not isinstance(value, dict) or not any(key in value for key in KEYS):
            continue
        found.extend(_strangers(document, value))
        for path, kind, kept in _parts(document, value, found, agreements, calendars, facts):
            try:
                record = typed(document, kind, path)
            except InputError as error:
                found.extend(error.problems)
                continue
            if isinstance(record, Agreement):
                if record.id in places:
                    says = f"there is already an agreement {record.id!r} in {places[record.id].document.file}"
                    found.append(document.problem(f"{path}.id", says, "Give each an id of its own."))
                    continue
                places[record.id] = Place(document, path)
            kept.append(record)
    if found:
        raise InputError(tuple(found[:PROBLEMS_LIMIT]))
    folded = tuple(_with_calendars(agreement, agreements, calendars) for agreement in agreements)
    loaded = Loaded(folded, tuple(facts), places)
    faults = [
        loaded.placed(Problem(message, remedy, path=f"{paper.id}.{path}"))
        for paper, path, message, remedy in Chain(folded).problems
    ]
    if faults:
        raise InputError(tuple(faults[:PROBLEMS_LIMIT]))
    return loaded


def _documents(paths: Paths, problems: list[Problem]) -> list[Document]:
    listed = [paths] if isinstance(paths, str | Path) else list(paths)
    found: list[Document] = []
    seen: set[Path] = set()
    for path in listed:
        try:
            files = yaml_files(Path(path))
        except InputError as error:
            problems.extend(error.problems)
            continue
        for file in files:
            if file.resolve() in seen:
                continue
            seen.add(file.resolve())
            try:
                found.extend(read(file))
            except InputError as error:
                problems.extend(error.problems)
    return found


def _strangers(document: Document, value: dict[str, Any]) -> list[Problem]:
    """Keys beside an agreement that mean nothing: a mistyped one would be lost silently."""
    if "agreement" not in value and "agreements" not in value:
        return []
    return [
        document.problem(key, f"unknown key {key!r} beside an agreement", did_you_mean(key, KEYS))
        for key in value
        if key not in KEYS
    ]


def _parts(
    document: Document,
    value: dict[str, Any],
    problems: list[Problem],
    agreements: list[Agreement],
    calendars: list[Calendar],
    facts: list[WorldFact],
) -> list[tuple[str, Any, list[Any]]]:
    """Each record of a document: its path, its kind, and the list it belongs in."""
    parts: list[tuple[str, Any, list[Any]]] = []
    if "agreement" in value:
        parts.append(("agreement", Agreement, agreements))
    lists: tuple[tuple[str, Any, list[Any]], ...] = (
        ("agreements", Agreement, agreements),
        ("calendars", Calendar, calendars),
        ("facts", WorldFact, facts),
    )
    for key, kind, kept in lists:
        items = value.get(key, [])
        if not isinstance(items, list):
            problems.append(document.problem(key, f"{key} is no list", "Write one `- ` for each."))
            continue
        parts.extend((f"{key}[{index}]", kind, kept) for index in range(len(items)))
    return parts


def _with_calendars(agreement: Agreement, every: list[Agreement], calendars: list[Calendar]) -> Agreement:
    """An agreement that carries the shared calendars it names, and so says by itself what it means."""
    own = {calendar.name for calendar in agreement.calendars}
    named = {
        entry.clause.calendar
        for entry in entries([agreement, *(other for other in every if other is not agreement)])
        if isinstance(entry.clause, FirstRefusal) and entry.paper is agreement
    }
    added = tuple(item for item in calendars if item.name in named - own)
    return (
        msgspec.structs.replace(agreement, calendars=(*agreement.calendars, *added)) if added else agreement
    )


def load_facts(paths: Paths) -> tuple[WorldFact, ...]:
    """Every fact under `facts:` in files and folders of YAML. Raises InputError."""
    problems: list[Problem] = []
    facts: list[WorldFact] = []
    for document in _documents(paths, problems):
        if isinstance(document.value, dict) and "facts" in document.value:
            try:
                facts.extend(typed(document, tuple[WorldFact, ...], "facts"))
            except InputError as error:
                problems.extend(error.problems)
    if problems:
        raise InputError(tuple(problems[:PROBLEMS_LIMIT]))
    return tuple(facts)


def load_request(path: str | Path) -> tuple[Request, tuple[WorldFact, ...]]:
    """One request (action, party, provider, attributes), with `facts:` beside it or in a document of their own.

    Raises InputError.
    """
    requests: list[Request] = []
    facts: list[WorldFact] = []
    for document in read(Path(path)):
        value = document.value
        if value is None:
            continue
        if not isinstance(value, dict):
            remedy = "Write action, party, provider and attributes."
            raise InputError((document.problem("", "this is no request", remedy),))
        if "facts" in value:
            facts.extend(typed(document, tuple[WorldFact, ...], "facts"))
        asked = {key: item for key, item in value.items() if key != "facts"}
        if "request" in asked:
            requests.append(typed(document, Request, "request"))
        elif asked:
            bare = Document(value=asked, file=document.file, marks=document.marks)
            requests.append(typed(bare, Request))
    if len(requests) != 1:
        says = f"the file holds {len(requests)} requests" if requests else "the file holds no request"
        raise InputError((Problem(says, "Write one: action, party, provider, attributes.", file=str(path)),))
    return requests[0], tuple(facts)
