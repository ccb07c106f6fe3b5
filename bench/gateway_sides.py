"""What is measured, each on one core: nginx as a plain proxy, LiteLLM's proxy, our gateway; and what they ask."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.gateway_load import BenchError, body_of, family, rank

ROOT = Path(__file__).resolve().parents[1]
STARGATE = ROOT / "examples" / "stargate"
LITELLM = ROOT / ".bench" / "litellm" / "bin" / "litellm"
MODELS = ("plain", "paced", "burst")
GATEWAY_CORE, LOAD_CORE = 0, 1
PATIENCE_S = 90.0
_ANSWER = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1_795_000_000, "model": "mock",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {
        "role": "assistant", "content": "Paris is the capital of France, and has been since the tenth century. " * 3,
    }}],
    "usage": {"prompt_tokens": 57, "completion_tokens": 48, "total_tokens": 105,
              "prompt_tokens_details": {"cached_tokens": 0}},
}  # fmt: skip
_NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s; default_type application/json;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  {inside}
}}
"""
_CATALOG = """
models: [{models}]
apis:
- {{id: azure-1, provider: azure, url: '{plain}', network: loopback, models: [{{model: plain}}]}}
- {{id: azure-2, provider: azure, url: '{plain}', network: loopback, models: [{{model: plain}}]}}
- {{id: oci-1, provider: oci, url: '{plain}', network: loopback, models: [{{model: plain}}]}}
- {{id: azure-3, provider: azure, url: '{paced}', network: loopback, models: [{{model: paced}}]}}
- {{id: azure-4, provider: azure, url: '{burst}', network: loopback, models: [{{model: burst}}]}}
"""
_MODEL = (
    "{{id: {name}, owner: openai,"
    " price: {{input_usd_per_million_tokens: 2.5, output_usd_per_million_tokens: 10}}}}"
)
_SCOPE = {
    "product": "api", "requests_per_minute": 100_000_000, "tokens_per_minute": 100_000_000_000,
    "concurrent_requests": 10_000, "budget_micro_usd": 1_000_000_000_000,
}  # fmt: skip


class Side(NamedTuple):
    """Something that answers."""

    name: str
    urls: dict[str, str]
    """Up to and with `/v1`, by model."""
    token: str
    pid: int
    """Its first process; 0: the mock itself."""
    folder: Path
    start_s: float = 0.0
    """From its start to its first answer."""


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def running(
    command: Sequence[str], folder: Path, core: int, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A process pinned to a core, in a session of its own, until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            cwd=folder,
            env={**os.environ, **environment},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        rank(process.pid, -20)
        try:
            yield process
        finally:
            members = family(process.pid) if process.poll() is None else []
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(15)
            for pid in members:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()


def call(url: str, token: str = "", body: object = None) -> tuple[int, bytes]:
    """One request; status 0: nobody answers."""
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(urllib.request.Request(url, data, headers), timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
    except OSError as error:
        return 0, str(error).encode()


def wait_for(side: Side, models: Sequence[str] = MODELS) -> None:
    """Until it answers for each model. Raises BenchError."""
    end = time.monotonic() + PATIENCE_S
    for model in models:
        while True:
            status, said = call(f"{side.urls[model]}/chat/completions", side.token, body_of(model))
            if status == 200 and (b'"total_tokens"' in said or model != "plain"):
                break
            if time.monotonic() > end:
                log = (side.folder / "log").read_text(errors="replace")[-2_000:]
                raise BenchError(f"{side.name} answers {status} for {model!r}: {said[:500]!r}\n{log}")
            time.sleep(0.01)


def _program(name: str, package: str) -> str:
    found = shutil.which(name) or shutil.which(f"/usr/sbin/{name}")
    if found is None:
        raise BenchError(f"{name} is not installed: `apt-get install {package}`")
    return found


@contextmanager
def mock(folder: Path) -> Iterator[Side]:
    """The model itself: whole answers by nginx, streams by a loop of our own, both on the core of the load."""
    _program("wrk", "wrk")
    whole, streams = free_port(), free_port()
    server = f"server {{ listen 127.0.0.1:{whole} backlog=1024; location / {{ return 200 '{json.dumps(_ANSWER)}'; }} }}"
    urls = {model: f"http://127.0.0.1:{streams}/{model}/v1" for model in MODELS}
    urls["plain"] = f"http://127.0.0.1:{whole}/v1"
    with ExitStack() as stack:
        stack.enter_context(_nginx(folder / "mock", server, LOAD_CORE))
        command = [sys.executable, "-m", "bench.gateway_mock", str(streams)]
        stack.enter_context(running(command, folder / "streams", LOAD_CORE, PYTHONPATH=str(ROOT)))
        side = Side("the mock alone", urls, "", 0, folder / "mock")
        wait_for(side)
        yield side


def _nginx(
    folder: Path, inside: str, core: int
) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    folder.mkdir(parents=True)
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, inside=inside))
    command = [
        _program("nginx", "nginx-light"),
        "-p",
        str(folder),
        "-c",
        str(config),
        "-e",
        str(folder / "log"),
    ]
    return running(command, folder, core)


