"""Names that lead nowhere, figures that cannot both be, and what is only odd."""

from __future__ import annotations

import pytest

from stargate.base.document import parse
from stargate.base.errors import InputError, Problem
from stargate.catalog import Infrastructure, check_infrastructure
from stargate.catalog.load import assemble

BASE = """\
parties: [{id: acme}]
providers: [{id: cloud, party: acme}]
fabrics: [{id: net}]
"""


def pool(**fields: str) -> str:
    given = dict(id="p", provider="cloud", site="west", chip="H100-SXM", chips_per_node="8", tenure="owned")
    body = ", ".join(f"{name}: {value}" for name, value in {**given, **fields}.items())
    return f"- {{{body}}}\n"


def site(**fields: str) -> str:
    body = ", ".join(
        f"{name}: {value}" for name, value in {"id": "west", "jurisdiction": "US-TX", **fields}.items()
    )
    return f"- {{{body}}}\n"


def found(text: str) -> list[tuple[str, str]]:
    """Path and message of every error."""
    with pytest.raises(InputError) as caught:
        assemble(parse(BASE + text))
    return [(problem.path, problem.message) for problem in caught.value.problems]


def odd(text: str) -> list[Problem]:
    return list(assemble(parse(BASE + text)).doubts)


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("provider", "there is no provider 'nobody'"),
        ("site", "there is no site 'nobody'"),
        ("chip", "there is no chip 'nobody'"),
        ("fabric", "there is no fabric 'nobody'"),
    ],
)
def test_names_in_pools_lead_somewhere(field: str, message: str) -> None:
    assert found(f"sites:\n{site()}pools:\n{pool(**{field: 'nobody'})}") == [(f"pools[0].{field}", message)]


def test_names_in_sites_and_providers_lead_somewhere() -> None:
    text = "sites:\n" + site(operator="x", developers="[acme, y]", customers="[z]")
    text += "---\nproviders: [{id: other, party: w}]\n"
    assert found(text) == [
        ("providers[0].party", "there is no party 'w'"),
        ("sites[0].operator", "there is no party 'x'"),
        ("sites[0].developers[1]", "there is no party 'y'"),
        ("sites[0].customers[0]", "there is no party 'z'"),
    ]


def test_ids_are_declared_once_in_their_section() -> None:
    text = f"sites:\n{site()}{site()}pools:\n{pool()}{pool(id='west')}"
    assert found(text) == [("sites[1].id", "'west' is declared twice; first at <text>:5")]


def test_an_alias_names_one_chip() -> None:
    ((path, message),) = found("chips: [{id: Mine, aliases: [h100]}]\n")
    assert message == "the alias 'H100' also names Mine"
    assert path.startswith("chips[")


@pytest.mark.parametrize(
    ("series", "path", "words"),
    [
        (
            "[{from: 2026-01-01, nodes: 1}, {from: 2025-01-01, nodes: 2}]",
            "nodes[1].from",
            "does not come after",
        ),
        (
            "[{from: 2026-01-01, nodes: 1}, {from: 2026-01-01, nodes: 2}]",
            "nodes[1].from",
            "does not come after",
        ),
        ("[{from: 2026-03-01, nodes: 1, as_of: 2026-02-28}]", "nodes[0].from", "after its source's date"),
        ("[{from: 2026-03-01, nodes: 1, as_of: 2026-02}]", "nodes[0].from", "after its source's date"),
    ],
)
def test_series_run_forward_and_foresee_nothing(series: str, path: str, words: str) -> None:
    ((where, message),) = found(f"sites:\n{site()}pools:\n{pool(nodes=series)}")
    assert where == f"pools[0].{path}"
    assert words in message


def test_a_series_of_plans_is_apart_from_what_operates() -> None:
    series = "[{from: 2027-01-01, nodes: 9, status: planned, as_of: 2026-01}, {from: 2026-01-01, nodes: 2}]"
    assert odd(f"sites:\n{site()}pools:\n{pool(nodes=series)}") == []


def test_power_is_a_series_too() -> None:
    power = (
        "[{from: 2026-01-01, power_mw: 5}, {power_mw: 9, status: planned}, {from: 2025-01-01, power_mw: 4}]"
    )
    assert [path for path, _ in found(f"sites:\n{site(power=power)}")] == ["sites[0].power[2].from"]


def test_counts_below_zero_and_dates_that_are_none() -> None:
    series = "[{from: 2026-01-01, nodes: -1}, {from: soon, nodes: 2}]"
    assert [path for path, _ in found(f"sites:\n{site()}pools:\n{pool(nodes=series)}")] == [
        "pools[0].nodes[0].nodes",
        "pools[0].nodes[1].from",
    ]


def test_a_holding_ends_after_it_begins() -> None:
    text = f"sites:\n{site()}pools:\n{pool(nodes='[{from: 2026-01-01, nodes: 1}]', until='2025-06-01')}"
    assert [path for path, _ in found(text)] == ["pools[0].until"]


def test_countries_of_parties_are_checked() -> None:
    assert found("---\nparties: [{id: b, country: XX}, {id: c, country: NO}]\n")[0][0] == "parties[0].country"


def test_more_chips_than_power_is_odd_and_not_an_error() -> None:
    """1,000 nodes of 8 chips of 700 W draw 5.6 MW."""
    sites = f"sites:\n{site(power='[{from: 2025-01-01, power_mw: 5}, {from: 2026-01-01, power_mw: 6}]')}"
    early = odd(f"{sites}pools:\n{pool(nodes='[{from: 2025-06-01, nodes: 1000}]')}")
    assert [(doubt.path, "5.6 MW; the site has 5 MW" in doubt.message) for doubt in early] == [
        ("pools[0].nodes", True)
    ]
    assert odd(f"{sites}pools:\n{pool(nodes='[{from: 2026-06-01, nodes: 1000}]')}") == []
    assert odd(f"sites:\n{site()}pools:\n{pool(nodes='[{from: 2025-06-01, nodes: 1000}]')}") == [], (
        "power unknown"
    )


def test_pools_of_one_site_share_its_power() -> None:
    sites = f"sites:\n{site(power='[{from: 2025-01-01, power_mw: 6}]')}"
    half = "[{from: 2025-06-01, nodes: 600}]"
    assert odd(f"{sites}pools:\n{pool(nodes=half)}") == []
    assert len(odd(f"{sites}pools:\n{pool(nodes=half)}{pool(id='q', nodes=half)}")) == 1


def test_more_power_than_was_ever_planned_is_odd() -> None:
    power = "[{from: 2025-01-01, power_mw: 6}, {from: 2026-01-01, power_mw: 5, status: planned}]"
    assert [doubt.path for doubt in odd(f"sites:\n{site(power=power)}")] == ["sites[0].power"]


def test_without_origins_a_problem_still_has_its_path() -> None:
    infrastructure = assemble(parse(f"{BASE}sites:\n{site()}pools:\n{pool()}")).infrastructure
    assert check_infrastructure(infrastructure) == ()
    (problem,) = check_infrastructure(Infrastructure(pools=infrastructure.pools, sites=infrastructure.sites))
    assert (problem.file, problem.path, problem.message) == (
        "",
        "pools[0].provider",
        "there is no provider 'cloud'",
    )
