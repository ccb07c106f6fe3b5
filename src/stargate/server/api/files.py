"""Files of requests and of answers, in the words of OpenAI's clients: upload, look at, read, delete."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request
from litestar.params import QueryParameter
from litestar.response import File as FileResponse

from stargate.base.errors import InputError, Problem
from stargate.gateway.batch import INPUT_BYTES_LIMIT
from stargate.server.api.page import Id
from stargate.server.api.route import Asking, Here, changing, reading, removing
from stargate.server.api.upload import Uploaded, upload
from stargate.server.batches.record import File, seconds
from stargate.server.batches.store import KEPT_LIMIT_S, KEPT_S

FORM_BYTES_LIMIT = INPUT_BYTES_LIMIT + (64 << 10)
"""Of a form with a file in it."""
PAGE_LIMIT = 10_000
KEPT_LEAST_S = 3_600

FilesLimit = Annotated[int, QueryParameter(ge=1, le=PAGE_LIMIT, description="Most files in the answer.")]
AfterId = Annotated[str, QueryParameter(max_length=256, description="The last id of the page before.")]
Wanted = Annotated[str, QueryParameter(max_length=64, description="Only files of this purpose.")]
Order = Annotated[
    Literal["asc", "desc"], QueryParameter(description="By age: `desc` begins with the newest.")
]


class FileObject(msgspec.Struct, frozen=True):
    """A file, as OpenAI's clients know it."""

    id: str
    bytes: int
    created_at: int
    """Seconds since 1970, as all times here."""
    expires_at: int
    filename: str
    purpose: str
    object: str = "file"
    status: str = "processed"


class FileList(msgspec.Struct, frozen=True):
    """Files."""

    data: tuple[FileObject, ...]
    first_id: str | None
    last_id: str | None
    has_more: bool
    object: str = "list"


class FileGone(msgspec.Struct, frozen=True):
    """A file that is no more."""

    id: str
    object: str = "file"
    deleted: bool = True


@changing("/v1/files", "files.use", body_bytes=FORM_BYTES_LIMIT)
async def upload_file(house: Here, actor: Asking, request: Request[Any, Any, Any]) -> FileObject:
    """Upload a file of requests for a batch: a form with `file` and `purpose=batch`.

    `expires_after[seconds]` says how long it is kept. It belongs to the key that it is uploaded with.
    """
    batches = house.batches
    with batches.transfer(actor.key):
        path, room = await batches.use(lambda store: (store.fresh(), store.room(actor.key)))
        try:
            got = await upload(request, path, min(INPUT_BYTES_LIMIT, room))
            kept_s = _kept_s(got)
            at = house.clock()
            file = await batches.use(lambda store: store.add(path, actor.key, got.name, at, kept_s))
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    return view(file)


@reading("/v1/files", "files.use")
async def list_files(
    house: Here,
    actor: Asking,
    limit: FilesLimit = PAGE_LIMIT,
    after: AfterId = "",
    purpose: Wanted = "",
    order: Order = "desc",
) -> FileList:
    """The files of the key that asks."""
    found, more = await house.batches.use(
        lambda store: store.files(actor.key, purpose, after, limit, newest_first=order == "desc")
    )
    data = tuple(view(file) for file in found)
    return FileList(data, data[0].id if data else None, data[-1].id if data else None, more)


@reading("/v1/files/{id:str}", "files.use")
async def show_file(house: Here, actor: Asking, id: Id) -> FileObject:
    """One file."""
    return view(await house.batches.use(lambda store: store.file(id, actor.key)))


@reading("/v1/files/{id:str}/content", "files.use")
async def read_file(house: Here, actor: Asking, id: Id) -> FileResponse:
    """What is in a file."""
    return sent(await house.batches.use(lambda store: store.path(store.file(id, actor.key).id)))


@removing("/v1/files/{id:str}", "files.use")
async def delete_file(house: Here, actor: Asking, id: Id) -> FileGone:
    """Delete a file, unless a batch that has not ended needs it."""
    await house.batches.use(lambda store: store.remove(id, actor.key))
    return FileGone(id)


def sent(path: Path) -> FileResponse:
    """A file of lines as an answer."""
    return FileResponse(path, media_type="application/jsonl")


def view(file: File) -> FileObject:
    """As OpenAI's clients know it."""
    return FileObject(
        id=file.id,
        bytes=file.bytes,
        created_at=seconds(file.created),
        expires_at=seconds(file.expires),
        filename=file.name,
        purpose=file.purpose,
    )


def _kept_s(got: Uploaded) -> int:
    """How long it is to be kept. Raises InputError for this and for a purpose of which nothing is known here."""
    if got.fields.get("purpose") != "batch":
        raise _wrong(
            "purpose", f"the purpose {got.fields.get('purpose', '')!r:.80} is none here", "Send `batch`."
        )
    said = got.fields.get("expires_after[seconds]")
    if got.fields.get("expires_after[anchor]", "created_at") != "created_at":
        raise _wrong("expires_after.anchor", "files expire from their creation", "Send `created_at`.")
    return KEPT_S if said is None else demand_kept_s(said)


def demand_kept_s(said: str) -> int:
    """Seconds that a file is kept. Raises InputError."""
    if not (
        said.isascii() and said.isdigit() and len(said) < 12 and KEPT_LEAST_S <= int(said) <= KEPT_LIMIT_S
    ):
        raise _wrong(
            "expires_after.seconds",
            f"{said!r:.40} is not from {KEPT_LEAST_S:,} to {KEPT_LIMIT_S:,}",
            "Give the number of seconds.",
        )
    return int(said)


def _wrong(path: str, message: str, remedy: str) -> InputError:
    return InputError((Problem(message, remedy, path=path),))


ROUTES: tuple[Any, ...] = (upload_file, list_files, show_file, read_file, delete_file)
