"""Random agreements, facts and requests for property tests: small vocabularies, so that things meet."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from stargate.agreements import Agreement, Request, WorldFact
from stargate.base import wire
from stargate.base.time import DAY, Instant

START = Instant.parse("2025-01-01")
LAST = 400
"""Days from START in which everything happens."""

days = st.integers(0, LAST)
instants = days.map(lambda day: START.plus(day * DAY))
dates = instants.map(lambda at: at.iso()[:10])
parties = st.sampled_from(["alpha", "beta", "gamma"])
products = st.sampled_from(["api", "chat"])
places = st.sampled_from(["US", "US-TX", "NO", "NO-18"])
fact_names = st.sampled_from(
    ["x", "y", "in_default/alpha", "shipped/api/alpha", "down/alpha", "notice/deal-0/end-0"]
)

filters = st.one_of(
    st.fixed_dictionaries(
        {"field": st.just("customer"), "values": st.lists(st.sampled_from(["gov", "firm"]), min_size=1)}
    ),
    st.fixed_dictionaries(
        {
            "field": st.just("chips"),
            "operator": st.just("AtLeast"),
            "values": st.tuples(st.sampled_from([10, 100])),
        }
    ),
)
moments: st.SearchStrategy[Any] = dates | st.fixed_dictionaries(
    {"earliest_of": st.tuples(dates, st.fixed_dictionaries({"fact": fact_names}))}
)
common: dict[str, Any] = {
    "scope": st.lists(filters, max_size=2),
    "from": moments,
    "until": moments,
    "priority": st.integers(0, 1),
    "exceptions": st.lists(
        st.fixed_dictionaries({"id": st.just("carve"), "scope": st.lists(filters, min_size=1, max_size=1)}),
        max_size=1,
    ),
    "suspended_by": st.lists(st.fixed_dictionaries({"fact": fact_names}), max_size=1),
}


def _kind(
    kind: str, required: dict[str, Any], optional: dict[str, Any] | None = None
) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({"kind": st.just(kind), **required}, optional={**common, **(optional or {})})


clauses = st.one_of(
    _kind(
        "first_refusal",
        {"mode": st.sampled_from(["first_offer", "match", "capability"])},
        {"rank": st.integers(1, 2), "threshold_chips": st.sampled_from([0, 50])},
    ),
    _kind(
        "exclusive_serving",
        {"products": st.lists(products, max_size=1)},
        {"failover": st.just({"after": "2d"}), "actions": st.just(["serve", "train", "source"])},
    ),
    _kind(
        "residency",
        {"jurisdictions": st.lists(places, min_size=1, max_size=2)},
        {"min_share": st.just("0.5")},
    ),
    _kind("first_ship", {"condition": st.just("cannot_or_declines")}, {"lead": st.just("5d")}),
    _kind(
        "entitlement",
        {"rights": st.just(["use"]), "assets": st.just(["ip"])},
        {"exclusive": st.booleans()},
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("trigger"),
            "when": st.lists(st.fixed_dictionaries({"fact": fact_names}), min_size=1, max_size=2),
            "effects": st.tuples(
                st.fixed_dictionaries(
                    {
                        "effect": st.sampled_from(["suspend", "end", "start"]),
                        "clauses": st.lists(st.sampled_from(["c0", "c1", "c2"]), min_size=1, max_size=2),
                    }
                )
            ),
        },
        optional={"lasts": st.just("while_true")},
    ),
    st.fixed_dictionaries({"kind": st.just("waiver"), "clauses": st.just(["c0"])}, optional={"until": dates}),
)


@st.composite
def plain_agreements(draw: st.DrawFn) -> list[dict[str, Any]]:
    """One to three agreements with up to five clauses each, some of them exceptions to one another."""
    found = []
    for number in range(draw(st.integers(1, 3))):
        chosen = draw(st.lists(clauses, min_size=1, max_size=5))
        named = [dict(clause, id=f"c{index}") for index, clause in enumerate(chosen)]
        for clause in named:
            if clause["kind"] not in ("trigger", "waiver") and draw(st.integers(0, 4)) == 0:
                clause["exception_to"] = draw(st.sampled_from(["c0", "c1", "deal-0/c0"]))
        if draw(st.booleans()):
            named.append({"kind": "term", "id": "term", "until": draw(dates)})
        if draw(st.integers(0, 3)) == 0:
            named.append({"kind": "termination", "id": "end-0", "notice": "10d"})
        paper: dict[str, Any] = {
            "id": f"deal-{number}",
            "customer": "lab",
            "supplier": draw(parties),
            "clauses": named,
        }
        if draw(st.booleans()):
            paper["signed_on"] = draw(dates)
        found.append(paper)
    return found


@st.composite
def amendments(draw: st.DrawFn, papers: list[dict[str, Any]]) -> dict[str, Any]:
    """A paper that amends one of them from some day on."""
    target = draw(st.sampled_from(papers))
    names = [clause["id"] for clause in target["clauses"]]
    change: dict[str, Any] = {"kind": "amendment", "id": "change", "from": draw(dates)}
    removed = draw(st.lists(st.sampled_from(names), unique=True, max_size=2))
    added = [
        dict(clause, id=f"new-{index}") for index, clause in enumerate(draw(st.lists(clauses, max_size=2)))
    ]
    if removed or not added:
        change["removes"] = removed or names[:1]
    if added:
        change["adds"] = added
    return {
        "id": "amending",
        "amends": target["id"],
        "customer": "lab",
        "supplier": "alpha",
        "clauses": [change],
    }


facts = st.lists(
    st.builds(
        WorldFact,
        name=fact_names,
        value=st.booleans(),
        valid_from=instants,
        recorded_at=instants,
    ),
    max_size=6,
).map(tuple)
requests = st.builds(
    Request,
    action=st.sampled_from(["train", "serve", "source", "ship", "use"]),
    party=st.sampled_from(["lab", "lab", "alpha", ""]),
    provider=parties | st.just(""),
    attributes=st.fixed_dictionaries(
        {},
        optional={
            "product": products,
            "customer": st.sampled_from(["gov", "firm"]),
            "chips": st.sampled_from([1, 60, 100]),
            "jurisdiction": places,
            "asset": st.just("ip"),
        },
    ),
)


def built(papers: list[dict[str, Any]]) -> list[Agreement]:
    """The plain data as records."""
    return [wire.convert(paper, Agreement) for paper in papers]
