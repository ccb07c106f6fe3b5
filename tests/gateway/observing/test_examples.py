"""The dashboard and the alerts name metrics, labels and codes that there are, and no others."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from stargate.gateway.observing import Snapshot, exposition
from stargate.gateway.observing.family import FAMILIES, PREFIX
from stargate.gateway.observing.snapshot import total
from tests.conftest import REPOSITORY

EXAMPLES = REPOSITORY / "examples" / "observing"
SERVING = REPOSITORY / "src" / "stargate" / "gateway" / "serving"
TARGET = {"job", "instance"}
"""Labels that Prometheus itself adds."""
SELECTOR = re.compile(rf"({PREFIX}\w+|up)(?:\{{([^}}]*)\}})?")
MATCHER = re.compile(r'(\w+)(?:=~|!=|!~|=)"([^"]*)"')
GROUPED = re.compile(r"by \(([^)]*)\)")


def expressions() -> Iterator[tuple[str, str]]:
    """Every query of the examples, and where it stands."""
    dashboard = json.loads((EXAMPLES / "grafana.json").read_bytes())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for group in yaml.safe_load((EXAMPLES / "alerts.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


@pytest.fixture(scope="module")
def exposed() -> dict[str, set[str]]:
    """Every series that a gateway can expose, with its labels, as Prometheus reads them."""
    buckets = {
        family.name: [1] * (len(family.bounds_s) + 1) for family in FAMILIES if family.kind == "histogram"
    }
    everything = Snapshot(
        [(each.name, each.labels, 1) for each in FAMILIES if each.kind == "counter"],
        [(each.name, each.labels, buckets[each.name], 1) for each in FAMILIES if each.kind == "histogram"],
        [(each.name, each.labels, 1) for each in FAMILIES if each.kind == "gauge"],
    )
    _, text = exposition(total([everything]), "")
    found: dict[str, set[str]] = {"up": set()}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.mark.parametrize(("where", "query"), list(expressions()))
def test_a_query_names_what_there_is(where: str, query: str, exposed: dict[str, set[str]]) -> None:
    selected = SELECTOR.findall(query)
    assert selected, f"{where} asks for nothing of a gateway"
    known = set(TARGET)
    for name, matchers in selected:
        assert name in exposed, f"{where} asks for {name}, which no gateway has"
        known |= exposed[name]
        for label, value in MATCHER.findall(matchers):
            assert label in exposed[name] | TARGET, f"{name} has no label {label}"
            if label == "code":
                for code in value.split("|"):
                    assert code in codes(), f"no request is refused with {code}"
    for labels in GROUPED.findall(query):
        assert {label.strip() for label in labels.split(",")} <= known, f"{where}: {labels}"


def codes() -> set[str]:
    """Every code that a request can be refused with, as the source has them."""
    return set(
        re.findall(r'Refusal\(\s*\d+,\s*"(\w+)"', "".join(path.read_text() for path in SERVING.glob("*.py")))
    )


def test_the_dashboard_is_one() -> None:
    dashboard = json.loads((EXAMPLES / "grafana.json").read_bytes())
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    taken = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(taken) == len(set(taken)), "panels lie over one another"
    assert max(x for x, _ in taken) < 24
    variables = {each["name"] for each in dashboard["templating"]["list"]}
    assert variables == {"datasource", "job"}
    for panel in panels:
        assert panel["datasource"]["uid"] == "${datasource}"
        legends = set(re.findall(r"{{(\w+)}}", str(panel["targets"])))
        grouped = {
            label.strip()
            for target in panel["targets"]
            for labels in GROUPED.findall(target["expr"])
            for label in labels.split(",")
        }
        assert legends <= grouped | {"instance", "process", "pid"}


def test_alerts_say_what_is_wrong_and_how_grave_it_is() -> None:
    groups = yaml.safe_load((EXAMPLES / "alerts.yaml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules) > 8
    for rule in rules:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert len(rule["annotations"]["summary"].split()) > 5


def test_prometheus_reads_what_gateways_are_called() -> None:
    configuration = yaml.safe_load((EXAMPLES / "prometheus.yaml").read_text())
    (job,) = configuration["scrape_configs"]
    assert job["job_name"] in (EXAMPLES / "alerts.yaml").read_text()
    assert all((EXAMPLES / name).exists() for name in configuration["rule_files"])
