"""The table of commands, and what becomes of errors.

Only click is imported here, so that `stargate --help` answers at once; a command's module is imported when the
command runs, or when its own help is asked for.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from stargate import __version__

SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "Server": {
        "up": ("up", "Run the server in the foreground."),
        "status": ("status", "Show how the server is."),
        "declare": ("declare", "Declare anew what exists and what was promised."),
        "key": ("key", "Make, list and revoke keys."),
        "gateway": ("gateway", "Serve models through one OpenAI-compatible API."),
        "models": ("models", "List models that gateways serve, where, and at which price."),
    },
    "Work": {
        "estimate": ("estimate", "Estimate time, cost and energy of a workload on each chip or pool."),
        "submit": ("submit", "Run a job or serve a model."),
        "serve": ("serve", "Serve a model, and wait until it can be asked."),
        "chat": ("chat", "Chat with a model at a gateway."),
        "ps": ("ps", "List workloads."),
        "show": ("show", "Show a workload, its attempts and why they ran where they did."),
        "logs": ("logs", "Print what a workload wrote."),
        "cancel": ("cancel", "End a workload for good."),
        "scale": ("scale", "Set the number of replicas of a service."),
        "revise": ("revise", "Roll out a new version of a service."),
        "explain": ("explain", "Explain a decision: a place, a wait, where a request went; with clauses."),
        "import": ("convert", "Turn an sbatch script or a dstack file into a workload file."),
    },
    "Capacity": {
        "pools": ("pools", "List pools: what is held, used and free."),
        "drain": ("drain", "Move work away from a provider, site or pool; or let it return."),
        "needs": ("needs", "List, open and withdraw needs for capacity."),
        "offers": ("offers", "List offers under rights of first refusal."),
        "answer": ("answer", "Answer an offer as its holder."),
        "quote": ("quote", "Quote for a need as a provider."),
        "leases": ("leases", "List leases, and say that one was delivered."),
        "fact": ("fact", "Declare a fact that agreements rest on."),
    },
    "Money": {
        "usage": ("usage", "Show what was used and charged; add what others counted."),
        "statement": ("statement", "Show what two parties owe each other for a month, and why."),
        "commitments": ("commitments", "Show where every commitment stands."),
        "budget": ("budget", "Show and set what teams may spend in a month."),
        "ledger": ("ledger", "Close months, verify; export what is owed, import bills of others."),
    },
    "Files": {
        "check": ("check", "Check YAML files: catalog, agreements, workloads."),
        "ask": ("ask", "Ask agreements whether something may be done."),
        "performance": ("performance", "Score, fit and explain the performance model."),
        "journal": ("journal", "Verify, export or show the journal."),
        "rehearse": ("rehearse", "Rehearse a scenario, or a trace of jobs, under a simulated clock."),
        "swarm": ("swarm", "Drive the broker through random worlds under random faults."),
        "demo": ("demo", "Play the whole path: a training job survives the loss of its provider."),
    },
}
"""Section to command to (module, help in one line)."""

JSON_TO_FILE = ("demo",)
"""Commands whose `--json` names a file."""
USER_FAULT = 2
INTERRUPTED = 130


class CommandLine(click.Group):
    """A group whose commands are imported one at a time."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in the order of the help."""
        return [name for commands in SECTIONS.values() for name in commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command. None for an unknown name."""
        found = next((commands[cmd_name] for commands in SECTIONS.values() if cmd_name in commands), None)
        if found is None:
            return None
        module = importlib.import_module(f"stargate.cli.{found[0]}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of the first argument; a near name is suggested where there is none."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            from stargate.base.faults import did_you_mean

            ctx.fail(f"there is no command {args[0]!r}. {did_you_mean(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table above, without importing what it names."""
        for section, commands in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl([(name, says) for name, (_, says) in commands.items()])

    def main(self, args: Sequence[str] | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        """Run, and exit: 0 done, 2 the caller's fault, 1 any other, 130 interrupted."""
        words = list(sys.argv[1:] if args is None else args)
        sys.exit(self._exit_code(words, extra))

    def _exit_code(self, words: list[str], extra: dict[str, Any]) -> int:
        extra |= {"standalone_mode": False, "prog_name": "stargate"}
        as_json = "--json" in words and words[0] not in JSON_TO_FILE
        try:
            outcome = super().main(words, **extra)
        except click.exceptions.Exit as stop:
            return stop.exit_code
        except (click.Abort, KeyboardInterrupt):
            click.echo("interrupted", err=True)
            return INTERRUPTED
        except BrokenPipeError:
            # The reader of our output has gone, as `head` does. What is left in the buffer is nobody's.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except click.ClickException as error:
            from stargate.cli import failure

            failure.report_usage(error, as_json=as_json)
            return USER_FAULT
        except Exception as error:  # noqa: BLE001 - the last stop: a person gets a sentence, never a traceback
            from stargate.cli import failure

            return failure.report(error, as_json=as_json)
        return outcome if isinstance(outcome, int) else 0


@click.group(
    cls=CommandLine,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`stargate COMMAND --help` says more. Settings: STARGATE_DATA, STARGATE_URL, STARGATE_KEY.",
)
@click.version_option(__version__, prog_name="stargate", message="%(prog)s %(version)s")
def main() -> None:
    """Run AI compute from many providers as one infrastructure, under the agreements that were signed."""
