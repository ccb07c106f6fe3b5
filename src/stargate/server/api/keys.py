"""Keys: make, list, revoke. A key's text is in the answer that makes it, and nowhere else."""

from __future__ import annotations

import logging
from typing import Annotated, Any

import msgspec
from litestar.params import JSONBody
from msgspec import Meta

from stargate.base.errors import InputError, Problem
from stargate.base.faults import did_you_mean
from stargate.base.time import Instant
from stargate.catalog import Infrastructure
from stargate.catalog.jurisdiction import fault
from stargate.gateway.record import Scope
from stargate.server.api.page import After, Id, Limit, cut
from stargate.server.api.route import Asking, Here, changing, reading
from stargate.server.api.terms import Name, demand_time
from stargate.server.auth import Key, Role

_log = logging.getLogger(__name__)


class KeyBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A key to make."""

    name: Annotated[str, Meta(min_length=1, max_length=128)]
    """Whose it is, for people; it stands in the journal beside what is asked with it."""
    role: Role
    party: Name = ""
    """With the role provider: the party it speaks for."""
    expires: Instant | None = None
    scope: Scope | None = None
    """With the role application: for whom its requests are made, and what they may take."""
    operator: bool = False
    """With the role application: it is told in a header why a request went where it went."""

    def __post_init__(self) -> None:
        if self.expires is not None:
            demand_time(self.expires)
        if not self.name.isprintable():
            raise ValueError(
                f"the name {self.name!r:.60} holds characters that nobody can read; leave them out"
            )
        for code in self.scope.residency if self.scope is not None else ():
            wrong = fault(code)
            if wrong is not None:
                raise ValueError(f"residency: {' — '.join(wrong)}")


class KeyView(msgspec.Struct, frozen=True):
    """A key without its text."""

    id: str
    name: str
    role: Role
    party: str
    shown: str
    """Prefix and last four."""
    created: Instant
    expires: Instant | None
    revoked: Instant | None
    scope: Scope | None
    """Of an application's key."""
    operator: bool


class KeyMade(KeyView, frozen=True, kw_only=True):
    """A new key."""

    key: str
    """To be sent as `Authorization: Bearer …`. It cannot be shown again."""


class KeyPage(msgspec.Struct, frozen=True):
    """Keys, oldest first."""

    items: tuple[KeyView, ...]
    total: int
    next: str | None


@changing("/v1/keys", "keys.manage", status=201)
async def make_key(house: Here, actor: Asking, data: JSONBody[KeyBody]) -> KeyMade:
    """Make a key."""
    await house.driver.read(lambda state: _demand_parties(state.records.infrastructure, data))
    key, token = house.keyring.make(
        data.name,
        data.role,
        house.clock(),
        party=data.party,
        expires=data.expires,
        scope=data.scope,
        operator=data.operator,
    )
    _log.info(
        "%s made the key %s (%s, %s) for %s", actor.name, key.id, key.role, key.party or "no party", key.name
    )
    return KeyMade(**msgspec.structs.asdict(_view(key)), key=token)


@reading("/v1/keys", "keys.manage")
async def list_keys(house: Here, limit: Limit = 50, after: After = "") -> KeyPage:
    """Keys, revoked ones included, without their text."""
    found, total, following = cut(house.keyring.all(), limit, after, lambda key: key.id)
    return KeyPage(tuple(_view(key) for key in found), total, following)


@changing("/v1/keys/{id:str}/revoke", "keys.manage")
async def revoke_key(house: Here, actor: Asking, id: Id) -> KeyView:
    """From the next request on the key is worth nothing."""
    key = house.keyring.revoke(id, house.clock(), by=actor)
    _log.info("%s revoked the key %s of %s", actor.name, key.id, key.name)
    return _view(key)


def _demand_parties(infrastructure: Infrastructure, data: KeyBody) -> None:
    known = infrastructure.parties_by_id
    owes = data.scope.party if data.scope is not None else ""
    for party, path in ((data.party, "party"), (owes, "scope.party")):
        if party and party not in known:
            raise InputError(
                (Problem(f"no party is called {party!r}", did_you_mean(party, known), path=path),)
            )


def _view(key: Key) -> KeyView:
    return KeyView(
        id=key.id,
        name=key.name,
        role=key.role,
        party=key.party,
        shown=key.shown,
        created=key.created,
        expires=key.expires,
        revoked=key.revoked,
        scope=key.scope,
        operator=key.operator,
    )


ROUTES: tuple[Any, ...] = (make_key, list_keys, revoke_key)
