"""Over TLS: whom the system trusts is asked, by name; nobody else is."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from stargate.gateway.upstream import HttptoolsUpstream, UnsentError
from tests.gateway.upstream.ask import LIMIT_BYTES

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate"),
]
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of localhost, with its key."""
    path = tmp_path / "localhost.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", "key", "-out", "certificate"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    path.write_bytes((tmp_path / "key").read_bytes() + (tmp_path / "certificate").read_bytes())
    return path


@asynccontextmanager
async def serving(certificate: Path, accepted: list[str]) -> AsyncIterator[int]:
    """A server that answers every request of two bytes; its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer.get_extra_info("cipher")[0])
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n{}")
                writer.write(ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


async def test_a_trusted_endpoint_is_asked_and_its_connection_kept(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    accepted: list[str] = []
    upstream = HttptoolsUpstream()
    async with serving(certificate, accepted) as port:
        for _ in range(3):
            answer = await upstream.send(f"https://localhost:{port}/v1/x", [], b"{}")
            assert await answer.whole(LIMIT_BYTES) == b"ok"
        await upstream.close()
    assert len(accepted) == 1


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_an_endpoint_that_nobody_vouches_for_is_told_nothing(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    if host != "localhost":  # the certificate is trusted, but another's
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    upstream = HttptoolsUpstream()
    async with serving(certificate, []) as port:
        with pytest.raises(UnsentError) as failure:
            await upstream.send(f"https://{host}:{port}/v1/x", [], b"{}")
        assert failure.value.reason == "tls"
        await upstream.close()
