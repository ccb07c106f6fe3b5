"""Addresses of APIs: what would carry a key in clear, or lead a gateway where it has no business, is never loaded."""

from __future__ import annotations

import pytest

from stargate.base.document import parse
from stargate.base.errors import InputError
from stargate.catalog import Infrastructure
from stargate.catalog.api import Network, fault
from stargate.catalog.load import assemble

BASE = """\
parties: [{id: acme}]
providers: [{id: cloud, party: acme}]
sites: [{id: west, jurisdiction: US-TX}]
models:
- {id: tiny, owner: acme, context_tokens: 4096, price: {input_usd_per_million_tokens: 0.5}, fallbacks: [org/big]}
- {id: org/big}
"""
API = "apis:\n- {id: a, provider: cloud, site: west, url: 'https://api.example.com/v1', models: [{model: tiny}]}\n"


def loaded(text: str) -> Infrastructure:
    return assemble(parse(BASE + text)).infrastructure


def faults(text: str) -> str:
    with pytest.raises(InputError) as caught:
        loaded(text)
    return "; ".join(
        f"{problem.path}: {problem.message}; {problem.remedy}" for problem in caught.value.problems
    )


def test_an_api_and_its_models() -> None:
    found = loaded(API)
    assert found.apis_by_id["a"].models[0].model == "tiny"
    assert found.models_by_id["tiny"].fallbacks == ("org/big",)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("provider: cloud", "provider: nobody", "apis[0].provider: there is no provider 'nobody'"),
        ("site: west", "site: nobody", "apis[0].site: there is no site 'nobody'"),
        ("site: west", "jurisdiction: UK", "apis[0].jurisdiction: 'UK' is no ISO 3166 code"),
        ("site: west", "site: west, jurisdiction: US-TX", "eep the site"),
        ("model: tiny", "model: huge", "apis[0].models[0].model: there is no model 'huge'"),
        ("[{model: tiny}]", "[{model: tiny}, {model: tiny}]", "tiny is served twice"),
        ("[{model: tiny}]", "[]", "apis[0].models"),
        ("site: west", "usage_path: /usage", "names no request"),
        ("model: tiny", "model: tiny, operations: [images]", "apis[0].models[0].operations[0]"),
        ("model: tiny", "model: tiny, price: {output_usd_per_million_tokens: -1}", "negative"),
        ("https://", "http://", "in clear"),
    ],
)
def test_what_is_wrong_with_an_api_is_found_when_it_is_read(old: str, new: str, says: str) -> None:
    assert old in API
    assert says in faults(API.replace(old, new))


def test_models_lead_somewhere_and_not_to_themselves() -> None:
    assert "models[0].fallbacks[0]: there is no model" in faults("---\nmodels: [{id: x, fallbacks: [y]}]\n")
    assert "falls back on itself" in faults("---\nmodels: [{id: x, fallbacks: [x]}]\n")
    assert "declared twice" in faults("---\nmodels: [{id: tiny}]\n")


@pytest.mark.parametrize(
    ("url", "network"),
    [
        ("https://api.example.com/v1", "public"),
        ("https://api.example.com:8443/openai/v1", "public"),
        ("https://8.8.8.8/v1", "public"),
        ("https://[2001:4860:4860::8888]/v1", "public"),
        ("http://127.0.0.1:9100/v1", "loopback"),
        ("http://[::1]:9100/v1", "loopback"),
        ("https://localhost/v1", "loopback"),
        ("http://10.1.2.3:8000/v1", "private"),
        ("http://[fd00::7]/v1", "private"),
        ("http://models.internal/v1", "private"),
    ],
)
def test_addresses_of_the_network_that_they_name(url: str, network: Network) -> None:
    assert fault(url, network) == ""


@pytest.mark.parametrize(
    ("url", "network", "says"),
    [
        ("http://api.example.com/v1", "public", "in clear"),
        ("https://127.0.0.1/v1", "public", "loopback"),
        ("https://localhost/v1", "public", "loopback"),
        ("https://a.localhost/v1", "public", "loopback"),
        ("https://[::ffff:127.0.0.1]/v1", "public", "loopback"),
        ("https://10.0.0.1/v1", "public", "private"),
        ("http://8.8.8.8/v1", "private", "public"),
        ("http://127.0.0.1/v1", "private", "loopback"),
        ("http://api.example.com/v1", "loopback", "public"),
        ("https://169.254.169.254/v1", "public", "no API has"),
        ("http://169.254.169.254/v1", "private", "no API has"),
        ("http://[fe80::1]/v1", "private", "no API has"),
        ("https://0.0.0.0/v1", "public", "no API has"),
        ("https://2130706433/v1", "public", "no API has"),
        ("https://0x7f.1/v1", "public", "no API has"),
        ("https://127.1/v1", "public", "no API has"),
        ("https://user:pass@api.example.com/v1", "public", "credentials"),
        ("https://api.example.com@evil.example/v1", "public", "credentials"),
        ("https://api.example.com:99999/v1", "public", "no address"),
        ("https://[::1/v1", "public", "no address"),
        ("https://ex\u0430mple.com/v1", "public", "ASCII"),
        ("https:///v1", "public", "no host"),
    ],
)
def test_addresses_that_are_never_loaded(url: str, network: Network, says: str) -> None:
    assert says in fault(url, network)
