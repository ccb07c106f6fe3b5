from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargate.base.errors import InputError
from stargate.base.time import Duration
from stargate.server.api.body import DEPTH_LIMIT, read_body, shortened
from stargate.server.api.facts import FactBody
from stargate.server.api.needs import NeedBody
from stargate.server.api.offers import AnswerBody
from stargate.server.api.workloads import Submission


def problems(body: bytes, kind: type) -> list[str]:
    with pytest.raises(InputError) as raised:
        read_body(body, kind)
    return [f"{problem.path}: {problem.message}" for problem in raised.value.problems]


def test_a_good_body_is_a_record() -> None:
    body = b'{"id":"n","party":"lab","requirement":{"chips":8,"start_by":"2027-01-01","duration":"72h"}}'
    assert read_body(body, NeedBody).requirement.duration == Duration.parse("72h")


def test_every_fault_is_named_with_its_path() -> None:
    body = (
        b'{"party":"lab","requirement":{"chips":"8","start_by":"soon","duration":"72h"},"parts":[{"chip":1}]}'
    )
    said = problems(body, NeedBody)
    assert any(one.startswith("requirement.chips:") for one in said)
    assert any(one.startswith("requirement.start_by:") for one in said)
    assert any(one.startswith("parts[0]") for one in said)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'"text"',
        b'{"yaml":"\\ud800"}',
        b'{"yaml":1}',
        b'{"yaml":"a","yam":"b"}',
        b'{"workload":{"name":"x","priority":' + b"9" * 4_000 + b"}}",
        b'{"workload":{"name":"x","time_limit":"1e9h"}}',
        b"[" * 100_000,
        b'{"a":' * 1_000 + b"1" + b"}" * 1_000,
        b'{"yaml":NaN}',
        b"\x00",
    ],
    ids=range(16),
)
def test_what_is_no_submission(body: bytes) -> None:
    assert problems(body, Submission)


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1e99999999", "9" * 40, "0." + "1" * 60, "1e-300"])
def test_numbers_that_no_journal_holds(number: str) -> None:
    assert problems(f'{{"name":"x","value":{number}}}'.encode(), FactBody)


@pytest.mark.parametrize("value", ["null", "[]", "{}", '"' + "x" * 2_000 + '"'])
def test_values_that_no_agreement_compares(value: str) -> None:
    assert problems(f'{{"name":"x","value":{value}}}'.encode(), FactBody)


@pytest.mark.parametrize("value", ["0.25", "7", "true", '"open"', "-3", "0", "1e3"])
def test_values_that_it_does(value: str) -> None:
    read_body(f'{{"name":"x","value":{value}}}'.encode(), FactBody)


def test_depth_is_bounded() -> None:
    class Loose(msgspec.Struct):
        inner: Any

    def nested(levels: int) -> bytes:
        return b'{"inner":' + b"[" * levels + b"]" * levels + b"}"

    read_body(nested(DEPTH_LIMIT - 2), Loose)
    assert "nested deeper" in problems(nested(DEPTH_LIMIT + 1), Loose)[0]


def test_a_deal_beyond_64_bits_is_refused() -> None:
    body = (
        b'{"party":"lab","requirement":{"chips":100000000,"start_by":"2027-01-01","duration":"5000w",'
        b'"max_price_micro_usd_per_chip_hour":1000000000000}}'
    )
    assert "9 trillion" in problems(body, NeedBody)[0]


@pytest.mark.parametrize("at", ["0001-01-01", "1999-12-31", "2200-01-02", "9999-12-31T23:59:59Z"])
def test_times_far_from_ours_are_refused(at: str) -> None:
    said = problems(f'{{"answer":"waive","waived_until":"{at}"}}'.encode(), AnswerBody)
    assert "too far away" in said[0]


@given(st.binary(max_size=200))
def test_bytes_are_a_record_or_an_input_error(body: bytes) -> None:
    for kind in (Submission, NeedBody, AnswerBody, FactBody):
        with suppress(InputError):
            assert isinstance(read_body(body, kind), kind)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
FIELDS = st.sampled_from(
    ["id", "yaml", "workload", "requirement", "party", "answer", "value", "name", "scope"]
)


@given(st.dictionaries(FIELDS | st.text(max_size=5), JSON, max_size=5))
def test_json_is_a_record_or_an_input_error(plain: dict[str, object]) -> None:
    body = json.dumps(plain).encode(errors="surrogatepass")
    for kind in (Submission, NeedBody, AnswerBody, FactBody):
        with suppress(InputError):
            assert isinstance(read_body(body, kind), kind)


def test_quoted_text_is_short() -> None:
    assert shortened("abc") == "abc"
    assert len(shortened("x" * 1_000)) == 80
