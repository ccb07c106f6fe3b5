from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stargate.agreements.refusal.sharing import Claim, entitlements, largest_remainder, share


def test_everybody_gets_its_weight() -> None:
    claims = (Claim("azure", 2, 800), Claim("oracle", 1, 800), Claim("aws", 1, 800))
    assert share(800, 8, claims) == {"azure": 400, "oracle": 200, "aws": 200}


def test_what_one_leaves_goes_to_those_who_want_more() -> None:
    claims = (Claim("azure", 2, 100), Claim("oracle", 1, 800), Claim("aws", 1, 120))
    # Azure can use 12 nodes, AWS 15; the other 73 of 100 are Oracle's.
    assert share(800, 8, claims) == {"azure": 96, "oracle": 584, "aws": 120}


def test_parts_of_a_node_go_by_largest_remainder_and_ties_by_party() -> None:
    claims = (Claim("c", 1, 80), Claim("a", 1, 80), Claim("b", 1, 80))
    assert share(80, 8, claims) == {"a": 32, "b": 24, "c": 24}
    assert largest_remainder(10, {"x": 6, "y": 3, "z": 1}) == {"x": 6, "y": 3, "z": 1}
    assert largest_remainder(4, {"x": 55, "y": 28, "z": 17}) == {"x": 2, "y": 1, "z": 1}


def test_entitlements_are_what_each_may_count_on() -> None:
    assert entitlements(1000, 8, {"azure": 3, "oracle": 1}) == {"azure": 752, "oracle": 248}


def test_a_wish_for_less_than_a_node_gets_nothing() -> None:
    assert share(80, 8, (Claim("a", 1, 7), Claim("b", 1, 16))) == {"a": 0, "b": 16}


CLAIMS = st.lists(
    st.builds(Claim, st.sampled_from("abcdefgh"), st.integers(1, 20), st.integers(0, 400)),
    min_size=1,
    max_size=6,
    unique_by=lambda claim: claim.party,
).map(tuple)


@given(st.integers(0, 500), st.sampled_from([1, 4, 8]), CLAIMS)
def test_nothing_is_lost_overdrawn_or_left_lying(
    total: int, per_node: int, claims: tuple[Claim, ...]
) -> None:
    given_out = share(total, per_node, claims)
    whole = total // per_node * per_node
    wanted = sum(claim.wanted_chips // per_node * per_node for claim in claims)
    assert sum(given_out.values()) == min(whole, wanted)
    for claim in claims:
        assert 0 <= given_out[claim.party] <= claim.wanted_chips
        assert given_out[claim.party] % per_node == 0


@given(st.integers(0, 500), st.sampled_from([1, 4, 8]), CLAIMS)
def test_the_order_of_claims_does_not_matter(total: int, per_node: int, claims: tuple[Claim, ...]) -> None:
    assert share(total, per_node, claims) == share(total, per_node, claims[::-1])


@given(st.integers(0, 500), st.sampled_from([1, 4, 8]), CLAIMS)
def test_nobody_who_wants_its_share_gets_less(total: int, per_node: int, claims: tuple[Claim, ...]) -> None:
    given_out = share(total, per_node, claims)
    own = entitlements(total, per_node, {claim.party: claim.weight for claim in claims})
    for claim in claims:
        assert given_out[claim.party] >= min(own[claim.party], claim.wanted_chips // per_node * per_node)


@given(st.integers(0, 1000), st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 50), min_size=1))
def test_the_largest_remainder_adds_up_and_stays_within_one_of_the_exact_part(
    units: int, weights: dict[str, int]
) -> None:
    parts = largest_remainder(units, weights)
    whole = sum(weights.values())
    assert sum(parts.values()) == units
    assert all(abs(parts[party] * whole - units * weight) < whole for party, weight in weights.items())
