"""Scenarios: what exists and was promised, what is submitted, what goes wrong, how parties answer, until when.

    scenario:
      start: 2026-07-01
      horizon: 30d
      infrastructure: [infrastructure/]     # beside this file; or as further documents of this file
      demand:
      - {name: philly, trace: philly.csv}
      faults:
      - {fault: outage, scope: site, id: abilene, at: 2026-07-10, lasts: 3d}

Reading is strict: every problem is named with file, line, field and remedy. Nothing runs here; see `stage`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from stargate.agreements import Agreement, WorldFact
from stargate.agreements.load import assemble as assemble_agreements
from stargate.base.document import Document, read, typed, yaml_files
from stargate.base.errors import InputError, Problem
from stargate.base.time import FOREVER, Duration, Instant
from stargate.broker.policy import Policy
from stargate.catalog import Infrastructure
from stargate.catalog.load import assemble as assemble_catalog
from stargate.rehearsal.changes import Change, Sign
from stargate.rehearsal.demand import Source, Submission
from stargate.rehearsal.faults import Fault
from stargate.rehearsal.policies import PolicyName
from stargate.rehearsal.world.behaviour import Behaviour
from stargate.rehearsal.world.parties import PartyModel
from stargate.workloads import Workload
from stargate.workloads import load as load_workload

Paths = Annotated[tuple[str, ...], Meta(max_length=1_000)]
BLOCK_BYTES = 1 << 20
PROBLEMS_LIMIT = 200


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """The `scenario:` document."""

    name: Annotated[str, Meta(max_length=256)] = ""
    note: Annotated[str, Meta(max_length=4_096)] = ""
    start: Instant | None = None
    """Needed, unless it starts from a journal: then not before that journal's last entry, which is the default."""
    horizon: Duration | None = None
    """How long time passes at most; not given: until nothing more comes."""
    seed: Annotated[int, Meta(ge=0)] = 0
    """Where none is given with the command."""
    from_journal: str = ""
    """Goes on where this journal (the file, or a server's folder) ends. The file is only read."""
    infrastructure: Paths = ()
    """Files and folders, beside this file. With a journal: in place of what it knows, each of the three for itself."""
    agreements: Paths = ()
    policy: Paths = ()
    policy_named: PolicyName = "own"
    """`fifo`, `sjf`, `easy` or `srtf`, for comparison; `own`: the policy as it is written."""
    changes: Annotated[tuple[Change, ...], Meta(max_length=10_000)] = ()
    """What if: applied to what was declared, in this order."""
    demand: Annotated[tuple[Source, ...], Meta(max_length=1_000)] = ()
    workloads: Annotated[tuple[Submission, ...], Meta(max_length=100_000)] = ()
    engines: Annotated[tuple[Behaviour, ...], Meta(max_length=10_000)] = ()
    """The first that fits a pool counts; none: starts at once, and nothing breaks."""
    faults: Annotated[tuple[Fault, ...], Meta(max_length=10_000)] = ()
    parties: Annotated[tuple[PartyModel, ...], Meta(max_length=1_000)] = ()

    def __post_init__(self) -> None:
        if self.start is None and not self.from_journal:
            raise ValueError("the scenario has no start; add `start: 2026-07-01`")
        if self.horizon is not None and self.horizon <= 0:
            raise ValueError("the horizon is not above zero; write one as 30d")
        if self.horizon is None and any(hasattr(fault, "every") for fault in self.faults):
            raise ValueError("faults come again and again, and nothing ends them; add `horizon:`")
        names = [source.name for source in self.demand]
        if len(set(names)) != len(names):
            raise ValueError("two parts of the demand have one name; give each a name of its own")
        if len({model.party for model in self.parties}) != len(self.parties):
            raise ValueError("a party is described twice; make one of the two")


class Declared(msgspec.Struct, frozen=True):
    """What files say exists, was promised, is known and decides. None: they do not say, and a journal does."""

    infrastructure: Infrastructure | None
    agreements: tuple[Agreement, ...] | None
    facts: tuple[WorldFact, ...]
    policy: Policy | None


class Plan(msgspec.Struct, frozen=True):
    """A scenario with everything that it names, read and checked."""

    scenario: Scenario
    document: Document
    folder: Path
    """Where its paths begin."""
    declared: Declared | None
    """None: nothing is declared here; the journal's own declaration holds."""
    signed: dict[int, tuple[Agreement, ...]]
    """Agreements of `sign` changes, by their place."""
    workloads: tuple[Workload, ...]
    """Of `workloads`, in order."""
    digest: str
    """Of everything that was read, traces included; the seed is added when it is staged."""

    def placed(self, problems: Iterable[Problem]) -> tuple[Problem, ...]:
        """Problems whose paths begin below `scenario`, with file and line."""
        return tuple(
            self.document.problem(f"scenario.{problem.path}", problem.message, problem.remedy)
            for problem in problems
        )


def load(path: Path) -> Plan:
    """A scenario from its file. Raises InputError with every problem of every file."""
    documents = read(path)
    found = [one for one in documents if isinstance(one.value, dict) and "scenario" in one.value]
    if len(found) != 1:
        message = (
            "no document here begins with `scenario:`" if not found else "there are several scenarios here"
        )
        raise InputError((Problem(message, "Write one in each file.", file=str(path)),))
    (document,) = found
    others = [key for key in document.value if key != "scenario"]
    if others:
        remedy = "Put it below `scenario:`, or into a document of its own after `---`."
        raise InputError((document.problem(others[0], f"{others[0]!r} stands beside the scenario", remedy),))
    scenario = typed(document, Scenario, "scenario")
    inline = [one for one in documents if one is not document and one.value is not None]
    return _Reader(scenario, document, path, inline).plan()


