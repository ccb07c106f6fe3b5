from __future__ import annotations

import stat
from pathlib import Path

import pytest

from stargate.base.errors import (
    ForbiddenError,
    InputError,
    InternalError,
    LimitError,
    NotFoundError,
    UnauthorizedError,
)
from stargate.base.time import Instant
from stargate.gateway.record import Application, Scope
from stargate.server.auth import Actor, Keyring, forge, open_keyring

NOW = Instant.parse("2026-01-01")
LATER = Instant.parse("2026-02-01")
OPERATOR = Actor("k", "somebody", "operator")


@pytest.fixture
def ring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "keys.json", 10)


def test_a_key_is_256_random_bits_behind_a_prefix(ring: Keyring) -> None:
    tokens = {ring.make("k", "engineer", NOW)[1] for _ in range(5)}
    assert len(tokens) == 5
    assert all(token.startswith("sg_live_") and len(token) == len("sg_live_") + 43 for token in tokens)


def test_a_key_says_who_asks(ring: Keyring) -> None:
    key, token = ring.make("desk", "provider", NOW, party="acme")
    assert ring.actor(token, NOW) == Actor(key.id, "desk", "provider", "acme")


def test_the_file_holds_no_key(ring: Keyring, tmp_path: Path) -> None:
    _, token = ring.make("k", "operator", NOW)
    stored = (tmp_path / "keys.json").read_text()
    assert token not in stored
    assert token.removeprefix("sg_live_") not in stored


def test_the_file_is_its_owners(ring: Keyring, tmp_path: Path) -> None:
    ring.make("k", "operator", NOW)
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600


def test_keys_survive_a_restart(ring: Keyring, tmp_path: Path) -> None:
    _, token = ring.make("k", "finance", NOW)
    assert Keyring(tmp_path / "keys.json", 10).actor(token, NOW).role == "finance"


@pytest.mark.parametrize("token", ["", "sg_live_", "nonsense", "sg_live_" + "A" * 43, "\x00", "ä" * 50])
def test_what_is_no_key_is_refused(ring: Keyring, token: str) -> None:
    ring.make("k", "operator", NOW)
    with pytest.raises(UnauthorizedError):
        ring.actor(token, NOW)


def test_a_changed_key_is_refused(ring: Keyring) -> None:
    _, token = ring.make("k", "operator", NOW)
    last = "A" if token[-2] != "A" else "B"
    with pytest.raises(UnauthorizedError):
        ring.actor(f"{token[:-2]}{last}{token[-1]}", NOW)


def test_a_revoked_key_is_worth_nothing_at_once(ring: Keyring, tmp_path: Path) -> None:
    key, token = ring.make("k", "engineer", NOW)
    revoked = ring.revoke(key.id, NOW, by=OPERATOR)
    assert revoked.revoked == NOW
    for after in (ring, Keyring(tmp_path / "keys.json", 10)):
        with pytest.raises(UnauthorizedError, match="revoked"):
            after.actor(token, NOW)


def test_revoking_twice_keeps_the_first_time(ring: Keyring) -> None:
    key, _ = ring.make("k", "engineer", NOW)
    ring.revoke(key.id, NOW, by=OPERATOR)
    assert ring.revoke(key.id, LATER, by=OPERATOR).revoked == NOW


def test_a_key_expires(ring: Keyring) -> None:
    _, token = ring.make("k", "engineer", NOW, expires=LATER)
    assert ring.actor(token, Instant(LATER - 1)).name == "k"
    with pytest.raises(UnauthorizedError, match="expired"):
        ring.actor(token, LATER)


def test_nobody_locks_himself_out(ring: Keyring) -> None:
    key, token = ring.make("k", "operator", NOW)
    with pytest.raises(ForbiddenError, match="itself"):
        ring.revoke(key.id, NOW, by=ring.actor(token, NOW))


def test_revoking_an_unknown_key(ring: Keyring) -> None:
    with pytest.raises(NotFoundError):
        ring.revoke("nobody", NOW, by=OPERATOR)


