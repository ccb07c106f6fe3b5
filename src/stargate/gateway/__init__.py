"""One OpenAI-compatible API over every served model: routed under the agreements, metered exactly.

`record` says what gateways are told and tell; `routing` and `limits` decide, without I/O; `metering` writes usage ahead
and ships it; `upstream` asks endpoints; `serving` answers requests; `steward` follows the control plane. Starting
replicas is the engines', rating tokens the ledger's, and making routes the server's.
"""

from stargate.gateway.record import (
    Admitted,
    Application,
    Endpoint,
    Model,
    Routes,
    Scope,
    Settled,
    Shipment,
    Tokens,
)

__all__ = ["Admitted", "Application", "Endpoint", "Model", "Routes", "Scope", "Settled", "Shipment", "Tokens"]
