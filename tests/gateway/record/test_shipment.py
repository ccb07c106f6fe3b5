from __future__ import annotations

import msgspec
import pytest

from stargate.base import wire
from stargate.gateway.metering import Usage
from stargate.gateway.record import Admitted, Settled, Shipment, Shut, Tokens, Why

ADMITTED = Admitted(
    1, 1_790_000_000_000_000, "req_1", 0, "key", "chat/completions", "tiny", "svc.0.1", "d", 7
)
SETTLED = Settled(1, 1_790_000_000_500_000, "done", 200, Tokens(42, 41, 8, 0), "upstream", said=b"{}")
WHY = Why(
    "tiny", product="api", open=(("azure", "texas"),), shut=(Shut("oci", "oslo", "p", 2, "residency", "far"),)
)


def test_what_a_shipper_holds_is_a_shipment_on_the_wire() -> None:
    sent = Shipment("eu-1", (Usage("20261122T1-ab", ADMITTED, SETTLED),), (WHY,))
    assert wire.unpacker(Shipment).decode(wire.pack(sent)) == Shipment(
        "eu-1", (("20261122T1-ab", ADMITTED, SETTLED),), (WHY,)
    )


@pytest.mark.parametrize("epoch", ["", "a/b", "a b", "x" * 65])
def test_an_epoch_is_a_plain_name(epoch: str) -> None:
    """A key of the ledger is put together from it, with strokes between its parts."""
    packed = wire.pack(Shipment("eu-1", ((epoch, ADMITTED, SETTLED),)))
    with pytest.raises(msgspec.ValidationError, match="attempts"):
        wire.unpacker(Shipment).decode(packed)


def test_the_same_decision_has_the_same_name_everywhere() -> None:
    again = wire.unpacker(Why).decode(wire.pack(WHY))
    assert again.digest == WHY.digest
    assert msgspec.structs.replace(WHY, grounds=(("a/b", "so"),)).digest != WHY.digest
