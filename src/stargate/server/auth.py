"""Keys: who is asking. A key is shown once, when it is made; the file keeps only its SHA-256.

A plain hash is enough: a key is 256 random bits, so there is nothing to guess. Revoking and expiring take effect
with the next request. What a role may do is said in `access`; what an application may do at gateways, in its scope.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, get_args

import msgspec

from stargate.base import wire
from stargate.base.errors import (
    ForbiddenError,
    InputError,
    InternalError,
    LimitError,
    NotFoundError,
    Problem,
    UnauthorizedError,
)
from stargate.base.time import Instant
from stargate.gateway.record import Application, Scope

Role = Literal["operator", "engineer", "finance", "provider", "gateway", "application", "batch"]
ROLES: tuple[Role, ...] = get_args(Role)

PREFIX = "sg_live_"
_SECRET_BYTES = 32
_FILE_LIMIT_BYTES = 16 << 20
_OPEN_TO_OTHERS = 0o077


class Actor(msgspec.Struct, frozen=True):
    """Who is asking."""

    key: str
    """The key's id; part of the cause of everything that is asked with it."""
    name: str
    role: Role
    party: str = ""
    """The company that a provider's key speaks for."""


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A key as it is kept."""

    id: str
    name: str
    role: Role
    sha256: str
    last4: str
    created: Instant
    party: str = ""
    expires: Instant | None = None
    revoked: Instant | None = None
    scope: Scope | None = None
    """Of an application's key, and of no other."""
    operator: bool = False
    """An application's key that is told why a request went where it went."""
    owner: str = ""
    """Of the key of a batch, which the server makes itself: the application's key that it speaks for at gateways."""

    @property
    def shown(self) -> str:
        """Enough to tell it from others: prefix and last four."""
        return f"{PREFIX}…{self.last4}"

    def refusal(self, at: Instant) -> str:
        """Why it is not good at an instant; empty: it is."""
        if self.revoked is not None and self.revoked <= at:
            return "has been revoked"
        if self.expires is not None and self.expires <= at:
            return f"expired {self.expires}"
        return ""

    def application(self) -> Application:
        """As gateways know it. Only for an application's key."""
        assert self.scope is not None, f"the key {self.id} is no application's"
        return Application(self.id, self.name, self.sha256, self.scope, self.expires, self.operator)

    def standing_for(self, owner: Key) -> Application:
        """The owner as gateways know it by the key of a batch: its limits and its budget are the owner's."""
        ends = [expires for expires in (self.expires, owner.expires) if expires is not None]
        return msgspec.structs.replace(
            owner.application(),
            sha256=self.sha256,
            expires=min(ends, default=None),
            operator=False,
            batch=self.name,
        )


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: Literal[1]
    keys: tuple[Key, ...]


class Keyring:
    """All keys, in memory and in a file that only its owner can read. One server at a time writes it."""

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._limit = limit
        self._keys: dict[str, Key] = {}
        self._raw: dict[str, msgspec.Raw] = {}
        """Each key as it stands in the file."""
        self._by_hash: dict[str, str] = {}
        """The first half of a hash to the key's id: enough to find it, the rest is compared in constant time."""
        self.changed: Callable[[], None] = lambda: None
        """Called when a key was made or revoked."""
        if path.exists():
            keys = {key.id: key for key in _read(path)}
            self._keep(keys, {id: msgspec.Raw(wire.to_json(key)) for id, key in keys.items()})

    def all(self) -> tuple[Key, ...]:
        """Every key, oldest first, revoked ones included."""
        return tuple(self._keys.values())

    def find(self, id: str) -> Key | None:
        """The key of an id, also one that is good no more."""
        return self._keys.get(id)

    def actor(self, token: str, at: Instant) -> Actor:
        """Whose key this is. Raises UnauthorizedError, without saying which part is wrong."""
        digest = _digest(token)
        key = self._keys.get(self._by_hash.get(digest[:32], ""))
        if key is None or not hmac.compare_digest(key.sha256, digest):
            raise UnauthorizedError(
                "this key is not known here", "send a key of this server as `Authorization: Bearer sg_live_…`"
            )
        refusal = key.refusal(at)
        if refusal:
            raise UnauthorizedError(f"the key {key.name!r} {refusal}", "ask an operator for a new one")
        return Actor(key.id, key.name, key.role, key.party)

    def make(
        self,
        name: str,
        role: Role,
        at: Instant,
        *,
        party: str = "",
        expires: Instant | None = None,
        scope: Scope | None = None,
        operator: bool = False,
    ) -> tuple[Key, str]:
        """A new key, and its text, which is nowhere kept. Raises LimitError and InputError."""
        key, token = forge(name, role, at, party=party, expires=expires, scope=scope, operator=operator)
        self.add(key)
        return key, token

    def add(self, key: Key) -> None:
        """Keep a key. Raises LimitError."""
        if len(self._keys) >= self._limit:
            raise LimitError(f"there are {len(self._keys)} keys already", "remove revoked ones from the file")
        self._store({**self._keys, key.id: key})

    def revoke(self, id: str, at: Instant, *, by: Actor) -> Key:
        """From now on the key is worth nothing. Raises NotFoundError; ForbiddenError for one's own."""
        key = self._keys.get(id)
        if key is None:
            raise NotFoundError(f"no key {id!r}", "`GET /v1/keys` lists them")
        if key.revoked is not None:
            return key
        if key.id == by.key:
            raise ForbiddenError("a key cannot revoke itself", "use another operator's key")
        revoked = msgspec.structs.replace(key, revoked=at)
        self._store({**self._keys, id: revoked})
        return revoked

    def drop(self, ids: Iterable[str]) -> None:
        """Forget keys that nobody will look for again. Those that are not there are left out."""
        gone = self._keys.keys() & set(ids)
        if gone:
            self._store({id: key for id, key in self._keys.items() if id not in gone})

    def _store(self, keys: dict[str, Key]) -> None:
        # Of ten thousand keys one is new: the others are written as they were written before.
        raw = {
            id: self._raw[id] if self._keys.get(id) is key else msgspec.Raw(wire.to_json(key))
            for id, key in keys.items()
        }
        write_private(self._path, wire.to_json({"version": 1, "keys": tuple(raw.values())}))
        self._keep(keys, raw)
        self.changed()

    def _keep(self, keys: dict[str, Key], raw: dict[str, msgspec.Raw]) -> None:
        self._keys = keys
        self._raw = raw
        self._by_hash = {key.sha256[:32]: key.id for key in keys.values()}


