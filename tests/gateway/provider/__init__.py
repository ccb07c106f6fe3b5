"""A mock of an OpenAI-compatible provider that keeps its own exact count, and misbehaves when told to.

Answers depend on the request alone. `Provider` runs in the event loop of a test; `process.spawn` and
`python -m tests.gateway.provider --port 9000` run it as a process, for tests that kill and for benchmarks.
"""

from tests.gateway.provider.process import Process, spawn
from tests.gateway.provider.script import FAULTS, STYLES, Script
from tests.gateway.provider.server import Provider, free_port
from tests.gateway.provider.tally import Tally, Used

__all__ = ["FAULTS", "STYLES", "Process", "Provider", "Script", "Tally", "Used", "free_port", "spawn"]
