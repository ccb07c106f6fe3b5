"""The strict reader: what it gives, what it refuses, and that it never breaks."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stargate.base.document import Document, parse, read, typed, yaml_files
from stargate.base.errors import InputError, Problem
from stargate.base.time import Duration, Instant


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    from_: Instant = msgspec.field(name="from")
    power_mw: Decimal
    status: Literal["planned", "operational"] = "planned"


class Local(msgspec.Struct, frozen=True, tag="local", tag_field="kind", forbid_unknown_fields=True):
    slots: int


class Remote(msgspec.Struct, frozen=True, tag="remote", tag_field="kind", forbid_unknown_fields=True):
    url: str


class Plant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: Annotated[str, msgspec.Meta(pattern="^[a-z ]+$", description="a word in small letters")]
    steps: tuple[Step, ...] = ()
    count: Annotated[int, msgspec.Meta(ge=0)] = 0
    grace: Duration = Duration(0)
    engine: Local | Remote | None = None
    ratio: Decimal | None = None
    labels: dict[str, str] = {}
    live: bool = False

    def __post_init__(self) -> None:
        if self.id == "nowhere":
            raise ValueError("a plant stands somewhere; name the place")


def one(text: str) -> Document:
    (document,) = parse(text)
    return document


def problems_of(text: str, kind: Any = None, at: str = "") -> tuple[Problem, ...]:
    with pytest.raises(InputError) as caught:
        parse(text) if kind is None else typed(one(text), kind, at)
    assert all(problem.message and problem.remedy for problem in caught.value.problems)
    return caught.value.problems


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("yes", "yes"),
        ("true", True),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("0x10", 16),
        ("0o17", 15),
        ("007", "007"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("1.50", Decimal("1.50")),
        (".5", Decimal("0.5")),
        ("1e3", Decimal(1000)),
        ("2025-01-21", "2025-01-21"),
        ("2025-01-21T14:00:00Z", "2025-01-21T14:00:00Z"),
        ("'12'", "12"),
        ("!!str 12", "12"),
        ("nan", "nan"),
        ("|\n a\n b\n", "a\nb\n"),
        ("[1, [2]]", [1, [2]]),
        ("{1: a, true: b}", {"1": "a", "true": "b"}),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    got = one(f"- {text}").value[0]
    assert got == value
    assert type(got) is type(value)


def test_several_documents_and_an_empty_text() -> None:
    assert [document.value for document in parse("a: 1\n---\nb: 2\n")] == [{"a": 1}, {"b": 2}]
    assert parse("") == ()
    assert parse("# only a comment\n") == ()


def test_lines_are_those_of_keys_and_items_and_the_nearest_is_found() -> None:
    document = one("pools:\n- id: a\n- id: b\n  chip:\n    H100\na.b:\n  c: 1\n")
    assert document.line("") == 1
    assert document.line("pools") == 1
    assert document.line("pools[0].id") == 2
    assert document.line("pools[1].chip") == 4
    assert document.line("pools[1].chip.deeper[3]") == 4
    assert document.line("pools[7]") == 1
    assert document.line("a.b.c") == 7
    assert document.line("nothing.here") == 1


def test_aliases_and_merge_keys() -> None:
    document = one("base: &b {x: 1, y: 2}\nother: &o {y: 9, z: 3}\none: *b\ntwo:\n  <<: [*b, *o]\n  x: 5\n")
    assert document.value["one"] == {"x": 1, "y": 2}
    assert document.value["two"] == {"x": 5, "y": 2, "z": 3}
    assert document.line("two.y") == 1
    assert one("'<<': 1").value == {"<<": 1}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", 4, "written twice; first on line 3"),
        ("a: .inf", 1, "not a number"),
        ("a:\n- .NaN", 2, "not a number"),
        ("a: 99999999999999999999", 1, "out of range"),
        ("a: 1e999999999", 1, "out of range"),
        ("a: " + "1" * 5000, 1, "out of range"),
        ("a: !!python/object:os.system x", 1, "tag"),
        ("a: !mine {}", 1, "tag"),
        ("a: !!binary aGk=", 1, "tag"),
        ("? [a, b]\n: 1", 1, "key must be plain text"),
        ("a: *b", 1, "names nothing"),
        ("a: &a [*a]", 1, "inside what it names"),
        ("a: 1\nb: c: d\n", 2, "not valid YAML"),
        ("a:\n\tb: 1\n", 2, "not valid YAML"),
        ("a: [1, 2", 1, "not valid YAML"),
        ('a: "\\0"', 1, "NUL"),
        ("ok: 1\na: \x07", 2, "control character"),
        ("a: 1\nb: \ud800", 2, "surrogate"),
        ("<<: 3", 1, "takes a mapping"),
        ("? " + "k" * 2000 + "\n: 1", 1, "longer than"),
    ],
)
def test_refuses(text: str, line: int, words: str) -> None:
    found = problems_of(text)
    assert words in found[0].message
    assert abs(found[0].line - line) <= 1 if "[1, 2" in text else found[0].line == line


def test_every_fault_of_a_text_is_named_up_to_a_bound() -> None:
    assert [problem.line for problem in problems_of("a: .inf\nb: !x 1\na: 2\n")] == [1, 2, 3]
    assert len(problems_of("- .inf\n" * 500)) == 100


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 100_000,
        "- " * 100_000,
        "{a: " * 100_000,
        "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40)),
        "a0: &a0 {x: 1}\n"
        + "".join(f"a{n}: &a{n} {{p: *a{n - 1}, q: *a{n - 1}, r: *a{n - 1}}}\n" for n in range(1, 60)),
        "x: " + "y" * (5 * 1024 * 1024),
        "- a: 1\n" * 130_000,
    ],
)
def test_size_depth_and_aliases_are_bounded(text: str) -> None:
    (problem,) = problems_of(text)
    assert any(word in problem.message for word in ("deeper", "aliases", "larger"))


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab01.-:,[]{}&*!|>'\"#%@`?~< \n\t\\\0\x07é\ud800e+"), max_size=80))
@example("? ? ?")
@example("%YAML 9.9\n---\n")
@example("&a !!str *a")
@example("- !<tag:yaml.org,2002:int> 3")
@example("[a: b]: c")
@example("--- a\n...\n... b")
@example("!!map []")
@example("!!seq {a: 1}")
@example("+\n- -\n- .\n- 0x")
def test_any_text_gives_data_or_problems(text: str) -> None:
    try:
        documents = parse(text)
        for document in documents:
            assert document.line("x[0].y") >= 1
            typed(document, Plant)
    except InputError as error:
        assert all(problem.message and problem.remedy for problem in error.problems)  # noqa: PT017


@settings(max_examples=200, deadline=None)
@given(raw=st.binary(max_size=200))
@example(raw=b"\xff\xfea\x00")
@example(raw=b"\xef\xbb\xbfid: x")
def test_any_bytes_give_data_or_problems(raw: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.yaml"
    path.write_bytes(raw)
    try:
        read(path)
    except InputError as error:
        assert {problem.file for problem in error.problems} == {str(path)}  # noqa: PT017


JSON_LIKE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(max_size=8)
    | st.decimals(-9, 9, places=2),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "steps",
                    "from",
                    "power_mw",
                    "status",
                    "count",
                    "engine",
                    "kind",
                    "slots",
                    "x",
                    "labels",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(JSON_LIKE)
def test_any_data_gives_a_record_or_problems(value: Any) -> None:
    mark = one("a: 1").marks
    try:
        assert isinstance(typed(Document(value=value, file="f", marks=mark), Plant), Plant)
    except InputError as error:
        assert all(problem.message and problem.remedy for problem in error.problems)  # noqa: PT017


def test_typed_gives_a_record() -> None:
    text = "id: a\nsteps:\n- {from: 2025-01-21, power_mw: 1.5, status: operational}\n"
    text += "grace: 0\nengine: {kind: remote, url: x}\n"
    plant = typed(one(text), Plant)
    assert plant.steps == (Step(Instant.parse("2025-01-21"), Decimal("1.5"), "operational"),)
    assert plant.engine == Remote("x")
    assert typed(one("plants:\n- id: a\n"), Plant, "plants[0]") == Plant("a")
    assert typed(one("plants:\n- id: a\n"), tuple[Plant, ...], "plants") == (Plant("a"),)


def test_every_bad_part_is_named_with_line_path_and_remedy() -> None:
    text = """\
