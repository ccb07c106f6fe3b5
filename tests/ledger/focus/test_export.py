"""What the ledger says in FOCUS: valid, equal to the ledger to the micro-dollar, and the same every time."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from focus_data_toolkit.model.validator import lint_focus_1_4_structure
from focus_data_toolkit.validate import validate_dataset_bundle

from stargate.base.errors import LedgerError, LimitError
from stargate.base.time import Instant
from stargate.ledger import Store
from stargate.ledger.focus.columns import Dataset, datasets
from stargate.ledger.focus.export import HEADERS, Export
from tests.ledger.focus.conftest import Exported

CONDITIONS = ("SupportsMultiplePricingCategories", "SupportsUnitPricing")


def full(exported: Exported, dataset: Dataset) -> list[dict[str, str]]:
    """Rows as a file has them: every column, empty where there is nothing."""
    return [{name: row.get(name, "") for name in HEADERS[dataset]} for row in exported.rows[dataset]]


@pytest.mark.parametrize("dataset", HEADERS)
def test_each_dataset_is_valid_with_all_conditions_declared(exported: Exported, dataset: Dataset) -> None:
    report = lint_focus_1_4_structure(dataset, full(exported, dataset), supported_conditions=CONDITIONS)
    assert report.ok, report.messages()
    assert report.row_count == len(exported.rows[dataset]) > 0


def test_the_datasets_agree_with_one_another(exported: Exported) -> None:
    bundle: dict[str, list[dict[str, str]]] = {dataset: full(exported, dataset) for dataset in HEADERS}
    report = validate_dataset_bundle(bundle, invoice_detail_authoritative=True, rounding_tolerance=Decimal(0))
    assert not report.diagnostics, report.format()
    assert {"reconcile_invoice_detail", "contract_applied_fk", "no_duplicate_charge_keys"} <= set(
        report.checks_run
    )


def test_the_toolkit_would_have_found_faults(exported: Exported) -> None:
    rows = full(exported, "Cost and Usage")
    rows[0] = rows[0] | {"ChargeCategory": "Refund"}
    assert not lint_focus_1_4_structure("Cost and Usage", rows).ok
    bundle: dict[str, list[dict[str, str]]] = {dataset: full(exported, dataset) for dataset in HEADERS}
    bundle["Invoice Detail"] = bundle["Invoice Detail"][1:]
    assert not validate_dataset_bundle(bundle).ok


def test_no_value_breaks_what_its_column_allows(exported: Exported) -> None:
    """By our own reading of the columns, apart from the toolkit's."""
    for dataset in HEADERS:
        for row in full(exported, dataset):
            for column in datasets()[dataset]:
                value = row[column.name]
                assert value or column.nullable, (dataset, column.name, row)
                assert not value or not column.values or value in column.values
                if value and column.type == "Decimal":
                    assert Decimal(value).is_finite()
                    assert "E" not in value


def test_costs_add_up_to_the_ledger(exported: Exported) -> None:
    """Entry by entry, with the sign turned where the supplier gives back."""
    back = ("prepayment_credit", "service_credit")
    booked: dict[str, int] = {}
    for entry in exported.store.entries():
        if entry.line.kind != "payment":
            sign = -1 if entry.line.kind in back else 1
            booked[entry.month] = booked.get(entry.month, 0) + sign * entry.amount_micro
    billed: dict[str, Decimal] = {}
    for row in exported.charges:
        month = row["BillingPeriodStart"][:7]
        billed[month] = billed.get(month, Decimal(0)) + Decimal(row["BilledCost"])
    assert {month: int(amount.scaleb(6)) for month, amount in billed.items()} == booked
    assert sum(total.billed_usd for total in exported.export.totals()) == sum(billed.values())
    exported.export.check()


def test_a_row_that_the_ledger_does_not_have_is_found(exported: Exported) -> None:
    export = Export(exported.store, "2026-01", "2026-01", Instant.parse("2026-03-20"))
    for row in export.rows("Cost and Usage"):
        assert row["BilledCost"]
    export._count("2026-01", {**exported.charges[0], "BilledCost": "0.000001"})
    with pytest.raises(LedgerError, match=r"2026-01 between .* differ from the ledger by -?0\.000001 USD"):
        export.check()


def test_payments_are_no_charges_and_are_counted(exported: Exported) -> None:
    (left,) = exported.export.left_out()
    assert (left.kind, left.unit, left.rows, left.total) == ("payment", "usd", 1, Decimal(-500))


