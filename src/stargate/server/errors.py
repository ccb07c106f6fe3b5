"""What a server alone can run into: that it is not able to take a command now."""

from __future__ import annotations

from stargate.base.errors import InternalError


class UnavailableError(InternalError):
    """The server takes no commands: it starts, stops, is over its bounds, or could not write its journal."""

    http_status = 503
