"""The `#SBATCH` headers of a batch script: which options, in which spelling, on which line.

Slurm reads them up to the first command. Options come as `--name=value`, `--name value`, `-n 4`, `-n4`.
"""

from __future__ import annotations

import re
import shlex

import msgspec

from stargate.base.errors import InputError, Problem

LONG = {
    "A": "account", "a": "array", "b": "begin", "c": "cpus-per-task", "C": "constraint", "d": "dependency",
    "D": "chdir", "e": "error", "F": "nodefile", "G": "gpus", "H": "hold", "i": "input", "J": "job-name",
    "L": "licenses", "m": "distribution", "M": "clusters", "N": "nodes", "n": "ntasks", "o": "output",
    "O": "overcommit", "p": "partition", "q": "qos", "s": "oversubscribe", "S": "core-spec", "t": "time",
    "w": "nodelist", "x": "exclude", "W": "wait",
}  # fmt: skip
"""Short options and their long names, after sbatch(1)."""

FLAGS = frozenset({
    "contiguous", "exclusive", "hold", "ignore-pbs", "no-kill", "no-requeue", "overcommit", "oversubscribe",
    "parsable", "quiet", "reboot", "requeue", "spread-job", "test-only", "use-min-nodes", "verbose", "wait",
})  # fmt: skip
"""Options that stand without a value (`exclusive` may carry one after `=`)."""

HEADERS_LIMIT = 1_000


class Header(msgspec.Struct, frozen=True):
    """One option."""

    name: str
    """The long name."""
    value: str
    """Empty for a flag."""
    line: int


def split(text: str, file: str) -> tuple[list[Header], str]:
    """The headers of a script and its body without them. Raises InputError with every line that is no option."""
    headers: list[Header] = []
    body: list[str] = []
    problems: list[Problem] = []
    reading = True
    for number, line in enumerate(text.splitlines(), start=1):
        if number == 1 and line.startswith("#!"):
            continue
        if reading and line.startswith("#SBATCH"):
            try:
                headers += _options(line.removeprefix("#SBATCH"), number)
            except ValueError as error:
                problems.append(Problem(str(error), "Write `#SBATCH --name=value`.", file=file, line=number))
            continue
        if line.strip() and not line.lstrip().startswith("#"):
            reading = False
        body.append(line)
    if len(headers) > HEADERS_LIMIT:
        problems.append(Problem(f"more than {HEADERS_LIMIT} options", "Remove some.", file=file))
    if problems:
        raise InputError(tuple(problems))
    return headers, "\n".join(body).strip("\n")


def _options(text: str, line: int) -> list[Header]:
    try:
        words = shlex.split(text, comments=True)
    except ValueError as error:
        raise ValueError(f"the line cannot be split into words ({str(error).lower()})") from None
    found: list[Header] = []
    while words:
        word = words.pop(0)
        long = re.fullmatch(r"--([A-Za-z][A-Za-z0-9-]*)(?:=(.*))?", word, re.DOTALL)
        short = re.fullmatch(r"-([A-Za-z])=?(.*)", word, re.DOTALL)
        if long:
            name, value = long[1], long[2]
        elif short and short[1] in LONG:
            name, value = LONG[short[1]], short[2] or None
        else:
            raise ValueError(f"{word[:48]!r} is no option of sbatch")
        if value is None and name not in FLAGS and words and not re.match(r"--?[A-Za-z]", words[0]):
            value = words.pop(0)
        found.append(Header(name, value or "", line))
    return found
