"""What one worker serves with, and the questions that every request asks of it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, Decimal
from pathlib import Path

from stargate.base import wire
from stargate.base.errors import ProviderError
from stargate.base.time import Instant
from stargate.gateway.limits import NoBankError, Purse, Short, Ticket
from stargate.gateway.metering import Spool
from stargate.gateway.observing import Observer
from stargate.gateway.record import Application, Endpoint, Model, Price, Routes, Tokens
from stargate.gateway.routing import Map, Shut, Switchboard, Ways
from stargate.gateway.serving.body import Asked
from stargate.gateway.serving.connections import Connections
from stargate.gateway.serving.hedge import Hedges
from stargate.gateway.serving.refusal import Refusal, malformed, unknown_key, unknown_model
from stargate.gateway.serving.settings import Settings
from stargate.gateway.serving.tokenizer import Tokenizer
from stargate.gateway.serving.usage import usage_in
from stargate.gateway.serving.waking import Waking
from stargate.gateway.upstream import Patience, Upstream

MILLION = 1_000_000
LOOKUP = Patience(first_byte_s=5.0, idle_s=5.0, total_s=5.0)
LOOKUP_BYTES = 64 << 10
_LIMITS = {
    "requests": "requests a minute",
    "tokens": "tokens a minute",
    "slots": "requests at a time",
    "money": "micro-USD of this month's budget",
}


class Desk:
    """A worker's: routes as they are now, what is open, and where it is written down."""

    def __init__(
        self,
        spool: Spool,
        upstream: Upstream,
        purse: Purse,
        clock_us: Callable[[], int],
        settings: Settings,
        secrets: Mapping[str, str],
        whys: Path,
        *,
        observer: Observer | None = None,
        region: str = "",
    ) -> None:
        """`region`: the gateway's own, as `Switchboard` means it."""
        self.spool = spool
        self.upstream = upstream
        self.purse = purse
        self.clock_us = clock_us
        self.settings = settings
        self.secrets = secrets
        self.patience = Patience(first_byte_s=settings.first_byte_s, idle_s=settings.idle_s)
        self.observer = observer or Observer(clock_us)
        self._whys = whys
        self._noted: set[str] = set()
        self.map: Map | None = None
        self.switchboard = Switchboard(region)
        self.hedges = Hedges()
        self.connections = Connections()
        self.open_requests = 0
        self.waking = Waking(settings)
        self.unserved: Counter[str] = Counter()
        """Requests that no endpoint took, by the model they asked for."""
        self.heard_us: int | None = None
        """When the control plane last said that the routes are as they are; None: there is none to say so."""

    def update(self, routes: Routes) -> None:
        """New routes. Requests that are open go on as they were permitted."""
        self.map = Map(routes)
        self.switchboard.update(routes.endpoints)
        self.waking.hear()

    def miss(self, model: Model, ways: Ways) -> None:
        """No endpoint took a request for a model. That its key may use none is nothing that more of them would help."""
        if ways.open or not ways.why.shut:
            self.unserved[model.id] += 1

    def application(self, authorization: str | None) -> tuple[Map, Application]:
        """Whose request it is. Raises Refusal."""
        routes = self._routes()
        return routes, self.holder(routes, authorization)

    def holder(self, routes: Map, authorization: str | None) -> Application:
        """Whose key it is. Raises Refusal."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise unknown_key()
        found = routes.application(hashlib.sha256(token.strip().encode(errors="replace")).hexdigest())
        if found is None or (found.expires is not None and self.clock_us() >= found.expires):
            raise unknown_key()
        return found

    def demand_room(self) -> None:
        """Raises Refusal where as many requests are open as may be."""
        if self.open_requests >= self.settings.open_requests:
            raise Refusal(
                429, "overloaded", f"{self.open_requests:,} requests are open here, the limit", retry_s=1
            )

    def _routes(self) -> Map:
        found = self.map
        if found is None:
            raise Refusal(503, "no_routes", "this gateway has not been told any routes yet", retry_s=1)
        if self.stale:
            raise Refusal(
                503,
                "stale_routes",
                f"this gateway has heard nothing of its control plane for {self.settings.stale_s:,.0f} s or more, and "
                "serves no longer",
                retry_s=10,
            )
        return found

    @property
    def stale(self) -> bool:
        """Whether the routes are too old to serve by."""
        heard_us = self.heard_us
        return heard_us is not None and self.clock_us() - heard_us > self.settings.stale_s * MILLION

    def ways(self, routes: Map, application: Application, asked: Asked) -> list[tuple[Model, Ways]]:
        """The model asked for, then what answers in its place, each with where it may be asked. Raises Refusal."""
        scope = application.scope
        name = asked.model or next(iter(scope.models), "")
        if not name:
            raise malformed("`model` is missing, and this key lists none that would be meant", "model")
        model = routes.models.get(name)
        if model is None or (scope.models and model.id not in scope.models):
            raise unknown_model(name)
        at = Instant(self.clock_us())
        found = [(model, routes.ways(application, model.id, at))]
        for name in model.fallbacks:
            other = routes.models.get(name)
            if other is not None and (not scope.models or name in scope.models):
                found.append((other, routes.ways(application, name, at)))
        return found

    async def lookup(self, endpoint: Endpoint, request: str) -> Tokens | None:
        """What an endpoint says that a request has used; None: it does not say, or not now."""
        try:
            return await lookup(self.upstream, endpoint, self.secrets, request)
        except ProviderError:
            return None

    def tokenizer(self, endpoint: Endpoint) -> Tokenizer:
        """That of an endpoint which has one."""
        return Tokenizer(self.upstream, endpoint, authorised(endpoint, self.secrets))

    def note(self, ways: Ways) -> str:
        """Keep a decision for whoever asks why, and give its name."""
        if ways.digest not in self._noted:
            self._whys.mkdir(parents=True, exist_ok=True)
            path = self._whys / ways.digest
            fresh = path.with_name(f".{ways.digest}.{self.spool.epoch}")
            fresh.write_bytes(wire.pack(ways.why))
            fresh.replace(path)
            self._noted.add(ways.digest)
        return ways.digest

    async def enter(self, application: Application, model: Model, asked: Asked) -> tuple[Ticket | None, int]:
        """What the request holds of its key's limits, and the money among it. Raises Refusal."""
        reserved = micro_usd_of(
            model.price, Tokens(input_tokens=asked.input_tokens, output_tokens=asked.output_tokens)
        )
        try:
            got = await self.purse.enter(application, asked.input_tokens + asked.output_tokens, reserved)
        except NoBankError:
            raise Refusal(
                503, "limits_unknown", "what is left of this key's limits is not known now", retry_s=1
            ) from None
        if isinstance(got, Short):
            raise self._short(got)
        return got, reserved

    def _short(self, short: Short) -> Refusal:
        says = f"this key may use {short.limit:,} {_LIMITS[short.kind]}, and they are used up"
        if short.kind == "money":
            return Refusal(429, "insufficient_quota", says, kind="insufficient_quota")
        wait_s = max(0.1, (short.more_us - self.clock_us()) / MILLION) if short.more_us else 1.0
        return Refusal(429, "rate_limit_exceeded", f"{says}; try again in {wait_s:,.1f} s", retry_s=wait_s)


