"""The agreements of the example on any day of theirs: their dates are moved, so that this day is today.

A gateway serves by the clock of its host, and by the dates that agreements bear. So the clock stays as it is, and
what was signed long ago was signed as long before now as it was before the day that is staged.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import openai
import yaml
from openai import OpenAI

from tests.gateway.plant import ROOT, Plant
from tests.gateway.provider import Process

EXAMPLE = ROOT / "examples" / "stargate"
MODEL = "lm-6"
SERVED = """
models: [{{id: lm-6, owner: openai, price: {{output_usd_per_million_tokens: 10}}, prefer: cheapest}}]
apis:
  - {{id: azure-api, provider: azure, site: fairwater-atlanta, url: '{azure}', network: loopback,
     models: [{{model: lm-6, price: {{output_usd_per_million_tokens: 4}}}}], outstanding_requests: 1}}
  - {{id: oci-api, provider: oci, site: abilene, url: '{oci}', network: loopback,
     models: [{{model: lm-6, price: {{output_usd_per_million_tokens: 3}}}}]}}
"""
"""One model with both. Azure takes one request at a time: it is soon full. Oracle costs less."""
TRAFFIC: dict[str, dict[str, Any]] = {
    "api": {"product": "api"},
    "chatgpt": {"product": "chatgpt"},
    "government": {"product": "api", "customer": "national_security"},
}
NEVER_MOVED = frozenset({"holidays"})


class Said:
    """An answer, or a refusal, as a client sees it."""

    def __init__(self, status: int, request: str, provider: str, why: str, code: str, message: str) -> None:
        self.status = status
        self.request = request
        self.provider = provider
        """Who was asked in the end; empty: nobody."""
        self.why = why
        """What the header `stargate-why` says, as JSON."""
        self.code = code
        self.message = message


class Stage(Plant):
    """The example's lab behind a gateway of one worker, with a key for each kind of traffic."""

    def __init__(self, folder: Path) -> None:
        mocks = {name: Process("--model", MODEL) for name in ("azure", "oci")}
        urls = {name: mock.url for name, mock in mocks.items()}
        options = ("--infrastructure", str(EXAMPLE / "infrastructure"), "--agreements", "agreements")
        super().__init__(folder, SERVED.format(**urls), mocks, options=options)
        self._write(moved_by=timedelta(0))
        self._keys: dict[str, str] = {}
        self._day = ""

    def on(self, day: str, *, again: bool = False) -> None:
        """Put the agreements into force as they stand on a day, or at a moment with its zone."""
        if day == self._day and not again:
            return
        self._day = day
        self.wait(lambda: self.ask("/v1/status", plane=True)[1]["routes"] == self._routes())
        before = self._routes()
        now, told = datetime.now(UTC), datetime.fromisoformat(day)
        self._write(now - told if told.tzinfo else timedelta(days=(now.date() - told.date()).days))
        status, said = self.ask("/v1/declare", {}, plane=True)
        assert status == 200, said
        self.wait(lambda: self._routes() > before)

    def _routes(self) -> int:
        """Version of those that the gateway serves by."""
        version: int = self.ask("/health/ready")[1]["routes"]
        return version

    def _write(self, moved_by: timedelta) -> None:
        folder = self.folder / "agreements"
        folder.mkdir(exist_ok=True)
        for file in sorted((EXAMPLE / "agreements").glob("*.yaml")):
            (folder / file.name).write_text(
                yaml.safe_dump(moved(yaml.safe_load(file.read_text()), moved_by), sort_keys=False)
            )

    def key_for(self, traffic: str) -> str:
        """A key that speaks for it, and is told why."""
        if traffic not in self._keys:
            token = self.key(traffic, why=True, **TRAFFIC[traffic])
            self.wait(lambda: self.ask("/v1/models", token=token)[0] == 200)
            self._keys[traffic] = token
        return self._keys[traffic]

    def client(self, traffic: str) -> OpenAI:
        """That asks once."""
        transport = openai.DefaultHttpxClient(trust_env=False)
        return OpenAI(
            base_url=self.url, api_key=self.key_for(traffic), max_retries=0, http_client=transport, timeout=60
        )

    def chat(self, traffic: str, **more: Any) -> Said:
        """Ask for the model."""
        with self.client(traffic) as client:
            try:
                raw = client.chat.completions.with_raw_response.create(
                    model=MODEL, messages=[{"role": "user", "content": "Hello"}], **more
                )
                response, code, message = raw.http_response, "", ""
            except openai.APIStatusError as error:
                response, code, message = error.response, str(error.code), error.message
        request = response.headers["x-request-id"]
        return Said(
            response.status_code,
            request,
            self._asked(request),
            response.headers.get("stargate-why", ""),
            code,
            message,
        )

    @contextmanager
    def full(self) -> Iterator[None]:
        """As long as Azure is at work on the one request that it takes."""
        with (
            self.client("api") as client,
            client.chat.completions.create(
                model=MODEL,
                messages=[{"role": "user", "content": "A long story"}],
                stream=True,
                extra_body={"mock": "tokens=2000&pace_ms=30"},
                max_tokens=2_000,
            ) as stream,
        ):
            next(iter(stream))
            yield
        self.wait(lambda: self.ask("/health/ready")[1]["open_requests"] == 0)

    def _asked(self, request: str) -> str:
        asked = [
            (id, name)
            for name, requests in self.used().items()
            for id in requests
            if id.startswith(f"{request}.")
        ]
        return max(asked)[1] if asked else ""

    def explained(self, request: str) -> str:
        """What `stargate explain` says of a request, once the gateway has told of it."""
        self.wait(lambda: any(name.startswith(f"{request}.") for name in self.filed()))
        return self.say("explain", request)


def moved(value: Any, by: timedelta, key: str = "") -> Any:
    """The same document with all its dates so much later."""
    if isinstance(value, dict):
        return {name: moved(each, by, name) for name, each in value.items()}
    if isinstance(value, list):
        return [moved(each, by, key) for each in value]
    if isinstance(value, date) and key not in NEVER_MOVED:
        moment = datetime(value.year, value.month, value.day, tzinfo=UTC) + by
        text = moment.isoformat(timespec="microseconds")
        return text.removesuffix("T00:00:00.000000+00:00").replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value
