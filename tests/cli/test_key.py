"""`stargate key`."""

from __future__ import annotations

from stargate.cli.key import command
from tests.cli.conftest import Run


def test_keys(on_server: Run) -> None:
    assert set(command.commands) == {"make", "list", "revoke"}
    made = on_server("key", "make", "fin", "--role", "finance")
    assert made.out.startswith("sg_live_")
    listed = on_server("key", "list", "--json").json["items"]
    assert made.out.strip() not in str(listed)
    key = made.out.strip()
    assert on_server("ps", STARGATE_KEY=key).code == 0
    refused = on_server("key", "list", STARGATE_KEY=key)
    assert refused.code == 2
    assert "role" in refused.err
    id = next(item["id"] for item in listed if item["name"] == "fin")
    assert on_server("key", "revoke", id).out == f"Revoked {id}\n"
    assert on_server("ps", STARGATE_KEY=key).code == 2
    assert (
        "revoked" in on_server("ps", STARGATE_KEY=key).err
        or "not known" in on_server("ps", STARGATE_KEY=key).err
    )


def test_a_gateways_key_counts_and_sees_nothing(on_server: Run) -> None:
    key = on_server("key", "make", "eu", "--role", "gateway").out.strip()
    refused = on_server("ps", STARGATE_KEY=key)
    assert refused.code == 2
    assert "the role gateway" in refused.err
