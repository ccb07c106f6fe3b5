"""The mock as a process: prints the port that it listens on, and serves until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal

from tests.gateway.provider.server import Provider


async def _serve(asked: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    provider = Provider(asked.host, asked.port, tuple(asked.model or ("tiny",)))
    provider.play(asked.mode)
    async with provider:
        print(provider.port, flush=True)
        await stopped.wait()


def main() -> None:
    """Read the command line, then serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.gateway.provider")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--model", action="append", help="to list; may be repeated")
    parser.add_argument("--mode", default="", help="as `play=comments&tokens=8`")
    parser.add_argument("--plain-loop", action="store_true", help="asyncio's own event loop, not uvloop")
    asked = parser.parse_args()
    if not asked.plain_loop:
        with contextlib.suppress(ImportError):
            import uvloop

            uvloop.run(_serve(asked))
            return
    asyncio.run(_serve(asked))


if __name__ == "__main__":
    main()
