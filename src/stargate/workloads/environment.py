"""`envs:` and `secrets:` of a workload file: values travel with the workload, secrets only by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from stargate.workloads.quantity import shown
from stargate.workloads.reading import Reading, scalar_text
from stargate.workloads.workload import ENV_VALUE_LIMIT, Secret

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")
_SECRET = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_VARIABLE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?")
_BY_REFERENCE = "Write `NAME: null` or `NAME: {from: its-name}`, and put the value into the secret store."


def environment(reading: Reading, written: dict[str, Any] | None, given: Mapping[str, str]) -> dict[str, str]:
    """Names to text. `given` fills names that stand without a value, and overrides the others."""
    found: dict[str, str] = {}
    for name, value in {**(written or {}), **given}.items():
        path = f"envs.{name}"
        if not is_variable(name):
            reading.fault(path, f"{shown(name)} is no name of a variable", "Use letters, digits and _.")
        elif value is None:
            reading.fault(path, "the variable has no value", f"Give it here, or with `--env {name}=VALUE`.")
        else:
            text = reading.attempt(path, scalar_text, value, "")
            if len(text) > ENV_VALUE_LIMIT:
                reading.fault(path, f"the value is longer than {ENV_VALUE_LIMIT:,} characters", "Use a file.")
            found[name] = text
    return found


def secrets(reading: Reading, written: Any) -> dict[str, Secret]:
    """Variables to secrets. A value written out is refused, and never repeated in the message."""
    if written is None:
        return {}
    if isinstance(written, list):
        return _listed(reading, written)
    if not isinstance(written, dict):
        reading.fault("secrets", "expected a mapping or a list of names", _BY_REFERENCE)
        return {}
    found: dict[str, Secret] = {}
    for name, value in written.items():
        path = f"secrets.{name}"
        source = _source(name, value)
        if not is_variable(name):
            reading.fault(path, f"{shown(name)} is no name of a variable", "Use letters, digits and _.")
        elif source is None:
            reading.fault(path, "a secret's value may not stand in a workload", _BY_REFERENCE)
        else:
            found[name] = Secret(from_=source)
    return found


def is_variable(name: str) -> bool:
    """Whether a shell takes it as the name of a variable."""
    return _NAME.fullmatch(name) is not None


def is_secret(name: str) -> bool:
    """Whether it can be the name of a secret in a store."""
    return _SECRET.fullmatch(name) is not None


def _source(name: str, value: Any) -> str | None:
    """The secret's name; None where a value, or nothing usable, is written."""
    if value is None or value == "":
        return name
    if isinstance(value, dict):
        source = value.get("from") if set(value) == {"from"} else None
        return source if isinstance(source, str) and _SECRET.fullmatch(source) else None
    match = _VARIABLE.fullmatch(value) if isinstance(value, str) else None
    return match[1] if match else None


def _listed(reading: Reading, names: list[Any]) -> dict[str, Secret]:
    """SkyPilot's managed secrets: `HF_TOKEN`, `secrets:workspace.HF_TOKEN`."""
    found: dict[str, Secret] = {}
    for index, item in enumerate(names):
        source = item.removeprefix("secrets:") if isinstance(item, str) else ""
        variable = source.rpartition(".")[2]
        if not is_variable(variable) or not _SECRET.fullmatch(source):
            reading.fault(f"secrets[{index}]", "expected the name of a secret", _BY_REFERENCE)
        else:
            found[variable] = Secret(from_=source)
    return found
