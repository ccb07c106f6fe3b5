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
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write failing cases there, made smaller. [tests/seeds, where there is one]",
)
@json_option
def command(events: int, seed: int, keep: Path | None, *, as_json: bool) -> int:
    """Drive the broker through random worlds under random faults.

    The same events and seed give the same digest. Exits with 1 where anything was violated.
    """
    from stargate.rehearsal.swarm import keep as keep_case
    from stargate.rehearsal.swarm import plain, smaller, swarm

    outcome = swarm(events, seed)
    folder = keep if keep is not None else SEEDS if SEEDS.is_dir() else None
    commit = _commit() if outcome.failures else ""
    if as_json:
        print_json(plain(outcome) | ({"commit": commit} if commit else {}))
    else:
        said = count(outcome.violations, "violation")
        click.echo(f"{count(outcome.events, 'event')}, {count(outcome.seeds, 'seed')}, {said}")
        click.echo(f"digest {outcome.digest}")
    for failure in outcome.failures:
        click.echo(f"seed {failure.case.seed}, commit {commit}: {failure.violations[0]}", err=True)
        if folder is not None:
            path = keep_case(smaller(failure), folder, commit)
            click.echo(f"Wrote {path}", err=True)
    return 1 if outcome.violations else 0


def _commit() -> str:
    """Of the source, where it is a working copy."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    ran = subprocess.run(  # noqa: S603 - a fixed argument list
        [git, "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    return ran.stdout.strip() or "unknown"
