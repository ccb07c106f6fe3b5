"""APIs of other providers that speak OpenAI's protocol: where models are served that nobody here runs.

An address stands here and nowhere else: what a request says never leads a gateway anywhere. What is wrong with one is
found when the file is read.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from stargate.catalog.dated import Id, Name, Sourced
from stargate.catalog.model import ModelId, TokenPrice

Network = Literal["public", "private", "loopback"]
Operation = Literal["chat/completions", "completions", "embeddings", "responses"]
_URL = r"^https?://[^\s?#]+[^/\s?#]$"


class ApiModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A model that an API serves."""

    model: ModelId
    """The name that clients here use: one of `models`."""
    upstream: Annotated[str, Meta(max_length=128)] = ""
    """What it is called there; empty: the same."""
    operations: Annotated[tuple[Operation, ...], Meta(min_length=1, max_length=4)] = (
        "chat/completions",
        "completions",
        "embeddings",
        "responses",
    )
    """What may be asked of it there: the ends of paths below `/v1/`."""
    price: TokenPrice = TokenPrice()
    """What the provider charges."""


class Api(Sourced, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """An endpoint that somebody else runs."""

    id: Id
    provider: Id
    name: Name = ""
    site: Id | None = None
    """Where it answers from, where that is known."""
    jurisdiction: Annotated[str, Meta(max_length=6)] = ""
    """The same as law sees it, where no site is known: ISO 3166-2 (`US-TX`), or 3166-1."""
    url: Annotated[str, Meta(pattern=_URL, max_length=1_024)]
    """Up to and with `/v1`, over https; over http only in a network that `network` names."""
    network: Network = "public"
    """`loopback`: on this machine, as tests are. `private`: inside one's own network."""
    secret: Annotated[str, Meta(pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$")] = ""
    """Name of the secret that is the key there, in the store of whoever runs a gateway. Never its value."""
    models: Annotated[tuple[ApiModel, ...], Meta(min_length=1, max_length=1_024)]
    abort: Literal["cancel", "drain"] = "cancel"
    """When a client leaves: `cancel` ends the request there, `drain` reads it to its end, as it is billed anyway."""
    usage_path: Annotated[str, Meta(pattern=r"^(/[^\s?#]*)?$", max_length=256)] = ""
    """Where it says what a request has used, as `/usage/{request_id}`; empty: nowhere."""
    tokenize_path: Annotated[str, Meta(pattern=r"^(/[^\s?#]*)?$", max_length=256)] = ""
    """Where it cuts a text into tokens, as vLLM and llama.cpp do at `/tokenize`; empty: nowhere."""
    outstanding_requests: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    """The most that one worker of a gateway sends there at a time; 0: no bound."""

    def __post_init__(self) -> None:
        wrong = fault(self.url, self.network)
        if wrong:
            raise ValueError(wrong)
        if self.site is not None and self.jurisdiction:
            raise ValueError("site and jurisdiction both say where it is; keep the site")
        if self.usage_path and "{request_id}" not in self.usage_path:
            raise ValueError("usage_path names no request; write {request_id} where its id goes")
        names = [served.model for served in self.models]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice} is served twice by one API; keep one, or declare another API")


def fault(url: str, network: Network) -> str:
    """What is wrong with an address of an API in a network of this kind; empty: nothing is.

    Addresses that name a host by number are checked; where a name leads is known only when it is asked.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return f"{url!r:.80} is no address; write one as https://api.example.com/v1"
    if "@" in parts.netloc:
        return "the address holds credentials; name a secret in `secret` instead"
    if parts.scheme != "https" and network == "public":
        return "a key would travel in clear; write https, or name the network it stays in with `network`"
    if not host.isascii() or not host or "%" in host:
        return f"{host!r:.80} is no host; write its name in ASCII"
    kind = _kind(host)
    if kind is None:
        return f"{host} is an address that no API has; write that of the API"
    if kind != network and not (kind == "name" and network != "loopback"):
        said = "a public address" if kind in ("public", "name") else f"in the {kind} network"
        return f"{host} is {said}, and `network` says {network}; correct one of them"
    return ""


def _kind(host: str) -> Network | Literal["name"] | None:
    """The network of a host; `name`: only who looks it up knows. None: nobody serves there."""
    if host == "localhost" or host.endswith(".localhost"):
        return "loopback"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        # Whatever ends in a number is taken for one somewhere: 2130706433 and 0x7f.1 are this machine to some.
        last = host.rstrip(".").rpartition(".")[2]
        return None if not last or last[0].isdigit() else "name"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback:
        return "loopback"
    if address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved:
        return None
    return "public" if address.is_global else "private"
