"""Parties: roles nobody fills, names nobody knows, and those bound by what they did not sign."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Sequence

from stargate.agreements.clause import ClauseBase
from stargate.agreements.condition import moments_in
from stargate.agreements.lint.entry import Entry
from stargate.base.errors import Problem
from stargate.base.faults import did_you_mean

_OBLIGED = ("grantor", "payer", "supplier", "by")
_ROLES = ("holder", "grantor", "payer", "payee", "supplier", "customer", "by")
_DEFAULTS = {
    "first_refusal": {"holder": "supplier", "grantor": "customer"},
    "first_ship": {"holder": "supplier", "grantor": "customer"},
    "exclusive_serving": {"holder": "supplier", "grantor": "customer"},
    "entitlement": {"holder": "supplier", "grantor": "customer"},
    "option": {"holder": "customer", "grantor": "supplier"},
    "commitment": {"payer": "customer", "payee": "supplier"},
    "revenue_share": {"payer": "customer", "payee": "supplier"},
    "prepayment": {"payer": "customer", "payee": "supplier"},
    "backstop": {"payer": "customer", "payee": "supplier"},
    "price": {"payer": "customer", "payee": "supplier"},
    "equity_grant": {"payer": "supplier", "payee": "customer"},
    "service_level": {"payer": "supplier", "payee": "customer"},
    "capacity_reservation": {"supplier": "supplier", "customer": "customer"},
    "delivery": {"supplier": "supplier", "customer": "customer"},
}


def wrong_parties(entries: Sequence[Entry], parties: Collection[str] | None) -> Iterator[Problem]:
    """Roles nobody fills, parties bound by what they did not sign, and (given a list) parties nobody knows."""
    for entry in entries:
        yield from _roles(entry)
        yield from _named(entry, parties)
    if parties is not None:
        for paper in {entry.paper.id: entry.paper for entry in entries}.values():
            for index, party in enumerate(paper.parties):
                if party not in parties and party not in paper.third_parties:
                    yield Problem(
                        f"{paper.id}: nobody knows the party {party!r}",
                        did_you_mean(party, parties),
                        path=f"{paper.id}.parties[{index}]",
                    )


def _roles(entry: Entry) -> Iterator[Problem]:
    """Roles nobody fills, and parties bound by what they did not sign."""
    clause = entry.clause
    kind = str(clause.__struct_config__.tag)
    for role, default in _DEFAULTS.get(kind, {}).items():
        if not entry.party(role, default):
            yield entry.problem(
                f"it does not say who is the {role}",
                f"Write `{role}:`, or `{default}:` for the whole agreement.",
                role,
            )
    signed = {*entry.home.parties, *entry.paper.parties}
    for role in _OBLIGED:
        bound = getattr(clause, role, "")
        if bound and signed and bound not in signed:
            yield entry.problem(
                f"it binds {bound!r}, who is no party to {entry.home.id}",
                f"Add {bound!r} to `parties:`. {did_you_mean(bound, signed)}",
                role,
            )


def _named(entry: Entry, parties: Collection[str] | None) -> Iterator[Problem]:
    """Names nobody knows; without a list of everybody, those that look misspelt, and verifiers."""
    signed = {*entry.home.parties, *entry.paper.parties}
    named = {*signed, *entry.home.third_parties, *entry.paper.third_parties}
    if parties is not None:
        yield from _unknown(entry, {*parties, *named})
    elif signed:
        yield from _misspelt(entry, named)
    if parties is not None or signed:
        yield from _unverifiable(entry, {*(parties or ()), *named})


def _unknown(entry: Entry, known: set[str]) -> Iterator[Problem]:
    clause = entry.clause
    for role in _ROLES:
        named = getattr(clause, role, "")
        if named and named not in known:
            yield entry.problem(f"nobody knows the party {named!r}", did_you_mean(named, known), role)


def _misspelt(entry: Entry, known: set[str]) -> Iterator[Problem]:
    """Without a list of everybody: names that differ by a letter or two from those of the agreement."""
    for role in _ROLES:
        named = getattr(entry.clause, role, "")
        if named and named not in known and difflib.get_close_matches(named, known, n=1, cutoff=0.8):
            yield entry.problem(
                f"{named!r} is no party to {entry.home.id}",
                f"{did_you_mean(named, known)} Else name it in `third_parties:`.",
                role,
            )


def _unverifiable(entry: Entry, known: set[str]) -> Iterator[Problem]:
    clause = entry.clause
    for field, verifier in _verifiers(clause):
        if verifier and verifier not in known:
            yield entry.problem(
                f"its verifier {verifier!r} is neither a party nor named in third_parties",
                "Add it to `third_parties:` of the agreement.",
                field,
            )


def _verifiers(clause: ClauseBase) -> Iterator[tuple[str, str]]:
    yield "verifier", getattr(clause, "verifier", "")
    for comparison in (*getattr(clause, "when", ()), *clause.suspended_by):
        yield "when", comparison.verifier
    for field in ("from_", "until", "expiry", "accrue_until"):
        for when in moments_in(getattr(clause, field, None)):
            yield field.rstrip("_"), when.verifier
