"""One line a request: what happened, never what was said."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from stargate.gateway.observing import AccessLog, Observer, Passage
from stargate.gateway.observing.access_log import GATHERED_LIMIT_BYTES, PIECE_BYTES
from tests.gateway.provider import Provider
from tests.gateway.serving.rig import Call, Rig, clock_us, endpoint, key, rig

pytestmark = pytest.mark.anyio


def watch(made: Rig, path: Path) -> AccessLog:
    log = AccessLog(str(path))
    made.desk.observer = Observer(clock_us, log=log)
    return log


async def lines(made: Rig, path: Path) -> list[dict[str, Any]]:
    await made.desk.observer.put()
    text = await asyncio.to_thread(path.read_bytes)
    return [json.loads(line) for line in text.split(b"\n")[:-1]]


async def test_a_line_says_what_happened(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    async with Provider() as provider, rig(tmp_path) as made:
        watch(made, path)
        made.route(endpoint(provider), application=key(product="api", team="web"))
        call = await made.ask(stream=True, mock="tokens=5&cached=2", stream_options={"include_usage": True})
        (line,) = await lines(made, path)
        used = provider.tally.total()
    assert line["request"] == call.headers["x-request-id"]
    assert (line["key"], line["key_name"], line["product"], line["team"]) == ("k", "test", "api", "web")
    assert (line["model"], line["operation"], line["stream"]) == ("tiny", "chat/completions", True)
    assert (line["provider"], line["endpoint"], line["attempts"]) == ("azure", f"at-{provider.port}", 1)
    assert (line["outcome"], line["status"], line["code"], line["counted"]) == ("done", 200, "", "upstream")
    assert [line[name] for name in ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")] == [
        used.input_tokens, 2, 5, 0,
    ]  # fmt: skip
    assert line["sent_bytes"] == len(call.body)
    assert line["received_bytes"] > 0
    assert 0 < line["first_byte_ms"] <= line["total_ms"]
    assert line["client"] == "192.0.2.7:4711"
    assert line["time"].endswith("Z")


async def test_refused_requests_have_a_line_too_and_health_has_none(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    async with Provider() as provider, rig(tmp_path) as made:
        watch(made, path)
        made.route(endpoint(provider))
        await made.ask(token="sg_live_wrong")
        await made.ask(model="other")
        await made.get("/health")
        await made.get("/health/ready")
        await made.get("/metrics")
        await made.get("/v1/models", "sg_live_test")
        found = await lines(made, path)
    assert [(line["status"], line["code"], line["key_name"], line["model"]) for line in found] == [
        (401, "invalid_api_key", "", ""),
        (404, "model_not_found", "test", "other"),
        (200, "", "", ""),
    ]


async def test_nothing_that_a_client_writes_makes_a_line(tmp_path: Path) -> None:
    """Nor does a prompt, an answer, or a key get into one."""
    path = tmp_path / "access.log"
    forged = 'x","status":200}\n{"request":"forged"}\r\n\u2028\x1b[31m'
    async with Provider() as provider, rig(tmp_path) as made:
        watch(made, path)
        made.route(endpoint(provider))
        await made.ask(model=forged)
        await made.ask(model="m" * 5_000)
        call = await made.ask(messages=[{"role": "user", "content": "a secret of mine"}], user="somebody")
        await made.run(Call(b"{}"), "/v1/none\n/of/these", **{"x-secret": "a secret of mine"})
        found = await lines(made, path)
        text = path.read_text()
    assert len(found) == 4
    assert found[0]["model"] == forged
    assert len(found[1]["model"]) == 128
    answered = json.loads(call.body)["choices"][0]["message"]["content"]
    for private in ("a secret of mine", "somebody", "sg_live_", "Bearer", answered):
        assert private not in text
    assert "\x1b" not in text


async def test_a_log_that_was_rotated_is_begun_anew(tmp_path: Path) -> None:
    path, old = tmp_path / "access.log", tmp_path / "access.log.1"
    log = AccessLog(str(path))
    for number in range(3):
        log.put([f"{number}\n".encode()])
        if number == 0:
            path.rename(old)
        elif number == 1:
            path.unlink()
    assert (old.read_text(), path.read_text(), log.dropped_lines) == ("0\n", "2\n", 0)
    os.truncate(path, 0)
    log.put([b"3\n"])
    assert path.read_text() == "3\n"


async def test_what_cannot_be_written_is_counted_and_waited_for_by_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fills up takes part of a line; the next one begins on a line of its own."""
    path = tmp_path / "access.log"
    log, write = AccessLog(str(path)), os.write
    log.put([b"a\n"])

    def full(file: int, data: bytes) -> int:
        if data.startswith(b"wh"):
            return write(file, data[:3])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        log.put([b"whole\n", b"second\n"])
    assert log.dropped_lines == 2
    log.put([b"b\n"])
    assert path.read_text() == "a\nwho\nb\n"
    gone = AccessLog(str(tmp_path / "no" / "folder"))
    gone.put([b"x\n", b"y\n"])
    assert gone.dropped_lines == 2


async def test_lines_that_nobody_takes_are_bounded(tmp_path: Path) -> None:
    log = AccessLog(str(tmp_path / "access.log"))
    passage = Passage("r" * 100, clock_us())
    log.write(passage, clock_us(), "c")
    size = len(log.gathered()[0])
    tried = GATHERED_LIMIT_BYTES // size * 2
    for _ in range(tried):
        log.write(passage, clock_us(), "c")
    kept = log.gathered()
    assert log.dropped_lines == tried - len(kept) > 0
    assert GATHERED_LIMIT_BYTES <= sum(map(len, kept)) <= GATHERED_LIMIT_BYTES + 2 * size


async def test_lines_of_several_workers_stay_whole(tmp_path: Path) -> None:
    """To a file, and to a pipe, which takes so many bytes at once."""
    path = tmp_path / "access.log"
    written = [f"{name * 700}\n".encode() for name in "abcd"]
    logs = [AccessLog(str(path)) for _ in written]
    threads = [
        threading.Thread(target=lambda log=log, line=line: [log.put([line] * 20) for _ in range(20)])
        for log, line in zip(logs, written, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = path.read_bytes().splitlines(keepends=True)
    assert len(found) == 4 * 400
    assert set(found) == set(written)
    assert max(len(line) for line in written) < PIECE_BYTES
    assert sum(log.dropped_lines for log in logs) == 0


async def test_standard_output_is_a_place_to_log_to(capfd: pytest.CaptureFixture[str]) -> None:
    AccessLog("-").put([b"one\n", b"two\n"])
    assert capfd.readouterr().out == "one\ntwo\n"
