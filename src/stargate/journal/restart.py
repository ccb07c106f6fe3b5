"""From a journal to a machine that goes on where the last one stopped, and from a machine to a snapshot."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import blake2b

import msgspec

from stargate import __version__
from stargate.broker.machine import Machine
from stargate.broker.records import Records
from stargate.broker.state import State
from stargate.journal.chain import Record
from stargate.journal.entry import to_entry
from stargate.journal.journal import Reader
from stargate.journal.replay import Form, Replay, replay


def restart(reader: Reader) -> Replay[Machine]:
    """The machine after the last entry, from the newest snapshot that this program can trust.

    Raises JournalError naming the first entry that does not verify or that this program does not know.
    """
    with _without_collecting():
        return replay(reader, Form(form(), Machine, _restore, _apply, _digest))


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Replay makes millions of records that stay and no cycles: looking for cycles would take half of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def snapshot_of(machine: Machine) -> tuple[int, str, str, bytes]:
    """What `Journal.save` takes. All of the machine's entries must be committed before it is saved.

    The packing reads the whole state, so it belongs between two commands; the saving may happen on a thread.
    """
    data = machine.state.pack()
    return machine.state.records.seq, form(), _digest(data), data


@cache
def form() -> str:
    """The form of this program's state: its version, and a fingerprint of every record a snapshot holds.

    A changed meaning of the same fields comes with a new version; a changed layout shows by itself, also
    between versions.
    """
    layout = sorted(_layout(Records))
    return f"{__version__}/{blake2b(repr(layout).encode(), digest_size=8).hexdigest()}"


def _layout(root: type) -> set[tuple[str, str, tuple[tuple[str, str], ...]]]:
    """Every record inside a record: its name, its tag, its fields as annotated; and every closed vocabulary."""
    found: dict[object, tuple[str, str, tuple[tuple[str, str], ...]]] = {}
    waiting: list[object] = [msgspec.inspect.type_info(root)]
    while waiting:
        info = waiting.pop()
        if isinstance(info, msgspec.inspect.StructType) and info.cls not in found:
            fields: dict[str, str] = {}
            for base in reversed(info.cls.__mro__):
                fields |= {name: str(kind) for name, kind in vars(base).get("__annotations__", {}).items()}
            found[info.cls] = (info.cls.__qualname__, repr(info.tag), tuple(fields.items()))
            waiting.extend(field.type for field in info.fields)
        elif isinstance(info, msgspec.inspect.LiteralType):
            found[info.values] = ("", "", tuple((str(word), "") for word in info.values))
        for part in ("types", "item_types"):
            waiting.extend(getattr(info, part, ()))
        inner = (getattr(info, part, None) for part in ("item_type", "key_type", "value_type"))
        waiting.extend(kind for kind in inner if kind is not None)
    return set(found.values())


def _restore(data: bytes) -> Machine:
    return Machine(State.unpack(data))


def _apply(machine: Machine, record: Record) -> None:
    machine.apply(to_entry(record))


def _digest(data: bytes) -> str:
    """As `State.digest`, without packing the state a second time."""
    return blake2b(data, digest_size=16).hexdigest()
