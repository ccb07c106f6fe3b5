"""The pages on the performance model leave out no term and no constant, and every formula can be drawn."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from docs._ext.drawn_math import drawing
from docs._ext.reference import constants, fill
from stargate.cli.performance.rows import SUFFICES
from stargate.performance.calibration import fit, fold, lookup, rebase, record, shipped
from stargate.performance.inference import memory as served
from stargate.performance.inference.iteration import Iteration
from stargate.performance.training import activations, candidates, flops, memory, memory_traffic
from stargate.performance.training.layout import BUBBLE, Layout
from stargate.performance.training.mfu import Convention
from stargate.performance.training.step import ORDER
from tests.conftest import REPOSITORY

DOCS = REPOSITORY / "docs"
MODEL = (DOCS / "reference" / "performance.md").read_text(encoding="utf-8")
CALIBRATION = fill((DOCS / "reference" / "calibration.md").read_text(encoding="utf-8"))
LAYOUT = Layout(sequence=1, batch=1)
WORDS = {"five": "5", "six": "6", "eight": "8", "thirty": "30"}
FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<![\w$])\$([^$\s](?:[^$\n]*[^$\s])?)\$(?!\w)", re.DOTALL)


def formulas() -> list[str]:
    """Every formula of every page, without code."""
    found = []
    for page in sorted(DOCS.glob("reference/*.md")):
        text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        found += [first or second for first, second in FORMULA.findall(text)]
    return found


def test_every_formula_can_be_drawn() -> None:
    assert len(formulas()) > 50
    for formula in formulas():
        drawn = drawing(formula.replace(r"\frac", r"\dfrac"))
        assert drawn.startswith('<svg class="sg-formula"'), formula
        assert "<style" not in drawn, "a style sheet inside a drawing holds for the whole page"


def test_a_formula_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing"):
        drawing(r"\nothing{x}")


TRAINING, _, SERVING = MODEL.partition("\n## Serving: one iteration\n")
TERMS = [*((TRAINING, name) for name in ORDER), *((SERVING, name) for name in Iteration.__struct_fields__)]


@pytest.mark.parametrize(
    ("part", "name"), TERMS, ids=[f"{number}-{name}" for number, (_, name) in enumerate(TERMS)]
)
def test_every_term_is_explained(part: str, name: str) -> None:
    assert re.search(rf"^###.*`{name}`|^\| `{name}` \|", part, re.MULTILINE), f"no section or row of {name}"


@pytest.mark.parametrize("name", constants.names())
def test_every_constant_has_its_place_in_a_formula(name: str) -> None:
    drawn = rf"\mathtt{{{name}}}".replace("_", r"\_")
    assert f"`{name}`" in MODEL or drawn in MODEL, f"{name} is on no line of the page"


def test_formulas_name_no_constant_that_is_none() -> None:
    named = {name.replace("\\_", "_") for name in re.findall(r"\\mathtt\{([^}]*)\}", MODEL)}
    assert named <= set(constants.names())


def test_every_convention_has_a_row() -> None:
    for name in get_args(Convention):
        assert f"| `{name}` |" in MODEL


def test_every_constant_is_in_a_table_with_what_ships() -> None:
    known = shipped()
    for name, value in known.shared.items():
        row = rf"^\| `{re.escape(name.removeprefix('serving_'))}` \|.*\| {re.escape(constants.number(value))} \|$"
        assert re.search(row, CALIBRATION, re.MULTILINE), name
    for cell in known.cells:
        assert f"| {cell.chip} | {cell.precision} | {cell.rows:,} |" in CALIBRATION
    for release in known.releases:
        assert f"| {release.software} | {release.rows:,} |" in CALIBRATION


@pytest.mark.parametrize(
    ("page", "says", "values"),
    [
        (MODEL, r"hence ([\d.]+)\b", (flops.ATTENTION_PASSES,)),
        (MODEL, r"moves (\d+) bytes per score", (memory_traffic.SCORE_BYTES,)),
        (
            MODEL,
            r"is 1 for 1F1B .*? \$1/(\d)\$ .*? \$1/(\d)\$",
            (1 / BUBBLE["zero_bubble"], 1 / BUBBLE["dualpipe"]),
        ),
        (
            MODEL,
            r"parameters: (\d+) bytes per parameter",
            (LAYOUT.gradient_bytes + 2 * LAYOUT.optimizer_bytes + 2,),
        ),
        (MODEL, r"per parameter 2 \+ (\d) \+ (\d+):", (LAYOUT.gradient_bytes, LAYOUT.optimizer_bytes)),
        (
            MODEL,
            r"(\d) bytes per entry where the loss",
            (activations.LOGIT_BYTES + activations.PRODUCT_BYTES,),
        ),
        (MODEL, r"(\d) GB of runtime", (memory.RUNTIME_BYTES / 1e9,)),
        (MODEL, r"down to ([\d,]+) tokens a chip", (candidates.LEAST_TOKENS,)),
        (MODEL, r"experts over up to (\d+) chips", (candidates.MOST_EXPERT,)),
        (
            MODEL,
            r"micro-batches of 1 to (\d+), up to (\d+) parts",
            (candidates.MICRO_BATCHES[-1], candidates.PARTS[-1]),
        ),
        (MODEL, r"in (\d+) % of the chip less (\d) GB", (100 * served.USABLE, served.RESERVED_BYTES / 1e9)),
        (CALIBRATION, r"beyond \$\\sigma\$ = (\d+) %", (100 * fit.ROBUST_SCALE,)),
        (CALIBRATION, r"as many rows as made it, (\w+) at most", (rebase.HEAVIEST_ROWS,)),
        (CALIBRATION, r"Each of (\w+) folds", (fold.FOLDS,)),
        (CALIBRATION, r"fewer than (\w+) takes", (lookup.FEWEST_ROWS,)),
        (CALIBRATION, r"At most \*\*(\w+) constants", (record.CONSTANTS_PER_CELL,)),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) and len(value) < 80 else "",
)
def test_numbers_in_the_text_are_those_of_the_code(page: str, says: str, values: tuple[float, ...]) -> None:
    found = re.search(says, page, re.DOTALL)
    assert found, f"the page does not say {says}"
    said = [float(WORDS.get(word, word.replace(",", ""))) for word in found.groups()]
    assert said == pytest.approx(list(values))


def test_a_lent_range_is_as_much_wider_as_the_page_says() -> None:
    assert "logarithm of the range is widened by half" in CALIBRATION
    assert lookup.LENT_WIDENING == 1.5


def test_the_columns_that_a_file_must_have_are_listed() -> None:
    for kind, columns in SUFFICES.items():
        (row,) = re.findall(rf"^\| {kind} \|([^|]*)\|", CALIBRATION, re.MULTILINE)
        assert [name for name in columns if f"`{name}`" not in row] == []
