"""`stargate ask`: on files alone, without a server."""

from __future__ import annotations

from pathlib import Path

import click

from stargate import agreements
from stargate.agreements import Answer, Obligation, Reason
from stargate.agreements.right import Right
from stargate.base.money import format_usd
from stargate.base.time import Instant
from stargate.cli.deal import InstantType
from stargate.cli.output import json_option, print_json, say


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
    asked, more = agreements.load_request(request)
    loaded = agreements.load_all(path)
    answer = agreements.ask(loaded.agreements, (*loaded.facts, *more), asked, at)
    if as_json:
        print_json(answer)
        return
    say(lines(answer))


def lines(answer: Answer) -> list[str]:
    """The outcome, why, what would change it, who is asked first, and what is owed."""
    asked = answer.request
    with_whom = f" with {asked.provider}" if asked.provider else ""
    said = [f"{answer.outcome}: {asked.party or 'anybody'} {asked.action}{with_whom} at {answer.at}"]
    for reason in answer.reasons:
        said += _reason(reason)
    if not answer.reasons:
        said.append("  no clause speaks of it")
    if answer.rights:
        said.append("Asked first")
        said += [f"  {_right(each)}" for each in answer.rights]
    if answer.obligations:
        said.append("Obligations")
        said += [f"  {_obligation(each)}" for each in answer.obligations]
    return said


def _right(each: Right) -> str:
    text = f"{each.holder} ({each.mode}, rank {each.rank}): {each.clause}"
    days = each.window.unit.replace("_", " ")
    return f"{text}, {each.window.length} {days} to answer" + (
        f"; it rests: {each.suspended}" if each.suspended else ""
    )


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
