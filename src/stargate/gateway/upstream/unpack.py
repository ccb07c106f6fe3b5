"""What an endpoint compressed although it was asked not to."""

from __future__ import annotations

import zlib

from stargate.gateway.upstream.failure import CutError

PIECE_LIMIT_BYTES = 1 << 20
"""The most that is unpacked at a time: a small piece may hold a thousandfold."""


class Unpack:
    """Inflates a body in `gzip` or `deflate`, piece by piece."""

    __slots__ = ("_inflate", "_rest")

    def __init__(self, encoding: str) -> None:
        """Raises CutError for an encoding that is not known here."""
        if encoding not in {"gzip", "x-gzip", "deflate"}:
            raise CutError("malformed", f"an endpoint answers in the encoding {encoding!r}, unasked")
        self._inflate = zlib.decompressobj(wbits=47)
        self._rest = b""

    def feed(self, packed: bytes) -> bytes:
        """What these bytes come to. It may be the beginning of it: then `more` gives the rest. Raises CutError."""
        try:
            plain = self._inflate.decompress(self._rest + packed, PIECE_LIMIT_BYTES)
        except zlib.error as fault:
            raise CutError(
                "malformed", f"an endpoint's answer is not compressed as it says: {fault}"
            ) from None
        self._rest = self._inflate.unconsumed_tail
        return plain

    def more(self) -> bytes:
        """What there is without another piece. Raises CutError."""
        return self.feed(b"") if self._rest else b""

    def end(self) -> None:
        """No more pieces come. Raises CutError if they should."""
        if not self._inflate.eof:
            raise CutError("reset", "an endpoint's compressed answer breaks off")
