"""What a server is told at its start: where its data lies, where it listens, what it is to run, and its bounds."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from stargate.agreements import WorldFact
from stargate.agreements.load import assemble as assemble_agreements
from stargate.base.document import Document, parse, read, typed, yaml_files
from stargate.base.errors import ForbiddenError, InputError, Problem, UserError
from stargate.broker.command import Declare
from stargate.broker.policy import Policy
from stargate.catalog.load import assemble as assemble_catalog

PORT = 8750
PROBLEMS_LIMIT = 200
"""Reported at once."""


class Limits(msgspec.Struct, frozen=True):
    """Everything that is bounded, and where."""

    inbox_commands: int = 1_000
    """People's commands that wait to be decided; more are refused with 429."""
    batch_commands: int = 100
    batch_ms: int = 5
    """A batch is committed after this many commands or this long, whichever comes first."""
    snapshot_entries: int = 10_000
    """Entries between two snapshots."""
    body_bytes: int = 1 << 20
    concurrent_requests: int = 256
    """More are refused with 503."""
    request_s: float = 30.0
    """A request that takes longer is answered with 503."""
    keys: int = 10_000
    explain_entries: int = 250_000
    """How far a past state may be away from a snapshot to be rebuilt for an explanation."""
    probe_s: float = 10.0
    """Replicas that are ready are asked this often whether they still are."""
    request_rows: int = 1_000_000
    """Attempts at gateways that are remembered, to say why they went where they went."""
    request_days: int = 30
    """For so long."""
    ledger_s: float = 60.0
    """The ledger is brought up to date this often, and when an hour is full."""
    transfer_s: float = 600.0
    """The same for what moves whole files: those of batches."""
    batch_s: float = 86_400.0
    """A batch ends after this, with what is answered."""
    shutdown_s: float = 10.0
    """What is in hand has this long to finish when the server stops."""


class ServerConfig(msgspec.Struct, frozen=True):
    """One server. Paths may be files or folders of YAML."""

    data: Path
    """The journal, keys and the local engine's files. One server at a time."""
    infrastructure: tuple[Path, ...] = ()
    """Without any, what the journal knows goes on to hold."""
    agreements: tuple[Path, ...] = ()
    policy: tuple[Path, ...] = ()
    ledger: str = ""
    """Where the ledger lies: a file, a `postgresql://` address, or `none`. Empty: in the data folder."""
    host: str = "127.0.0.1"
    port: int = PORT
    """0: any free one; the line that the server prints names it."""
    allow_remote: bool = False
    """Listen also where other machines can reach it. Keys then travel in clear unless a proxy adds TLS."""
    gateway: str = "http://127.0.0.1:8780/v1"
    """Where the runners of batches reach a gateway, up to and with `/v1`."""
    stop_jobs: bool = False
    """Let running work save and stop when the server stops; it goes on at the next start."""
    limits: Limits = Limits()

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.data / "journal.sqlite"

    @property
    def books(self) -> str | None:
        """The file or address of the ledger; None: this server keeps none."""
        return None if self.ledger == "none" else self.ledger or str(self.data / "ledger.sqlite")

    @property
    def requests(self) -> Path:
        """The file of what became of requests at gateways."""
        return self.data / "requests.sqlite"

    @property
    def batches(self) -> Path:
        """The folder of batches and their files."""
        return self.data / "batches"

    @property
    def keys(self) -> Path:
        """The file of hashed keys."""
        return self.data / "keys.json"

    @property
    def operator_key(self) -> Path:
        """The file with the first operator's key."""
        return self.data / "operator.key"

    @property
    def local_engine(self) -> Path:
        """The root of the local engine."""
        return self.data / "local"

    @property
    def address(self) -> Path:
        """The file that tells the command line where the server listens."""
        return self.data / "server.json"

    @property
    def declares(self) -> bool:
        """Whether it names files of its own."""
        return bool(self.infrastructure or self.agreements or self.policy)


def demand_safe(config: ServerConfig) -> ServerConfig:
    """The same, or a ForbiddenError where it would listen to other machines without being told to."""
    if not config.allow_remote and not is_loopback(config.host):
        raise ForbiddenError(
            f"{config.host} can be reached from other machines",
            "listen on 127.0.0.1, or allow it with --allow-remote and put a proxy with TLS in front",
        )
    if not 0 <= config.port <= 65_535:
        raise UserError(f"{config.port} is no port", "choose one from 1 to 65535, or 0 for any free one")
    return config


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address. Names other than localhost count as not."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Plan(msgspec.Struct, frozen=True):
    """What files or a text declare, read and checked."""

    command: Declare
    facts: tuple[WorldFact, ...] = ()
    """Facts of the world that stand beside the agreements."""
    doubts: tuple[Problem, ...] = ()
    """What is possible but odd: agreements that contradict each other, figures that hardly go together."""


def read_plan(config: ServerConfig) -> Plan:
    """What the configured files say. Raises InputError with every problem of every file."""
    documents: dict[str, list[Document]] = {}
    problems: list[Problem] = []
    for name in ("infrastructure", "agreements", "policy"):
        documents[name] = _documents(getattr(config, name), problems)
    if config.policy and not any(map(_is_policy, documents["policy"])) and not problems:
        message = "no document here begins with `policy:`"
        problems.append(Problem(message, "Add one, or leave the path out.", file=str(config.policy[0])))
    return _assembled(documents["infrastructure"], documents["agreements"], documents["policy"], problems)


def read_texts(text: str) -> Plan:
    """The same from one text with all documents. Raises InputError with every problem."""
    documents = parse(text, "yaml")
    return _assembled(documents, documents, documents, [])


def _documents(paths: Iterable[Path], problems: list[Problem]) -> list[Document]:
    """Every document of these files and folders, each file once."""
    files: dict[Path, Path] = {}
    documents: list[Document] = []
    for path in paths:
        try:
            for file in yaml_files(path):
                files.setdefault(file.resolve(), file)
        except InputError as error:
            problems += error.problems
    for file in files.values():
        try:
            documents += read(file)
        except InputError as error:
            problems += error.problems
    return documents


def _assembled(
    catalog_documents: Sequence[Document],
    agreement_documents: Sequence[Document],
    policy_documents: Sequence[Document],
    problems: list[Problem],
) -> Plan:
    try:
        exists = assemble_catalog(catalog_documents)
    except InputError as error:
        problems += error.problems
    try:
        promised = assemble_agreements(agreement_documents)
    except InputError as error:
        problems += error.problems
    try:
        policy = _policy_of([one for one in policy_documents if _is_policy(one)])
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(tuple(problems[:PROBLEMS_LIMIT]))
    parties = {party.id for party in exists.infrastructure.parties}
    doubts = (*exists.doubts, *promised.lint(parties))
    command = Declare(exists.infrastructure, promised.agreements, policy)
    return Plan(command, promised.facts, doubts)


def _is_policy(document: Document) -> bool:
    return isinstance(document.value, dict) and "policy" in document.value


def _policy_of(found: list[Document]) -> Policy:
    """The one policy; the default where there is none."""
    if not found:
        return Policy()
    if len(found) > 1:
        message = f"a policy stands in {found[0].file} already"
        raise InputError((found[1].problem("policy", message, "Keep one of the two."),))
    return typed(found[0], Policy, "policy")
