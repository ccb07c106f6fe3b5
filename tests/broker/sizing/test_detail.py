"""An estimate taken apart adds up to the estimate, and says whose constants it rests on."""

from __future__ import annotations

import pytest

from stargate.broker.device import device_of, devices
from stargate.broker.sizing.asked import Serve, Train, asked
from stargate.broker.sizing.detail import Detail, detail
from stargate.broker.sizing.running import run_on
from stargate.broker.sizing.serving import replicas_on
from stargate.catalog import builtin_chips, chip_named
from stargate.performance.calibration import Calibration, Cell, Lookup, shipped
from stargate.performance.estimate import DoesNotFit
from stargate.workloads import parse

KNOWN = devices(builtin_chips())
TRAIN = "{name: lm, model: llama-3.1-8b, tokens: 100B, precision: bf16, resources: {accelerators: H100}}"
SERVE = """
{name: chat, kind: serve, model: llama-3.1-8b, precision: fp8, run: serve, resources: {accelerators: H100},
 traffic: {requests_per_s: 20, input_tokens: 1000, output_tokens: 200}}
"""


def question(text: str) -> Train | Serve:
    return asked(parse(text))


@pytest.fixture(scope="module")
def lookup() -> Lookup:
    return Lookup(shipped(), KNOWN)


def test_a_step_adds_up_and_fits_as_the_run_does(lookup: Lookup) -> None:
    work, device = question(TRAIN), device_of(chip_named("H100"), "bf16")
    assert isinstance(work, Train)
    found, run = detail(work, device, 64, lookup), run_on(work, device, 64, lookup)
    assert isinstance(found, Detail)
    assert sum(term.seconds for term in found.terms) == pytest.approx(found.seconds.point, rel=0.02)
    assert sum(found.memory_bytes.values()) == pytest.approx(run.memory_bytes)  # type: ignore[union-attr]
    assert found.layout == run.layout  # type: ignore[union-attr]
    assert max(found.terms, key=lambda term: term.seconds).name == run.binds  # type: ignore[union-attr]
    rate = found.rates["tokens_per_second_per_chip"]
    assert rate * 64 * found.seconds.point == pytest.approx(work.batch * work.sequence, rel=1e-6)
    assert 0.2 < found.rates["mfu_causal_of_bf16_peak"] < found.rates["mfu_full_of_bf16_peak"] < 0.8


def test_an_iteration_is_that_of_the_replica(lookup: Lookup) -> None:
    work, device = question(SERVE), device_of(chip_named("H100"), "fp8")
    assert isinstance(work, Serve)
    found, service = detail(work, device, 1, lookup), replicas_on(work, device, 1, lookup)
    assert isinstance(found, Detail)
    assert found.of == "iteration"
    assert found.rates["replicas"] == service.replicas  # type: ignore[union-attr]
    assert sum(term.seconds for term in found.terms) == pytest.approx(found.seconds.point)


def test_what_does_not_fit_stays_a_refusal(lookup: Lookup) -> None:
    work = question(TRAIN.replace("llama-3.1-8b", "llama-3.1-405b"))
    assert isinstance(detail(work, device_of(chip_named("H100"), "bf16"), 1, lookup), DoesNotFit)


def test_lent_constants_are_marked() -> None:
    cells = (Cell("H200-SXM", "bf16", 20, {"matmul": 0.7, "attention": 0.5, "link": 0.6}),)
    lookup = Lookup(Calibration(20, "", {}, cells, (), ()), KNOWN)
    found = detail(question(TRAIN), device_of(chip_named("H100"), "bf16"), 64, lookup)
    assert isinstance(found, Detail)
    assert found.grade == "lent"
    assert {each.lent_by for each in found.constants} == {"H200-SXM bf16"}
