"""Batches, in the words of OpenAI's clients; and the way of a batch's runner to its lines and answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

import msgspec
from litestar.params import JSONBody, MsgPackBody, QueryParameter
from litestar.response import File as FileResponse
from msgspec import Meta

from stargate.base.errors import InputError, NotFoundError, Problem
from stargate.gateway.batch import RESULTS_BYTES_LIMIT, Assignment, Results, Standing
from stargate.gateway.record import OPERATIONS, Operation
from stargate.server.api.files import KEPT_LEAST_S, AfterId, sent
from stargate.server.api.page import Id, IdempotencyKey
from stargate.server.api.route import Asking, Here, changing, reading
from stargate.server.auth import Actor
from stargate.server.batches.record import Batch, Metadata, Trouble, seconds
from stargate.server.batches.store import KEPT_LIMIT_S, KEPT_S

RESULTS_BODY_BYTES = 2 * RESULTS_BYTES_LIMIT
PAGE_LIMIT = 100

BatchesLimit = Annotated[int, QueryParameter(ge=1, le=PAGE_LIMIT, description="Most batches in the answer.")]
Epoch = Annotated[int, QueryParameter(ge=0, le=2**53, description="Rises with every start of a runner.")]


class ExpiresAfter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long the files of a batch are kept once they are there."""

    anchor: Literal["created_at"]
    seconds: Annotated[int, Meta(ge=KEPT_LEAST_S, le=KEPT_LIMIT_S)]


class BatchBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A batch to be made."""

    input_file_id: Annotated[str, Meta(max_length=256)]
    endpoint: Annotated[str, Meta(max_length=64)]
    completion_window: Literal["24h"]
    metadata: Metadata | None = None
    output_expires_after: ExpiresAfter | None = None


class Counts(msgspec.Struct, frozen=True):
    """Requests of a batch."""

    total: int
    completed: int
    failed: int


class InputDetails(msgspec.Struct, frozen=True):
    """Of the tokens that were read."""

    cached_tokens: int


class OutputDetails(msgspec.Struct, frozen=True):
    """Of the tokens that were written."""

    reasoning_tokens: int


class UsageView(msgspec.Struct, frozen=True):
    """What the answers of a batch say that they used. What is owed is counted at the gateways."""

    input_tokens: int
    input_tokens_details: InputDetails
    output_tokens: int
    output_tokens_details: OutputDetails
    total_tokens: int


class Troubles(msgspec.Struct, frozen=True):
    """What is wrong with a batch."""

    data: tuple[Trouble, ...]
    object: str = "list"


class BatchObject(msgspec.Struct, frozen=True, kw_only=True):
    """A batch, as OpenAI's clients know it. Times are seconds since 1970."""

    id: str
    object: str = "batch"
    endpoint: str
    model: str | None
    errors: Troubles | None
    input_file_id: str
    completion_window: str = "24h"
    status: str
    output_file_id: str | None
    error_file_id: str | None
    created_at: int
    in_progress_at: int | None
    expires_at: int
    finalizing_at: int | None
    completed_at: int | None
    failed_at: int | None
    expired_at: int | None
    cancelling_at: int | None
    cancelled_at: int | None
    request_counts: Counts
    usage: UsageView
    metadata: dict[str, str] | None


class BatchList(msgspec.Struct, frozen=True):
    """Batches, newest first."""

    data: tuple[BatchObject, ...]
    first_id: str | None
    last_id: str | None
    has_more: bool
    object: str = "list"


@changing("/v1/batches", "batches.use")
async def create_batch(
    house: Here, actor: Asking, data: JSONBody[BatchBody], idempotency_key: IdempotencyKey = ""
) -> BatchObject:
    """Have a file of requests answered. Its lines are checked first; what is wrong with them stands in `errors`."""
    if actor.role != "application":
        raise InputError(
            (
                Problem(
                    "a batch speaks for the key that makes it, and this one is no application's",
                    "Use one that `stargate key make NAME --role application` has made.",
                ),
            )
        )
    operation = data.endpoint.removeprefix("/v1/")
    if operation not in OPERATIONS or data.endpoint == operation:
        known = ", ".join(f"/v1/{each}" for each in get_args(Operation))
        raise InputError(
            (
                Problem(
                    f"there are no batches for {data.endpoint!r}", f"Give one of {known}.", path="endpoint"
                ),
            )
        )
    kept_s = KEPT_S if data.output_expires_after is None else data.output_expires_after.seconds
    return _view(
        await house.batches.begin(
            actor.key, operation, data.input_file_id, data.metadata, kept_s, once=idempotency_key
        )
    )


