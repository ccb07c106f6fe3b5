"""Workloads from files, text and JSON. What goes wrong is always an InputError that lists every problem."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from stargate.base import document, wire
from stargate.base.document import Document
from stargate.base.errors import InputError, Problem
from stargate.base.faults import faults
from stargate.base.ids import is_name
from stargate.workloads.normalise import normalise
from stargate.workloads.sound import unsound
from stargate.workloads.workload import Workload

UNNAMED = "workload"
"""The name of a workload whose file neither gives one nor has a usable name itself."""
JSON_LIMIT = 4 * 1024 * 1024
"""Bytes of a JSON body."""


def parse(
    text: str, file: str = "<text>", *, name: str = "", envs: Mapping[str, str] | None = None
) -> Workload:
    """One workload from YAML text, in our form or as a plain SkyPilot task.

    `name` is used where the text gives none; `envs` fills and overrides its variables.
    """
    return _one(document.parse(text, file), file, name, envs, None)


def load(path: Path, *, envs: Mapping[str, str] | None = None) -> Workload:
    """One workload from a YAML file; the file's name is the name of a workload that has none."""
    stem = path.name.partition(".")[0]
    return _one(document.read(path), str(path), stem if is_name(stem) else "", envs, path.parent)


def parse_document(one: Document, name: str = "", folder: Path | None = None) -> Workload:
    """One workload from a YAML document that was read already; paths in it begin at `folder`."""
    return normalise(one, name or UNNAMED, {}, folder)


def parse_json(body: bytes | str) -> Workload:
    """One normalised workload from JSON, as the HTTP API takes and gives it."""
    if len(body) > JSON_LIMIT:
        raise _refused("", "the body is larger than 4 MiB", "Shorten it.")
    try:
        try:
            workload = wire.from_json(body, Workload)
        except msgspec.ValidationError as error:
            raise _explained(msgspec.json.decode(body), error) from None
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise _refused("", f"the body is not JSON: {error}", "Send one JSON object.") from None
    return sound(workload)


def renamed(workload: Workload, name: str) -> Workload:
    """The same under another name; hand it to `sound` before it is relied on."""
    return msgspec.structs.replace(workload, name=name)


def sound(workload: Workload) -> Workload:
    """The same record, if it can be relied on. Raises InputError: for records that were built or sent."""
    found = unsound(workload)
    if found:
        raise InputError(tuple(Problem(fault.message, fault.remedy, path=fault.path) for fault in found))
    return workload


def _one(
    documents: tuple[Document, ...],
    file: str,
    name: str,
    envs: Mapping[str, str] | None,
    folder: Path | None,
) -> Workload:
    """The only task among the documents. A SkyPilot pipeline begins with a document that is only a name."""
    written = [one for one in documents if one.value is not None]
    if len(written) > 1 and _is_heading(written[0].value):
        name = written[0].value["name"]
        written = written[1:]
    if len(written) > 1:
        raise InputError(
            (
                written[1].problem(
                    "",
                    f"there are {len(written)} tasks in this file",
                    "Put each into a file of its own and submit them one by one.",
                ),
            )
        )
    if not written:
        raise _refused(file, "the file holds no workload", "Write at least `run:` or `model:`.")
    return normalise(written[0], name or UNNAMED, envs or {}, folder)


def _is_heading(value: Any) -> bool:
    return (
        isinstance(value, dict) and set(value) <= {"name", "execution"} and isinstance(value.get("name"), str)
    )


def _explained(plain: Any, error: msgspec.ValidationError) -> InputError:
    """Every fault of a body that is JSON but no workload."""
    found = faults(plain, Workload)
    if not found:
        message, _, at = str(error).partition(" - at `$")
        return _refused("", message, "Change it to fit.", at.rstrip("`").removeprefix("."))
    return InputError(
        tuple(Problem(_discreet(fault.path, fault.message), fault.remedy, path=fault.path) for fault in found)
    )


def _discreet(path: str, message: str) -> str:
    """Messages quote what they found; what people put where secrets belong is not repeated."""
    return "this is not what belongs here" if path.startswith(("secrets", "envs")) else message


def _refused(file: str, message: str, remedy: str, path: str = "") -> InputError:
    return InputError((Problem(message, remedy, file=file, path=path),))
