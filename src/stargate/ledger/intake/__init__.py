"""Where usage comes from: the broker's attempts, by the hour; others hand in events of their own."""

from stargate.ledger.intake.attempts import chip_time

__all__ = ["chip_time"]
