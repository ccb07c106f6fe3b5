"""What each side counted of a served model: the ledger by key and provider, and the providers' replicas themselves."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import httpx
import msgspec

from stargate.demo.api import Api

ANSWER_S = 10.0
METERS = {
    "input_tokens": "llamacpp:prompt_tokens_total",
    "cached_tokens": "llamacpp:prompt_tokens_cached_total",
    "output_tokens": "llamacpp:tokens_predicted_total",
}
"""A metric of the ledger, and what llama.cpp calls its own count of it."""
BUSY = "llamacpp:requests_processing"

Count = Counter[str]
"""By metric."""


class Row(msgspec.Struct, frozen=True):
    """What the ledger has for one key with one provider."""

    key: str
    provider: str
    requests: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int


def in_ledger(api: Api) -> list[Row]:
    """What has arrived, by key and provider."""
    found: dict[tuple[str, str], Count] = {}
    for item in api.get("/v1/ledger/usage", by="key,provider,metric")["items"]:
        by = item["by"]
        if by.get("key"):
            count = found.setdefault((by["key"], by["provider"]), Counter())
            count[by["metric"]] += int(item["quantity"])
    names = ("requests", *METERS)
    return [Row(*who, *(count[name] for name in names)) for who, count in sorted(found.items())]


def by_provider(rows: Iterable[Row]) -> dict[str, dict[str, int]]:
    """The same, of all keys together."""
    found: dict[str, Count] = {}
    for row in rows:
        count = found.setdefault(row.provider, Counter())
        count.update({name: getattr(row, name) for name in METERS})
    return {provider: {name: count[name] for name in METERS} for provider, count in found.items()}


def at_providers(api: Api) -> dict[str, dict[str, int]]:
    """What the replicas of each provider say that they have served, in the metrics of the ledger."""
    return _sums(api, METERS)


def busy(api: Api) -> set[str]:
    """Providers with a replica that answers somebody now."""
    return {provider for provider, count in _sums(api, {"requests": BUSY}).items() if count["requests"]}


def endpoints(api: Api) -> list[dict[str, Any]]:
    """Replicas that have requests sent to them."""
    found = api.get("/v1/gateway/routes").get("endpoints", ())
    return [endpoint for endpoint in found if not endpoint.get("draining")]


def _sums(api: Api, names: Mapping[str, str]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    with httpx.Client(timeout=ANSWER_S, trust_env=False) as client:
        for endpoint in endpoints(api):
            text = client.get(f"{endpoint['url'].removesuffix('/v1')}/metrics").text
            count = found.setdefault(endpoint["provider"], dict.fromkeys(names, 0))
            for name, theirs in names.items():
                said = re.search(rf"^{re.escape(theirs)} (\d+)", text, re.MULTILINE)
                count[name] += int(said[1]) if said is not None else 0
    return found
