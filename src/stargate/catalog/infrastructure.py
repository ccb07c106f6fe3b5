"""Everything that exists, as one immutable record with quick lookups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Protocol, TypeVar

import msgspec

from stargate.base.errors import NotFoundError
from stargate.base.faults import did_you_mean
from stargate.base.time import Instant
from stargate.catalog.api import Api
from stargate.catalog.chip import Chip, ChipNames, builtin_chips
from stargate.catalog.dated import Status
from stargate.catalog.fabric import Fabric
from stargate.catalog.model import ServedModel
from stargate.catalog.party import Party, Provider
from stargate.catalog.pool import Pool
from stargate.catalog.site import Site


class _Named(Protocol):
    @property
    def id(self) -> str: ...


NamedT = TypeVar("NamedT", bound=_Named)


class Infrastructure(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, dict=True):
    """Parties, providers, sites, pools, chips, fabrics, models and APIs.

    Lookups are built when first used and kept beside the fields: they never travel and never compare.
    `load` puts the shipped chips into `chips`, so that a recorded infrastructure means the same in later
    releases; where `chips` is empty, the shipped table of this release answers.
    """

    parties: tuple[Party, ...] = ()
    providers: tuple[Provider, ...] = ()
    sites: tuple[Site, ...] = ()
    pools: tuple[Pool, ...] = ()
    chips: tuple[Chip, ...] = ()
    fabrics: tuple[Fabric, ...] = ()
    models: tuple[ServedModel, ...] = ()
    apis: tuple[Api, ...] = ()

    @cached_property
    def parties_by_id(self) -> Mapping[str, Party]:
        """Every party by id."""
        return _by_id(self.parties)

    @cached_property
    def providers_by_id(self) -> Mapping[str, Provider]:
        """Every provider by id."""
        return _by_id(self.providers)

    @cached_property
    def sites_by_id(self) -> Mapping[str, Site]:
        """Every site by id."""
        return _by_id(self.sites)

    @cached_property
    def pools_by_id(self) -> Mapping[str, Pool]:
        """Every pool by id."""
        return _by_id(self.pools)

    @cached_property
    def chips_by_id(self) -> Mapping[str, Chip]:
        """Every chip by id."""
        return _by_id(self.chips or builtin_chips())

    @cached_property
    def fabrics_by_id(self) -> Mapping[str, Fabric]:
        """Every fabric by id."""
        return _by_id(self.fabrics)

    @cached_property
    def models_by_id(self) -> Mapping[str, ServedModel]:
        """Every model by the name that clients use."""
        return _by_id(self.models)

    @cached_property
    def apis_by_id(self) -> Mapping[str, Api]:
        """Every API by id."""
        return _by_id(self.apis)

    @cached_property
    def chip_names(self) -> ChipNames:
        """Every chip by any of its names."""
        return ChipNames(self.chips or builtin_chips())

    def party(self, id: str) -> Party:
        """A party. Raises NotFoundError."""
        return _found(self.parties_by_id, id, "party")

    def provider(self, id: str) -> Provider:
        """A provider. Raises NotFoundError."""
        return _found(self.providers_by_id, id, "provider")

    def site(self, id: str) -> Site:
        """A site. Raises NotFoundError."""
        return _found(self.sites_by_id, id, "site")

    def pool(self, id: str) -> Pool:
        """A pool. Raises NotFoundError."""
        return _found(self.pools_by_id, id, "pool")

    def fabric(self, id: str) -> Fabric:
        """A fabric. Raises NotFoundError."""
        return _found(self.fabrics_by_id, id, "fabric")

    def chip_named(self, name: str) -> Chip:
        """A chip by id or alias, as people write them: see `ChipNames`. Raises NotFoundError with a near name."""
        return self.chip_names.named(name)

    def chips_at(self, at: Instant, status: Status = "operational") -> int:
        """All chips of all pools at an instant."""
        return sum(pool.chips_at(at, status) for pool in self.pools)


def _by_id(records: Iterable[NamedT]) -> Mapping[str, NamedT]:
    return {record.id: record for record in records}


def _found(records: Mapping[str, NamedT], id: str, kind: str) -> NamedT:
    record = records.get(id)
    if record is None:
        raise NotFoundError(f"no {kind} is called {id!r}", did_you_mean(id, records))
    return record
