"""What the engine and an agent say to each other: length-prefixed msgpack over loopback TCP, bounded.

The engine begins with `Hello` and the token from the agent's file; nothing else is heard before it. The
agent answers `Welcome`, then the latest `News` of every attempt it may still report on, then news as they
happen. Both send `Beat`; whoever hears nothing for too long hangs up.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from stargate.base.errors import EngineError
from stargate.base.wire import pack, unpacker

if TYPE_CHECKING:
    import asyncio

VERSION = 1
"""Of this protocol. Agents outlive servers, so an older one may be met."""
FRAME_LIMIT = 8 << 20
HELLO_LIMIT = 4_096
"""What is read from somebody who has not shown the token."""
_PREFIX = 4


class Job(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that an agent needs to know of an attempt."""

    attempt: str
    workload: str
    slot: int
    epoch: int
    provider: str
    pool: str
    nodes: tuple[int, ...]
    chips_per_node: int
    setup: str = ""
    run: str = ""
    envs: dict[str, str] = {}
    secrets: dict[str, str] = {}
    """Environment variable to the name of a secret."""
    workdir: str = ""
    mounts: tuple[str, ...] = ()
    """Paths that `file_mounts` asks for."""
    time_limit_us: int | None = None
    serve: bool = False
    """A service: it is given a port of its own."""


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """How an attempt ended; `Report` has the meaning of the fields."""

    phase: Literal["done", "failed", "stopped"]
    failure: Literal["no_capacity", "preempted", "infrastructure", "user"] | None = None
    step: int | None = None
    detail: str = ""
    metrics: dict[str, Decimal] = {}


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """The first message of the engine."""

    token: str
    version: int = VERSION


class Start(msgspec.Struct, frozen=True, tag="start"):
    """Run this, once ever."""

    id: int
    job: Job


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """End this within its grace."""

    id: int
    attempt: str
    grace_us: int
    reason: str


class Save(msgspec.Struct, frozen=True, tag="save"):
    """Ask the program to save its state."""

    attempt: str


class Retire(msgspec.Struct, frozen=True, tag="retire"):
    """End all attempts and then yourself."""

    grace_us: int


class Beat(msgspec.Struct, frozen=True, tag="beat"):
    """Still here."""


class Welcome(msgspec.Struct, frozen=True, tag="welcome"):
    """The first message of the agent."""

    provider: str
    pid: int
    version: int = VERSION


class News(msgspec.Struct, frozen=True, tag="news"):
    """Where an attempt stands. With `outcome` it is the last."""

    attempt: str
    phase: Literal["accepted", "running", "checkpointed", "ended"]
    step: int | None = None
    detail: str = ""
    outcome: Outcome | None = None


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """A `Start` or `Stop` was heard; `problem` says why it cannot be."""

    id: int
    problem: str = ""


class Farewell(msgspec.Struct, frozen=True, tag="farewell"):
    """The agent was retired and leaves for good."""


Asked = Hello | Start | Stop | Save | Retire | Beat
Said = Welcome | News | Answer | Beat | Farewell

_ASKED = unpacker(Asked)
_SAID = unpacker(Said)


def frame(message: Asked | Said) -> bytes:
    """A message as it is sent. Raises EngineError when it is too long."""
    body = pack(message)
    if len(body) > FRAME_LIMIT:
        raise EngineError(
            f"a message of {len(body)} bytes is over the local engine's limit of {FRAME_LIMIT}",
            "Keep scripts and environment variables small; pass large data in files.",
        )
    return len(body).to_bytes(_PREFIX, "big") + body


async def read_asked(reader: asyncio.StreamReader, limit: int = FRAME_LIMIT) -> Asked:
    """The next message of the engine. Raises EngineError for nonsense, EOFError at the end."""
    message: Asked = _decode(_ASKED, await _body(reader, limit))
    return message


async def read_said(reader: asyncio.StreamReader) -> Said:
    """The next message of the agent. Raises EngineError for nonsense, EOFError at the end."""
    message: Said = _decode(_SAID, await _body(reader, FRAME_LIMIT))
    return message


async def _body(reader: asyncio.StreamReader, limit: int) -> bytes:
    length = int.from_bytes(await reader.readexactly(_PREFIX), "big")
    if length > limit:
        raise EngineError(
            f"a message of {length} bytes was announced where {limit} are allowed",
            "Look for a program that speaks to the wrong port.",
        )
    return await reader.readexactly(length)


def _decode(decoder: msgspec.msgpack.Decoder[Any], body: bytes) -> Any:
    try:
        return decoder.decode(body)
    except msgspec.MsgspecError as error:
        raise EngineError(
            f"a message between engine and agent makes no sense: {error}",
            "Retire agents that another version of Stargate started.",
        ) from error
