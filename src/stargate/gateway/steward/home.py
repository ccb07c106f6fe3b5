"""The control plane, as a gateway's host asks it: what the routes are now, and that usage has arrived."""

from __future__ import annotations

from typing import Any

import aiohttp
import msgspec

from stargate.base import wire
from stargate.base.errors import ProviderError
from stargate.gateway.limits import NoBankError
from stargate.gateway.limits.lease import Leased, Leasing, Limits
from stargate.gateway.record import Load, Receipt, Routes, Shipment

WAIT_S = 20
"""How long the control plane holds a question about routes that have not changed."""
MARGIN_S = 10.0
TELL_S = 5.0
"""How long it may take to say what the host does: by then it does something else."""
ANSWER_BYTES = 1 << 30
_ROUTES = wire.unpacker(Routes)


class HomeError(ProviderError):
    """The control plane did not answer, or answered that it cannot."""


class Home:
    """Speaks to one control plane with a key of the role `gateway`."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._session = aiohttp.ClientSession(
            headers={"authorization": f"Bearer {token}"}, cookie_jar=aiohttp.DummyCookieJar()
        )

    async def routes(self, version: int) -> Routes | None:
        """Routes of another version than this; None: they are the same still. Raises HomeError."""
        path = f"/v1/gateway/routes?version={version}&wait_s={WAIT_S}"
        status, body = await self._ask("GET", path, None, WAIT_S + MARGIN_S)
        if status == 204:
            return None
        try:
            routes: Routes = _ROUTES.decode(body)
        except (msgspec.MsgspecError, ValueError) as error:
            raise HomeError(f"{self._url} sends routes that cannot be read: {error}") from None
        return routes

    async def ship(self, shipment: Shipment) -> Receipt:
        """Returns when all of it is on record there. Raises HomeError."""
        _, body = await self._ask("POST", "/v1/gateway/records", wire.pack(shipment), 60.0)
        try:
            return wire.from_json(body, Receipt)
        except (msgspec.MsgspecError, ValueError) as error:
            raise HomeError(f"{self._url} answers with what is no receipt: {error}") from None

    async def lend(self, leasing: Leasing, _limits: Limits) -> Leased:
        """See `Lender`: it knows the limits itself."""
        try:
            _, body = await self._ask("POST", "/v1/gateway/leases", wire.pack(leasing), MARGIN_S)
            return wire.from_json(body, Leased)
        except (HomeError, msgspec.MsgspecError, ValueError) as error:
            raise NoBankError(
                f"{self._url} leases nothing now: {error}", "See that the control plane is reached"
            ) from None

    async def tell(self, load: Load) -> None:
        """What this host is doing. Raises HomeError."""
        await self._ask("POST", "/v1/gateway/load", wire.pack(load), TELL_S)

    async def close(self) -> None:
        """Let go."""
        await self._session.close()

    async def _ask(self, method: str, path: str, data: bytes | None, patience_s: float) -> tuple[int, bytes]:
        more: dict[str, Any] = {"accept": "application/msgpack"}
        if data is not None:
            more["content-type"] = "application/msgpack"
        try:
            async with self._session.request(
                method,
                self._url + path,
                data=data,
                headers=more,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=patience_s),
            ) as answer:
                body = await answer.content.read(ANSWER_BYTES) if answer.status != 204 else b""
                while answer.status != 204 and (piece := await answer.content.readany()):
                    body += piece
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise HomeError(f"{self._url} does not answer: {str(error) or type(error).__name__}") from None
        if answer.status >= 300:
            says = body[:500].decode(errors="replace")
            raise HomeError(f"{self._url}{path.partition('?')[0]} answers {answer.status}: {says}")
        return answer.status, body
