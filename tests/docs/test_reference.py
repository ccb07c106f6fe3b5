"""The reference leaves nothing out: whatever a user can meet by name has its place there, with words of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs._ext.reference import CHAPTERS, errors, fill, machine, models, records, routes, states
from docs._ext.reference.cli import options, walk
from stargate.base.errors import StargateError
from stargate.broker.command import Command
from stargate.broker.effect import Effect
from stargate.broker.fact import Fact
from tests.conftest import REPOSITORY

PAGES = REPOSITORY / "docs" / "reference"


def page(name: str) -> str:
    """A page of the reference as a reader gets it."""
    return fill((PAGES / f"{name}.md").read_text(encoding="utf-8"))


def test_every_chapter_stands_in_a_page() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (REPOSITORY / "docs").rglob("*.md")]
    missing = [name for name in CHAPTERS if not any(f"<!-- generated: {name} -->" in text for text in texts)]
    assert not missing, f"put <!-- generated: NAME --> into a page: {missing}"


def test_every_kind_of_clause_has_a_section() -> None:
    kinds = models.clause_kinds()
    assert len(kinds) >= 23, "the design names 23 kinds"
    text = page("agreements")
    assert [kind for kind in kinds if f"### `{kind}`" not in text] == []


def test_every_field_of_a_clause_is_in_a_table() -> None:
    text = page("agreements")
    missing = [
        f"{kind}.{field}"
        for kind, record in models.clause_kinds().items()
        for field in record.__struct_encode_fields__
        if f"| `{field}` |" not in text
    ]
    assert missing == []


@pytest.mark.parametrize(("union", "heading"), [(Command, "Commands"), (Fact, "Facts"), (Effect, "Effects")])
def test_every_word_of_the_machine_has_a_section(union: object, heading: str) -> None:
    words = machine.members(union)
    assert words, f"no {heading.lower()} were found"
    text = page("machine").partition(f"\n## {heading}\n")[2]
    assert [word for word in words if f"### `{word}`" not in text] == []


def test_every_transition_table_is_drawn() -> None:
    tables = states.tables()
    assert {"Attempt", "Slot", "Workload", "Offer", "Need", "Lease"} <= set(tables)
    text = page("machine")
    assert text.count("<svg ") == len(tables)
    for name, table in tables.items():
        drawn = re.search(rf"### {name}\n.*?</svg>", text, re.DOTALL)
        assert drawn is not None, name
        known = {state for before, after, _ in states.steps(table) for state in (before, after) if state}
        assert [state for state in known if f">{state}<" not in drawn.group()] == []


def test_every_command_has_a_section_with_all_its_options() -> None:
    text = page("cli")
    found = list(walk())
    assert len(found) > 20
    for path, command, context in found:
        assert f"### `{path}`" in text
        assert command.help, f"{path} has no help"
        for names, meaning in options(command, context):
            assert f"`{names}`".replace("|", "\\|") in text, f"{path} {names}"
            assert meaning.strip(), f"{path} {names} does not say what it is for"


def test_every_route_has_a_section() -> None:
    text = page("http")
    found = list(routes.operations())
    assert len(found) > 20
    for method, path, operation in found:
        assert f"### `{method} {path}`" in text
        assert operation.get("description") or operation.get("summary"), f"{method} {path} says nothing"


def test_every_key_of_a_workload_file_has_a_row() -> None:
    from stargate.workloads import authored

    text = page("workload")
    missing = [key for key in authored.Task.__struct_encode_fields__ if f"| `{key}` |" not in text]
    assert missing == []


def test_every_record_of_the_catalog_has_a_section() -> None:
    from stargate.catalog import Infrastructure

    text = page("catalog")
    kinds = records.reachable([Infrastructure])
    assert [kind.__name__ for kind in kinds if f"### {kind.__name__}\n" not in text] == []


def test_every_field_of_a_scenario_and_a_sweep_has_a_row() -> None:
    from stargate.agreements import WorldFact
    from stargate.rehearsal.scenario import Scenario
    from stargate.rehearsal.sweep.document import Sweep

    text = page("scenario")
    kinds = records.reachable([Scenario, Sweep], leave=frozenset({WorldFact}))
    titles = [models.title(kind) for kind in kinds]
    assert {"Scenario", "`fault: outage`", "`do: slip`", "`do: scale`", "PartyModel", "Sweep"} <= set(titles)
    assert len(set(titles)) == len(titles), "two records have one title"
    missing = []
    for kind, title in zip(kinds, titles, strict=True):
        part = text.partition(f"### {title}\n")[2].partition("\n### ")[0]
        missing += [
            f"{title}.{field}" for field in kind.__struct_encode_fields__ if f"| `{field}` |" not in part
        ]
    assert missing == []


def test_every_field_of_what_the_ledger_is_told_has_a_row() -> None:
    from stargate.ledger import Opening, Payment, UsageEvent

    text = page("ledger")
    for kind in (UsageEvent, Opening, Payment):
        part = text.partition(f"### {kind.__name__}\n")[2].partition("\n### ")[0]
        missing = [field for field in kind.__struct_encode_fields__ if f"| `{field}` |" not in part]
        assert missing == [], kind.__name__


def test_the_examples_of_what_the_ledger_is_told_are_taken(tmp_path: Path) -> None:
    from stargate.cli.ledger.declared import read_declared
    from stargate.server.api.body import read_body
    from stargate.server.api.ledger import UsageBody

    (batch,) = re.findall(r"```json\n(.*?)```", page("http"), re.DOTALL)
    assert read_body(batch.encode(), UsageBody).events[0].source == "gateway:eu/node-7"
    (told,) = re.findall(r"```yaml\n(.*?)```", page("ledger"), re.DOTALL)
    (tmp_path / "told.yaml").write_text(told, encoding="utf-8")
    found = read_declared(tmp_path / "told.yaml")
    assert [len(part) for part in (found.usage, found.openings, found.payments)] == [1, 1, 1]


def test_every_error_has_a_row() -> None:
    text = page("errors")
    assert StargateError in errors.classes()
    assert [kind.__name__ for kind in errors.classes() if f"| `{kind.__name__}` |" not in text] == []


def test_fields_that_need_words_have_them() -> None:
    """A field whose name and type do not say enough has a line below it; half of all fields at the least."""
    from stargate.agreements import Agreement
    from stargate.catalog import Infrastructure

    kinds = records.reachable([Agreement, Infrastructure])
    said = sum(len(records.field_texts(kind)) for kind in kinds)
    fields = sum(len(kind.__struct_fields__) for kind in kinds)
    assert said * 2 >= fields, f"{said} of {fields} fields say what they mean"


def test_a_chapter_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(KeyError):
        fill("<!-- generated: nothing -->")
