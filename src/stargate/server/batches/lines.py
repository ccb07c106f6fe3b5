"""The lines of a batch's files: what is asked is checked before anything is done, what was answered is written out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator
from typing import Any

import msgspec

from stargate.gateway.batch import LINE_BYTES_LIMIT, LINES_LIMIT, Line
from stargate.gateway.record import Operation
from stargate.gateway.serving.body import Asked, read
from stargate.gateway.serving.refusal import Refusal
from stargate.server.batches.record import Answered, Batch, Trouble

TROUBLES_LIMIT = 100
"""Told at once."""
UNDONE = {
    "expired": ("batch_expired", "This request could not be executed before the completion window expired."),
    "cancelled": ("batch_cancelled", "This request was not executed before the batch was cancelled."),
    "failed": ("batch_failed", "This request was not executed before the batch failed."),
}
"""What stands for an answer where there is none, by how the batch ended."""
_LINE = msgspec.json.Decoder(Line)
_JSON = msgspec.json.Encoder()


class Checked(msgspec.Struct, frozen=True):
    """What an input asks for."""

    lines: int
    model: str
    troubles: tuple[Trouble, ...]
    """Empty: it can be done."""


def texts(file: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines of a file that are not empty, each with its number in the file, from 1."""
    return ((number, text) for number, text in enumerate(file, 1) if text.strip())


def check(file: Iterable[bytes], operation: Operation, models: Container[str]) -> Checked:
    """What an input asks for, and everything that is wrong with it. `models`: those that may be asked for."""
    found = _Check(operation)
    count = 0
    for number, text in texts(file):
        count += 1
        if count > LINES_LIMIT:
            found.add("too_many_requests", f"a batch has at most {LINES_LIMIT:,} requests", None)
            break
        found.line(number, text)
        if len(found.troubles) >= TROUBLES_LIMIT:
            break
    if not count:
        found.add("empty_file", "the file holds no request", None)
    model = next(iter(found.models), "")
    if model and not found.troubles and model not in models:
        found.add(
            "model_not_found",
            f"the model {model!r:.100} does not exist or this key may not use it",
            None,
            "model",
        )
    return Checked(count, model, tuple(found.troubles))


class _Check:
    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._seen: set[str] = set()
        self.models: Counter[str] = Counter()
        self.troubles: list[Trouble] = []

    def add(self, code: str, message: str, number: int | None, param: str | None = None) -> None:
        """Something is wrong."""
        self.troubles.append(Trouble(code, message, param, number))

    def line(self, number: int, text: bytes) -> None:
        """Look at one line."""
        if len(text) > LINE_BYTES_LIMIT:
            self.add("line_too_large", f"a line has at most {LINE_BYTES_LIMIT:,} bytes", number)
            return
        try:
            line = _LINE.decode(text)
        except (msgspec.ValidationError, RecursionError) as error:
            self.add("invalid_request", f"the line is not as it should be: {error}", number)
            return
        except (msgspec.MsgspecError, UnicodeError) as error:
            self.add("invalid_json_line", f"the line is no JSON: {error}", number)
            return
        if line.custom_id in self._seen:
            self.add(
                "duplicate_custom_id",
                f"another line has the custom_id {line.custom_id!r:.100}",
                number,
                "custom_id",
            )
        self._seen.add(line.custom_id)
        if line.method != "POST":
            self.add("invalid_method", "requests of a batch are made by POST", number, "method")
        if line.url != f"/v1/{self._operation}":
            self.add(
                "invalid_url",
                f"the batch is for /v1/{self._operation}, the line for {line.url!r:.100}",
                number,
                "url",
            )
        else:
            self._body(number, line)

    def _body(self, number: int, line: Line) -> None:
        try:
            asked: Asked = read(self._operation, bytes(line.body))
        except Refusal as refusal:
            self.add(
                "invalid_request",
                refusal.message,
                number,
                f"body.{refusal.param}" if refusal.param else "body",
            )
            return
        if asked.stream:
            self.add(
                "invalid_request",
                "answers of a batch are not streamed; leave `stream` out",
                number,
                "body.stream",
            )
        self.models[asked.model] += 1
        if len(self.models) > 1 and asked.model != next(iter(self.models)):
            self.add(
                "mismatched_model",
                f"a batch asks one model: this line asks {asked.model!r:.100}, the first one "
                f"{next(iter(self.models))!r:.100}",
                number,
                "body.model",
            )


def written(batch: Batch, file: Iterable[bytes], answers: Iterable[Answered]) -> Iterator[tuple[bool, bytes]]:
    """A line for each request, in the order of the input: whether it goes to the output (else to the errors), its text.

    `answers` come in the order of their lines.
    """
    waiting = iter(answers)
    following = next(waiting, None)
    for number, (_, text) in enumerate(texts(file)):
        answered = None
        if following is not None and following.line == number:
            answered, following = following, next(waiting, None)
        good = answered is not None and answered.good
        yield good, _written(batch, number, _LINE.decode(text).custom_id, answered)


def _written(batch: Batch, number: int, custom_id: str, answered: Answered | None) -> bytes:
    response: dict[str, Any] | None = None
    error: Any = None
    if answered is None:
        code, says = UNDONE[batch.end]
        error = {"code": code, "message": says}
    elif answered.status:
        response = {
            "status_code": answered.status,
            "request_id": answered.request,
            "body": msgspec.Raw(answered.body),
        }
    else:
        error = msgspec.Raw(answered.body)
    id = f"batch_req_{batch.id.removeprefix('batch_')}{number:05x}"
    return _one_line({"id": id, "custom_id": custom_id, "response": response, "error": error})


def _one_line(record: dict[str, Any]) -> bytes:
    """JSON on one line, also where an endpoint has written its answer over several."""
    text = _JSON.encode(record)
    if b"\n" in text or b"\r" in text:
        # Within JSON's texts line breaks are escaped: those that stand there are between its parts.
        text = text.replace(b"\r", b" ").replace(b"\n", b" ")
    return text + b"\n"
