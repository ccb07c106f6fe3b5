"""`python -m stargate.cli` is `stargate`, also where the command is not on the path."""

from __future__ import annotations

from stargate.cli import main

main()
