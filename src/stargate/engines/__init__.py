"""Engines run what the broker decided, on whatever really executes: here are the contract and its adapters.

`Engine` is the contract. `LocalEngine` runs gangs of processes on this machine; `FakeEngine` runs nothing and lies on
demand, for tests. Engines decide nothing: they start, stop, watch and report. Names are imported when first used,
so that the agent processes below `local`, which outlive the server, carry no broker with them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stargate.engines.engine import Engine, LogPage, Progress, Say
    from stargate.engines.fake import FakeEngine, Faults, Lie, Script
    from stargate.engines.local import LocalEngine

__all__ = ["Engine", "FakeEngine", "Faults", "Lie", "LocalEngine", "LogPage", "Progress", "Say", "Script"]

_HOMES = {
    "stargate.engines.engine": ("Engine", "LogPage", "Progress", "Say"),
    "stargate.engines.fake": ("FakeEngine", "Faults", "Lie", "Script"),
    "stargate.engines.local": ("LocalEngine",),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
