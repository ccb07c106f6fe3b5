"""What exists: parties, providers, sites, pools, chips, fabrics, models and APIs, each figure dated and sourced.

Here live the records as people write them, the table of chips that ships with the package, the strict
loader with its cross-checks, and lookups. What was promised about any of it lives in `agreements`;
what is free or broken right now is the broker's to know.
"""

from stargate.catalog.api import Api, ApiModel
from stargate.catalog.check import check_infrastructure, doubts
from stargate.catalog.chip import Chip, ChipNames, builtin_chips, chip_named
from stargate.catalog.dated import (
    DatedCount,
    DatedPower,
    EnergyPrice,
    Evidence,
    Figure,
    Price,
    Sourced,
    Status,
)
from stargate.catalog.fabric import Fabric
from stargate.catalog.infrastructure import Infrastructure
from stargate.catalog.load import Loaded, assemble, load, load_all
from stargate.catalog.model import ServedModel, TokenPrice
from stargate.catalog.party import Party, Provider
from stargate.catalog.pool import EngineKind, EngineRef, Pool, Tenure
from stargate.catalog.site import Site

__all__ = [
    "Api",
    "ApiModel",
    "Chip",
    "ChipNames",
    "DatedCount",
    "DatedPower",
    "EnergyPrice",
    "EngineKind",
    "EngineRef",
    "Evidence",
    "Fabric",
    "Figure",
    "Infrastructure",
    "Loaded",
    "Party",
    "Pool",
    "Price",
    "Provider",
    "ServedModel",
    "Site",
    "Sourced",
    "Status",
    "Tenure",
    "TokenPrice",
    "assemble",
    "builtin_chips",
    "check_infrastructure",
    "chip_named",
    "doubts",
    "load",
    "load_all",
]
