"""What exists, what was promised, how to decide: read the files again, or take their text."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from litestar.params import JSONBody
from msgspec import Meta

from stargate.server.api.page import IdempotencyKey
from stargate.server.api.route import Asking, Here, changing
from stargate.server.config import read_texts

TEXT_LIMIT = 1 << 20


class DeclarationBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Without text, the files that the server was started with are read again."""

    yaml: Annotated[str, Meta(max_length=TEXT_LIMIT)] = ""
    """All documents of the catalog, the agreements and the policy, parted by `---`. Replaces everything."""


class Declaration(msgspec.Struct, frozen=True):
    """What holds now."""

    seq: int
    """The last entry it caused; 0: nothing had to change."""
    repeated: bool
    providers: int
    pools: int
    agreements: int


@changing("/v1/declare", "declare")
async def declare(
    house: Here, actor: Asking, data: JSONBody[DeclarationBody], idempotency_key: IdempotencyKey = ""
) -> Declaration:
    """Declare anew what exists, what was promised and how to decide, as one consistent whole."""
    if data.yaml:
        plan = await asyncio.to_thread(read_texts, data.yaml)
        receipt = await house.declare(actor, plan, idempotency_key)
    else:
        receipt = await house.declare_files(actor, idempotency_key)
    counts = await house.driver.read(
        lambda state: (len(state.providers), len(state.catalog_pools), len(state.records.agreements))
    )
    return Declaration(receipt.seq, receipt.repeated, *counts)


ROUTES: tuple[Any, ...] = (declare,)
