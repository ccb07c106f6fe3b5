"""A gateway's host by itself: routes on disk, its own limits, no control plane; for what only real sockets show."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from stargate.base import wire
from stargate.base.time import Instant
from stargate.gateway.metering.reading import Reading
from stargate.gateway.record import Admitted, Application, Endpoint, Model, Routes, Scope, Settled
from stargate.gateway.serving.host import Listening, serve
from stargate.gateway.serving.settings import Settings
from stargate.gateway.serving.worker import Told
from tests.gateway.plant import asked
from tests.gateway.provider import free_port

ROOT = Path(__file__).resolve().parents[2]
START_S = 60.0
STOP_S = 30.0
TOKEN = "sg_live_test"
OPERATOR = "sg_live_operator"


class Alone:
    """A running host of one worker."""

    def __init__(self, folder: Path, routes: Routes, settings: Settings) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/v1"
        told = Told(data=str(folder / "data"), settings=settings)
        (folder / "data").mkdir(parents=True)
        (folder / "data" / "routes").write_bytes(wire.pack(routes))
        (folder / "start.json").write_bytes(wire.to_json(told))
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.gateway.alone", str(folder / "start.json"), str(self.port)],
            cwd=ROOT, stdout=self._log, stderr=self._log,
        )  # fmt: skip
        self._wait()
        (self.worker,) = psutil.Process(self._process.pid).children()
        """The process that answers."""

    def _wait(self) -> None:
        before_s = time.monotonic() + START_S
        while self.get("/health/ready")[0] != 200:
            if time.monotonic() > before_s or self._process.poll() is not None:
                self.close()
                raise TimeoutError(f"no gateway came up; it said:\n{self.log()}")
            time.sleep(0.02)

    def log(self) -> str:
        """All that it has said."""
        return (self.folder / "log").read_text()

    def get(self, path: str) -> tuple[int, Any]:
        """Status and answer; 0: nobody answers."""
        return self.ask(path)

    def ask(self, path: str, body: bytes | None = None, token: str = TOKEN) -> tuple[int, Any]:
        """The same with a body: a POST."""
        return asked(self.port, path, body, token)

    def attempts(self) -> list[tuple[Admitted, Settled | None]]:
        """What is on record."""
        admitted: dict[tuple[str, int], Admitted] = {}
        settled: dict[tuple[str, int], Settled] = {}
        for epoch in sorted((self.folder / "data" / "spool").iterdir()):
            for frame in Reading(epoch):
                for record in frame.records:
                    if isinstance(record, Admitted):
                        admitted[epoch.name, record.seq] = record
                    else:
                        settled[epoch.name, record.seq] = record
        return [(each, settled.get(place)) for place, each in sorted(admitted.items())]

    def close(self) -> None:
        """Stop it."""
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            for each in psutil.Process(self._process.pid).children(recursive=True):
                each.kill()
            self._process.kill()
            self._process.wait(STOP_S)
            raise
        finally:
            self._log.close()


def endpoint(url: str, **more: Any) -> Endpoint:
    """An endpoint of the model `tiny`, that can be asked what a request has used."""
    said = {"id": url, "model": "tiny", "provider": "azure", "party": "microsoft"}
    return Endpoint(url=url, **{"usage_path": "/usage/{request_id}", **said, **more})


def routes(*endpoints: Endpoint, **more: Any) -> Routes:
    """Routes to them, with a client's key and an operator's."""
    applications = tuple(
        Application(
            id=name,
            name=name,
            sha256=hashlib.sha256(token.encode()).hexdigest(),
            scope=Scope(),
            operator=name == "operator",
        )
        for name, token in (("client", TOKEN), ("operator", OPERATOR))
    )
    models = tuple(Model(id=name) for name in sorted({each.model for each in endpoints}))
    said = {"applications": applications, "models": models, "endpoints": endpoints, **more}
    return Routes(version=1, made=Instant(0), **said)


@contextmanager
def alone(folder: Path, known: Routes, **settings: Any) -> Iterator[Alone]:
    """Started, and stopped afterwards."""
    made = Alone(folder, known, Settings(**settings))
    try:
        yield made
    finally:
        made.close()


if __name__ == "__main__":
    serve(Listening(port=int(sys.argv[2])), wire.from_json(Path(sys.argv[1]).read_bytes(), Told))
