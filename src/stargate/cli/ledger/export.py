"""`stargate ledger export`: months as files of FOCUS, with a manifest of what is in them."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, cast

import click

from stargate.cli.ledger.options import ledger_option, months_option, now, opened, spanned
from stargate.cli.ledger.progress import progress
from stargate.cli.output import count, json_option, print_json, table
from stargate.ledger import Store
from stargate.ledger.tell import Tell, told

MANIFEST = "manifest.json"
SETTLED = 0
"""The time that packed files carry, so that the same months make the same bytes."""


@click.command("export")
@click.option(
    "--format",
    "form",
    type=click.Choice(["focus"]),
    default="focus",
    show_default=True,
    help="How it is written.",
)
@months_option(required=True)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The folder to write to.",
)
@click.option("--gzip", "packed", is_flag=True, help="Pack each file by gzip.")
@click.option(
    "--imported", is_flag=True, help="Write imported files again too, as they came, to OUTPUT/imported."
)
@ledger_option
@json_option
def command(
    *,
    form: str,
    first: str,
    last: str,
    output: Path,
    packed: bool,
    imported: bool,
    ledger: str | None,
    data: Path,
    as_json: bool,
) -> None:
    """Write months as the four datasets of FOCUS 1.4: CSV files, and a manifest with rows and sums.

    Nothing takes its final name unless all of it adds up to the ledger. A closed month has the same rows
    whenever it is exported.
    """
    spanned(first, last)
    with (
        opened(ledger, data) as store,
        store.snapshot(),
        progress(shown=not as_json) as tell,
    ):
        manifest = _write(store, first, last, output, tell, packed=packed, imported=imported)
    if as_json:
        print_json(manifest)
        return
    click.echo(table(("FILE", "ROWS"), [(item["file"], item["rows"]) for item in manifest["files"]]))
    for left in manifest["left_out"]:
        click.echo(f"left out: {count(left['rows'], 'line')} of kind {left['kind']}", err=True)


def _write(
    store: Store, first: str, last: str, output: Path, tell: Tell, *, packed: bool, imported: bool
) -> dict[str, Any]:
    """All files under hidden names, then the check, then their names and the manifest."""
    from stargate.base import wire
    from stargate.ledger.focus.columns import VERSION
    from stargate.ledger.focus.export import HEADERS, Export
    from stargate.ledger.focus.table import written

    at = now()
    export = Export(store, first, last, at)
    output.mkdir(parents=True, exist_ok=True)
    made: list[tuple[Path, Path]] = []
    files: list[dict[str, Any]] = []
    try:
        for dataset, header in HEADERS.items():
            rows = _Counted(told(export.rows(dataset), tell, f"writing {dataset}"))
            path = output / f"{dataset.lower().replace(' ', '_')}.csv{'.gz' if packed else ''}"
            made.append((_partial(path), path))
            digest = _put(made[-1][0], written(header, rows), packed=packed)
            files.append({"dataset": dataset, "file": path.name, "rows": rows.count, "sha256": digest})
        export.check()
        for one in store.imported() if imported else ():
            path = output / "imported" / f"{one.number}-{Path(one.name).name.removesuffix('.gz')}"
            path.parent.mkdir(exist_ok=True)
            made.append((_partial(path), path))
            records = told(store.imported_records(one.number), tell, f"writing {one.name}", one.rows)
            digest = _put(made[-1][0], _whole(one.head, records), packed=False)
            name = str(path.relative_to(output))
            files.append(
                {"dataset": one.dataset, "file": name, "rows": one.rows, "sha256": digest, "imported": True}
            )
        position = store.position()
        manifest: dict[str, Any] = {
            "format": "FOCUS",
            "version": VERSION,
            "from": first,
            "to": last,
            "exported_at": at,
            "ledger": {"block": position.block, "entry": position.entry_seq, "hash": position.hash.hex()},
            "files": files,
            "totals": [total._asdict() for total in export.totals()],
            "left_out": export.left_out(),
        }
        plain: dict[str, Any] = wire.to_plain(manifest)
        made.append((_partial(output / MANIFEST), output / MANIFEST))
        made[-1][0].write_bytes(wire.to_json(plain))
        for partial, path in made:
            partial.replace(path)
    finally:
        for partial, _ in made:
            partial.unlink(missing_ok=True)
    return plain


class _Counted:
    """Rows, counted while they pass."""

    def __init__(self, rows: Iterator[dict[str, str]]) -> None:
        self._rows, self.count = rows, 0

    def __iter__(self) -> Iterator[dict[str, str]]:
        for row in self._rows:
            self.count += 1
            yield row


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.partial")


def _whole(head: bytes, records: Iterable[bytes]) -> Iterator[bytes]:
    yield head
    yield from records


def _put(path: Path, parts: Iterable[bytes], *, packed: bool) -> str:
    """Write a file; gives the SHA-256 of what it holds, unpacked."""
    digest = hashlib.sha256()
    with path.open("wb") as raw:
        stream: IO[bytes] = raw
        if packed:
            stream = cast("IO[bytes]", gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=SETTLED))
        for part in parts:
            digest.update(part)
            stream.write(part)
        if packed:
            stream.close()
    return digest.hexdigest()