@reading("/v1/batches", "batches.use")
async def list_batches(
    house: Here, actor: Asking, limit: BatchesLimit = 20, after: AfterId = ""
) -> BatchList:
    """The batches of the key that asks, newest first."""
    found, more = await house.batches.use(lambda store: store.batches(actor.key, after, limit))
    data = tuple(_view(batch) for batch in found)
    return BatchList(data, data[0].id if data else None, data[-1].id if data else None, more)


@reading("/v1/batches/{id:str}", "batches.use")
async def show_batch(house: Here, actor: Asking, id: Id) -> BatchObject:
    """One batch. `stargate show` shows its workload under the same id."""
    return _view(await house.batches.use(lambda store: store.batch(id, actor.key)))


@changing("/v1/batches/{id:str}/cancel", "batches.use")
async def cancel_batch(house: Here, actor: Asking, id: Id) -> BatchObject:
    """End a batch: what is being answered is finished and kept, nothing more is asked."""
    return _view(await house.batches.cancel(id, actor.key))


@changing("/v1/batches/{id:str}/assignment", "batches.run")
async def assign_batch(house: Here, actor: Asking, id: Id, epoch: Epoch = 0) -> Assignment:
    """What is left to do, for the batch's own runner. Older runners of it are told to end."""
    _demand_own(actor, id)
    return await house.batches.assign(id, epoch)


@reading("/v1/batches/{id:str}/input", "batches.run")
async def read_input(house: Here, actor: Asking, id: Id) -> FileResponse:
    """The requests, for the batch's own runner."""
    _demand_own(actor, id)
    return sent(await house.batches.use(lambda store: store.path(store.batch(id).input_file)))


@changing("/v1/batches/{id:str}/results", "batches.run", body_bytes=RESULTS_BODY_BYTES)
async def add_results(house: Here, actor: Asking, id: Id, data: MsgPackBody[Results]) -> Standing:
    """Keep answers, from the batch's own runner. Sent again they change nothing: of each line the first holds."""
    _demand_own(actor, id)
    return await house.batches.answer(id, data)


def _demand_own(actor: Actor, id: str) -> None:
    """The key of a batch is called as the batch is. Raises NotFoundError."""
    if actor.role != "batch" or actor.name != id:
        raise NotFoundError(f"no batch {id!r}", "use the key that was made for this batch")


def _view(batch: Batch) -> BatchObject:
    tokens = batch.tokens
    at = {name: seconds(moment) for name, moment in batch.at.items()}
    return BatchObject(
        id=batch.id,
        endpoint=f"/v1/{batch.operation}",
        model=batch.model or None,
        errors=Troubles(batch.troubles) if batch.troubles else None,
        input_file_id=batch.input_file,
        status=batch.status,
        output_file_id=batch.output_file or None,
        error_file_id=batch.error_file or None,
        created_at=seconds(batch.created),
        in_progress_at=at.get("in_progress"),
        expires_at=seconds(batch.expires),
        finalizing_at=at.get("finalizing"),
        completed_at=at.get("completed"),
        failed_at=at.get("failed"),
        expired_at=at.get("expired"),
        cancelling_at=at.get("cancelling"),
        cancelled_at=at.get("cancelled"),
        request_counts=Counts(batch.lines, batch.completed, batch.failed),
        usage=UsageView(
            tokens.input_tokens,
            InputDetails(tokens.cached_tokens),
            tokens.output_tokens,
            OutputDetails(tokens.reasoning_tokens),
            tokens.input_tokens + tokens.output_tokens,
        ),
        metadata=batch.metadata,
    )


ROUTES: tuple[Any, ...] = (
    create_batch, list_batches, show_batch, cancel_batch, assign_batch, read_input, add_results,
)  # fmt: skip
