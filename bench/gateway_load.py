"""Load by wrk, and the CPU time that a side takes for it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import NamedTuple

import psutil

BODY = {
    "messages": [
        {
            "role": "system",
            "content": "You are an assistant that answers in one sentence, without any ornament.",
        },
        {"role": "user", "content": "What is the capital of France, and since when has it been? Be brief."},
    ],
    "max_tokens": 64,
    "temperature": 0.2,
}
REFUSED_BORNE = 0.1
_LUA = """
wrk.method = "POST"
wrk.body = [==[{body}]==]
wrk.headers["content-type"] = "application/json"
wrk.headers["authorization"] = "Bearer {token}"
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('\\nFIGURES {{"requests":%d,"us":%d,"p50_us":%d,"p99_us":%d,"failed":%d}}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""


class Figures(NamedTuple):
    """One point: a side under one kind of load."""

    requests: int
    per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    """Of all the side's processes, for one request that was answered."""
    refused: int
    """Answered with an error, or not at all; these count for nothing else."""


class BenchError(Exception):
    """Something that is needed is missing, or a side does not do its work."""


def body_of(model: str) -> dict[str, object]:
    """A request; models that are named for streams are asked for one."""
    return {"model": model, **BODY, "stream": model != "plain"}


def cpu_s(pids: list[int]) -> float:
    """User and system time until now, of these processes together."""
    found = 0.0
    for pid in pids:
        times = psutil.Process(pid).cpu_times()
        found += times.user + times.system
    return found


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


def rank(pid: int, value: int) -> None:
    """The nice value of a session's scheduling group, where the kernel has such and we may."""
    try:
        Path(f"/proc/{pid}/autogroup").write_text(str(value))
    except OSError:
        return


def load(
    folder: Path, url: str, token: str, model: str, connections: int, seconds: float, core: int
) -> Figures:
    """What wrk measures, from its own core; CPU time is for the caller to fill in. Raises BenchError."""
    script = folder / f"{model}.lua"
    script.write_text(_LUA.format(body=json.dumps(body_of(model)), token=token))
    command = [
        "taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s",
        "--timeout", "30s", "-s", str(script), f"{url}/chat/completions",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        rank(process.pid, -20)
        said, _ = process.communicate()
    line = next((line for line in said.splitlines() if line.startswith("FIGURES ")), "")
    if process.returncode or not line:
        raise BenchError(f"wrk ended with {process.returncode}: {said[-500:]}")
    found = json.loads(line.removeprefix("FIGURES "))
    answered = found["requests"] - found["failed"]
    if answered < found["requests"] * (1 - REFUSED_BORNE) or not answered:
        raise BenchError(f"{url}: {found['failed']} of {found['requests']} requests for {model!r} failed")
    per_s = answered / found["us"] * 1e6
    return Figures(answered, per_s, found["p50_us"] / 1e3, found["p99_us"] / 1e3, 0.0, found["failed"])


def synced_ms(folder: Path, rounds: int = 400) -> float:
    """The median of writing 300 bytes and `fdatasync`, bare."""
    import statistics
    import time

    took = []
    with (folder / "bare").open("wb", buffering=0) as file:
        for _ in range(rounds):
            before = time.perf_counter()
            file.write(b"x" * 300)
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - before)
    return statistics.median(took) * 1e3