def test_late_use_keeps_its_charge_period_in_the_open_billing_period(exported: Exported) -> None:
    late = [
        row for row in exported.like(x_Kind="usage") if row["x_LineMonth"] != row["BillingPeriodStart"][:7]
    ]
    assert [(row["ChargePeriodStart"], row["BillingPeriodStart"]) for row in late] == [
        ("2026-01-05T03:00:00Z", "2026-02-01T00:00:00Z"),
        ("2026-01-06T04:00:00Z", "2026-02-01T00:00:00Z"),
    ]
    # The first adds to an hour that was invoiced; of the second nothing was.
    assert [row["ChargeClass"] for row in late] == ["Correction", ""]
    assert [row["ConsumedQuantity"] for row in late] == ["1800", "3601.5"]
    # Both count for January's minimum as if they had come in time: it was short of that much less.
    (short,) = exported.like(x_Kind="shortfall", ChargeClass="Correction")
    assert Decimal(short["BilledCost"]) == -sum(Decimal(row["BilledCost"]) for row in late)


def test_corrections_are_of_closed_months_only(exported: Exported) -> None:
    found = exported.like(ChargeClass="Correction")
    assert {(row["BillingPeriodStart"][:7], row["x_LineMonth"]) for row in found} == {("2026-02", "2026-01")}


def test_three_roles(exported: Exported) -> None:
    spot = exported.like(x_Kind="usage", BillingPeriodStart="2026-01-01T00:00:00Z", RegionId="ash")[0]
    assert (spot["ServiceProviderName"], spot["HostProviderName"], spot["InvoiceIssuerName"]) == (
        "beta",
        "gamma",
        "beta",
    )
    assert (spot["PricingCategory"], spot["SubAccountId"], spot["ResourceId"]) == ("Dynamic", "red", "lm-1")


def test_what_is_prepaid_is_billed_when_it_is_paid_and_effective_when_it_is_used(exported: Exported) -> None:
    (paid,) = exported.like(x_Kind="prepayment")
    assert (paid["ChargeCategory"], paid["BilledCost"], paid["EffectiveCost"]) == ("Purchase", "15000", "0")
    assert paid["PricingCategory"] == "Standard"
    back = exported.like(x_Kind="prepayment_credit")
    assert [(row["BilledCost"], row["EffectiveCost"]) for row in back] == [("-1350", "0")] * 2
    january = next(
        total
        for total in exported.export.totals()
        if (total.month, total.account, total.issuer) == ("2026-01", "lab", "alpha")
    )
    # 9000 are due each month, used or not; 15000 are prepaid, 15 % of the 9000 are credited.
    assert january.billed_usd == Decimal(9000 + 15000 - 1350)
    # Of the 9000, 4363.20 are for a hall until April, of which January has 16 of 90 days.
    assert january.effective_usd == Decimal(9000) - Decimal("4363.20") + Decimal("775.68")


def test_what_is_paid_up_front_is_effective_over_its_term(exported: Exported) -> None:
    hall = exported.like(x_Clause="deal/ahead-held")
    # 2 chips for 90 days at 1.01; 16, 28 and 31 days of them; nothing was used there.
    assert [(row["BilledCost"], row["EffectiveCost"]) for row in hall] == [
        ("4363.2", "0"),
        ("0", "775.68"),
        ("0", "1357.44"),
        ("0", "1502.88"),
    ]
    assert [row["ChargePeriodStart"][:10] for row in hall] == [
        "2026-01-16",
        "2026-01-16",
        "2026-02-01",
        "2026-03-01",
    ]
    assert {row["CapacityReservationStatus"] for row in hall[1:]} == {"Unused"}
    april = Export(exported.store, "2026-04", "2026-05", Instant.parse("2026-03-20"))
    assert [row["EffectiveCost"] for row in april.rows("Cost and Usage")] == ["727.2"]


def test_what_was_short_is_the_unused_part_of_the_commitment(exported: Exported) -> None:
    first = exported.like(x_Kind="shortfall", ChargeClass="")[0]
    assert (first["CommitmentDiscountId"], first["CommitmentDiscountStatus"], first["PricingCategory"]) == (
        "deal/minimum",
        "Unused",
        "Committed",
    )
    assert first["CommitmentDiscountQuantity"] == first["BilledCost"]
    assert not first.get("ConsumedQuantity")


def test_use_says_which_commitment_it_counts_for(exported: Exported) -> None:
    oak = exported.like(x_Kind="usage", RegionId="oak", ChargeClass="")
    assert {row["PricingCategory"] for row in oak} == {"Committed"}
    applied = {row["ContractApplied"] for row in oak if row["BilledCost"] == "21.300148"}
    assert applied == {
        (
            '{"Elements":[{"ContractCommitmentId":"deal/minimum","ContractId":"deal",'
            '"ContractCommitmentAppliedCost":21.300148}]}'
        )
    }


