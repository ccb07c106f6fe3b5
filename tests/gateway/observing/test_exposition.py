"""What Prometheus reads is what was counted, in both formats, whatever a name holds."""

from __future__ import annotations

import math

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families as plain_families

from stargate.gateway.observing import Snapshot, exposition
from stargate.gateway.observing.family import BY_NAME, FAMILIES, PREFIX
from stargate.gateway.observing.histogram import Histogram
from stargate.gateway.observing.snapshot import total

OPEN = "application/openmetrics-text; version=1.0.0,text/plain;version=0.0.4;q=0.5"
PLAIN = "text/plain;version=0.0.4"
ODD = 'a "b" \\ c\nd é \u2028'


def everything(label: str = "x") -> Snapshot:
    """Each metric there is, once."""
    histograms = []
    for family in FAMILIES:
        if family.kind == "histogram":
            counts = [1] * (len(family.bounds_s) + 1)
            histograms.append((family.name, (label,) * len(family.labels), counts, 2_500_000))
    return Snapshot(
        [(each.name, (label,) * len(each.labels), 7) for each in FAMILIES if each.kind == "counter"],
        histograms,
        [(each.name, (label,) * len(each.labels), 0.5) for each in FAMILIES if each.kind == "gauge"],
    )


@pytest.mark.parametrize("label", ["x", "", ODD], ids=["plain", "empty", "odd"])
@pytest.mark.parametrize("accept", [PLAIN, OPEN, "", "*/*"], ids=["plain", "openmetrics", "none", "any"])
def test_everything_is_read_as_it_was_counted(accept: str, label: str) -> None:
    content_type, text = exposition(total([everything(label)]), accept)
    openmetrics = accept == OPEN
    assert content_type.startswith(
        "application/openmetrics-text" if openmetrics else "text/plain; version=0.0.4"
    )
    families = (open_families if openmetrics else plain_families)(text.decode())
    found = {family.name: family for family in families}
    assert found.keys() == {PREFIX + family.name for family in FAMILIES}
    for family in FAMILIES:
        read = found[PREFIX + family.name]
        assert read.type == family.kind
        assert read.documentation == family.says
        labels = dict.fromkeys(family.labels, label)
        samples = {
            (sample.name.removeprefix(PREFIX + family.name), sample.labels.get("le", "")): sample.value
            for sample in read.samples
            if {name: value for name, value in sample.labels.items() if name != "le"} == labels
        }
        if family.kind == "histogram":
            count = len(family.bounds_s) + 1
            assert samples["_count", ""] == samples["_bucket", "+Inf"] == count
            assert samples["_sum", ""] == 2.5
            bounds = [float(le) for name, le in samples if name == "_bucket"]
            assert bounds == [*family.bounds_s, math.inf]
        else:
            assert samples == {
                ("_total" if family.kind == "counter" else "", ""): 7 if family.kind == "counter" else 0.5
            }


def test_a_counter_without_labels_begins_at_nought() -> None:
    """So that the first one that is counted is a rise."""
    _, text = exposition(total([]), "")
    lines = text.decode().splitlines()
    assert f"{PREFIX}shipped_attempts_total 0.0" in lines
    assert f"{PREFIX}unfit_attempts_total 0.0" in lines


def test_a_bound_belongs_to_the_bucket_below_it() -> None:
    family = BY_NAME["spool_commit_seconds"]
    histogram = Histogram(family.bounds_us)
    for time_us in (0, 100, 101, 10_000_000, 10_000_001):
        histogram.note(time_us)
    snapshot = Snapshot((), [(family.name, (), histogram.counts, histogram.sum_us)])
    _, text = exposition(total([snapshot]), "")
    found = dict(
        line.removeprefix(f'{PREFIX}spool_commit_seconds_bucket{{le="').split('"} ')
        for line in text.decode().splitlines()
        if "_bucket{" in line
    )
    assert (found["0.0001"], found["0.00025"], found["5.0"], found["10.0"], found["+Inf"]) == (
        "2.0", "3.0", "3.0", "4.0", "5.0",
    )  # fmt: skip


def test_names_are_prometheus_own() -> None:
    """Base units, the unit last, one name each; bounds rise."""
    assert len(BY_NAME) == len(FAMILIES)
    for family in FAMILIES:
        assert family.exposed.startswith(PREFIX)
        assert "le" not in family.labels
        assert family.kind != "histogram" or family.name.endswith("_seconds")
        assert family.name.endswith("_seconds") or "time" not in family.name
        assert list(family.bounds_s) == sorted(set(family.bounds_s))
        assert bool(family.bounds_s) == (family.kind == "histogram")
        assert "key" not in family.labels
