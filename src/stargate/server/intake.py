"""Takes what gateways tell: first into the log of requests, then into the ledger, and only then says so.

A crash between the two leaves attempts in the log that the ledger lacks. They were not acknowledged, so they are told
again; the log gives them as they were first told, and the ledger takes each of their events once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from stargate.base.errors import NotFoundError
from stargate.broker import State
from stargate.gateway.record import Endpoint, Price, Receipt, Scope, Shipment, Unfit
from stargate.gateway.serving.desk import micro_usd_of
from stargate.ledger import UsageEvent
from stargate.server.auth import Keyring
from stargate.server.bookkeeper import Bookkeeper
from stargate.server.counted import events, fault
from stargate.server.driver import Driver
from stargate.server.request_log import Filed, RequestLog, Where
from stargate.server.served import endpoint_of

Prices = Callable[[], Mapping[str, Price]]
"""What models cost now."""
OTHERWISE = "it is on record with other content"


class Intake:
    """The way in for usage at gateways."""

    def __init__(
        self, driver: Driver, keyring: Keyring, log: RequestLog, books: Bookkeeper | None, prices: Prices
    ) -> None:
        self._driver = driver
        self._keyring = keyring
        self._log = log
        self._books = books
        self._prices = prices

    async def take(self, shipment: Shipment, source: str) -> Receipt:
        """All of it durably on record, each attempt once; what can never be is named, and the rest is taken.

        Raises NotFoundError where this server keeps no ledger, LedgerError and InternalError where it cannot now.
        """
        if self._books is None:
            raise NotFoundError("this server keeps no ledger", "start it without `--ledger none`")
        given = await self._known(shipment, source)
        wrong = {place: says for place, each in enumerate(given) if (says := fault(each))}
        fit = [place for place in range(len(given)) if place not in wrong]
        at = self._driver.now()
        kept = await self._log.file([given[place] for place in fit], shipment.whys, at)
        counted: list[UsageEvent] = []
        owner: list[int] = []
        fresh: set[int] = set()
        for place, (each, is_new) in zip(fit, kept, strict=True):
            if (each.admitted, each.settled) != (given[place].admitted, given[place].settled):
                wrong[place] = OTHERWISE
                continue
            if is_new:
                fresh.add(place)
            found = list(events(each))
            counted += found
            owner += [place] * len(found)
        taken = await self._books.write(lambda ledger: ledger.take(counted, at))
        for refused in taken.refused:
            wrong.setdefault(owner[refused.place], refused.says)
        unfit = tuple(
            Unfit(place, given[place].epoch, given[place].admitted.seq, says)
            for place, says in sorted(wrong.items())
        )
        new = len(fresh - wrong.keys())
        return Receipt(new, len(given) - new - len(unfit), unfit)

    async def _known(self, shipment: Shipment, source: str) -> list[Filed]:
        """The attempts with what is known now of their keys and endpoints."""
        names = {admitted.endpoint for _, admitted, _ in shipment.attempts}
        wheres, lab = await self._driver.read(lambda state: _wheres(state, names))
        prices = self._prices()
        found = []
        for epoch, admitted, settled in shipment.attempts:
            key = self._keyring.find(admitted.application)
            price = prices.get(admitted.model)
            found.append(
                Filed(
                    source=source,
                    node=shipment.node,
                    epoch=epoch,
                    admitted=admitted,
                    settled=settled,
                    key_name=key.name if key is not None else "",
                    scope=(key.scope if key is not None else None) or Scope(),
                    where=wheres[admitted.endpoint],
                    lab=lab,
                    micro_usd=0
                    if price is None or not settled.chargeable
                    else micro_usd_of(price, settled.tokens),
                )
            )
        return found


def _wheres(state: State, names: Iterable[str]) -> tuple[dict[str, Where], str]:
    return {name: _where(endpoint_of(state, name)) for name in names}, state.records.policy.lab


def _where(endpoint: Endpoint | None) -> Where:
    if endpoint is None:
        return Where()
    return Where(**{field: getattr(endpoint, field) for field in Where.__struct_fields__})
