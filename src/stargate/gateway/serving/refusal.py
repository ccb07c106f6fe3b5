"""Refusals in the shape that OpenAI's clients know, with our reason beside it.

Clients try again by themselves on 408, 409, 429 and 5xx, unless `x-should-retry` says no: it is said wherever trying
again cannot help.
"""

from __future__ import annotations

import msgspec

from stargate.base.errors import StargateError

Headers = list[tuple[str, str]]
_JSON = msgspec.json.Encoder()


class Refusal(StargateError):  # noqa: N818  # it is an answer
    """A request that is not answered. `code` is stable, `message` says the way out."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        kind: str = "",
        param: str | None = None,
        retry_s: float | None = None,
        headers: Headers | None = None,
    ) -> None:
        super().__init__(message)  # its way out is part of it: clients show nothing else
        self.status = status
        self.code = code
        self.message = message
        self.kind = kind or kind_of(status)
        self.param = param
        self.retry_s = retry_s
        """Seconds after which it may go better; None: trying again does not help."""
        self.more = headers or []

    @property
    def body(self) -> bytes:
        """`{"error": …}`."""
        return _JSON.encode(
            {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}
        )

    @property
    def headers(self) -> Headers:
        """Of the response, its type among them."""
        found = [("content-type", "application/json"), *self.more]
        if self.retry_s is None:
            found.append(("x-should-retry", "false"))
        else:
            found += [
                ("x-should-retry", "true"),
                ("retry-after", str(max(1, round(self.retry_s)))),
                ("retry-after-ms", str(round(self.retry_s * 1_000))),
            ]
        if self.status == 401:
            found.append(("www-authenticate", "Bearer"))
        return found


_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    405: "invalid_request_error",
    408: "timeout_error",
    411: "invalid_request_error",
    413: "invalid_request_error",
    415: "invalid_request_error",
    429: "rate_limit_error",
    431: "invalid_request_error",
}


def kind_of(status: int) -> str:
    """OpenAI's word for what kind of error a status is."""
    return _KINDS.get(status, "invalid_request_error" if 400 <= status < 500 else "api_error")


def unknown_key() -> Refusal:
    """No key, or one that is worth nothing here. Which of these is not said."""
    return Refusal(
        401,
        "invalid_api_key",
        "this request carries no key that is good here; send one as `Authorization: Bearer sg_live_…`",
    )


def malformed(message: str, param: str | None = None) -> Refusal:
    """What was sent cannot be what is meant."""
    return Refusal(400, "invalid_request", message, param=param)


def unknown_model(model: str) -> Refusal:
    """No such model, or none that this key may ask for: that is not told apart."""
    return Refusal(
        404,
        "model_not_found",
        f"the model {model!r:.100} does not exist or this key may not use it; `GET /v1/models` lists those it may",
        param="model",
    )
