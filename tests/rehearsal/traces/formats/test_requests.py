"""Azure, BurstGPT and Mooncake."""

from __future__ import annotations

from pathlib import Path

import pytest

from stargate.rehearsal.traces import Request, open_trace
from tests.rehearsal.traces import samples


def opened(folder: Path, name: str, text: str) -> tuple[str, list[Request], int]:
    path = folder / name
    path.write_text(text)
    trace = open_trace(path)
    return trace.format, list(trace.requests()), trace.skipped.rows


@pytest.mark.parametrize(
    ("text", "moments"),
    [
        (samples.AZURE_2023, [0.97996, 1.03196]),
        (samples.AZURE_2024, [0.00993, 0.017335]),
        (samples.AZURE_2025, [0.5]),
    ],
)
def test_azure(tmp_path: Path, text: str, moments: list[float]) -> None:
    form, requests, skipped = opened(tmp_path, "AzureLLMInferenceTrace_code.csv", text)
    assert (form, skipped) == ("azure-llm", 0)
    assert [request.at_seconds for request in requests] == pytest.approx(moments, abs=2e-6)
    assert requests[0].input_tokens in (4808, 2162)
    assert requests[0].output_tokens in (10, 5)


def test_burstgpt_without_answer_failed(tmp_path: Path) -> None:
    form, requests, skipped = opened(tmp_path, "BurstGPT_1.csv", samples.BURSTGPT)
    assert (form, skipped) == ("burstgpt", 0)
    assert [(one.at_seconds, one.input_tokens, one.output_tokens) for one in requests] == [
        (0, 472, 18),
        (40, 1087, 230),
        (1101, 417, 0),
    ]
    assert [one.status for one in requests] == ["completed", "completed", "failed"]
    assert (requests[2].model, requests[2].client) == ("GPT-4", "API log")


def test_burstgpt_with_sessions_starts_at_its_first_row(tmp_path: Path) -> None:
    _, requests, _ = opened(tmp_path, "BurstGPT_3.csv", samples.BURSTGPT_3)
    assert [one.at_seconds for one in requests] == [0, 51]
    assert requests[0].session == "1722ac82-0a46-4bf0-aa08-89794e7a2b3f"
    assert (requests[0].input_tokens, requests[1].session) == (906, "")


def test_mooncake_has_milliseconds_and_blocks(tmp_path: Path) -> None:
    form, requests, skipped = opened(tmp_path, "conversation_trace.jsonl", samples.MOONCAKE)
    assert (form, skipped) == ("mooncake", 0)
    assert requests[1] == Request(2.5, 7322, 490, prefix_blocks=(0, 14))


def test_lines_that_are_no_json_are_counted(tmp_path: Path) -> None:
    text = samples.MOONCAKE + '{"timestamp": 1\n{"timestamp": -1, "input_length": 1, "output_length": 1}\n'
    path = tmp_path / "conversation_trace.jsonl"
    path.write_text(text)
    trace = open_trace(path)
    assert len(list(trace.requests())) == 2
    assert {(skip.reason, skip.first_line) for skip in trace.skipped.reasons()} == {
        ("not JSON", 3),
        ("a field is missing or out of range", 4),
    }
