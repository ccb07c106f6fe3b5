"""The error tree. Whose fault it was shows in the type; every message names the way out.

StargateError
├── UserError                 the caller's input or wish; nothing was changed
│   ├── InputError            a document or a body is not well formed (carries `problems`)
│   ├── NotFoundError         no such thing
│   ├── StateConflictError    the thing is not in a state that allows this
│   ├── ForbiddenError        an agreement, a role or a policy says no (carries `reasons`)
│   ├── UnauthorizedError     no valid key
│   └── LimitError            a declared limit would be passed
├── ProviderError             a provider did not do what it said
├── EngineError               an execution engine failed or contradicted itself
└── InternalError             our own fault; please report it
    ├── JournalError          the record cannot be written or does not verify: the broker stops
    └── LedgerError           the ledger cannot be written or does not verify: nothing is posted
"""

from __future__ import annotations

from typing import ClassVar

import msgspec


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing wrong with an input: where it stands, what it is, and how to mend it."""

    message: str
    remedy: str
    file: str = ""
    line: int = 0
    """1-based line in `file`; 0 where the input has no lines."""
    path: str = ""
    """The field, as `pools[2].price_usd_per_chip_hour`."""

    def __str__(self) -> str:
        place = ":".join(part for part in (self.file, str(self.line) if self.line else "") if part)
        parts = [part for part in (place, self.path) if part]
        return f"{': '.join([*parts, self.message])}. {self.remedy}".rstrip()


class StargateError(Exception):
    """Root of every error that Stargate raises on purpose."""

    http_status: ClassVar[int] = 500

    def __init__(self, message: str, remedy: str = "") -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(f"{message}. {remedy}" if remedy else message)


class UserError(StargateError):
    """The caller asked for something that cannot be; nothing was changed."""

    http_status = 400


class InputError(UserError):
    """A document or request body is malformed; `problems` lists every fault found."""

    http_status = 422

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        assert problems, "an InputError names at least one problem"
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class NotFoundError(UserError):
    """The named thing does not exist, or is not the caller's to see."""

    http_status = 404


class StateConflictError(UserError):
    """The thing exists but its state does not allow what was asked."""

    http_status = 409


class ForbiddenError(UserError):
    """An agreement, a role or a policy says no; `reasons` cite clauses where there are any."""

    http_status = 403

    def __init__(self, message: str, remedy: str = "", reasons: tuple[str, ...] = ()) -> None:
        self.reasons = reasons
        super().__init__(message, remedy)


class UnauthorizedError(UserError):
    """The request carries no valid key."""

    http_status = 401


class LimitError(UserError):
    """A declared limit would be passed."""

    http_status = 429


class ProviderError(StargateError):
    """A provider did not do what it said."""

    http_status = 502


class EngineError(StargateError):
    """An execution engine failed or contradicted itself."""

    http_status = 502


class InternalError(StargateError):
    """Our own fault."""


class JournalError(InternalError):
    """The journal cannot be written, or does not verify."""


class LedgerError(InternalError):
    """The ledger cannot be written, or does not verify."""
