"""The chapters of the reference by name, and how they get into a page."""

from __future__ import annotations

import re
from collections.abc import Callable

from docs._ext.reference import cli, constants, decisions, errors, machine, metrics, models, routes
from docs._ext.reference.states import diagrams

MARKER = re.compile(r"<!-- generated: ([\w-]+) -->")

CHAPTERS: dict[str, Callable[[], str]] = {
    "catalog": models.catalog,
    "agreement": models.agreement,
    "clauses": models.clauses,
    "request": models.request,
    "workload": models.workload,
    "policy": models.policy,
    "scenario": models.scenario,
    "sweep": models.sweep,
    "declared": models.declared,
    "commands": machine.commands,
    "facts": machine.facts,
    "effects": machine.effects,
    "states": diagrams,
    "cli": cli.commands,
    "routes": routes.routes,
    "errors": errors.tree,
    "metrics": metrics.metrics,
    "decisions": decisions.index,
    "training-cells": constants.training_cells,
    "training-shared": constants.training_shared,
    "serving-cells": constants.serving_cells,
    "serving-shared": constants.serving_shared,
    "cells": constants.cells,
    "releases": constants.releases,
    "ranges": constants.ranges,
}


def fill(text: str) -> str:
    """A page with every marker replaced by its chapter. Raises KeyError for a chapter that does not exist."""
    return MARKER.sub(lambda marker: CHAPTERS[marker.group(1)](), text)
