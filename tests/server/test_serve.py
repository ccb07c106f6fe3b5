"""The real process: `stargate up`, real jobs, signals, and what a second server or a full disk meets."""

from __future__ import annotations

import asyncio
import importlib
import json
import signal
import socket
import sqlite3
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from stargate.base.errors import ForbiddenError, UserError
from stargate.server.auth import write_private
from stargate.server.config import ServerConfig
from stargate.server.serve import serve
from tests.server.real import RealServer

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RealServer]:
    found = RealServer(tmp_path)
    yield found
    found.close()


def test_a_job_runs_and_its_output_is_read(server: RealServer) -> None:
    server.start()
    server.await_ready()
    announced = json.loads((server.data / "server.json").read_text())
    assert announced["url"] == server.url
    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700
    server.post("/v1/workloads", server.job("a", steps=3, nodes=2))
    shown = server.await_end("a")
    assert shown["status"] == "succeeded"
    (attempt,) = shown["attempts"]
    assert attempt["outcome"] == "done"
    assert attempt["progress"]["step"] == 3
    assert sorted(dict(server.lines())["a.0.1"]) == [0, 1]
    logs = server.get("/v1/attempts/a.0.1/logs")
    assert "rank 0 step 3" in logs["text"]
    assert "rank 1 step 3" in logs["text"]
    assert logs["ended"]
    first = server.get("/v1/attempts/a.0.1/logs", rank=1, limit=16)
    rest = server.get("/v1/attempts/a.0.1/logs", rank=1, offset=first["next_offset"])
    assert (first["text"] + rest["text"]).splitlines() == [f"rank 1 step {n}" for n in (1, 2, 3)]
    assert server.processes() == []


@pytest.mark.slow
def test_a_stopped_server_leaves_its_jobs_running(server: RealServer) -> None:
    server.start()
    server.await_ready()
    server.post("/v1/workloads", server.job("a", steps=25))
    _await_start(server, "a.0.1")
    assert server.stop() == 0
    assert not (server.data / "server.json").exists()
    assert server.processes()
    server.start()
    server.await_ready()
    shown = server.await_end("a")
    assert shown["status"] == "succeeded"
    assert [attempt["id"] for attempt in shown["attempts"]] == ["a.0.1"]
    assert dict(server.lines()) == {"a.0.1": [0]}


def test_a_killed_server_finds_its_jobs_again(server: RealServer) -> None:
    server.start()
    server.await_ready()
    server.post("/v1/workloads", server.job("a", steps=25))
    _await_start(server, "a.0.1")
    server.kill()
    server.start()
    server.await_ready()
    assert server.await_end("a")["attempts"][0]["outcome"] == "done"
    assert dict(server.lines()) == {"a.0.1": [0]}
    assert server.get("/v1/journal/verify")["ok"]


@pytest.mark.slow
def test_a_job_that_ended_meanwhile_is_heard_of(server: RealServer) -> None:
    server.start()
    server.await_ready()
    server.post("/v1/workloads", server.job("a", steps=5))
    _await_start(server, "a.0.1")
    server.kill()
    deadline = time.monotonic() + 30
    while server.processes() and time.monotonic() < deadline:
        time.sleep(0.05)
    server.start()
    server.await_ready()
    assert server.await_end("a")["attempts"][0]["outcome"] == "done"


@pytest.mark.slow
def test_jobs_are_stopped_where_that_is_asked_and_go_on_later(tmp_path: Path) -> None:
    server = RealServer(tmp_path, "--stop-jobs")
    try:
        server.start()
        server.await_ready()
        server.post("/v1/workloads", server.job("a", steps=30))
        _await_start(server, "a.0.1")
        time.sleep(0.5)
        assert server.stop() == 0
        assert server.processes() == []
        server.start()
        server.await_ready()
        shown = server.await_end("a")
        assert shown["status"] == "succeeded"
        assert [attempt.get("failure") for attempt in shown["attempts"]] == ["preempted", None]
        assert shown["attempts"][1]["progress"]["first_step"] > 1
    finally:
        server.close()


def test_a_second_server_on_the_same_folder_is_refused(server: RealServer) -> None:
    server.start()
    server.await_ready()
    command = ["0" if part == str(server.port) else part for part in server._command]
    other = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert other.returncode == 2
    assert "another server" in other.stderr
    assert "Traceback" not in other.stderr


def test_interrupting_is_stopping(server: RealServer) -> None:
    server.start()
    server.await_ready()
    assert server.stop(signal.SIGINT) == 0


@pytest.mark.slow
class AnnouncedError(Exception):
    """The address was told to the world."""


def test_who_is_told_the_address_gets_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(path: Path, data: bytes) -> None:
        if path.name == "server.json":
            address = httpx.URL(json.loads(data)["url"])
            socket.create_connection((address.host, address.port or 0), timeout=5).close()
            raise AnnouncedError
        write_private(path, data)

    # The package's face has a function of the same name.
    serving = importlib.import_module("stargate.server.serve")
    monkeypatch.setattr(serving, "write_private", told)
    with pytest.raises(AnnouncedError):
        asyncio.run(serving._serve(ServerConfig(tmp_path, port=0), as_json=False))


def test_a_port_that_is_taken_is_named(server: RealServer, tmp_path: Path) -> None:
    server.start()
    server.await_ready()
    other = RealServer(tmp_path / "other")
    other._command[other._command.index(str(other.port))] = str(server.port)
    done = subprocess.run(other._command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "cannot be listened on" in done.stderr
    other.close()


def test_a_journal_that_cannot_be_written_ends_the_server(server: RealServer) -> None:
    """Somebody takes the journal over: from then on this server must not acknowledge anything."""
    server.start()
    server.await_ready()
    server.post("/v1/workloads", server.job("kept", steps=1))
    server.await_end("kept")
    with sqlite3.connect(server.data / "journal.sqlite") as taken_over:
        taken_over.execute("UPDATE writer SET epoch = epoch + 1")
    taken_over.close()
    with server.client() as client:
        answer = client.post("/v1/workloads", json=server.job("lost"))
        assert answer.status_code == 503
        assert "Idempotency-Key" in answer.json()["error"]["remedy"]
    assert server.process is not None
    assert server.process.wait(30) == 1
    server.start()
    server.await_ready()
    ids = [item["id"] for item in server.get("/v1/workloads")["items"]]
    assert ids == ["kept"]


def test_raw_requests_that_are_no_http_do_no_harm(server: RealServer) -> None:
    server.start()
    server.await_ready()
    for raw in (
        b"\x00" * 100,
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/workloads HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw_socket:
            raw_socket.sendall(raw)
            raw_socket.settimeout(5)
            assert b"HTTP/1.1 5" not in raw_socket.recv(4_096)
    answer = httpx.get(f"{server.url}/health", trust_env=False)
    assert answer.json() == {"status": "ok"}
    assert "server" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_it_does_not_listen_to_others_without_being_told(tmp_path: Path) -> None:
    with pytest.raises(ForbiddenError):
        serve(ServerConfig(tmp_path, host="0.0.0.0"))
    with pytest.raises(UserError):
        serve(ServerConfig(tmp_path, port=99_999))
    assert not list(tmp_path.iterdir())


def _await_start(server: RealServer, attempt: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if attempt in dict(server.lines()):
            return
        time.sleep(0.02)
    raise AssertionError(f"{attempt} does not start:\n{server.log()}")
