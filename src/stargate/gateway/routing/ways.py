"""Where a request may go: the endpoints of a model that the agreements let an application use, and why not the others.

Agreements are asked once for a kind of application and a kind of place, and again when the answer may have
changed: with new routes, or when a date comes at which a clause begins or ends.
"""

from __future__ import annotations

import msgspec

from stargate.agreements import Book, Request, decide
from stargate.agreements.scope import within
from stargate.base.time import FOREVER, Instant
from stargate.gateway.record import Application, Endpoint, Routes, Scope, Shut, Why

KINDS_KEPT = 100_000
"""Kinds of request whose answer is remembered."""

Place = tuple[str, str, str, str, str, str, str, str]
"""What agreements tell endpoints apart by: provider, party, site, jurisdiction, pool, chip, tenure, agreement."""


class Ways(msgspec.Struct, frozen=True, gc=False):
    """The answer for one kind of application and one model."""

    open: tuple[Endpoint, ...]
    why: Why
    digest: str
    since: Instant
    until: Instant
    """From here on it must be asked again; before `since` too, should a clock be set back."""


class Map:
    """Routes, ready to be asked. It belongs to one snapshot: new routes make a new one."""

    def __init__(self, routes: Routes) -> None:
        self.routes = routes
        self.models = {model.id: model for model in routes.models}
        self._applications = {each.sha256: each for each in routes.applications}
        self._book = Book.compile(routes.agreements)
        self._endpoints: dict[str, list[Endpoint]] = {}
        for endpoint in routes.endpoints:
            self._endpoints.setdefault(endpoint.model, []).append(endpoint)
        self._kinds: dict[tuple[object, ...], int] = {}
        self._kind = {each.id: self._kind_of(each.scope) for each in routes.applications}
        """Keys of which agreements think alike."""
        self._known: dict[tuple[int, str], Ways] = {}

    def application(self, sha256: str) -> Application | None:
        """Whose key has this hash; None: nobody's, or it was revoked."""
        return self._applications.get(sha256)

    def ways(self, application: Application, model: str, at: Instant) -> Ways:
        """Where a request for a model may go now. A model without endpoints has no ways, and nothing shut."""
        key = (self._kind[application.id], model)
        known = self._known.get(key)
        if known is None or not known.since <= at < known.until:
            if len(self._known) >= KINDS_KEPT:
                self._known.clear()
            known = self._known[key] = self._asked(application.scope, model, at)
        return known

    def _kind_of(self, scope: Scope) -> int:
        said = (scope.product, scope.team, scope.customer, scope.residency, *sorted(scope.attributes.items()))
        return self._kinds.setdefault(said, len(self._kinds))

    def _asked(self, scope: Scope, model: str, at: Instant) -> Ways:
        places: dict[Place, list[Endpoint]] = {}
        for endpoint in self._endpoints.get(model, ()):
            places.setdefault(_place(endpoint), []).append(endpoint)
        opened: list[Endpoint] = []
        shut: list[Shut] = []
        grounds: set[tuple[str, str]] = set()
        for place in sorted(places):
            there = places[place]
            refusal = self._refusal(scope, model, place, at, grounds)
            if refusal is None:
                opened += there
            else:
                shut.append(msgspec.structs.replace(refusal, endpoints=len(there)))
        why = Why(
            model=model,
            product=scope.product,
            team=scope.team,
            customer=scope.customer,
            attributes=scope.attributes,
            residency=scope.residency,
            open=tuple(sorted({(endpoint.provider, endpoint.site) for endpoint in opened})),
            grounds=tuple(sorted(grounds)),
            shut=tuple(shut),
        )
        until = self._book.view(self.routes.facts, at).until(at) if self._book.agreements else FOREVER
        return Ways(tuple(opened), why, why.digest, at, until)

    def _refusal(
        self, scope: Scope, model: str, place: Place, at: Instant, grounds: set[tuple[str, str]]
    ) -> Shut | None:
        """Why a place may not serve; where a clause lets it, that is added to `grounds`."""
        provider, party, site, jurisdiction, pool, *_ = place
        if scope.residency and not any(within(jurisdiction, code) for code in scope.residency):
            stands = (
                f"{site or provider} is in {jurisdiction}"
                if jurisdiction
                else f"where {provider} is, is not said"
            )
            says = f"{stands}; requests must stay in {', '.join(scope.residency)}"
            return Shut(provider, site, pool, 0, "residency", says)
        if not self._book.agreements:
            return None
        request = Request("serve", self.routes.lab, party, _attributes(scope, model, place))
        decision = decide(self._book, self.routes.facts, at, request)
        if decision.outcome in ("forbid", "conflict"):
            reason = decision.reasons[0]
            return Shut(provider, site, pool, 0, "agreement", reason.says, reason.clause, reason.would_change)
        grounds.update((reason.clause, reason.says) for reason in decision.reasons)
        return None


def _place(endpoint: Endpoint) -> Place:
    return (
        endpoint.provider, endpoint.party, endpoint.site, endpoint.jurisdiction, endpoint.pool, endpoint.chip,
        endpoint.tenure, endpoint.agreement,
    )  # fmt: skip


def _attributes(scope: Scope, model: str, place: Place) -> dict[str, object]:
    """What agreements may look at; what is not known is left out, so that nobody is excepted by silence."""
    provider, party, site, jurisdiction, pool, chip, tenure, agreement = place
    said = {
        "kind": "serve", "model": model, "product": scope.product, "team": scope.team, "customer": scope.customer,
        "provider": provider, "provider_party": party, "site": site, "jurisdiction": jurisdiction,
        "country": jurisdiction.partition("-")[0], "pool": pool, "chip": chip, "tenure": tenure, "agreement": agreement,
    }  # fmt: skip
    return {name: value for name, value in {**scope.attributes, **said}.items() if value}
