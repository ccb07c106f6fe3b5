"""Where a request goes: what the agreements let it use (`Map`), and which of that is asked (`Switchboard`). No I/O."""

from stargate.gateway.record import Shut, Why
from stargate.gateway.routing.breaker import Breaker
from stargate.gateway.routing.pick import Post, Switchboard, prefix_of
from stargate.gateway.routing.ways import Map, Ways

__all__ = ["Breaker", "Map", "Post", "Shut", "Switchboard", "Ways", "Why", "prefix_of"]
