"""Where usage comes from: the broker's attempts, by the hour; others hand in events of their own."""

from stargate.ledger.intake.attempts import OnChips, chip_time, hour_of, on_chips
from stargate.ledger.intake.follower import MAIN, Follower

__all__ = ["MAIN", "Follower", "OnChips", "chip_time", "hour_of", "on_chips"]
