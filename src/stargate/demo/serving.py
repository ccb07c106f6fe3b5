"""The story of a served model, on a real server with real processes and a real small model.

1. A service is submitted: a replica starts at each of two providers, and a gateway has routes to both.
2. Two applications ask. What agreements know as the API runs on Azure alone; the product's own traffic runs anywhere.
3. Two answers are being given, one by each provider, when one of the two is killed: its answer ends with an error, the
   other goes on, and whoever asks next is answered at once by the one that is left. Soon there are two replicas again.
4. The ledger is held against what the providers' own meters say.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from stargate.base.errors import InternalError
from stargate.base.time import Instant
from stargate.demo.gateway import Gateway
from stargate.demo.host import POLL_S, Host
from stargate.demo.meter import METERS, Row, at_providers, busy, by_provider, endpoints, in_ledger
from stargate.demo.scene import Beat
from stargate.demo.shell import Ended, Running, Shell

MODEL = "smollm2"
FILE = "smollm2.yaml"
LOST = "oci"
PATIENCE_S = 120.0
"""Longest wait for any one step of the story."""
EXACT = ("--temperature", "0", "--max-tokens", "24")
QUESTIONS = ("What is the capital of Japan?", "Why is the sky blue?")
STORY = "Tell me a long story about a dragon."
LENGTHS = (150, 400, 1_200)
"""Tokens of a long answer: the first is long enough on a small machine, the last on a fast one."""
BEGUN_BYTES = 60
"""What an answer has said before its provider is killed."""
_REQUEST = re.compile(r"req_[0-9a-f]+")


class Asked(msgspec.Struct, frozen=True):
    """What became of one request, as the gateway told."""

    request: str
    key: str
    providers: tuple[str, ...]
    """In the order in which they were asked."""
    outcome: str
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    first_byte_ms: float
    """From its admission to the first byte of its answer."""

    @property
    def uncached(self) -> tuple[int, int, int]:
        """Its tokens in the metrics of the ledger, in which each token is counted once."""
        return self.input_tokens - self.cached_tokens, self.cached_tokens, self.output_tokens


class Served(msgspec.Struct):
    """What `--json` writes."""

    lost: str = LOST
    api: Asked | None = None
    cut: Asked | None = None
    unharmed: int = 0
    """Answers that were under way elsewhere and came to their end."""
    next: Asked | None = None
    ledger: list[Row] = []
    meters: dict[str, dict[str, int]] = {}
    """By provider: what its replicas counted; of the lost one, until just before it was lost."""
    seconds: float = 0.0

    @property
    def counts_agree(self) -> bool:
        """Of every provider the ledger has what its meters say, and beside that what it has of the cut answer."""
        expected = {provider: dict(count) for provider, count in self.meters.items()}
        if self.cut is not None and self.lost in expected:
            for metric, count in zip(METERS, self.cut.uncached, strict=True):
                expected[self.lost][metric] += count
        return bool(expected) and by_provider(self.ledger) == expected

    @property
    def kept_its_promise(self) -> bool:
        """The API stayed where it must; one answer was cut; the next came from elsewhere; all is counted."""
        api, cut, after = self.api, self.cut, self.next
        return (
            api is not None
            and api.providers == ("azure",)
            and cut is not None
            and cut.outcome == "cut"
            and self.unharmed > 0
            and after is not None
            and after.outcome == "done"
            and after.providers[-1] != self.lost
            and self.counts_agree
        )


class ServingStory:
    """One telling of the story."""

    def __init__(self, host: Host, gateway: Gateway, shell: Shell, tell: Callable[[Beat], None]) -> None:
        self._host = host
        self._api = host.api
        self._gateway = gateway
        self._shell = shell
        self._tell = tell
        self._start = time.monotonic()
        self._asked = 0
        self.key = ""
        """Of the application that has chatted."""
        self.served = Served()

    def play(self) -> Served:
        """From the submission to the comparison."""
        self._serve()
        self._ask()
        self._lose_provider()
        self._count()
        self.served.seconds = round(time.monotonic() - self._start, 2)
        return self.served

    # -- the steps -----------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        self._beat("serve", f"{MODEL}: a real small model, to be served by two providers")
        self._shell.run("serve", FILE)
        self._shell.run("models")

    def _ask(self) -> None:
        """The product's traffic, then the API's, each under a key of its own."""
        self.key = self._host.key("chat-app", "application", product="chat", team="demo")
        api_key = self._host.key("api-app", "application", product="api", team="platform")
        self._gateway.await_key(api_key)
        self._beat("ask", "two users of an application ask at once; its product may be served anywhere")
        asked = [self._chat(question, *EXACT, key=self.key) for question in QUESTIONS]
        for each in asked:
            self._shell.show(each.succeed())
        self._beat("ask", "another application is the API, which Microsoft alone may serve (msft-2025/api)")
        said = self._chat("Say hello.", *EXACT, "--json", key=api_key).succeed()
        self.served.api = self._explain(msgspec.json.decode(said)["request"])

    def _lose_provider(self) -> None:
        """Kill a provider while it answers."""
        served = self.served
        self._beat("ask", "two long answers at once: each provider gives one")
        answers = self._begin_answers()
        pid = self._host.kill_provider(LOST)
        self._beat("kill", f"{LOST} is killed: SIGKILL to process {pid}, with all that ran there")
        self._wait("an answer to be cut", lambda: not all(answer.running for answer in answers))
        said = self._chat("Say hello again.", *EXACT, "--json", key=self.key).succeed()
        request = self._after_loss([answer.end() for answer in answers])
        after = served.next = self._explain(msgspec.json.decode(said)["request"])
        waited = f"its first byte came after {after.first_byte_ms:.0f} ms"
        self._beat("recover", f"who asked next was answered by {after.providers[-1]}: {waited}")
        served.cut = self._explain(request)
        self._wait("another replica", lambda: len(endpoints(self._api)) > 1)
        self._beat("recover", "another replica is ready in place of the one that was lost")
        self._shell.run("models")

    def _begin_answers(self) -> list[Running]:
        """Two answers under way, one by the provider that will be lost. Where they end too soon, longer ones."""
        for tokens in LENGTHS:
            self.served.meters = at_providers(self._api)
            words = (STORY, "--temperature", "0", "--max-tokens", str(tokens))
            answers = [self._chat(*words, key=self.key) for _ in range(2)]
            while all(answer.running for answer in answers):
                if len(there := busy(self._api)) > 1 and LOST in there:
                    for answer in answers:
                        answer.await_output(BEGUN_BYTES)
                    break
                time.sleep(POLL_S)
            if all(answer.running for answer in answers):
                return answers
            for answer in answers:
                answer.succeed()
        raise InternalError("no two answers were under way at once", f"see {self._host.data}/gateway.log")

    def _after_loss(self, ended: list[Ended]) -> str:
        """Show how the answers ended. The request whose answer was cut."""
        cut = [each for each in ended if each.code != 0]
        found = _REQUEST.search(cut[0].error) if cut else None
        if found is None:
            raise InternalError(
                f"no answer was cut when {LOST} was killed: {ended}", f"see {self._host.data}/gateway.log"
            )
        self._shell.show(cut[0].said, style="dim")
        self._shell.show(cut[0].error, style="red")
        self.served.unharmed = len(ended) - len(cut)
        self._beat(
            "recover", f"the answer by {LOST} was cut; {self.served.unharmed} elsewhere came to its end"
        )
        return found[0]

    def _count(self) -> None:
        """Both sides of the count."""
        served = self.served
        self._wait("all that was used to be told", self._told)
        now = at_providers(self._api)
        served.meters |= {provider: count for provider, count in now.items() if provider != LOST}
        verdict = "agree" if served.counts_agree else "DO NOT AGREE"
        self._beat(
            "check", f"the ledger and the providers' own meters {verdict}; the cut answer is an estimate"
        )

    # -- looking -------------------------------------------------------------------------------------------------

    def _chat(self, *words: str, key: str) -> Running:
        self._asked += 1
        return self._shell.start("chat", MODEL, *words, key=key)

    def _explain(self, request: str) -> Asked:
        """What became of a request, once the gateway has told it."""
        found: dict[str, Any] = self._wait("a request to be told", lambda: self._find(request))
        self._shell.run("explain", request)
        first, last = found["attempts"][0], found["attempts"][-1]
        waited_us = Instant.parse(last["at"]) - Instant.parse(first["at"]) + last["first_byte_us"]
        return Asked(
            request=request,
            key=found["key_name"],
            providers=tuple(attempt["where"]["provider"] for attempt in found["attempts"]),
            outcome=last["outcome"],
            input_tokens=last["tokens"]["input_tokens"],
            cached_tokens=last["tokens"]["cached_tokens"],
            output_tokens=last["tokens"]["output_tokens"],
            first_byte_ms=round(waited_us / 1_000, 1),
        )

    def _find(self, request: str) -> Any:
        with suppress(InternalError):  # it has not arrived yet
            return self._api.get(f"/v1/requests/{request}")
        return None

    def _told(self) -> bool:
        """Whether every request is in the ledger; tries that never reached anybody may be beside them."""
        self.served.ledger = in_ledger(self._api)
        return sum(row.requests for row in self.served.ledger) >= self._asked

    def _wait(self, what: str, condition: Callable[[], Any]) -> Any:
        return self._host.wait(what, condition, PATIENCE_S, "gateway.log")

    def _beat(self, what: Any, says: str) -> None:
        self._tell(Beat(round(time.monotonic() - self._start, 2), what, says))
