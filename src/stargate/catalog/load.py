"""Reads the catalog's documents. The only part of this package that opens files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from stargate.base.composer import PROBLEMS_LIMIT
from stargate.base.document import Document, read, typed, yaml_files
from stargate.base.errors import InputError, Problem
from stargate.base.faults import did_you_mean
from stargate.catalog.api import Api
from stargate.catalog.check import SECTIONS, Origin, Origins, check_infrastructure, doubts
from stargate.catalog.chip import Chip, builtin_chips
from stargate.catalog.fabric import Fabric
from stargate.catalog.infrastructure import Infrastructure
from stargate.catalog.model import ServedModel
from stargate.catalog.party import Party, Provider
from stargate.catalog.pool import Pool
from stargate.catalog.site import Site

_KINDS: dict[str, Any] = {
    "parties": Party,
    "providers": Provider,
    "sites": Site,
    "pools": Pool,
    "chips": Chip,
    "fabrics": Fabric,
    "models": ServedModel,
    "apis": Api,
}
OTHERS = ("agreement", "agreements", "calendars", "facts", "policy")
"""Top-level keys that others read; documents of agreements may lie in the same folder."""


class Loaded(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An infrastructure without errors, and what is odd about it."""

    infrastructure: Infrastructure
    doubts: tuple[Problem, ...] = ()


def load(paths: Iterable[str | Path]) -> Infrastructure:
    """Read files and folders of YAML as one infrastructure.

    Documents merge by section. A chip of the user's replaces a shipped one of the same id. Raises InputError
    with every problem up to a bound of 100, names that lead nowhere included.
    """
    return load_all(paths).infrastructure


def load_all(paths: Iterable[str | Path]) -> Loaded:
    """`load`, with what is odd but possible."""
    problems: list[Problem] = []
    documents: list[Document] = []
    for file in _files(paths, problems):
        try:
            documents.extend(read(file))
        except InputError as error:
            problems.extend(error.problems)
    return assemble(documents, problems)


def assemble(documents: Iterable[Document], problems: Iterable[Problem] = ()) -> Loaded:
    """Documents that were read already, as one infrastructure. Raises InputError, with `problems` first."""
    found = list(problems)
    records: dict[str, list[Any]] = {section: [] for section in SECTIONS}
    origins: dict[str, list[Origin]] = {section: [] for section in SECTIONS}
    written: dict[str, set[str]] = {section: set() for section in SECTIONS}
    for document in documents:
        for section, index, item in _items(document, found):
            path = f"{section}[{index}]"
            if isinstance(item, dict) and isinstance(item.get("id"), str):
                written[section].add(item["id"])
            if len(found) >= PROBLEMS_LIMIT:
                raise InputError(tuple(found[:PROBLEMS_LIMIT]))
            try:
                records[section].append(typed(document, _KINDS[section], path))
            except InputError as error:
                found.extend(error.problems)
            else:
                origins[section].append(Origin(document, path))
    own = {chip.id for chip in records["chips"]}
    records["chips"].extend(chip for chip in builtin_chips() if chip.id not in own)
    infrastructure = Infrastructure(**{section: tuple(records[section]) for section in SECTIONS})
    places = Origins(origins, written)
    found.extend(check_infrastructure(infrastructure, places))
    if found:
        raise InputError(tuple(found[:PROBLEMS_LIMIT]))
    return Loaded(infrastructure, doubts(infrastructure, places))


def _files(paths: Iterable[str | Path], problems: list[Problem]) -> list[Path]:
    """Every file once, in the order in which it is first named."""
    files: dict[Path, Path] = {}
    for path in paths:
        try:
            for file in yaml_files(Path(path)):
                files.setdefault(file.resolve(), file)
        except InputError as error:
            problems.extend(error.problems)
    return list(files.values())


def _items(document: Document, problems: list[Problem]) -> Iterable[tuple[str, int, Any]]:
    """The records of one document by section, and a problem for everything that is none."""
    if document.value is None:
        return
    if not isinstance(document.value, dict):
        problems.append(
            document.problem(
                "", "the document is not a mapping", f"Begin with a key as {', '.join(SECTIONS)}."
            )
        )
        return
    for section, items in document.value.items():
        if section in OTHERS:
            continue
        if section not in SECTIONS:
            remedy = did_you_mean(section, (*SECTIONS, *OTHERS))
            problems.append(document.problem(section, f"unknown top-level key {section!r}", remedy))
        elif isinstance(items, list):
            for index, item in enumerate(items):
                yield section, index, item
        elif items is not None:
            problems.append(
                document.problem(section, f"{section} is not a list", "Write one `- ` item for each.")
            )
