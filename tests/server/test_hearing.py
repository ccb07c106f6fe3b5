from __future__ import annotations

from decimal import Decimal

from stargate.base import wire
from stargate.broker.command import MarkSupply, Report
from stargate.server.hearing import DETAIL_LIMIT, METRICS_LIMIT, cause_of, recordable


def test_a_repeated_report_is_the_same_command() -> None:
    assert cause_of(Report("j.0.1", "done", detail="a")) == cause_of(Report("j.0.1", "done", detail="b"))


def test_reports_differ_by_attempt_phase_and_step() -> None:
    said = [
        Report("j.0.1", "running"),
        Report("j.0.1", "running", step=1),
        Report("j.0.1", "checkpointed", step=1),
        Report("j.0.1", "checkpointed", step=2),
        Report("j.0.2", "checkpointed", step=2),
    ]
    assert len({cause_of(one) for one in said}) == len(said)


def test_every_loss_of_a_provider_counts() -> None:
    lost = MarkSupply("provider", "acme", "lost")
    assert cause_of(lost) != cause_of(lost)


def test_what_is_in_order_is_left_alone() -> None:
    report = Report("j.0.1", "done", None, 10, "fine", {"loss": Decimal("2.5"), "zero": Decimal(0)})
    assert recordable(report) == report


def test_long_text_is_cut() -> None:
    said = recordable(Report("j.0.1", "failed", "user", detail="x" * 1_000_000))
    assert isinstance(said, Report)
    assert len(said.detail) == DETAIL_LIMIT


def test_text_that_no_journal_holds_is_mended() -> None:
    for said in (
        Report("j.0.1", "failed", "user", detail="a\ud800b"),
        MarkSupply("pool", "p", "lost", "\udfff"),
    ):
        wire.pack(recordable(said))


def test_absurd_figures_are_left_out() -> None:
    figures = {
        "loss": Decimal("-1E+400"),
        "nan": Decimal("NaN"),
        "inf": Decimal("Infinity"),
        "long": Decimal("0." + "1" * 100),
        "n" * 1_000: Decimal(1),
        "good": Decimal("0.25"),
    }
    said = recordable(Report("j.0.1", "done", metrics=figures))
    assert isinstance(said, Report)
    assert said.metrics == {"good": Decimal("0.25")}


def test_so_many_figures_and_no_more() -> None:
    said = recordable(Report("j.0.1", "done", metrics={f"m{n}": Decimal(n) for n in range(1_000)}))
    assert isinstance(said, Report)
    assert len(said.metrics) == METRICS_LIMIT


def test_absurd_steps_are_left_out() -> None:
    for step in (-1, 2**63, 10**30):
        said = recordable(Report("j.0.1", "checkpointed", step=step))
        assert isinstance(said, Report)
        assert said.step is None
