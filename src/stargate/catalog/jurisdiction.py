"""Where a site stands in law: ISO 3166-1 alpha-2 countries, with ISO 3166-2 subdivisions where they are given."""

from __future__ import annotations

import re

_PAIR = re.compile(r"[A-Z]{2}")
COUNTRIES = frozenset(
    _PAIR.findall("""
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO
    FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE
    JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO
    MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW
    PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM
    TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
    """)
)
"""ISO 3166-1 alpha-2."""
US_STATES = frozenset(
    _PAIR.findall("""
    AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR
    PA RI SC SD TN TX UT VT VA WA WV WI WY DC AS GU MP PR UM VI
    """)
)
"""ISO 3166-2:US."""
_CODE = re.compile(r"([A-Z]{2})(?:-([A-Z0-9]{1,3}))?")
_OFTEN_MEANT = {"UK": "GB", "EL": "GR", "USA": "US", "UAE": "AE"}


def fault(code: str) -> tuple[str, str] | None:
    """What is wrong with a jurisdiction and how to mend it; None where it is well formed.

    Countries and the states of the US are checked against the standard; other subdivisions by form only.
    """
    meant = _OFTEN_MEANT.get(code.upper())
    if meant is not None:
        return f"{code!r} is no ISO 3166 code", f"Did you mean {meant!r}?"
    found = _CODE.fullmatch(code)
    if found is None:
        return f"{code!r} is no ISO 3166 code", "Write a country (AE) or a country and its part (US-TX)."
    country, part = found[1], found[2]
    if country not in COUNTRIES:
        return f"{country!r} is no country of ISO 3166-1", "Write its two letters, as US, NO or AE."
    if country == "US" and part is not None and part not in US_STATES:
        return f"{code!r} is no part of the US in ISO 3166-2", "Write the state's two letters, as US-TX."
    return None


def country_of(code: str) -> str:
    """`US-TX` as `US`."""
    return code.partition("-")[0]
