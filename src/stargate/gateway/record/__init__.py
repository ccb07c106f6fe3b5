"""The records of the gateway: what it is told (`Routes`) and what it tells (`Shipment`). No I/O."""

from stargate.gateway.record.application import Application, Scope
from stargate.gateway.record.attempt import Admitted, Attempt, CountSource, Outcome, Settled, Tokens
from stargate.gateway.record.endpoint import OPERATIONS, Endpoint, Model, Operation, Price
from stargate.gateway.record.load import Busy, Load, Wanted
from stargate.gateway.record.routes import Routes
from stargate.gateway.record.shipment import Receipt, Shipment, Told, Unfit
from stargate.gateway.record.why import Shut, Why

__all__ = [
    "OPERATIONS", "Admitted", "Application", "Attempt", "Busy", "CountSource", "Endpoint", "Load", "Model",
    "Operation", "Outcome", "Price", "Receipt", "Routes", "Scope", "Settled", "Shipment", "Shut", "Tokens",
    "Told", "Unfit", "Wanted", "Why",
]  # fmt: skip