async def lookup(
    upstream: Upstream, endpoint: Endpoint, secrets: Mapping[str, str], request: str
) -> Tokens | None:
    """What an endpoint says that a request has used; None: it does not say. Raises ProviderError: not now."""
    if not endpoint.usage_path:
        return None
    url = endpoint.url.removesuffix("/v1") + endpoint.usage_path.format(request_id=request)
    answer = await upstream.send(url, authorised(endpoint, secrets), None, LOOKUP)
    body = await answer.whole(LOOKUP_BYTES)
    if answer.status == 404:
        return Tokens()  # it keeps count, and has never heard of this one
    found = usage_in(body) if answer.status == 200 else None
    return None if found is None else found[0]


def authorised(endpoint: Endpoint, secrets: Mapping[str, str]) -> list[tuple[str, str]]:
    """The header that shows our key to an endpoint, where it wants one."""
    return [("authorization", f"Bearer {secrets.get(endpoint.secret, '')}")] if endpoint.secret else []


def micro_usd_of(price: Price, tokens: Tokens) -> int:
    """What tokens cost at a price, rounded up."""
    cached = price.cached_usd_per_million_tokens
    usd = (
        price.input_usd_per_million_tokens
        * (tokens.input_tokens - (0 if cached is None else tokens.cached_tokens))
        + price.output_usd_per_million_tokens * tokens.output_tokens
        + (Decimal(0) if cached is None else cached * tokens.cached_tokens)
    )
    # A price in USD for a million tokens is one in micro-USD for each.
    return int(usd.to_integral_value(ROUND_CEILING))


def forbidden(model: str, shut: tuple[Shut, ...]) -> Refusal:
    """No endpoint of a model may be used at all."""
    reasons = "; ".join(sorted({_said(each) for each in shut}))
    return Refusal(403, "forbidden_by_agreement", f"no endpoint of {model!r} may serve this key: {reasons}")


def busy(model: str, ways: Ways) -> Refusal:
    """Those that may be used take no more now."""
    places = ", ".join(sorted({f"{provider} {site}".strip() for provider, site in ways.why.open}))
    says = f"{model!r} is served to this key by {places}, and takes no more requests there now"
    return Refusal(429, "no_capacity", says + not_elsewhere(ways), retry_s=1)


def not_elsewhere(ways: Ways) -> str:
    """Why a request goes to no other place, as the end of a sentence."""
    if not ways.why.shut:
        return ""
    return "; not elsewhere: " + "; ".join(sorted({_said(each) for each in ways.why.shut}))


def _said(shut: Shut) -> str:
    clause = f" ({shut.clause})" if shut.clause else ""
    return f"{shut.provider} {shut.site}".strip() + f": {shut.says}{clause}"
