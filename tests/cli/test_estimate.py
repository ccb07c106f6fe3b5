"""`stargate estimate`: the table with a model whose answers can be worked out by hand, and the command itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stargate.base.errors import UserError
from stargate.base.time import HOUR, Instant
from stargate.broker.sizing import Comparison
from stargate.cli import estimate, main
from stargate.workloads import parse
from tests.broker.sizing.fake import Fake

AT = Instant.parse("2026-11-01")
TRAIN = """
name: lm
model: llama-3.1-8b
tokens: 1T
deadline: 2026-11-05
resources: {accelerators: {H100: null, B200: null, A100: null, OpenAI-Titan: null}}
"""
SERVE = """
name: chat
model: llama-3.1-8b
precision: fp8
traffic: {requests_per_s: 40, input_tokens: 1000, output_tokens: 100, tpot: {p95: 20ms}}
resources: {accelerators: {H100: null, H200: null}}
"""
POOLS = """
parties: [{id: lab}, {id: north}]
providers: [{id: own, party: lab}, {id: cloud, party: north}]
sites: [{id: here, jurisdiction: US-TX}]
pools:
  - {id: mine, provider: own, site: here, chip: H100-SXM, chips_per_node: 8, tenure: owned,
     nodes: [{from: 2026-01-01, nodes: 4}]}
  - {id: theirs, provider: cloud, site: here, chip: H100-SXM, chips_per_node: 8, tenure: market,
     nodes: [{from: 2026-01-01, nodes: 64}], prices: [{from: 2026-01-01, usd_per_chip_hour: 2.50}]}
"""


def compared(text: str, *paths: Path, pools: tuple[str, ...] = ()) -> Comparison:
    """What the fake says of a workload."""
    return estimate.answer(parse(text), paths, pools, AT, Fake())


def shown(text: str, *paths: Path) -> str:
    """The lines that people see, without blanks at their ends."""
    return "\n".join(line.rstrip() for line in estimate.lines(compared(text, *paths)))


def test_a_run_on_the_chips_that_are_known() -> None:
    assert (
        shown(TRAIN)
        == """\
lm: Llama-3.1-8B, to be done within 4d
  assumed, as nothing else is stated: precision bf16, sequences of 8,192 tokens, 512 sequences in a step

CHIP           POOL  CHIPS  TIME   10-90%          COST     10-90%               ENERGY     GB/CHIP  BOUND BY  LAYOUT
H100-SXM       -     96     2d11h  2d5h to 2d22h   $19,689  $11,101 to $29,426   5,634 kWh  1 of 99  matmul    dp96
B200-SXM       -     32     3d5h   2d22h to 3d21h  $22,270  $9,831 to $35,917    2,475 kWh  3 of 99  matmul    dp32
A100-40GB-SXM  -     512    2d22h  2d15h to 3d12h  $67,826  $28,376 to $110,913  36 MWh     0 of 99  matmul    dp512

Will not do:
  OpenAI-Titan: chip OpenAI-Titan has no figure bf16_dense_tflops"""
    )


def test_a_service_on_the_chips_that_are_known() -> None:
    assert (
        shown(SERVE)
        == """\
chat: Llama-3.1-8B
  assumed, as nothing else is stated: 95 of 100 first tokens within 10s, or twice what an idle engine takes

CHIP      POOL  REPLICAS  CHIPS  TTFT                 TPOT              COST/H  POWER  GB/CHIP  BOUND BY  LAYOUT
H100-SXM  -     6         4      200 ms (100 to 300)  20 ms (20 to 20)  $83.88  4 kW   1 of 99  weights   tp4
H200-SXM  -     6         4      200 ms (100 to 300)  20 ms (20 to 20)  $114    4 kW   1 of 99  weights   tp4"""
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with pools."""
    (tmp_path / "pools.yaml").write_text(POOLS, encoding="utf-8")
    return tmp_path


def test_a_run_on_declared_pools(folder: Path) -> None:
    """What is too late is shown as such, after what is in time; what is owned is paid."""
    assert (
        shown(TRAIN, folder)
        == """\
lm: Llama-3.1-8B, to be done within 4d
  assumed, as nothing else is stated: precision bf16, sequences of 8,192 tokens, 512 sequences in a step

CHIP      POOL    CHIPS  TIME         10-90%          COST     10-90%              ENERGY     GB/CHIP  BOUND BY  LAYOUT
H100-SXM  theirs  96     2d11h        2d5h to 2d22h   $14,083  $12,675 to $16,900  5,634 kWh  1 of 99  matmul    dp96
H100-SXM  mine    32     7d8h (late)  6d14h to 8d19h  paid     -                   5,623 kWh  3 of 99  matmul    dp32"""
    )


def test_some_pools_of_many(folder: Path) -> None:
    assert {one.pool for one in compared(TRAIN, folder, pools=("mine",)).candidates} == {"mine"}
    with pytest.raises(UserError, match="no pool 'mien' here"):
        compared(TRAIN, folder, pools=("mien",))
    with pytest.raises(UserError, match="pool of nothing"):
        compared(TRAIN, pools=("mine",))
    with pytest.raises(UserError, match="nothing here has the chips"):
        compared(
            TRAIN.replace("H100: null, B200: null, A100: null, OpenAI-Titan: null", "MI300X: null"), folder
        )


def test_what_the_price_is_made_of(folder: Path) -> None:
    """Price x chips x time, and never more precise than whole micro-USD."""
    theirs = next(one for one in compared(TRAIN, folder).candidates if one.pool == "theirs")
    assert theirs.duration is not None
    assert theirs.cost_micro_usd is not None
    hours = theirs.duration / HOUR * theirs.chips
    assert abs(theirs.cost_micro_usd - hours * 2_500_000) < 2_500_000
    assert theirs.low_cost_micro_usd is not None
    assert theirs.high_cost_micro_usd is not None
    assert theirs.low_cost_micro_usd < theirs.cost_micro_usd < theirs.high_cost_micro_usd


def command(*words: str) -> Result:
    """`stargate estimate` with these words."""
    return CliRunner().invoke(main, ["estimate", *words])


def test_the_command_prints_its_json_twin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(estimate, "PERFORMANCE", Fake())
    file = tmp_path / "chat.yaml"
    file.write_text(SERVE, encoding="utf-8")
    plain = command(str(file))
    assert plain.exit_code == 0
    assert plain.output.startswith("chat: Llama-3.1-8B\n  assumed, ")
    told = json.loads(command(str(file), "--json").output)
    assert [one["replicas"] for one in told["candidates"]] == [6, 6]
    assert told["candidates"][0]["layout"] == {"tensor_parallel": 4}


def test_work_that_is_not_stated_has_no_estimate(tmp_path: Path) -> None:
    file = tmp_path / "task.yaml"
    file.write_text("run: echo", encoding="utf-8")
    refused = command(str(file))
    assert refused.exit_code == 2
    assert "does not state its work" in refused.stderr
