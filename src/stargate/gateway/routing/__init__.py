"""Where a request goes: what the agreements let it use (`Map`), and which of that is asked (`Switchboard`). No I/O."""

from stargate.gateway.routing.breaker import Breaker
from stargate.gateway.routing.pick import Post, Switchboard, prefix_of
from stargate.gateway.routing.ways import Map, Shut, Ways, Why

__all__ = ["Breaker", "Map", "Post", "Shut", "Switchboard", "Ways", "Why", "prefix_of"]
