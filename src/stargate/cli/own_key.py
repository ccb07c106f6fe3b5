"""A key that a command makes for its own use, and keeps where only its owner reads it."""

from __future__ import annotations

from pathlib import Path

from stargate.base.errors import UserError
from stargate.cli.client import Client

KEY_LIMIT_BYTES = 4_096


def make_key(client: Client, path: Path, name: str, role: str) -> str:
    """A new key of a role, kept in a file. Raises what the server names, and InternalError where it cannot be kept."""
    from stargate.server.auth import write_private

    made: str = client.post("keys", {"name": name, "role": role})["key"]
    write_private(path, made.encode() + b"\n")
    return made


def read_key(path: Path) -> str:
    """The key in a file. Raises UserError where there is none that could be one, OSError where it cannot be read."""
    with path.open("rb") as file:
        data = file.read(KEY_LIMIT_BYTES + 1).strip()
    if not data or len(data) > KEY_LIMIT_BYTES or not data.isascii() or b"\n" in data:
        raise UserError(f"{path} holds no key", "put a key's text into it, and nothing else")
    return data.decode()
