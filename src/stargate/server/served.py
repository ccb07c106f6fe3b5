"""What the state says about serving: models by name, the APIs of others, and replicas of services as endpoints."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from stargate.base.time import SECOND
from stargate.broker import State
from stargate.broker.records import AttemptState, WorkloadState
from stargate.catalog import Api, ApiModel, Infrastructure, ServedModel, TokenPrice
from stargate.gateway.record import Endpoint, Model, Price
from stargate.server.readiness import DEFAULT, Asked
from stargate.workloads import Probe

SERVING = frozenset({"running", "stopping"})
"""How an attempt stands whose program may answer."""


def is_open_service(holder: WorkloadState) -> bool:
    """Whether it serves, or will."""
    return holder.workload.kind == "serve" and not holder.ended


def model_of(holder: WorkloadState) -> str:
    """What clients call the model of a service: its `model`, else its name."""
    return holder.workload.model or holder.workload.name


def models(infrastructure: Infrastructure, services: Iterable[WorkloadState]) -> tuple[Model, ...]:
    """All that can be asked for: what the catalog names, then what services serve beside it."""
    found = {entry.id: _model(entry) for entry in infrastructure.models}
    for holder in services:
        name, service = model_of(holder), holder.workload.service
        if name not in found:
            found[name] = Model(name, owner=holder.workload.team, created_s=holder.at // SECOND)
        if service is not None and not service.min_replicas and service.max_replicas:
            found[name] = msgspec.structs.replace(found[name], wakes=True)
    return tuple(found.values())


def apis(infrastructure: Infrastructure) -> tuple[Endpoint, ...]:
    """Where providers serve models themselves."""
    return tuple(
        _api_endpoint(infrastructure, api, entry) for api in infrastructure.apis for entry in api.models
    )


def asked(state: State, attempt: AttemptState) -> Asked:
    """How a replica is asked whether it is ready."""
    return Asked(
        attempt.id, attempt.pool, attempt.workload, probe_of(state.records.workloads[attempt.workload])
    )


def probe_of(holder: WorkloadState) -> Probe:
    """How replicas of a service are asked, and how long they may take to be ready."""
    service = holder.workload.service
    return service.probe if service is not None and service.probe is not None else DEFAULT


def replica(state: State, attempt: AttemptState, address: str) -> Endpoint:
    """A replica that answers at an address. What of its place is not known (any more) stays empty."""
    pool = state.catalog_pools.get(attempt.pool)
    site = state.sites.get(pool.site) if pool is not None else None
    provider = state.providers.get(attempt.provider)
    supply = state.supplies.by_id.get(attempt.supply)
    workload = state.records.workloads[attempt.workload]
    service = workload.workload.service
    tenure = supply.kind.tenure if supply is not None else pool.tenure if pool is not None else ""
    agreement = (
        supply.kind.agreement if supply is not None else (pool.agreement or "") if pool is not None else ""
    )
    return Endpoint(
        id=attempt.id,
        model=model_of(workload),
        url=f"http://{address}/v1",
        provider=attempt.provider,
        party=provider.party if provider is not None else "",
        service=attempt.workload,
        site=pool.site if pool is not None else "",
        jurisdiction=site.jurisdiction if site is not None else "",
        pool=attempt.pool,
        chip=pool.chip if pool is not None else "",
        tenure=tenure,
        agreement=agreement,
        tokenize_path=service.tokenize_path if service is not None else "",
        draining=attempt.status == "stopping",
    )


def endpoint_of(state: State, id: str) -> Endpoint | None:
    """An endpoint that somebody names, also one that is over; None: nothing is known of it."""
    attempt = state.records.attempts.get(id)
    if attempt is not None:
        return replica(state, attempt, "")
    infrastructure = state.records.infrastructure
    name, _, model = id.partition("/")
    api = infrastructure.apis_by_id.get(name)
    if api is None:
        return None
    found = (entry for entry in api.models if entry.model == model)
    return next((_api_endpoint(infrastructure, api, entry) for entry in found), None)


def _model(entry: ServedModel) -> Model:
    return Model(
        entry.id,
        owner=entry.owner,
        context_tokens=entry.context_tokens,
        price=_price(entry.price),
        fallbacks=entry.fallbacks,
        prefer=entry.prefer,
        hedge_after_ms=entry.hedge_after_ms,
    )


def _price(price: TokenPrice) -> Price:
    return Price(
        price.input_usd_per_million_tokens,
        price.cached_usd_per_million_tokens,
        price.output_usd_per_million_tokens,
    )


def _api_endpoint(infrastructure: Infrastructure, api: Api, entry: ApiModel) -> Endpoint:
    site = infrastructure.sites_by_id[api.site] if api.site is not None else None
    return Endpoint(
        id=f"{api.id}/{entry.model}",
        model=entry.model,
        url=api.url,
        provider=api.provider,
        party=infrastructure.providers_by_id[api.provider].party,
        upstream_model=entry.upstream,
        operations=entry.operations,
        site=api.site or "",
        jurisdiction=site.jurisdiction if site is not None else api.jurisdiction,
        secret=api.secret,
        cost_usd_per_million_tokens=entry.price.output_usd_per_million_tokens,
        outstanding_requests=api.outstanding_requests,
        abort=api.abort,
        usage_path=api.usage_path,
        tokenize_path=api.tokenize_path,
    )
