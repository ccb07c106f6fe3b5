"""ISO 3166 codes."""

from __future__ import annotations

import pytest

from stargate.catalog.jurisdiction import COUNTRIES, US_STATES, country_of, fault


def test_the_standard_has_249_countries_and_57_parts_of_the_us() -> None:
    assert len(COUNTRIES) == 249
    assert len(US_STATES) == 57


@pytest.mark.parametrize("code", ["US", "US-TX", "AE", "AE-AZ", "NO", "NO-18", "GB-ENG", "FI-18"])
def test_good_codes(code: str) -> None:
    assert fault(code) is None


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("UK", "Did you mean 'GB'?"),
        ("UAE", "Did you mean 'AE'?"),
        ("Texas", "Write a country (AE) or a country and its part (US-TX)."),
        ("us-tx", "Write a country (AE) or a country and its part (US-TX)."),
        ("", "Write a country (AE) or a country and its part (US-TX)."),
        ("ZZ", "Write its two letters, as US, NO or AE."),
        ("US-XX", "Write the state's two letters, as US-TX."),
    ],
)
def test_bad_codes_come_with_a_way_out(code: str, remedy: str) -> None:
    found = fault(code)
    assert found is not None
    assert found[1] == remedy


def test_the_country_of_a_part() -> None:
    assert country_of("US-TX") == "US"
    assert country_of("AE") == "AE"
