"""`stargate journal`: on the file itself, beside a running server or without one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from stargate.base.errors import UserError
from stargate.cli.options import data_option
from stargate.cli.output import json_option, print_json, table
from stargate.journal import Head, Record, SqliteReader, export_lines, verify
from stargate.journal.export import to_line

FILE = "journal.sqlite"


@click.group("journal")
def command() -> None:
    """Verify, export or show the journal: every fact since the beginning."""


@command.command("verify")
@data_option
@click.option(
    "--head", metavar="SEQ:HASH", help="A head noted earlier: shows a history cut off or rewritten."
)
@json_option
def verify_journal(data: Path, head: str | None, as_json: bool) -> int:
    """Check every hash. Prints the head, which is worth noting elsewhere; exit code 1 if anything is wrong."""
    with SqliteReader(data / FILE) as reader:
        found = verify(reader, _head(head))
    if as_json:
        print_json(
            {
                "ok": found.ok,
                "head": str(found.head),
                "entries": found.head.seq,
                "first_bad": found.first_bad,
                "problem": found.problem,
                "snapshots": found.snapshots,
                "warnings": found.warnings,
            }
        )
        return 0 if found.ok else 1
    for warning in found.warnings:
        click.echo(f"warning: {warning}", err=True)
    found.demand()
    click.echo(f"{found.head.seq:,} entries verify")
    click.echo(f"head {found.head}")
    return 0


@command.command("export")
@data_option
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Write here, not to stdout.")
@json_option
def export(data: Path, output: Path | None, as_json: bool) -> None:
    """Print the journal as JSON lines, which import to the same hashes."""
    with SqliteReader(data / FILE) as reader:
        if output is None:
            _write(export_lines(reader))
            return
        partial = output.with_name(f".{output.name}.partial")
        with partial.open("wb") as stream:
            stream.writelines(export_lines(reader))
        partial.replace(output)
    if as_json:
        print_json({"output": str(output)})
    else:
        click.echo(f"Wrote {output}", err=True)


@command.command("show")
@data_option
@click.option("--after", type=click.IntRange(0), help="Entries after this one. Else the last ones.")
@click.option(
    "--limit", "-n", type=click.IntRange(1, 100_000), default=20, show_default=True, help="Most entries."
)
@click.option("--kind", "-k", multiple=True, help="Only facts of this kind. May be repeated.")
@click.option("--cause", help="Only what this command caused.")
@json_option
def show(
    data: Path, after: int | None, limit: int, kind: tuple[str, ...], cause: str | None, as_json: bool
) -> None:
    """Show entries: what happened, when, and which command caused it."""
    with SqliteReader(data / FILE) as reader:
        if after is None:
            after = 0 if kind or cause else max(0, reader.head().seq - limit)
        found = _matching(reader.read(after), limit, kind, cause)
        lines = [to_line(record) for record in found]
    if as_json:
        print_json({"items": lines})
        return
    rows = [(line.seq, line.at, line.kind, line.cause, brief(line.fact)) for line in lines]
    click.echo(table(("SEQ", "AT", "KIND", "CAUSE", "FACT"), rows))


def _matching(
    records: Iterator[Record], limit: int, kinds: tuple[str, ...], cause: str | None
) -> Iterator[Record]:
    left = limit
    for record in records:
        if (kinds and record.kind not in kinds) or (cause is not None and record.cause != cause):
            continue
        yield record
        left -= 1
        if not left:
            return


def brief(fact: Any, most: int = 120) -> str:
    """A fact on one line: its scalar fields."""
    if not isinstance(fact, dict):
        return str(fact)[:most]
    parts = [
        f"{name}={value}"
        for name, value in fact.items()
        if name != "type" and isinstance(value, str | int | bool) and value != ""
    ]
    text = " ".join(" ".join(parts).split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _head(text: str | None) -> Head | None:
    if text is None:
        return None
    try:
        return Head.parse(text)
    except ValueError as error:
        message, _, remedy = str(error).partition("; ")
        raise UserError(message, remedy) from None


def _write(lines: Iterator[bytes]) -> None:
    for line in lines:
        click.echo(line, nl=False)