class _Reader:
    """Reads what a scenario names; collects every problem."""

    def __init__(
        self, scenario: Scenario, document: Document, path: Path, inline: Sequence[Document]
    ) -> None:
        self._scenario = scenario
        self._document = document
        self._folder = path.parent
        self._inline = list(inline)
        self._problems: list[Problem] = []
        self._sum = blake2b(digest_size=16)
        self._hash(path, "scenario")

    def plan(self) -> Plan:
        scenario = self._scenario
        declared = self._declared()
        signed = {
            place: tuple(self._agreements(change.agreements))
            for place, change in enumerate(scenario.changes)
            if isinstance(change, Sign)
        }
        workloads = [self._workload(one.workload) for one in scenario.workloads]
        for source in scenario.demand:
            if source.trace:
                self._data(source.trace)
        for one in scenario.workloads:
            if one.traffic is not None and one.traffic.requests:
                self._data(one.traffic.requests)
        if scenario.from_journal:
            self._hash(journal_file(self._folder / scenario.from_journal), "journal")
        if self._problems:
            raise InputError(tuple(self._problems[:PROBLEMS_LIMIT]))
        return Plan(
            scenario, self._document, self._folder, declared, signed,
            tuple(one for one in workloads if one is not None), self._sum.hexdigest(),
        )  # fmt: skip

    def _declared(self) -> Declared | None:
        scenario = self._scenario
        named = {
            name: [*self._documents(getattr(scenario, name), name), *self._inline]
            for name in ("infrastructure", "agreements", "policy")
        }
        if not any(named.values()):
            if not scenario.from_journal:
                message = "nothing is declared to rehearse with"
                remedy = "Name files in `infrastructure:`, or write pools in a further document of this file."
                self._problems.append(self._document.problem("scenario", message, remedy))
            return None
        policies = [one for one in named["policy"] if isinstance(one.value, dict) and "policy" in one.value]
        if len(policies) > 1:
            message = f"a policy stands in {policies[0].file} already"
            self._problems.append(policies[1].problem("policy", message, "Keep one of the two."))
        try:
            infrastructure = assemble_catalog(named["infrastructure"]).infrastructure
            promised = assemble_agreements(named["agreements"])
            policy = typed(policies[0], Policy, "policy") if policies else None
        except InputError as error:
            self._problems += error.problems
            return None
        known = bool(scenario.from_journal)
        return Declared(
            None if known and not infrastructure.pools else infrastructure,
            None if known and not promised.agreements else promised.agreements,
            promised.facts,
            policy if known else policy or Policy(),
        )

    def _documents(self, paths: Iterable[str], role: str) -> list[Document]:
        found: list[Document] = []
        files: dict[Path, Path] = {}
        for path in paths:
            try:
                for file in yaml_files(self._folder / path):
                    files.setdefault(file.resolve(), file)
            except InputError as error:
                self._problems += error.problems
        for file in files.values():
            try:
                found += read(file)
            except InputError as error:
                self._problems += error.problems
            else:
                self._hash(file, role)
        return found

    def _agreements(self, paths: Iterable[str]) -> tuple[Agreement, ...]:
        documents = self._documents(paths, "sign")
        agreements = [
            typed(one, kind, at)
            for one in documents
            if isinstance(one.value, dict)
            for kind, at in _papers(one.value)
        ]
        return tuple(agreements)

    def _workload(self, path: str) -> Workload | None:
        try:
            workload = load_workload(self._folder / path)
        except InputError as error:
            self._problems += error.problems
            return None
        self._hash(self._folder / path, "workload")
        return workload

    def _data(self, path: str) -> None:
        place = self._folder / path
        if not place.exists():
            problem = Problem("there is no such file or folder", "Check the path.", file=str(place))
            self._problems.append(problem)
            return
        files = [place] if place.is_file() else sorted(file for file in place.rglob("*") if file.is_file())
        for file in files:
            self._hash(file, "trace")

    def _hash(self, path: Path, role: str) -> None:
        """Contents count, and what they are for; not where they lie."""
        part = blake2b(digest_size=16)
        try:
            with path.open("rb") as stream:
                while block := stream.read(BLOCK_BYTES):
                    part.update(block)
        except OSError as error:
            reason = (error.strerror or "it is unreadable").lower()
            problem = Problem(f"the file cannot be read: {reason}", "Check the path.", file=str(path))
            self._problems.append(problem)
            return
        self._sum.update(f"{role} {path.name} {part.hexdigest()}\n".encode())


def _papers(value: dict[str, Any]) -> Iterable[tuple[type[Agreement], str]]:
    if "agreement" in value:
        yield Agreement, "agreement"
    for place in range(len(value.get("agreements") or ())):
        yield Agreement, f"agreements[{place}]"


def journal_file(path: Path) -> Path:
    """The journal's file, where a server's folder may be named instead."""
    return path / "journal.sqlite" if path.is_dir() else path


def end_of(scenario: Scenario, start: Instant) -> Instant:
    """When the rehearsal ends at the latest."""
    return FOREVER if scenario.horizon is None else Instant(min(start + scenario.horizon, FOREVER))
