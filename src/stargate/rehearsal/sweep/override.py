"""A value somewhere inside a scenario, by its dotted path.

horizon                     a field of the scenario
faults.winter storm.lasts   of a list, the element with that id or name
faults.0.lasts              of a list, the element at that place
policy.backfill             of the declared policy
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any

import msgspec

from stargate.base import wire
from stargate.base.errors import InputError, NotFoundError, Problem
from stargate.base.faults import did_you_mean, faults
from stargate.broker.policy import Policy
from stargate.rehearsal.scenario import Plan, Scenario
from stargate.rehearsal.sweep.grid import Overrides, Value

POLICY = "policy"
_FILES = ("infrastructure", "agreements", "policy", "from_journal")
"""What a scenario reads: it has been read when a plan is there."""
_NAMES = ("id", "name", "party")


def overridden(plan: Plan, overrides: Overrides) -> Plan:
    """The plan with other values; its digest says so.

    Raises NotFoundError for a path that leads nowhere, InputError for a value that does not belong there and for
    files, which are read before.
    """
    scenario: Any = _plain(plan.scenario)
    policy: Any = None if plan.declared is None else _plain(plan.declared.policy)
    for path, value in overrides.items():
        parts = path.removeprefix("scenario.").split(".")
        if parts[0] == POLICY:
            if policy is None or len(parts) < 2:
                raise NotFoundError(f"no policy is declared that {path} could change", "declare one")
            put(policy, parts[1:], value, path)
        elif parts[0] in _FILES or parts[-1] in {"trace", "requests", "workload"}:
            remedy = "Write one scenario for each, and compare them."
            raise InputError((Problem("a sweep does not change what is read from files", remedy, path=path),))
        else:
            put(scenario, parts, value, path)
    declared = plan.declared
    if declared is not None and policy is not None:
        declared = msgspec.structs.replace(declared, policy=_typed(policy, Policy, overrides))
    return msgspec.structs.replace(
        plan,
        scenario=_typed(scenario, Scenario, overrides),
        declared=declared,
        digest=changed_digest(plan, overrides),
    )


def changed_digest(plan: Plan, overrides: Overrides) -> str:
    """The digest that the plan has with other values."""
    if not overrides:
        return plan.digest
    said = "".join(f"/{path}={value!r}" for path, value in sorted(overrides.items()))
    return hashlib.blake2b(f"{plan.digest}{said}".encode(), digest_size=16).hexdigest()


def put(within: Any, parts: list[str], value: Value, path: str) -> None:
    """Set a value inside plain data; the last part may name a field that is not written yet.

    Raises NotFoundError that names the part which leads nowhere.
    """
    for part in parts[:-1]:
        within = _inside(within, part, path)
    last = parts[-1]
    given = Decimal(str(value)) if isinstance(value, float) else value
    if isinstance(within, dict):
        within[last] = given
    elif isinstance(within, list) and last.isdecimal() and int(last) < len(within):
        within[int(last)] = given
    else:
        raise NotFoundError(f"{path} leads nowhere: nothing can be set at {last!r}", "check the path")


def _plain(record: object) -> Any:
    """As it stands on paper: dicts and lists that may be written to."""
    return msgspec.json.decode(wire.to_json(record))


def _inside(within: Any, part: str, path: str) -> Any:
    if isinstance(within, dict):
        if part not in within:
            raise NotFoundError(
                f"{path} leads nowhere: there is no {part!r}", did_you_mean(part, list(within))
            )
        return within[part]
    if isinstance(within, list):
        if part.isdecimal() and int(part) < len(within):
            return within[int(part)]
        named = {
            each[key]: each for each in within if isinstance(each, dict) for key in _NAMES if key in each
        }
        if part in named:
            return named[part]
        raise NotFoundError(f"{path} leads nowhere: no element is {part!r}", did_you_mean(part, list(named)))
    raise NotFoundError(f"{path} leads nowhere: there is nothing inside before {part!r}", "shorten the path")


def _typed(plain: Any, kind: type[Any], overrides: Overrides) -> Any:
    try:
        return wire.convert(plain, kind)
    except msgspec.ValidationError as error:
        last = {path.rpartition(".")[2] for path in overrides}
        said = ", ".join(f"{path}={value}" for path, value in overrides.items())
        found = [fault for fault in faults(plain, kind) if fault.path.rpartition(".")[2] in last]
        problems = [
            Problem(f"with {said}: {fault.message}", fault.remedy, path=fault.path) for fault in found
        ]
        if not problems:
            problems = [Problem(f"with {said}: {error}", "Give a value that the field takes.")]
        raise InputError(tuple(problems)) from None