def test_keys_are_bounded(tmp_path: Path) -> None:
    ring = Keyring(tmp_path / "keys.json", 2)
    ring.make("a", "engineer", NOW)
    ring.make("b", "engineer", NOW)
    with pytest.raises(LimitError):
        ring.make("c", "engineer", NOW)


def test_a_providers_key_speaks_for_a_party_and_no_other_does() -> None:
    with pytest.raises(InputError):
        forge("k", "provider", NOW)
    with pytest.raises(InputError):
        forge("k", "finance", NOW, party="acme")


def test_an_applications_key_has_a_scope_and_no_other_does(ring: Keyring, tmp_path: Path) -> None:
    scope = Scope(party="acme", product="api", residency=("NO",), requests_per_minute=60)
    key, _ = ring.make("app", "application", NOW, scope=scope, operator=True, expires=LATER)
    (kept,) = Keyring(tmp_path / "keys.json", 10).all()
    assert kept.application() == Application(key.id, "app", key.sha256, scope, LATER, operator=True)
    assert ring.make("bare", "application", NOW)[0].scope == Scope()
    for extra in ({"scope": scope}, {"operator": True}):
        with pytest.raises(InputError, match="application"):
            forge("k", "engineer", NOW, **extra)


def test_whoever_follows_hears_of_every_change(ring: Keyring) -> None:
    heard: list[int] = []
    ring.changed = lambda: heard.append(len([key for key in ring.all() if key.revoked is None]))
    key, _ = ring.make("k", "application", NOW)
    ring.make("l", "application", NOW)
    ring.revoke(key.id, LATER, by=OPERATOR)
    assert heard == [1, 2, 1]


def test_only_prefix_and_end_are_shown(ring: Keyring) -> None:
    key, token = ring.make("k", "engineer", NOW)
    assert key.shown == f"sg_live_…{token[-4:]}"


def test_the_first_start_makes_an_operators_key(tmp_path: Path) -> None:
    ring = open_keyring(tmp_path / "keys.json", tmp_path / "operator.key", NOW, 10)
    assert stat.S_IMODE((tmp_path / "operator.key").stat().st_mode) == 0o600
    token = (tmp_path / "operator.key").read_text().strip()
    assert ring.actor(token, NOW).role == "operator"


def test_the_second_start_keeps_it(tmp_path: Path) -> None:
    open_keyring(tmp_path / "keys.json", tmp_path / "operator.key", NOW, 10)
    token = (tmp_path / "operator.key").read_text()
    ring = open_keyring(tmp_path / "keys.json", tmp_path / "operator.key", LATER, 10)
    assert (tmp_path / "operator.key").read_text() == token
    assert len(ring.all()) == 1


def test_a_start_without_any_good_operators_key_makes_one(tmp_path: Path) -> None:
    ring = open_keyring(tmp_path / "keys.json", tmp_path / "operator.key", NOW, 10)
    ring.revoke(ring.all()[0].id, NOW, by=OPERATOR)
    ring = open_keyring(tmp_path / "keys.json", tmp_path / "operator.key", LATER, 10)
    assert ring.actor((tmp_path / "operator.key").read_text().strip(), LATER).role == "operator"


def test_a_file_that_others_can_read_is_refused(ring: Keyring, tmp_path: Path) -> None:
    ring.make("k", "operator", NOW)
    (tmp_path / "keys.json").chmod(0o644)
    with pytest.raises(ForbiddenError, match="chmod 600"):
        Keyring(tmp_path / "keys.json", 10)


@pytest.mark.parametrize("text", ["", "{", '{"version":2,"keys":[]}', '{"version":1,"keys":[{}]}', "\ud800"])
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(text.encode(errors="surrogatepass"))
    path.chmod(0o600)
    with pytest.raises(InternalError, match=r"keys\.json"):
        Keyring(path, 10)


def test_a_key_that_cannot_be_stored_is_not_made(ring: Keyring, tmp_path: Path) -> None:
    ring.make("k", "operator", NOW)
    (tmp_path / "keys.json").unlink()
    (tmp_path / "keys.json").mkdir()  # a rename onto a folder fails
    with pytest.raises(InternalError):
        ring.make("lost", "engineer", NOW)
    assert [key.name for key in ring.all()] == ["k"]
    assert not list(tmp_path.glob(".keys*"))
