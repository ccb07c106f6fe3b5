"""`stargate ask`: on files alone, without a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from stargate import agreements
from stargate.agreements import Book, Decision, Obligation, Reason, Request, WorldFact
from stargate.base.document import Document, read, typed, yaml_files
from stargate.base.errors import InputError, Problem
from stargate.base.money import format_usd
from stargate.base.time import Instant
from stargate.cli.deal import InstantType
from stargate.cli.output import json_option, print_json


@click.command("ask")
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("request", type=click.Path(path_type=Path))
@click.option("--at", required=True, type=InstantType(), help="When: 2025-11-01, or a time with its zone.")
@json_option
def command(path: Path, request: Path, at: Instant, as_json: bool) -> None:
    """Ask the agreements in PATH whether what REQUEST says may be done at a time.

    PATH is a file or a folder. REQUEST is YAML: action, party, provider, attributes. Facts of the world that
    agreements rest on stand under `facts:` in PATH, or in a document of their own in REQUEST.
    """
    asked, more = read_request(request)
    book = Book.compile(agreements.load([path]))
    facts = (*facts_in(path), *more)
    answer = agreements.decide(book, facts, at, asked)
    if as_json:
        print_json({"at": at, "request": asked, "decision": answer})
        return
    for line in lines(answer, asked, at):
        click.echo(line)


def read_request(path: Path) -> tuple[Request, tuple[WorldFact, ...]]:
    """The request, and the facts that stand beside it. Raises InputError."""
    documents = [one for one in read(path) if one.value is not None]
    asked = [one for one in documents if not _holds_facts(one)]
    if len(asked) != 1:
        message = "the file holds no request" if not asked else f"the file holds {len(asked)} requests"
        raise InputError((Problem(message, "Write one: `action:`, `party:`, `provider:`.", file=str(path)),))
    return typed(asked[0], Request), tuple(_facts(documents))


def facts_in(path: Path) -> tuple[WorldFact, ...]:
    """Every fact under `facts:` in a file or folder. Raises InputError."""
    return tuple(_facts([one for file in yaml_files(path) for one in read(file)]))


def _facts(documents: list[Document]) -> Iterator[WorldFact]:
    for one in documents:
        if _holds_facts(one):
            yield from typed(one, tuple[WorldFact, ...], "facts")


def _holds_facts(one: Document) -> bool:
    return isinstance(one.value, dict) and "facts" in one.value


def lines(answer: Decision, asked: Request, at: Instant) -> list[str]:
    """The outcome, why, what would change it, and what is owed."""
    with_whom = f" with {asked.provider}" if asked.provider else ""
    said = [f"{answer.outcome}: {asked.party or 'anybody'} {asked.action}{with_whom} at {at}"]
    for reason in answer.reasons:
        said += _reason(reason)
    if not answer.reasons:
        said.append("  no clause speaks of it")
    if answer.obligations:
        said.append("Obligations")
        said += [f"  {_obligation(each)}" for each in answer.obligations]
    return said


def _reason(reason: Reason) -> list[str]:
    reference = f" ({reason.text_ref})" if reason.text_ref else ""
    said = [f"  {reason.effect}  {reason.clause}{reference}: {reason.says}"]
    if reason.facts:
        said.append(f"      facts: {', '.join(reason.facts)}")
    if reason.needs:
        said.append(f"      not known: {', '.join(reason.needs)}")
    if reason.would_change:
        said.append(f"      would change it: {reason.would_change}")
    return said


def _obligation(each: Obligation) -> str:
    text = f"{each.kind}  {each.clause}: {each.says}"
    if each.amount_micro_usd is not None:
        text += f", {format_usd(each.amount_micro_usd)}"
    if each.due is not None:
        text += f", due {each.due}"
    return text
