"""Leaving records out by what is in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from stargate.rehearsal.traces.transform.condition import Condition, all_hold
from stargate.rehearsal.traces.transform.moment import Record


class Filter(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="do", tag="filter"
):
    """Which records stay: those that pass every condition; with `keep: false` those that do not."""

    where: Annotated[tuple[Condition, ...], Meta(min_length=1, max_length=100)]
    keep: bool = True


def filtered(records: Iterable[Record], how: Filter) -> Iterator[Record]:
    """The records that stay, unchanged and in order."""
    for record in records:
        if all_hold(how.where, record) is how.keep:
            yield record