def open_keyring(path: Path, operator_key: Path, at: Instant, limit: int) -> Keyring:
    """The keyring; at the first start also an operator's key, in a file of its own.

    Raises ForbiddenError where others could read the file, InternalError where it makes no sense.
    """
    keyring = Keyring(path, limit)
    if not any(key.role == "operator" and not key.refusal(at) for key in keyring.all()):
        key, token = forge("operator", "operator", at)
        # First the text, then the hash: stopped in between, the next start makes another.
        write_private(operator_key, token.encode() + b"\n")
        keyring.add(key)
    return keyring


def forge(
    name: str,
    role: Role,
    at: Instant,
    *,
    party: str = "",
    expires: Instant | None = None,
    scope: Scope | None = None,
    operator: bool = False,
    owner: str = "",
) -> tuple[Key, str]:
    """A key and its text, kept nowhere yet. Raises InputError."""
    if (role == "provider") != bool(party):
        raise _misfit(
            "a provider's key speaks for a party, other keys for none",
            "Give `party` with the role provider, and only with it.",
            path="party",
        )
    if role != "application" and (scope is not None or operator):
        raise _misfit(
            "only an application's key has a scope at the gateway",
            "Give `scope` and `operator` with the role application, and only with it.",
            path="scope" if scope is not None else "operator",
        )
    if (role == "batch") != bool(owner):
        raise _misfit(
            "the key of a batch is made with the batch",
            "Make one with another role; a batch begins with `POST /v1/batches`.",
            path="role",
        )
    token = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    key = Key(
        id=secrets.token_hex(6),
        name=name,
        role=role,
        sha256=_digest(token),
        last4=token[-4:],
        created=at,
        party=party,
        expires=expires,
        scope=(scope or Scope()) if role == "application" else None,
        operator=operator,
        owner=owner,
    )
    return key, token


def _misfit(message: str, remedy: str, path: str) -> InputError:
    return InputError((Problem(message, remedy, path=path),))


def write_private(path: Path, data: bytes) -> None:
    """Replace a file in one step, durably, readable by its owner only. Raises InternalError."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(fresh, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise InternalError(
            f"{path} cannot be written: {error.strerror}",
            "Check free space and the permissions of its folder.",
        ) from error


def _read(path: Path) -> tuple[Key, ...]:
    try:
        if path.stat().st_mode & _OPEN_TO_OTHERS:
            raise ForbiddenError(
                f"{path} can be read or changed by others than its owner", f"run `chmod 600 {path}`"
            )
        with path.open("rb") as file:
            return wire.from_json(file.read(_FILE_LIMIT_BYTES), _File).keys
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise InternalError(
            f"{path} cannot be read: {error}",
            "Restore it from a backup, or move it away: the next start makes a new operator's key.",
        ) from error


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
