"""`python -m stargate.gateway.batch`: what it is told stands in its environment.

Exit code 0: nothing is left to do; 143: it was told to end, and what was answered is kept; 1: its key was refused.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

from stargate.gateway.batch.asking import KeyRefusedError
from stargate.gateway.batch.runner import Runner, errand_of

TOLD_TO_END = 128 + signal.SIGTERM


async def _main() -> int:
    runner = Runner(errand_of())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, runner.stop)
    try:
        return 0 if await runner.run() else TOLD_TO_END
    except KeyRefusedError as error:
        logging.getLogger("stargate.gateway.batch").error("%s", error)  # noqa: TRY400 - where it arose tells nothing
        return 1


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s", level="INFO")
    sys.exit(asyncio.run(_main()))
