"""`stargate chat`."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from stargate.base.errors import StargateError, UnauthorizedError, UserError
from stargate.cli import failure
from stargate.cli.client import connect
from stargate.cli.conversation import Gateway, Reply
from stargate.cli.options import data_option, gateway_option
from stargate.cli.output import clean, json_option, print_json
from stargate.cli.own_key import make_key, read_key

VARIABLE = "STARGATE_API_KEY"
NAME = "chat"
"""Of the key that is made for it."""
PROMPT_LIMIT_BYTES = 4 << 20
KNOWN_S = 10.0
"""How long a gateway may take to hear of a new key."""
POLL_S = 0.1


@click.command("chat")
@click.argument("model")
@click.argument("prompt", nargs=-1)
@click.option("--system", help="What the model is told beforehand.")
@click.option("--max-tokens", type=click.IntRange(1), help="Longest answer.")
@click.option("--temperature", type=click.FloatRange(0, 2), help="0: the likeliest words.")
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"File with an application's key.  [default: {VARIABLE}; else DATA/chat.key, made where the operator's key"
    " is at hand]",
)
@gateway_option
@data_option
@json_option
def command(
    *,
    model: str,
    prompt: tuple[str, ...],
    system: str | None,
    max_tokens: int | None,
    temperature: float | None,
    key: Path | None,
    gateway: str,
    data: Path,
    as_json: bool,
) -> None:
    """Chat with MODEL at a gateway.

    With a PROMPT, or with one on standard input, it answers once. Else it asks for a line, answers, and remembers what
    was said: Ctrl-C ends an answer, /new begins anew, /exit or Ctrl-D ends.
    """
    options = {"model": model, "max_tokens": max_tokens, "temperature": temperature}
    body = {name: value for name, value in options.items() if value is not None}
    said = _prompt(prompt)
    if as_json and said is None:
        raise UserError("there is nothing to ask", "give a prompt: `stargate chat MODEL PROMPT --json`")
    with _asker(gateway, key, data) as asked:
        if said is None:
            converse(asked, body, system)
            return
        with asked.ask({**body, "messages": [*_opening(system), _message("user", said)]}) as reply:
            if not as_json:
                show(reply)
                return
            for _ in reply:
                pass
    print_json(
        {
            "answer": reply.text,
            "finish_reason": reply.finish,
            "usage": reply.usage,
            "request": reply.request,
        }
    )


def converse(gateway: Gateway, body: dict[str, Any], system: str | None = None) -> None:
    """Ask for lines and answer them, until the one who writes them ends it."""
    with suppress(ImportError):
        import readline  # noqa: F401 - lines can be edited, and come back with the arrow keys
    click.echo(
        f"{clean(str(body['model']))} at {gateway.url}. Ctrl-C ends an answer, /new begins anew, /exit or Ctrl-D ends.",
        err=True,
    )
    messages = _opening(system)
    while (line := _line()) not in {None, "/exit"}:
        if line == "/new":
            messages = _opening(system)
        elif line:
            messages += _exchanged(gateway, body, messages, str(line))


def _exchanged(
    gateway: Gateway, body: dict[str, Any], before: list[dict[str, str]], line: str
) -> list[dict[str, str]]:
    """Ask, and show the answer: what was said by both; nothing where it was refused."""
    asked = _message("user", line)
    try:
        with gateway.ask({**body, "messages": [*before, asked]}) as reply:
            try:
                show(reply)
            except KeyboardInterrupt:
                click.echo("  (ended)", err=True)
    except KeyboardInterrupt:
        click.echo("(ended)", err=True)
        return []
    except StargateError as error:
        failure.report(error, as_json=False)
        return []
    return [asked, _message("assistant", reply.text)]


def show(reply: Reply) -> None:
    """The answer, as it comes."""
    try:
        for piece in reply:
            click.echo(clean(piece.replace("\t", "    ")), nl=False)
    finally:
        if reply.text and not reply.text.endswith("\n"):
            click.echo()


def _line() -> str | None:
    """The next line; None: there are no more."""
    while True:
        try:
            return input("> ").strip()
        except EOFError:
            click.echo()
            return None
        except KeyboardInterrupt:
            click.echo()


def _prompt(words: tuple[str, ...]) -> str | None:
    """What is to be asked; None: whoever sits there will say."""
    if words:
        return " ".join(words)
    if sys.stdin.isatty():
        return None
    data = sys.stdin.buffer.read(PROMPT_LIMIT_BYTES + 1)
    if len(data) > PROMPT_LIMIT_BYTES:
        raise UserError(f"the prompt is longer than {PROMPT_LIMIT_BYTES >> 20} MiB", "give a shorter one")
    text = data.decode("utf-8", "replace").strip()
    if not text:
        raise UserError("the prompt is empty", "write one behind the model's name, or on standard input")
    return text


def _opening(system: str | None) -> list[dict[str, str]]:
    return [_message("system", system)] if system else []


def _message(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


# -- the key ---------------------------------------------------------------------------------------------------------


def _asker(url: str, file: Path | None, data: Path) -> Gateway:
    """The gateway, under a key that is good there, as far as this can know. Raises UnauthorizedError."""
    if file is not None:
        return Gateway(url, read_key(file))
    key = os.environ.get(VARIABLE, "").strip()
    if key:
        return Gateway(url, key)
    path = data / f"{NAME}.key"
    fresh = not path.exists()
    if fresh:
        _make(path, data)
    gateway = Gateway(url, read_key(path))
    before_s = time.monotonic() + (KNOWN_S if fresh else 0)
    while True:
        try:
            gateway.models()
        except UnauthorizedError:
            if time.monotonic() >= before_s:
                raise UnauthorizedError(
                    f"the gateway at {url} does not know the key in {path}",
                    "it may have been revoked: remove that file, and another is made",
                ) from None
        else:
            return gateway
        time.sleep(POLL_S)


def _make(path: Path, data: Path) -> None:
    if not (data / "operator.key").exists():
        raise UnauthorizedError(
            "there is no key",
            f"name a file with --key or set {VARIABLE}; an operator makes one with"
            " `stargate key make NAME --role application`",
        )
    with connect(data, None) as client:
        make_key(client, path, NAME, "application")
