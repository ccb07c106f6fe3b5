"""Metering: what was used is on disk before anybody acts on it, is read back after any crash, and is shipped.

A worker writes its own `Spool`; a steward's `Shipper` sends what is settled to the ledger's intake, under names that
are unique for ever (epoch, seq), and settles what dead workers left open. What it costs is the ledger's to say.
"""

from stargate.gateway.metering.course import Usage
from stargate.gateway.metering.resolve import Ask
from stargate.gateway.metering.ship import Backlog, Send, ShipLimits, Shipper
from stargate.gateway.metering.spool import Spool, SpoolLimits

__all__ = ["Ask", "Backlog", "Send", "ShipLimits", "Shipper", "Spool", "SpoolLimits", "Usage"]
