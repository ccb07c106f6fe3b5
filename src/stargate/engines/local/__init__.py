"""The local engine: providers and nodes as processes of this machine, for real work and for practice.

`LocalEngine` is the engine; each provider is one agent process that outlives it (`agent`), each rank of a job
runs below a shim that leaves nothing behind (`shim`). `layout` shows the files. What an attempt is and whose
fault an end was is said in `stargate.engines.engine`; where a job should run is none of this package's business.
Names are imported when first used: an agent needs none of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stargate.engines.local.engine import LocalEngine
    from stargate.engines.local.layout import keep_secret
    from stargate.engines.local.link import Bounds
    from stargate.engines.local.process import Process
    from stargate.engines.local.retirement import agent_process, agents, retire

__all__ = ["Bounds", "LocalEngine", "Process", "agent_process", "agents", "keep_secret", "retire"]

_HOMES = {
    "stargate.engines.local.engine": ("LocalEngine",),
    "stargate.engines.local.link": ("Bounds",),
    "stargate.engines.local.layout": ("keep_secret",),
    "stargate.engines.local.process": ("Process",),
    "stargate.engines.local.retirement": ("agent_process", "agents", "retire"),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
