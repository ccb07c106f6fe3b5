"""Accelerators: what one chip can do, each figure with its source; and the names people call them by.

The table that ships with the package is `data/chips.yaml`. What is not known is absent, never zero.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Annotated

from msgspec import Meta

from stargate.base.document import parse, typed
from stargate.base.errors import NotFoundError
from stargate.base.faults import did_you_mean
from stargate.catalog.dated import Figure, Id, Name, Quantity, Sourced

_SLICE = re.compile(r"(?i)(tpu-v\d+[a-z]*)-\d+")
"""A TPU by its slice, as `tpu-v5p-128`: the number is the slice's size, not part of the chip's name."""


class Chip(Sourced, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """One kind of accelerator. Throughput is dense, per chip; users write their own with error bars."""

    id: Id
    name: Name = ""
    vendor: Name = ""
    launch: Name = ""
    """As the vendor says it: `2022-09`, `2026-H2`."""
    aliases: Annotated[tuple[Id, ...], Meta(max_length=64)] = ()
    """Short names, as SkyPilot's `A100-80GB`."""
    bf16_dense_tflops: Quantity = None
    fp8_dense_tflops: Quantity = None
    fp4_dense_tflops: Quantity = None
    int8_dense_tops: Quantity = None
    memory_gb: Quantity = None
    """On the package, in the vendor's GB."""
    memory_bandwidth_tb_per_s: Quantity = None
    scaleup_domain_chips: Annotated[int, Meta(ge=1)] | None = None
    """Chips that reach one another over the scale-up fabric: a node, a rack, a pod."""
    scaleup_gb_per_s: Quantity = None
    """One direction, per chip."""
    scaleout_gbit_per_s: Quantity = None
    """Network per chip, as sold."""
    tdp_w: Quantity = None
    rent_usd_per_chip_hour: Quantity = None
    """What the market asked for one, with its own source and date."""

    def __post_init__(self) -> None:
        for name in FIGURES:
            figure = self.figure(name)
            if figure is not None and any(
                part is not None and part <= 0 for part in (figure.value, figure.low, figure.high)
            ):
                raise ValueError(f"{name} is not above zero; leave out what is not known")

    def figure(self, name: str) -> Figure | None:
        """One of `FIGURES` with its error bars and source; None where it is not known."""
        assert name in FIGURES, f"{name} is no figure of a chip"
        given: Quantity = getattr(self, name)
        if isinstance(given, Decimal):
            return Figure(value=given, source=self.source, as_of=self.as_of, evidence=self.evidence)
        return given


FIGURES = (
    "bf16_dense_tflops",
    "fp8_dense_tflops",
    "fp4_dense_tflops",
    "int8_dense_tops",
    "memory_gb",
    "memory_bandwidth_tb_per_s",
    "scaleup_gb_per_s",
    "scaleout_gbit_per_s",
    "tdp_w",
    "rent_usd_per_chip_hour",
)
"""Fields of a chip that are quantities with error bars."""


@cache
def builtin_chips() -> tuple[Chip, ...]:
    """The table that ships with the package."""
    text = files("stargate.catalog").joinpath("data/chips.yaml").read_text(encoding="utf-8")
    (document,) = parse(text, "stargate/catalog/data/chips.yaml")
    return typed(document, tuple[Chip, ...], "chips")


def simplified(name: str) -> str:
    """A name without what people vary: case, dashes, underscores, dots and spaces."""
    return re.sub(r"[-_. ]", "", name).lower()


class ChipNames:
    """Finds chips by what people call them.

    The rule, in this order: an id as written; an alias as written; an id, then an alias, compared without
    case, dashes, underscores, dots and spaces. A TPU may carry the size of its slice (`tpu-v5p-128`). Of
    equals, the chip listed first is meant: a user's chips are listed before the shipped ones.
    """

    __slots__ = ("_known", "_simplified")

    def __init__(self, chips: Iterable[Chip]) -> None:
        listed = tuple(chips)
        ids = [(chip.id, chip) for chip in listed]
        aliases = [(alias, chip) for chip in listed for alias in chip.aliases]
        self._known: dict[str, Chip] = {}
        self._simplified: dict[str, Chip] = {}
        for name, chip in (*ids, *aliases):
            self._known.setdefault(name, chip)
            self._simplified.setdefault(simplified(name), chip)

    def find(self, name: str) -> Chip | None:
        """The chip, or None."""
        found = self._known.get(name) or self._simplified.get(simplified(name))
        if found is None:
            slice_of = _SLICE.fullmatch(name)
            found = self._simplified.get(simplified(slice_of[1])) if slice_of else None
        return found

    def named(self, name: str) -> Chip:
        """The chip. Raises NotFoundError with a near name."""
        found = self.find(name)
        if found is None:
            raise NotFoundError(f"no chip is called {name!r}", did_you_mean(name, self._known))
        return found


@cache
def _builtin_names() -> ChipNames:
    return ChipNames(builtin_chips())


def chip_named(name: str) -> Chip:
    """A chip of the shipped table by any of its names. Raises NotFoundError with a near name."""
    return _builtin_names().named(name)
