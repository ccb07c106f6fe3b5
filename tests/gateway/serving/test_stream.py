"""Streams on their way through, cut at any byte."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from stargate.gateway.record import Tokens
from stargate.gateway.serving.stream import Scanner

TEXT = b'data: {"choices":[{"delta":{"content":"a [DONE] b"}}],"usage":null}\n\n'
PING = b": ping\n\n"
TRICK = b'data: {"choices":[{"delta":{"content":"\\"usage\\": {\\"prompt_tokens\\": 9}"}}]}\r\n\r\n'
USAGE = (
    b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":3,'
    b'"prompt_tokens_details":{"cached_tokens":2}}}\n\n'
)
DONE = b"data: [DONE]\n\n"
ERROR = b'data: {"error":{"message":"out of memory","code":500}}\n\n'
QUOTED = b'data: {"type":"response.created","response":{"metadata":{"type":"response.completed"}}}\n\n'
COMPLETED = (
    b'event: response.completed\ndata: {"type":"response.completed","response":{"usage":{"input_tokens":7,'
    b'"output_tokens":4,"output_tokens_details":{"reasoning_tokens":1}}}}\n\n'
)


def pieces(whole: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(whole), *(cut % (len(whole) + 1) for cut in cuts)})
    return [whole[start:end] for start, end in pairwise(places)]


def passed(scanner: Scanner, chunks: list[bytes]) -> bytes:
    return b"".join([scanner.feed(chunk) for chunk in chunks])


CUTS = st.lists(st.integers(0, 10_000), max_size=60)


@given(CUTS)
def test_usage_is_read_and_kept_from_who_did_not_ask_however_it_is_cut(cuts: list[int]) -> None:
    """All else goes on as it came; the end is held back."""
    scanner = Scanner(hide_usage=True)
    out = passed(scanner, pieces(TEXT + PING + TRICK + USAGE + DONE, cuts))
    assert out == TEXT + PING + TRICK
    assert scanner.ended == DONE
    assert scanner.tokens == Tokens(5, 2, 3, 0)
    assert scanner.said.startswith(b'{"prompt_tokens":5')
    assert scanner.events == 2
    assert scanner.whole


@given(CUTS)
def test_who_asked_for_usage_sees_it(cuts: list[int]) -> None:
    """Byte for byte."""
    scanner = Scanner(hide_usage=False)
    assert passed(scanner, pieces(TEXT + USAGE + DONE, cuts)) == TEXT + USAGE
    assert scanner.ended == DONE


@given(CUTS)
def test_a_response_ends_with_the_event_that_completes_it(cuts: list[int]) -> None:
    """It tells the usage, and is held back."""
    scanner = Scanner(hide_usage=True)
    begun = b'event: response.created\ndata: {"type":"response.created","response":{"usage":null}}\n\n'
    assert passed(scanner, pieces(begun + COMPLETED, cuts)) == begun
    assert scanner.ended == COMPLETED
    assert scanner.tokens == Tokens(7, 0, 4, 1)


def test_an_error_within_a_stream_is_noted_and_goes_on() -> None:
    """Some engines answer 200 and fail later."""
    scanner = Scanner(hide_usage=True)
    assert scanner.feed(TEXT + ERROR) == TEXT + ERROR
    assert b"out of memory" in scanner.error
    assert not scanner.whole


def test_what_stops_in_the_middle_is_not_whole() -> None:
    """The half event never reaches the client."""
    scanner = Scanner(hide_usage=True)
    assert scanner.feed(TEXT + TEXT[:20]) == TEXT
    assert not scanner.whole
    assert scanner.rest() == TEXT[:20]


def test_usage_beside_choices_stays() -> None:
    """Engines that tell it with each chunk tell the text with it."""
    scanner = Scanner(hide_usage=True)
    both = (
        b'data: {"choices":[{"delta":{"content":"x"}}],"usage":{"prompt_tokens":5,"completion_tokens":1}}\n\n'
    )
    assert scanner.feed(both) == both
    assert scanner.tokens == Tokens(5, 0, 1, 0)


@given(st.binary(max_size=400), CUTS)
def test_nothing_that_an_endpoint_sends_is_lost_or_breaks_it(junk: bytes, cuts: list[int]) -> None:
    """What is no stream of events goes through as well."""
    scanner = Scanner(hide_usage=False)
    assert passed(scanner, pieces(junk, cuts)) + scanner.ended + scanner.rest() == junk


def test_an_end_that_is_quoted_is_none() -> None:
    """A response says back the metadata of its request, whatever is in it."""
    scanner = Scanner(hide_usage=True)
    assert passed(scanner, [QUOTED, TEXT]) == QUOTED + TEXT
    assert not scanner.ended
    assert passed(scanner, [COMPLETED]) == b""
    assert scanner.ended == COMPLETED