- id: a
  cuont: 3
- id: b
  steps:
  - {from: 2025, power_mw: 5, status: working}
  - {from: 2025-01-21, power_mw: high}
  - power_mw: 5
- id: c
  count: -1
  grace: soon
  engine: {kind: lokal, slots: 3}
- count: many
- 7
"""
    found = {problem.path: problem for problem in problems_of(text, tuple[Plant, ...])}
    assert {path: problem.line for path, problem in found.items()} == {
        "[0].cuont": 2,
        "[1].steps[0].from": 5,
        "[1].steps[0].status": 5,
        "[1].steps[1].power_mw": 6,
        "[1].steps[2]": 7,
        "[2].count": 9,
        "[2].grace": 10,
        "[2].engine.kind": 11,
        "[3]": 12,
        "[3].count": 12,
        "[4]": 13,
    }
    assert found["[0].cuont"].remedy == "Did you mean 'count'?"
    assert found["[1].steps[0].from"].message == "expected a time, got the number 2025"
    assert "2025-01-21T14:00:00Z" in found["[1].steps[0].from"].remedy
    assert found["[1].steps[0].status"].message == "'working' is not one of planned, operational"
    assert found["[1].steps[1].power_mw"].message == "expected a number, got the text 'high'"
    assert found["[1].steps[2]"].message == "the field 'from' is missing"
    assert found["[2].count"].message == "must be at least 0; got the number -1"
    assert found["[2].grace"].message == "'soon' is not a duration"
    assert found["[2].grace"].remedy == "Write 90s, 72h or 1d12h."
    assert found["[2].engine.kind"].remedy == "Did you mean 'local'?"
    assert found["[3]"].message == "the field 'id' is missing"
    assert found["[4]"].message == "expected a mapping, got the number 7"


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("id: nowhere", "", "a plant stands somewhere"),
        ("id: NOWHERE", "id", "'NOWHERE' is not a word in small letters"),
        ("{id: a, steps: [{from: 2025-13-01, power_mw: 1}]}", "steps[0].from", "'2025-13-01' is not a time"),
        ("{id: a, ratio: 'NaN'}", "ratio", "NaN is not a usable number"),
        ("{id: a, ratio: '1e999'}", "ratio", "1E+999 is not a usable number"),
        ("{id: a, ratio: yes}", "ratio", "expected a number, got the text 'yes'"),
        ("{id: a, live: yes}", "live", "expected true or false, got the text 'yes'"),
        ("{id: 5}", "id", "expected text, got the number 5"),
        ("{id: a, count: 1.0}", "count", "expected a whole number, got the number 1.0"),
        ("{id: a, count: true}", "count", "expected a whole number, got true"),
        ("{id: a, steps: 5}", "steps", "expected a list, got the number 5"),
        ("{id: a, labels: {x: 1}}", "labels.x", "expected text, got the number 1"),
        ("{id: a, engine: {slots: 1}}", "engine", "the field 'kind' is missing"),
        ("{id: a, engine: {kind: local, slots: 1, url: x}}", "engine.url", "unknown field 'url'"),
        ("{id: a, engine: local}", "engine", "expected a mapping, got the text 'local'"),
        ("{id: a, grace: 5}", "grace", "expected a duration, got the number 5"),
        ("", "", "expected a mapping, got nothing"),
    ],
)
def test_messages_are_in_words(text: str, path: str, words: str) -> None:
    (problem,) = problems_of(text or "~", Plant)
    assert (problem.path, problem.message) == (path, words)


def test_a_path_that_is_not_there() -> None:
    (problem,) = problems_of("a: 1", Plant, "plants[0]")
    assert "nothing at 'plants[0]'" in problem.message


def test_reading_files(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("b: 1")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "a.yml").write_text("a: .inf")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "x.yaml").write_text("x: 1")
    (tmp_path / "notes.txt").write_text("no")
    empty = tmp_path / "empty"
    empty.mkdir()
    files = yaml_files(tmp_path)
    assert [file.name for file in files] == ["b.yaml", "a.yml"]
    assert yaml_files(files[0]) == (files[0],)
    assert read(files[0])[0].value == {"b": 1}
    with pytest.raises(InputError, match=r"a\.yml:1: a: \.inf is not a number"):
        read(files[1])
    with pytest.raises(InputError, match="no such file"):
        yaml_files(tmp_path / "absent")
    with pytest.raises(InputError, match="holds no"):
        yaml_files(empty)
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path)
