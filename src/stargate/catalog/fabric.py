"""Networks that join the nodes of a pool."""

from __future__ import annotations

from typing import Literal

from stargate.catalog.dated import Id, Name, Quantity, Sourced


class Fabric(Sourced, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """The scale-out network of one or more pools. Pools of different fabrics do not run one gang."""

    id: Id
    name: Name = ""
    kind: Literal["infiniband", "ethernet", "torus", "loopback", "other"] = "other"
    topology: Name = ""
    """In the operator's words: `two-tier`, `rail optimised`, `3D torus`."""
    gbit_per_s_per_chip: Quantity = None
