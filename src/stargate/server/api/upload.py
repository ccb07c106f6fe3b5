"""A form with a file in it, as it arrives: the file goes to disk piece by piece, everything else is small."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, Any

import msgspec
from litestar import Request
from litestar.exceptions import ClientException, HTTPException
from multipart import MultipartError, MultipartSegment, PushMultipartParser  # type: ignore[import-untyped]

from stargate.base.errors import InputError, LimitError, Problem
from stargate.server.api.body import MediaTypeError, shortened

PARTS_LIMIT = 16
FIELD_BYTES_LIMIT = 1_024
NAME_LIMIT = 255
"""Characters of a file's name."""
PIECE_BYTES = 1 << 20


class TooLargeError(LimitError):
    """A file, or what stands beside it, is larger than is taken."""

    http_status = 413


class Uploaded(msgspec.Struct, frozen=True):
    """What a form held."""

    name: str
    """Of the file, as its sender calls it."""
    bytes: int
    fields: dict[str, str]


async def upload(request: Request[Any, Any, Any], path: Path, limit_bytes: int) -> Uploaded:
    """Write the form's `file` to a path. Raises InputError, MediaTypeError and TooLargeError."""
    kind, options = request.content_type
    boundary = options.get("boundary", "")
    if kind != "multipart/form-data" or not boundary:
        said = request.headers.get("content-type", "")
        raise MediaTypeError(
            f"the body is said to be {shortened(said or 'nothing in particular')!r}",
            "send a form, with `Content-Type: multipart/form-data; boundary=…`",
        )
    with path.open("wb") as file:
        form = _Form(file, limit_bytes)
        try:
            await _parse(request.stream(), boundary, form)
        except (MultipartError, UnicodeError) as error:
            raise _malformed(
                f"the form cannot be read: {error}", "Send it as clients of OpenAI do."
            ) from None
        except ClientException as error:
            raise TooLargeError(str(error.detail), f"send files of at most {limit_bytes:,} bytes") from None
        except HTTPException as error:
            raise _malformed(f"the form broke off: {error.detail}", "Send it again.") from None
        await form.flush()
    if form.name is None:
        raise _malformed("the form holds no `file`", "Send the file as the part `file`, with a file name.")
    if not form.size_bytes:
        raise _malformed("the file is empty", "Write at least one request into it.")
    return Uploaded(form.name, form.size_bytes, form.fields)


class _Form:
    def __init__(self, file: IO[bytes], limit_bytes: int) -> None:
        self._file = file
        self._limit_bytes = limit_bytes
        self._waiting = bytearray()
        self._field: tuple[str, bytearray] | None = None
        self.fields: dict[str, str] = {}
        self.name: str | None = None
        self.size_bytes = 0

    def begin(self, segment: MultipartSegment) -> None:
        name = segment.name or ""
        if name != "file":
            self._field = (name[:NAME_LIMIT], bytearray())
            return
        if self.name is not None:
            raise _malformed("the form holds two files", "Upload them one by one.")
        self._field = None
        self.name = "".join(each for each in segment.filename or "file" if each.isprintable())[:NAME_LIMIT]

    async def add(self, piece: bytes | bytearray) -> None:
        if self._field is not None:
            self._field[1].extend(piece)
            if len(self._field[1]) > FIELD_BYTES_LIMIT:
                raise TooLargeError(
                    f"the form's field {self._field[0]!r:.80} is larger than {FIELD_BYTES_LIMIT:,} bytes",
                    "shorten it",
                )
            return
        self.size_bytes += len(piece)
        if self.size_bytes > self._limit_bytes:
            raise TooLargeError(
                f"the file is larger than {self._limit_bytes:,} bytes",
                "split it, or delete files that are not needed",
            )
        self._waiting += piece
        if len(self._waiting) >= PIECE_BYTES:
            await self.flush()

    def end(self) -> None:
        if self._field is not None:
            self.fields[self._field[0]] = self._field[1].decode()
            self._field = None

    async def flush(self) -> None:
        """What waits is written."""
        taken, self._waiting = self._waiting, bytearray()
        if taken:
            await asyncio.to_thread(self._file.write, taken)


async def _parse(stream: AsyncIterator[bytes], boundary: str, form: _Form) -> None:
    with PushMultipartParser(boundary, max_segment_count=PARTS_LIMIT) as parser:
        async for chunk in stream:
            for event in parser.parse(chunk):
                if isinstance(event, MultipartSegment):
                    form.begin(event)
                elif event:
                    await form.add(event)
                else:
                    form.end()
            if parser.closed:
                break


def _malformed(message: str, remedy: str) -> InputError:
    return InputError((Problem(message, remedy),))
