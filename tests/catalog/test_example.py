"""The infrastructure as publicly known: complete, sourced, dated, and without errors."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from stargate.base.time import Instant
from stargate.base.wire import pack, unpacker
from stargate.catalog import Figure, Infrastructure, Sourced, load_all


@pytest.fixture(scope="module")
def example(repository: Path) -> Infrastructure:
    loaded = load_all([repository / "examples" / "stargate" / "infrastructure"])
    assert loaded.doubts == ()
    return loaded.infrastructure


def sourced(record: object, path: str) -> Iterator[tuple[str, Sourced]]:
    """Every record below that names a source, with where it stands."""
    if isinstance(record, Sourced):
        yield path, record
    if isinstance(record, msgspec.Struct):
        for name in record.__struct_fields__:
            yield from sourced(getattr(record, name), f"{path}.{name}")
    elif isinstance(record, tuple):
        for index, item in enumerate(record):
            yield from sourced(item, f"{path}[{index}]")


def test_enough_of_the_world_is_there(example: Infrastructure) -> None:
    assert len(example.sites) >= 12
    assert len(example.providers) >= 8
    assert {"openai", "microsoft", "oracle", "softbank", "sb-energy", "amazon", "google"} <= set(
        example.parties_by_id
    )
    assert {"coreweave", "crusoe", "vantage", "nscale", "g42", "mgx", "nvidia"} <= set(example.parties_by_id)


def test_every_figure_has_a_source_a_date_and_an_evidence_mark(example: Infrastructure) -> None:
    sections = (example.parties, example.providers, example.sites, example.pools, example.fabrics)
    records = [found for section in sections for found in sourced(section, "")]
    assert len(records) > 100
    assert [path for path, record in records if not record.source] == []
    assert [path for path, record in records if not record.as_of] == []
    assert [path for path, record in records if record.evidence == "declared"] == []


def test_derived_figures_say_by_which_rule(example: Infrastructure) -> None:
    records = [*sourced(example.sites, "sites"), *sourced(example.pools, "pools")]
    derived = [record for _, record in records if record.evidence == "derived"]
    assert derived
    assert [record for record in derived if "derived: " not in record.source] == []


def test_bare_numbers_hide_nowhere(example: Infrastructure) -> None:
    """A quantity without a record of its own borrows the site's source; the example writes them out."""
    assert [site.id for site in example.sites if isinstance(site.pue, Decimal)] == []
    assert [
        fabric.id for fabric in example.fabrics if not isinstance(fabric.gbit_per_s_per_chip, Figure | None)
    ] == []


def test_plans_are_apart_from_what_operates(example: Infrastructure) -> None:
    abilene = example.site("abilene")
    assert abilene.power_mw_at(Instant.parse("2026-07-05")) == 300
    assert abilene.power_mw_at(Instant.parse("2026-07-05"), "planned") is None
    assert abilene.planned_mw() == 1200
    assert example.pool("oci-abilene-gb200").chips_at(Instant.parse("2026-12-31"), "planned") == 450_000
    for site in example.sites:
        for step in site.power:
            assert step.status == "planned" or step.from_ is not None


def test_it_is_a_model_of_the_world_and_starts_nothing(example: Infrastructure) -> None:
    assert {pool.engine.kind for pool in example.pools} == {"none"}


def test_it_travels(example: Infrastructure) -> None:
    assert unpacker(Infrastructure).decode(pack(example)) == example


def test_prices_are_those_that_were_seen(example: Infrastructure, shared: Path) -> None:
    """Each list and spot price is a row of the prices seen: the machine's price divided by its chips."""
    rows = (shared / "data" / "facts" / "prices_seen.csv").read_text().splitlines()[1:]
    seen = set()
    for row in rows:
        provider, _, name, count, usd, spot = row.split(",")[:6]
        chip = example.chip_names.find(name)
        if chip is not None:
            totals = [(kind, total) for kind, total in (("list", usd), ("spot", spot)) if total]
            seen |= {(provider, chip.id, kind, Decimal(total) / int(count)) for kind, total in totals}
    written = {
        (pool.provider, pool.chip, price.kind, price.usd_per_chip_hour)
        for pool in example.pools
        for price in pool.prices
    }
    assert written
    assert written <= seen
