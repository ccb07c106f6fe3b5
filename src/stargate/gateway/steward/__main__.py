"""The steward as a process."""

from __future__ import annotations

from stargate.gateway.steward.steward import main

main()
