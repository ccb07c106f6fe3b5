"""The records of the gateway: what it is told (`Routes`) and what it tells (`Admitted`, `Settled`). No I/O."""

from stargate.gateway.record.application import Application, Scope
from stargate.gateway.record.attempt import Admitted, Attempt, CountSource, Outcome, Settled, Tokens
from stargate.gateway.record.endpoint import OPERATIONS, Endpoint, Model, Operation, Price
from stargate.gateway.record.routes import Routes

__all__ = [
    "OPERATIONS", "Admitted", "Application", "Attempt", "CountSource", "Endpoint", "Model", "Operation", "Outcome",
    "Price", "Routes", "Scope", "Settled", "Tokens",
]  # fmt: skip
