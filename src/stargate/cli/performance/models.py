"""`stargate performance models`: what can be named as `model`."""

from __future__ import annotations

import click

from stargate.cli.output import json_option, print_json, table
from stargate.performance.models.library import models
from stargate.performance.models.shape import shape_of

HEADINGS = ("MODEL", "PARAMETERS", "ACTIVE", "LAYERS", "HIDDEN", "CONTEXT", "SOURCE")


@click.command("models")
@json_option
def command(as_json: bool) -> None:
    """List the models whose dimensions ship with Stargate."""
    known = [(model, shape_of(model)) for model in models()]
    if as_json:
        print_json(
            {
                "items": [
                    {
                        "name": model.name,
                        "parameters": shape.parameters,
                        "active_parameters": shape.active_parameters,
                        "architecture": model,
                    }
                    for model, shape in known
                ]
            }
        )
        return
    click.echo(
        table(
            HEADINGS,
            [
                (
                    model.name,
                    f"{shape.parameters / 1e9:.1f}B",
                    f"{shape.active_parameters / 1e9:.1f}B",
                    model.layers,
                    model.hidden,
                    model.max_context or "",
                    model.source,
                )
                for model, shape in known
            ],
        )
    )
