"""`stargate import`."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import click

from stargate.base.errors import InputError, Problem
from stargate.cli.output import json_option, print_json

_LIMIT_BYTES = 4 << 20
_GB_PER_GIB = Decimal(2**30) / 10**9


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="Write the workload here, not to stdout."
)
@json_option
def command(file: Path, output: Path | None, as_json: bool) -> None:
    """Turn an sbatch script, a dstack task or service, or a SkyPilot task into a workload file.

    What has no counterpart is named in comments at the top.
    """
    from stargate.catalog import builtin_chips
    from stargate.workloads import to_yaml
    from stargate.workloads.importing import KnownChip, import_text

    chips = [
        KnownChip(chip.id, chip.vendor, figure.value / _GB_PER_GIB)
        for chip in builtin_chips()
        if (figure := chip.figure("memory_gb")) is not None and figure.value is not None
    ]
    imported = import_text(_read(file), str(file), chips)
    if as_json:
        print_json(imported)
        return
    text = to_yaml(imported.workload, (f"Imported from {file.name} ({imported.format}).", *imported.notes))
    if output is None:
        click.echo(text, nl=False)
        return
    output.write_text(text, encoding="utf-8")
    click.echo(f"Wrote {output}", err=True)


def _read(file: Path) -> str:
    raw = file.read_bytes() if file.stat().st_size <= _LIMIT_BYTES else b""
    if not raw:
        raise InputError(
            (Problem("the file is empty, or larger than 4 MiB", "Name another one.", file=str(file)),)
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(
            (Problem("the file is not UTF-8 text", "Save it as UTF-8.", file=str(file)),)
        ) from None
