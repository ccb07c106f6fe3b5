"""The `stargate` command: talks to people in a terminal, and to scripts with `--json`.

Each command is a module of its own, imported when it is run. Commands about a running server speak HTTP to it
(`client.py`); `check`, `ask`, `import` and `journal` work on files alone. Nothing is decided here.
"""

from stargate.cli.command_line import main

__all__ = ["main"]
