"""Reading agreements, facts and requests: strict, with file and line, and everything else passed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from stargate import agreements
from stargate.base import wire
from stargate.base.errors import InputError, Problem
from stargate.base.time import Instant

DEAL = """\
agreement:
  id: deal
  parties: [lab, alpha]
  customer: lab
  supplier: alpha
  clauses:
"""


def problems(path: Path) -> tuple[Problem, ...]:
    with pytest.raises(InputError) as caught:
        agreements.load(path)
    return caught.value.problems


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_example_packs_and_unpacks(example: agreements.Loaded) -> None:
    for agreement in example.agreements:
        assert wire.unpacker(agreements.Agreement).decode(wire.pack(agreement)) == agreement
        assert wire.from_json(wire.to_json(agreement), agreements.Agreement) == agreement


def test_every_fault_with_line_path_and_remedy(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "deal.yaml",
        DEAL
        + """\
  - kind: first_refusal
    id: rofr
    mode: matching
  - kind: exclusive_servings
    id: api
  - kind: revenue_share
    id: share
    rat: 0.2
  - kind: residency
    id: us
    jurisdictions: [US]
    until: 2031-02-30
""",
    )
    found = {problem.path: problem for problem in problems(path)}
    assert set(found) == {
        "agreement.clauses[0].mode",
        "agreement.clauses[1].kind",
        "agreement.clauses[2].rat",
        "agreement.clauses[3]",
    }
    assert found["agreement.clauses[0].mode"].line == 9
    assert "'match'" in found["agreement.clauses[0].mode"].remedy
    assert "exclusive_serving" in found["agreement.clauses[1].kind"].remedy
    assert "'rate'" in found["agreement.clauses[2].rat"].remedy
    assert "until: '2031-02-30' is not a time" in found["agreement.clauses[3]"].message
    assert all(problem.file == str(path) for problem in found.values())


@pytest.mark.parametrize(
    ("clause", "message"),
    [
        ("{kind: revenue_share, id: s, rate: 20}", "rate is 20, and at most 1: 20 % is written 0.20"),
        ("{kind: revenue_share, id: s, rate: -0.1}", "cannot be negative"),
        ("{kind: revenue_share, id: s}", "give either rate"),
        ("{kind: price, id: p}", "give either price_usd or tiers"),
        ("{kind: price, id: p, tiers: [{price_usd: 1, up_to: 5}]}", "the last tier has none"),
        ("{kind: commitment, id: c}", "nothing is committed"),
        ("{kind: commitment, id: c, amount: 1, category: Usage}", "needs a unit"),
        ("{kind: commitment, id: c, amount: 1, start_on: delivery}", "needs portions"),
        ("{kind: capacity_reservation, id: r}", "give either quantity or ramp"),
        ("{kind: prepayment, id: p, percent: 15}", "percent needs of"),
        ("{kind: prepayment, id: p, percent: 150, of: c}", "percent is 150, and at most 100"),
        ("{kind: amendment, id: a, from: 2026-01-01}", "the amendment changes nothing"),
        ("{kind: amendment, id: a, from: {fact: x}, removes: [y]}", "takes effect on a date"),
        ("{kind: termination, id: t, ends: tranche}", "needs clauses"),
        (
            "{kind: service_level, id: s, tiers: [{below: 0.9, credit: 1}, {below: 0.9, credit: 1}]}",
            "same level",
        ),
        ("{kind: delivery, id: d, tranches: []}", "at least 1 items"),
        ("{kind: first_refusal, id: r, mode: match, window: {length: 0}}", "not 0"),
        (
            "{kind: residency, id: r, jurisdictions: [US], exceptions: [{id: x, scope: []}]}",
            "swallow the clause",
        ),
        ("{kind: term, id: t, until: {date: 2030-01-01, fact: x}}", "exactly one of"),
        ("{kind: term, id: t, until: {earliest_of: [2030-01-01, never]}}", "'never' is not a time"),
    ],
)
def test_clauses_check_themselves(tmp_path: Path, clause: str, message: str) -> None:
    found = problems(write(tmp_path, "deal.yaml", DEAL + f"  - {clause}\n"))
    assert any(message in problem.message for problem in found), found


def test_an_amendment_of_what_is_not_there(tmp_path: Path) -> None:
    text = DEAL + "  - {kind: amendment, id: a, from: 2026-01-01, removes: [rofr]}\n"
    (problem,) = problems(write(tmp_path, "deal.yaml", text))
    assert (problem.line, problem.path) == (7, "agreement.clauses[0].removes[0]")
    assert "deal has no clause 'rofr' on 2026-01-01" in problem.message


def test_a_change_that_does_not_fit(tmp_path: Path) -> None:
    text = DEAL + (
        "  - {kind: residency, id: us, jurisdictions: [US]}\n"
        "  - {kind: amendment, id: a, from: 2026-01-01, changes: [{clause: us, set: {jurisdictions: 5}}]}\n"
    )
    (problem,) = problems(write(tmp_path, "deal.yaml", text))
    assert "the changed clause deal/us does not fit" in problem.message


def test_one_id_twice_in_two_files(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        write(tmp_path, name, DEAL + "  - {kind: term, id: t, until: 2030-01-01}\n")
    (problem,) = problems(tmp_path)
    assert problem.file.endswith("b.yaml")
    assert "a.yaml" in problem.message


def test_unknown_keys_beside_an_agreement(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path, "deal.yaml", DEAL + "    []\ncalenders: []\n"))
    assert "'calendars'" in problem.remedy


def test_other_documents_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "parties.yaml", "parties: [{id: lab}]\nsites: 5\n")
    write(tmp_path, "task.yaml", "run: echo\n")
    write(tmp_path, "empty.yaml", "# nothing\n")
    write(tmp_path, "list.yaml", "- 1\n")
    write(tmp_path, "deal.yaml", DEAL + "  - {kind: term, id: t, until: 2030-01-01}\n")
    assert [agreement.id for agreement in agreements.load(tmp_path)] == ["deal"]
    assert [agreement.id for agreement in agreements.load([tmp_path, tmp_path / "deal.yaml"])] == ["deal"]


def test_shared_calendars_go_with_the_agreements_that_name_them(tmp_path: Path) -> None:
    clause = "  - {kind: first_refusal, id: r, mode: match, calendar: texas}\n"
    write(tmp_path, "deal.yaml", DEAL + clause)
    write(
        tmp_path,
        "calendars.yaml",
        "calendars:\n- {name: texas, time_zone: America/Chicago}\n- {name: other}\n",
    )
    (agreement,) = agreements.load(tmp_path)
    assert [calendar.name for calendar in agreement.calendars] == ["texas"]


def test_lint_knows_file_and_line(tmp_path: Path) -> None:
    path = write(tmp_path, "deal.yaml", DEAL + "  - kind: waiver\n    id: w\n    clauses: [nothing]\n")
    (problem,) = agreements.load_all(path).lint()
    assert (problem.file, problem.line, problem.path) == (str(path), 9, "agreement.clauses[0].clauses")


def test_facts_of_a_folder(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "facts:\n- {name: x, value: 99.5, valid_from: 2025-01-01}\n")
    write(tmp_path, "b.yaml", "facts:\n- {name: y, value: true, valid_from: 2025-01-01T08:00:00-08:00}\n")
    write(tmp_path, "c.yaml", "run: echo\n")
    assert [(fact.name, fact.value) for fact in agreements.load_facts(tmp_path)] == [
        ("x", "99.5"),
        ("y", True),
    ]
    write(
        tmp_path,
        "d.yaml",
        "facts:\n- {name: z, valid_from: 2025-01-01}\n- {name: w, value: 1, valid_from: 5}\n",
    )
    with pytest.raises(InputError) as caught:
        agreements.load_facts(tmp_path)
    assert len(caught.value.problems) == 2


def test_requests(tmp_path: Path) -> None:
    path = write(
        tmp_path, "request.yaml", "action: serve\nparty: lab\nattributes: {product: api, chips: 8}\n"
    )
    request, facts = agreements.load_request(path)
    assert (request.action, request.attributes, facts) == ("serve", {"product": "api", "chips": 8}, ())
    path = write(
        tmp_path,
        "beside.yaml",
        "facts: [{name: x, value: 1, valid_from: 2025-01-01}]\naction: serve\n---\nfacts:\n"
        "- {name: y, value: 1, valid_from: 2025-01-01}\n",
    )
    request, facts = agreements.load_request(path)
    assert [fact.name for fact in facts] == ["x", "y"]
    assert agreements.load_request(write(tmp_path, "w.yaml", "request: {action: ship}\n"))[0].action == "ship"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("action: servr\n", "servr"),
        ("party: lab\n", "'action' is missing"),
        ("action: serve\nprovder: x\n", "unknown field 'provder'"),
        ("action: exercise\n", "needs the attribute clause"),
        ("facts: []\n", "holds no request"),
        ("action: serve\n---\naction: ship\n", "holds 2 requests"),
        ("[1]\n", "this is no request"),
    ],
)
def test_requests_that_cannot_be_read(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        agreements.load_request(write(tmp_path, "request.yaml", text))
    assert message in str(caught.value)


def test_an_answer_packs_for_programs(example: agreements.Loaded, repository: Path) -> None:
    request, facts = agreements.load_request(
        repository / "examples/stargate/requests/source-from-oracle.yaml"
    )
    answer = agreements.ask(example.agreements, facts, request, Instant.parse("2025-02-01"))
    plain = wire.to_plain(answer)
    assert plain["outcome"] == "must_offer"
    assert plain["rights"][0]["holder"] == "microsoft"
    assert wire.from_json(wire.to_json(answer), agreements.Answer) == answer
