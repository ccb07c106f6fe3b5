"""What a server is told at its start: where its data lies, where it listens, what it is to run, and its bounds."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from pathlib import Path

import msgspec

from stargate import agreements, catalog
from stargate.base.document import Document, parse, read, typed, yaml_files
from stargate.base.errors import ForbiddenError, InputError, Problem, UserError
from stargate.broker.command import Declare
from stargate.broker.policy import Policy
from stargate.catalog.load import assemble

PORT = 8750


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
    host: str = "127.0.0.1"
    port: int = PORT
    """0: any free one; the line that the server prints names it."""
    allow_remote: bool = False
    """Listen also where other machines can reach it. Keys then travel in clear unless a proxy adds TLS."""
    stop_jobs: bool = False
    """Let running work save and stop when the server stops; it goes on at the next start."""
    limits: Limits = Limits()

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.data / "journal.sqlite"

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


def read_declaration(config: ServerConfig) -> Declare:
    """What the configured files say. Raises InputError with every problem of every file."""
    problems: list[Problem] = []
    infrastructure, promised, policy = catalog.Infrastructure(), (), Policy()
    try:
        infrastructure = catalog.load(config.infrastructure)
    except InputError as error:
        problems += error.problems
    try:
        promised = agreements.load(config.agreements) if config.agreements else ()
    except InputError as error:
        problems += error.problems
    try:
        policy = read_policy(config.policy)
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(tuple(problems))
    return Declare(infrastructure, promised, policy)


def read_texts(text: str) -> Declare:
    """The same from one text with all documents. Raises InputError with every problem."""
    documents = parse(text, "yaml")
    policies = [one for one in documents if _is_policy(one)]
    return Declare(assemble(documents).infrastructure, (), _policy_of(policies))


def read_policy(paths: Iterable[Path]) -> Policy:
    """The one `policy:` document of these files; the default policy where there is no file."""
    files = [file for path in paths for file in yaml_files(path)]
    found = [one for file in files for one in read(file) if _is_policy(one)]
    if files and not found:
        raise _refused(
            str(files[0]), "no document here begins with `policy:`", "Add one, or leave the path out."
        )
    return _policy_of(found)


def _policy_of(found: list[Document]) -> Policy:
    if not found:
        return Policy()
    if len(found) > 1:
        raise InputError(
            (
                found[1].problem(
                    "policy", f"a policy stands in {found[0].file} already", "Keep one of the two."
                ),
            )
        )
    return typed(found[0], Policy, "policy")


def _is_policy(document: Document) -> bool:
    return isinstance(document.value, dict) and "policy" in document.value


def _refused(file: str, message: str, remedy: str) -> InputError:
    return InputError((Problem(message, remedy, file=file),))