@contextmanager
def nginx(folder: Path, upstream: Side) -> Iterator[Side]:
    """A plain proxy with kept connections: neither keys nor counts."""
    port = free_port()
    targets = {model: url.removeprefix("http://").partition("/")[::2] for model, url in upstream.urls.items()}
    pools = "".join(
        f"upstream {model} {{ server {host}; keepalive 128; keepalive_requests 1000000000; }}\n"
        for model, (host, _) in targets.items()
    )
    places = "".join(
        f"location /{model}/ {{ proxy_pass http://{model}/{path.removesuffix('v1')}; proxy_http_version 1.1;"
        ' proxy_set_header Connection ""; proxy_buffering off; }\n'
        for model, (_, path) in targets.items()
    )
    inside = f"{pools} server {{ listen 127.0.0.1:{port} backlog=1024; {places} }}"
    with _nginx(folder / "nginx", inside, GATEWAY_CORE) as process:
        urls = {model: f"http://127.0.0.1:{port}/{model}/v1" for model in MODELS}
        side = Side("nginx", urls, "", process.pid, folder / "nginx")
        wait_for(side)
        yield side


@contextmanager
def litellm(folder: Path, upstream: Side) -> Iterator[Side]:
    """At its best: no database, a master key, prices of its own, granian. Raises BenchError where it is missing."""
    if not LITELLM.exists():
        raise BenchError(
            f"LiteLLM is not at {LITELLM.parents[1].relative_to(ROOT)}:"
            " run `make bench-peer`, or leave it out by --without-peer"
        )
    home = folder / "litellm"
    home.mkdir()
    prices = {"input_cost_per_token": 2.5e-6, "output_cost_per_token": 1e-5}
    config = {
        "model_list": [
            {"model_name": model, "litellm_params": {
                "model": "openai/mock", "api_base": url, "api_key": "none", **prices}}
            for model, url in upstream.urls.items()
        ],
        "litellm_settings": {"telemetry": False, "set_verbose": False},
    }  # fmt: skip
    (home / "config.yaml").write_text(json.dumps(config))
    port = free_port()
    command = [str(LITELLM), "--config", str(home / "config.yaml"), "--host", "127.0.0.1", "--port", str(port),
               "--num_workers", "1", "--run_granian"]  # fmt: skip
    told = {"LITELLM_MASTER_KEY": "sk-bench", "LITELLM_MODE": "PRODUCTION", "LITELLM_LOG": "ERROR",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "*",
            "PATH": f"{LITELLM.parent}:{os.environ['PATH']}"}  # fmt: skip
    with running(command, home, GATEWAY_CORE, **told) as process:
        url = f"http://127.0.0.1:{port}/v1"
        side = Side("LiteLLM", dict.fromkeys(MODELS, url), "sk-bench", process.pid, home)
        wait_for(side)
        yield side


@contextmanager
def ours(folder: Path, upstream: Side) -> Iterator[Side]:
    """With all that it does: a key with every kind of limit, the example's agreements, durable metering, a steward.

    The control plane that it follows, ships to and leases limits from is on the core of the load.
    """
    home = folder / "ours"
    home.mkdir()
    models = ", ".join(_MODEL.format(name=name) for name in MODELS)
    (home / "catalog.yaml").write_text(_CATALOG.format(models=models, **upstream.urls))
    (home / "policy.yaml").write_text("policy: {lab: openai, sourcing: {automatic: false}}\n")
    plane_port, port = free_port(), free_port()
    stargate = [sys.executable, "-m", "stargate.cli"]
    plane = [
        *stargate, "up", "--data", "plane", "--port", str(plane_port), "-i", str(STARGATE / "infrastructure"),
        "-i", "catalog.yaml", "-a", str(STARGATE / "agreements"), "-p", "policy.yaml",
    ]  # fmt: skip
    source = {"PYTHONPATH": str(ROOT / "src")}
    url = f"http://127.0.0.1:{plane_port}"
    with ExitStack() as stack:
        stack.enter_context(running(plane, home, LOAD_CORE, **source))
        end = time.monotonic() + PATIENCE_S
        while call(f"{url}/health")[0] != 200:
            if time.monotonic() > end:
                raise BenchError(f"the control plane does not start: {(home / 'log').read_text()[-2_000:]}")
            time.sleep(0.1)
        (home / "gateway.key").write_text(_key(home, url, {"name": "node-1", "role": "gateway"}))
        token = _key(home, url, {"name": "bench", "role": "application", "scope": _SCOPE})
        gateway = [
            *stargate, "gateway", "--data", "gateway", "--server", url, "--key", "gateway.key", "--node", "node-1",
            "--workers", "1", "--port", str(port),
        ]  # fmt: skip
        begun_s = time.perf_counter()
        process = stack.enter_context(running(gateway, home, GATEWAY_CORE, **source))
        side = Side("ours", dict.fromkeys(MODELS, f"http://127.0.0.1:{port}/v1"), token, process.pid, home)
        wait_for(side, ("plain",))
        side = side._replace(start_s=time.perf_counter() - begun_s)
        wait_for(side)
        yield side


def _key(home: Path, url: str, wanted: dict[str, object]) -> str:
    operator = (home / "plane" / "operator.key").read_text().strip()
    status, said = call(f"{url}/v1/keys", operator, wanted)
    if status not in (200, 201):
        raise BenchError(f"no key is made: {status} {said[:500]!r}")
    text: str = json.loads(said)["key"]
    return text
