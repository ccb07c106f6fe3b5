"""An attempt that was admitted, until it is settled: once, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from stargate.base.errors import StargateError
from stargate.gateway.limits import Ticket
from stargate.gateway.record import Admitted, CountSource, Model, Outcome, Settled, Tokens
from stargate.gateway.record.attempt import SAID_LIMIT
from stargate.gateway.routing import Post
from stargate.gateway.serving.body import Asked
from stargate.gateway.serving.desk import Desk, micro_usd_of
from stargate.gateway.serving.stream import Scanner
from stargate.gateway.serving.tokenizer import stream_texts

LOOKS = 20
LOOK_S = 0.25
"""How often, and after how long, an endpoint is asked again what a request has used that was broken off."""
KEPT_BYTES = 4 << 20
NOTHING = Tokens()


class Held:
    """What a request holds of its key's limits, and what its attempts have used of them."""

    def __init__(self, desk: Desk, ticket: Ticket | None, model: Model) -> None:
        self._desk = desk
        self._ticket = ticket
        self._price = model.price
        self.used = Tokens()
        self.lease_us = 0 if ticket is None else ticket.money_given_us

    def leave(self) -> None:
        """The request is over, or goes on under another model."""
        used = self.used
        self._desk.purse.leave(
            self._ticket, used.input_tokens + used.output_tokens, micro_usd_of(self._price, used)
        )


class OpenAttempt:
    """One of a request's attempts."""

    def __init__(self, desk: Desk, post: Post, admitted: Admitted, held: Held) -> None:
        self._desk = desk
        self.post = post
        self.admitted = admitted
        self._held = held
        self._settled = False
        self.scanner: Scanner | None = None
        self.asked: Asked | None = None
        self.kept = bytearray() if post.endpoint.tokenize_path else None
        """What of a stream was sent, as long as it may have to be counted and is not too long."""
        self.first_byte_us = 0

    def failed(self, *, unreachable: bool = False) -> None:
        """The endpoint did not answer, or said that it cannot."""
        self.post.breaker.failed(self._desk.clock_us(), unreachable=unreachable)

    def outrun(self, *, stream: bool) -> None:
        """Another endpoint began to answer first: this one takes at least as long as it has had."""
        now_us = self._desk.clock_us()
        self.post.breaker.left()
        self.post.began(now_us - self.admitted.at_us, now_us, stream=stream)

    def guess(self) -> Tokens:
        """Where nothing is known of what was used: the prompt, by a rule of thumb."""
        return Tokens(input_tokens=self.admitted.reserved.input_tokens)

    def keep(self, data: bytes) -> None:
        """It was sent to the client, and may have to be counted."""
        if self.kept is not None:
            self.kept += data
            if len(self.kept) > KEPT_BYTES:
                self.kept = None

    async def known(
        self, guess: Tokens, texts: Callable[[], list[str]] | None = None
    ) -> tuple[Tokens, CountSource]:
        """What the endpoint says that the request has used, else its tokenizer of these texts; else the guess."""
        desk, endpoint, name = self._desk, self.post.endpoint, self.admitted.upstream_id
        told = await desk.lookup(endpoint, name)
        if told is None:
            asked = self.asked
            if texts is None or asked is None or not endpoint.tokenize_path:
                return guess, "estimate"
            counted = await desk.tokenizer(endpoint).count(asked, texts())
            return (guess, "estimate") if counted is None else (counted, "tokenizer")
        # An endpoint may notice a little later that nobody listens: what it says twice is what it came to.
        for _ in range(LOOKS):
            before = told
            await asyncio.sleep(LOOK_S)
            told = await desk.lookup(endpoint, name)
            if told is None or told == before:
                return before, "lookup"
        return told, "lookup"

    async def seen(self) -> tuple[Tokens, CountSource, bytes]:
        """What a stream told of its usage; else what its endpoint says; else what was sent, about a token an event."""
        scanner = self.scanner
        if scanner is None:
            return *await self.known(self.guess()), b""
        if scanner.tokens is None:
            guess = Tokens(self.admitted.reserved.input_tokens, 0, max(0, scanner.events - 1))
            kept = self.kept
            return *await self.known(guess, None if kept is None else lambda: stream_texts(bytes(kept))), b""
        if scanner.whole:
            return scanner.tokens, "upstream", scanner.said
        # It told its usage as it went, and was not done: the endpoint may have made more.
        tokens, counted = await self.known(scanner.tokens)
        return tokens, "upstream" if counted == "estimate" else counted, scanner.said

    async def settle(
        self,
        outcome: Outcome,
        status: int,
        tokens: Tokens = NOTHING,
        counted: CountSource = "none",
        said: bytes = b"",
    ) -> bool:
        """Put it on record. False where that cannot be done now: it stays admitted, and is settled later."""
        if self._settled:
            return True
        self._settled = True
        chargeable = outcome in ("done", "aborted")  # what broke off is our loss, or the endpoint's
        if chargeable:
            self._held.used = tokens
        now_us = self._desk.clock_us()
        settled = Settled(
            seq=self.admitted.seq,
            at_us=now_us,
            outcome=outcome,
            status=status,
            tokens=tokens,
            counted=counted,
            chargeable=chargeable,
            first_byte_us=self.first_byte_us,
            last_byte_us=now_us - self.admitted.at_us if self.first_byte_us else 0,
            said=said[:SAID_LIMIT],
        )
        self._desk.observer.settled(self.post.endpoint, self.admitted, settled)
        with suppress(StargateError):
            await self._desk.spool.write(settled)
            return True
        return False
