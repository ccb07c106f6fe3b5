"""`stargate swarm`: random worlds under random faults, by seed, in which every promise must hold."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import click

from stargate.cli.output import count, json_option, print_json

SEEDS = Path("tests/seeds")


@click.command("swarm")
@click.option(
    "--events", type=click.IntRange(min=1), default=100_000, show_default=True, help="To see at least."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the first run.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Processes. The digest is the same.",
)
@click.option(
    "--resume",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Go on from this record of an earlier swarm, and keep it; where there is none, begin it.",
)
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write failing cases there, made smaller. [tests/seeds, where there is one]",
)
@json_option
def command(
    events: int, seed: int, jobs: int, resume: Path | None, keep: Path | None, *, as_json: bool
) -> int:
    """Drive the broker through random worlds under random faults.

    The same events and seed give the same digest. An event is whatever reaches a machine: a command, report, wake or
    lie, a repeated delivery, a crash. Exits with 1 where anything was violated, or where over a million events some
    rare state was never reached.
    """
    from stargate.rehearsal.swarm import keep as keep_case
    from stargate.rehearsal.swarm import plain, smaller, swarm

    outcome = swarm(events, seed, jobs=jobs, record=resume)
    folder = keep if keep is not None else SEEDS if SEEDS.is_dir() else None
    commit = _commit() if outcome.failures else ""
    if as_json:
        print_json(plain(outcome) | ({"commit": commit} if commit else {}))
    else:
        said = count(outcome.violations, "violation")
        facts = count(outcome.facts, "fact")
        click.echo(f"{count(outcome.events, 'event')}, {facts}, {count(outcome.seeds, 'seed')}, {said}")
        click.echo(f"digest {outcome.digest}")
    for mark in outcome.unreached:
        click.echo(f"never reached: {mark}", err=True)
    for failure in outcome.failures:
        click.echo(f"seed {failure.case.seed}, commit {commit}: {failure.violations[0]}", err=True)
        if folder is not None:
            path = keep_case(smaller(failure), folder, commit)
            click.echo(f"Wrote {path}", err=True)
    return 1 if outcome.violations or outcome.unreached else 0


def _commit() -> str:
    """Of the source, where it is a working copy."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    ran = subprocess.run(  # noqa: S603 - a fixed argument list
        [git, "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    return ran.stdout.strip() or "unknown"
