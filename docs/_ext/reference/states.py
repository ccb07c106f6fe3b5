"""State diagrams, drawn from the tables that the broker itself goes by."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

from docs._ext.reference.drawing import svg
from docs._ext.reference.markdown import table

Transitions = dict[tuple[str, type], str]


def tables() -> dict[str, Transitions]:
    """Every transition table of the broker: `Attempt`, `Offer`, …"""
    import stargate.broker

    found: dict[str, Transitions] = {}
    for module in pkgutil.walk_packages(stargate.broker.__path__, "stargate.broker."):
        if module.name.endswith(".transitions"):
            for name, thing in vars(importlib.import_module(module.name)).items():
                if name.isupper() and _is_table(thing):
                    found[name.replace("_", " ").capitalize()] = thing
    return found


def _is_table(thing: Any) -> bool:
    if not isinstance(thing, dict) or not thing:
        return False
    return all(isinstance(key, tuple) and len(key) == 2 and isinstance(key[1], type) for key in thing)


def steps(transitions: Transitions) -> Iterator[tuple[str, str, str]]:
    """Before, after and the fact's tag, one for each arrow; a table may name several states after."""
    for (before, fact), after in transitions.items():
        for target in after.split(" | "):
            yield before, target, str(fact.__struct_config__.tag)  # type: ignore[attr-defined]


def diagrams() -> str:
    """A drawing of each table, and the same in words."""
    parts: list[str] = []
    for name, transitions in tables().items():
        arrows = list(steps(transitions))
        drawn = svg(arrows, f"States: {name.lower()}")
        words = table(
            ("from", "fact", "to"),
            [(_state(before), f"`{fact}`", _state(after)) for before, after, fact in arrows],
        )
        parts += [f"### {name}", f"```{{raw}} html\n{drawn}\n```", words]
    return "\n\n".join(parts)


def _state(name: str) -> str:
    return f"`{name}`" if name else "(start)"
