"""Where an agent says how to reach it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from stargate.base.wire import from_json
from stargate.engines.local.process import Process

if TYPE_CHECKING:
    from stargate.engines.local.layout import Layout


class AgentFile(msgspec.Struct, frozen=True):
    """The content of `agents/<provider>.json`."""

    process: Process
    port: int
    token: str

    def __repr__(self) -> str:
        return f"AgentFile(process={self.process!r}, port={self.port}, token=***)"


def find_agent(layout: Layout, provider: str) -> AgentFile | None:
    """The agent that last announced itself, dead or alive; None if there is none or it was retired."""
    try:
        return from_json(layout.agent(provider, "json").read_bytes(), AgentFile)
    except (OSError, msgspec.MsgspecError):
        return None
