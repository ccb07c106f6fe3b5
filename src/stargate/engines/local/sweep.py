"""After an agent's death: see that nothing of its attempts is left, and give each the outcome it lacks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from stargate.engines.local.marker import conclude, lost_outcome
from stargate.engines.local.process import carrying

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stargate.engines.local.layout import Layout
    from stargate.engines.local.wire import Outcome

LIMIT_S = 5.0


def bury(layout: Layout, provider: str, attempts: Iterable[str], why: str) -> dict[str, Outcome]:
    """Outcomes of attempts whose agent is gone, each with nothing left of it. Blocks for a moment."""
    names = list(attempts)
    if not names:
        return {}
    clear({str(layout.home(name).path) for name in names})
    detail = f"{provider} was lost: {why}"
    return {name: conclude(layout.home(name), lost_outcome(layout.home(name), detail)) for name in names}


def clear(run_dirs: set[str]) -> bool:
    """Kill every process that was started for these run directories; False if some would not die.

    The shims do this themselves when their agent dies. This is for the case that they died as well.
    """
    deadline = time.monotonic() + LIMIT_S
    while found := carrying("STARGATE_RUN_DIR", run_dirs):
        if time.monotonic() > deadline:
            return False
        for process in found:
            process.kill()
        time.sleep(0.01)
    return True
