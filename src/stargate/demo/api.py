"""The demo speaks to the server as anybody would: over HTTP, each role with a key of its own."""

from __future__ import annotations

from typing import Any

import httpx

from stargate.base.errors import InternalError


class Api:
    """The HTTP API under one key."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self._client = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30, trust_env=False
        )

    def get(self, path: str, **query: Any) -> Any:
        """A document. Raises InternalError with the server's own words, or that there was no answer."""
        return self._ask("GET", path, params=query)

    def post(self, path: str, body: Any = None) -> Any:
        """What came of a request."""
        return self._ask("POST", path, json={} if body is None else body)

    def under(self, key: str) -> Api:
        """The same server, seen by somebody else."""
        return Api(self.url, key)

    def close(self) -> None:
        """Let the connection go."""
        self._client.close()

    def _ask(self, method: str, path: str, **parts: Any) -> Any:
        try:
            answer = self._client.request(method, path, **parts)
        except httpx.HTTPError as error:
            raise InternalError(
                f"the demo's server did not answer {path}: {error}", "its log says why it went"
            ) from error
        if answer.is_error:
            raise InternalError(
                f"the demo's server answered {answer.status_code} to {answer.request.url.path}: {answer.text[:500]}",
                "please report this: the demo should run anywhere",
            )
        return answer.json()
