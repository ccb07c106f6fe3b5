"""`stargate declare`."""

from __future__ import annotations

from pathlib import Path

import click

from stargate.base.document import read, yaml_files
from stargate.cli.client import connect
from stargate.cli.options import server_options
from stargate.cli.output import count, json_option, print_json


@click.command("declare")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH...]")
@server_options
@json_option
def command(paths: tuple[Path, ...], data: Path, url: str | None, as_json: bool) -> None:
    """Declare anew what exists, what was promised and how to decide: all of it at once.

    PATHs are files or folders of YAML; without any, the server reads again those that it was started with.
    """
    files = [file for path in paths for file in yaml_files(path)]
    for file in files:
        read(file)
    texts = [file.read_text(encoding="utf-8-sig") for file in files]
    with connect(data, url) as client:
        done = client.post("declare", {"yaml": "\n---\n".join(texts)})
    if as_json:
        print_json(done)
        return
    parts = [count(done[f"{name}s"], name) for name in ("provider", "pool", "agreement")]
    click.echo(f"Declared {', '.join(parts)}, entry {done['seq']}")
