"""Stargate: AI compute from many providers, run as one infrastructure."""

__version__ = "0.1.0"
