"""`stargate check`: every file strictly, without a server."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import click
import msgspec

from stargate import agreements, catalog, workloads
from stargate.agreements import Request
from stargate.agreements.lint.overlap import contradictions
from stargate.agreements.version import Chain
from stargate.base.document import Document, read, typed, yaml_files
from stargate.base.errors import InputError, Problem, UserError
from stargate.base.faults import did_you_mean
from stargate.base.ids import is_name
from stargate.broker import Policy
from stargate.cli.failure import USER_FAULT
from stargate.cli.output import count, json_option, print_json
from stargate.workloads import Workload

T = TypeVar("T")
_MANY = {"policy": "policies"}

KINDS: dict[str, frozenset[str]] = {
    "catalog": frozenset({"parties", "providers", "sites", "pools", "chips", "fabrics"}),
    "agreements": frozenset({"agreement", "agreements", "calendars", "facts"}),
    "policy": frozenset({"policy"}),
    "scenario": frozenset({"scenario"}),
}
"""Top-level keys that say what a document is about; one document may hold several."""
WORKLOAD = frozenset(
    {"run", "setup", "resources", "service", "kind", "num_nodes", "workdir", "model", "tokens", "traffic"}
)
"""Any of these makes a document a workload."""


class Findings(msgspec.Struct):
    """What a check found."""

    files: int = 0
    problems: list[Problem] = []
    """Errors: what cannot be used as it is."""
    conflicts: list[Problem] = []
    """Agreements that contradict one another; nobody resolves that silently."""
    doubts: list[Problem] = []
    """Odd, but possible."""
    counts: dict[str, int] = {}
    """How much of everything was read."""

    @property
    def ok(self) -> bool:
        """Whether everything can be used."""
        return not self.problems and not self.conflicts


@click.command("check")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@json_option
def command(paths: tuple[Path, ...], as_json: bool) -> int:
    """Check files and folders of YAML: catalog, agreements, policy, requests, workloads.

    Every problem is named with file, line, field and remedy; agreements that contradict one another are listed.
    Exit code 2 if anything is wrong.
    """
    found = examine(paths)
    if as_json:
        print_json({"ok": found.ok, **msgspec.structs.asdict(found)})
    else:
        say(found)
    return 0 if found.ok else USER_FAULT


def examine(paths: Iterable[Path]) -> Findings:
    """Read everything below the paths and check each kind with its own rules."""
    found = Findings()
    by_kind: dict[str, list[Document]] = {}
    for file in _files(paths, found):
        found.files += 1
        for one in _attempt(found, lambda file=file: read(file)) or ():  # type: ignore[misc]
            for kind in kinds_of(one):
                by_kind.setdefault(kind, []).append(one)
    infrastructure = _catalog(by_kind.get("catalog", []), found)
    _agreements(by_kind.get("agreements", []), infrastructure, found)
    _count(found, "policy", by_kind, lambda one: typed(one, Policy, "policy"))
    _count(found, "request", by_kind, _request)
    _count(found, "scenario", by_kind, _scenario)
    for workload, one in _count(found, "workload", by_kind, _workload):
        _name_chips(workload, one, infrastructure, found)
        _know_model(workload, one, found)
    found.problems += [_unknown(one) for one in by_kind.get("unknown", [])]
    return found


def kinds_of(one: Document) -> tuple[str, ...]:
    """What a document is about, by its keys."""
    if one.value is None:
        return ()
    keys = set(one.value) if isinstance(one.value, dict) else set()
    about = tuple(kind for kind, names in KINDS.items() if keys & names)
    if keys & {"action", "request"}:
        return (*about, "request")
    if about:
        return about
    return ("workload",) if keys & WORKLOAD and "type" not in keys else ("unknown",)


def _files(paths: Iterable[Path], found: Findings) -> list[Path]:
    """Every file once."""
    listed = [file for path in paths for file in _attempt(found, lambda path=path: yaml_files(path)) or ()]  # type: ignore[misc]
    return list({file.resolve(): file for file in listed}.values())


def _attempt(found: Findings, read_it: Callable[[], T]) -> T | None:
    """What is read; None, and its problems noted, where that does not work."""
    try:
        return read_it()
    except InputError as error:
        found.problems += error.problems
        return None


def _count(
    found: Findings, kind: str, by_kind: dict[str, list[Document]], judge: Callable[[Document], T]
) -> list[tuple[T, Document]]:
    """Those documents of a kind that are sound, counted."""
    sound = [
        (record, one)
        for one in by_kind.get(kind, [])
        if (record := _attempt(found, lambda one=one: judge(one))) is not None  # type: ignore[misc]
    ]
    if sound:
        found.counts[_MANY.get(kind, f"{kind}s")] = len(sound)
    return sound


def _catalog(documents: list[Document], found: Findings) -> catalog.Infrastructure:
    """The catalog of all these documents together; an empty one where it is unsound."""
    loaded = _attempt(found, lambda: catalog.assemble(documents)) if documents else None
    if loaded is None:
        return catalog.Infrastructure(chips=catalog.builtin_chips())
    found.doubts += loaded.doubts
    infrastructure = loaded.infrastructure
    for section in ("parties", "providers", "sites", "pools"):
        found.counts[section] = len(getattr(infrastructure, section))
    return infrastructure


def _agreements(documents: list[Document], infrastructure: catalog.Infrastructure, found: Findings) -> None:
    """Each agreement alone, then all of them against one another."""
    if not documents:
        return
    files = list(dict.fromkeys(Path(one.file) for one in documents))
    loaded = _attempt(found, lambda: agreements.load_all(files))
    if loaded is None:
        return
    signed = loaded.agreements
    found.counts["agreements"] = len(signed)
    found.counts["clauses"] = sum(len(each.clauses) for each in signed)
    if loaded.facts:
        found.counts["facts"] = len(loaded.facts)
    parties = {party.id for party in infrastructure.parties} or None
    against = {loaded.placed(problem) for problem in contradictions(Chain(signed).versions)}
    for problem in loaded.lint(parties):
        (found.conflicts if problem in against else found.problems).append(problem)


def _request(one: Document) -> Request:
    if "request" in one.value:
        return typed(one, Request, "request")
    asked = {key: value for key, value in one.value.items() if key != "facts"}
    return typed(Document(value=asked, file=one.file, marks=one.marks), Request)


def _scenario(one: Document) -> object:
    """Its own words; what it names is read when it is rehearsed."""
    from stargate.rehearsal.scenario import Scenario

    return typed(one, Scenario, "scenario")


def _workload(one: Document) -> Workload:
    file = Path(one.file)
    stem = file.name.partition(".")[0]
    return workloads.parse_document(one, stem if is_name(stem) else "", file.parent)


def _name_chips(
    workload: Workload, one: Document, infrastructure: catalog.Infrastructure, found: Findings
) -> None:
    """A chip that nobody knows is no error: it may be declared later. Most often it is a typing mistake."""
    known = catalog.ChipNames(infrastructure.chips)
    for name in dict.fromkeys(each.chip for each in workload.alternatives if each.chip):
        if known.find(name) is None:
            remedy = did_you_mean(name, (chip.id for chip in infrastructure.chips))
            found.doubts.append(
                one.problem("resources.accelerators", f"no chip is called {name!r} here", remedy)
            )


def _know_model(workload: Workload, one: Document, found: Findings) -> None:
    """Stated work is sized by its model, so that must be one of the library, or described."""
    if not workload.stated:
        return
    from stargate.broker.sizing import model_of

    try:
        model_of(workload)
    except UserError as error:
        found.problems.append(one.problem("model", error.message, error.remedy))


def _unknown(one: Document) -> Problem:
    if isinstance(one.value, dict) and "type" in one.value:
        return one.problem(
            "type", "this looks like a file of dstack", "Turn it into ours with `stargate import`."
        )
    keys = sorted({*WORKLOAD, "action", *(key for names in KINDS.values() for key in names)})
    first = next(iter(one.value), "") if isinstance(one.value, dict) else ""
    return one.problem(first, "it cannot be told what this document is about", did_you_mean(first, keys))


def say(found: Findings) -> None:
    """One line for each problem, on stderr; a summary on stdout."""
    for problem in (*found.problems, *found.conflicts):
        click.echo(str(problem), err=True)
    for doubt in found.doubts:
        click.echo(f"doubt: {doubt}", err=True)
    parts = ", ".join(f"{number:,} {name}" for name, number in found.counts.items())
    wrong = [
        count(len(problems), name)
        for name, problems in (
            ("problem", found.problems),
            ("conflict", found.conflicts),
            ("doubt", found.doubts),
        )
        if problems
    ]
    click.echo(
        f"{count(found.files, 'file')}: {'; '.join(part for part in (parts, ', '.join(wrong) or 'ok') if part)}"
    )
