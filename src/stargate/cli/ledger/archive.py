"""`stargate ledger archive`: closed months as Parquet files."""

from __future__ import annotations

from pathlib import Path

import click

from stargate.cli.ledger.options import ledger_option, opened
from stargate.cli.output import count, json_option, print_json, table


@click.command("archive")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@click.option("--check", is_flag=True, help="Write nothing: see whether what is there is whole.")
@ledger_option
@json_option
def command(folder: Path, *, check: bool, ledger: str | None, data: Path, as_json: bool) -> int:
    """Write the months that have closed since to the archive DIR, as Parquet files with their digests.

    `stargate statement` and `stargate usage` read an archive as they read a ledger: `--ledger DIR`. Months that are
    there stay as they are. Needs the extra `archive`.
    """
    from stargate.ledger.archive import extend

    if check:
        return _check(folder, as_json=as_json)

    def tell(month: str, name: str, rows: int) -> None:
        if not as_json:
            click.echo(f"{month}: {count(rows, 'row')} of {name}", err=True)

    with opened(ledger, data) as store:
        added = extend(store, folder, tell)
    if as_json:
        print_json({"added": added})
        return 0
    if not added:
        click.echo("no month has closed since")
        return 0
    rows = [
        (one.month, file.table, file.rows, f"{file.size_bytes:,}", file.sha256[:16])
        for one in added
        for file in one.files
    ]
    click.echo(table(("MONTH", "TABLE", "ROWS", "BYTES", "SHA256"), rows))
    return 0


def _check(folder: Path, *, as_json: bool) -> int:
    from stargate.ledger.archive import Archive

    archive = Archive(folder)
    faults = list(archive.faults())
    archive.close()
    months = [one.month for one in archive.manifest.closings]
    if as_json:
        print_json({"months": months, "faults": faults})
    else:
        for fault in faults:
            click.echo(fault)
        click.echo(f"{count(len(months), 'month')}: {count(len(faults), 'fault')}")
    return 1 if faults else 0