def test_what_is_held_and_idle_has_a_row_of_its_own(exported: Exported) -> None:
    january = exported.like(x_Clause="deal/held", BillingPeriodStart="2026-01-01T00:00:00Z")
    found = {
        row.get("CapacityReservationStatus", ""): (
            row["BilledCost"],
            row["EffectiveCost"],
            row["PricingQuantity"],
        )
        for row in january
    }
    # 3 chips for 744 hours at 1.70; 6 x 25 of the hours were used.
    assert found == {
        "": ("3794.4", "0", "2232"),
        "Used": ("0", "255", "150"),
        "Unused": ("0", "3539.4", "2082"),
    }
    assert {row["CapacityReservationId"] for row in january} == {"deal/pool"}


def test_tiers_have_their_mean_price(exported: Exported) -> None:
    first = exported.like(x_Clause="deal/tokens")[0]
    # 700 at 0.003 and 200 at 0.001.
    assert (first["BilledCost"], first["PricingQuantity"], first["PricingUnit"]) == (
        "2.3",
        "900",
        "Output-Tokens",
    )
    assert first["ContractedUnitPrice"] == "0.0025555555555556"
    assert (first["ServiceCategory"], first["ServiceSubcategory"]) == (
        "AI and Machine Learning",
        "Generative AI",
    )


def test_shares_go_the_other_way(exported: Exported) -> None:
    (january,) = exported.like(x_Kind="share", x_LineMonth="2026-01")
    # 20 % of 40000.07
    assert (january["BillingAccountId"], january["InvoiceIssuerName"], january["BilledCost"]) == (
        "alpha",
        "lab",
        "8000.014",
    )
    assert (january["ChargeCategory"], january["x_Clause"]) == ("Adjustment", "models/share")


def test_invoices_of_open_months_are_open(exported: Exported) -> None:
    details = exported.rows["Invoice Detail"]
    assert {(row["BillingPeriodStart"][:7], row["InvoiceIssueStatus"]) for row in details} == {
        ("2026-01", "Issued"),
        ("2026-02", "Issued"),
        ("2026-03", "Open"),
    }
    late = [row for row in details if row["x_CorrectsMonth"]]
    assert {row["ReferenceInvoiceId"] for row in late} == {"alpha:lab:2026-01"}
    periods = {
        (row["InvoiceIssuerName"], row["BillingPeriodStart"][:7]): row
        for row in exported.rows["Billing Period"]
    }
    assert periods["alpha", "2026-01"]["BillingPeriodStatus"] == "Closed"
    assert periods["alpha", "2026-01"]["BillingPeriodLastUpdated"] == "2026-02-02T00:00:00Z"
    assert periods["beta", "2026-03"]["BillingPeriodStatus"] == "Open"


def test_commitments_stand_as_of_the_export(exported: Exported) -> None:
    (row,) = exported.rows["Contract Commitment"]
    assert (row["ContractCommitmentId"], row["ContractId"], row["ContractCommitmentCost"]) == (
        "deal/minimum",
        "deal",
        "100000",
    )
    assert (row["ContractCommitmentDurationType"], row["ContractCommitmentPaymentModel"]) == (
        "1 Year",
        "Partial Upfront",
    )
    assert row["ContractCommitmentPaymentUpfrontPercentage"] == "0.15"
    assert row["ContractCommitmentApplicability"] == '{"IsGlobalScope":true}'


def test_a_closed_month_is_exported_the_same_alone_and_later(exported: Exported) -> None:
    export = Export(exported.store, "2026-01", "2026-01", Instant.parse("2031-01-01"))
    january = [row for row in exported.charges if row["BillingPeriodStart"] == "2026-01-01T00:00:00Z"]
    assert list(export.rows("Cost and Usage")) == january


def test_months_that_are_none_are_refused(exported: Exported) -> None:
    store: Store = exported.store
    at = Instant.parse("2026-03-20")
    spans: list[tuple[str, str, type[Exception], Any]] = [
        ("2026-13", "2026-13", ValueError, "is not a month"),
        ("2026-02", "2026-01", ValueError, "lies before"),
        ("1970-01", "2026-01", LimitError, "at most 600 months"),
    ]
    for first, last, error, says in spans:
        with pytest.raises(error, match=says):
            Export(store, first, last, at)
