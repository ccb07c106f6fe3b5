"""Rows of Contract Commitment: where every commitment stands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from stargate.agreements import Agreement, Book
from stargate.agreements.clause import Commitment
from stargate.agreements.period import add_months, months_between
from stargate.base.time import DAY, Instant
from stargate.ledger.focus.charge import text
from stargate.ledger.focus.contract import commitment_id
from stargate.ledger.focus.kind import unit_name
from stargate.ledger.settle.commitment import CommitmentState

COMMITMENT_COLUMNS = (
    "x_Payer", "x_Portion", "x_Consumed", "x_Remaining", "x_Deadline", "x_Due", "x_Lacking", "x_Shortfall",
    "x_Short", "x_ShortCost", "x_BurnDownOrder", "x_TextRef",
)  # fmt: skip
"""Columns of ours, after those of FOCUS."""
ENDLESS = Instant.parse("9999-12-31")
"""FOCUS wants an end: of what has none, or none that is known, this one."""


def rows(states: Sequence[CommitmentState], book: Book, at: Instant) -> Iterator[dict[str, str]]:
    """One for each commitment or portion, as of an instant. One of which no date is known has none."""
    papers = {paper.id: paper for paper in book.agreements}
    clauses = {
        version.ref: version.clause
        for version in book.chart.versions
        if isinstance(version.clause, Commitment)
    }
    for state in states:
        row = _row(state, papers, clauses.get(state.clause), at)
        if row is not None:
            yield row


def _row(
    state: CommitmentState, papers: Mapping[str, Agreement], clause: Commitment | None, at: Instant
) -> dict[str, str] | None:
    contract = state.clause.partition("/")[0]
    paper = papers.get(contract)
    signed = None if paper is None else paper.signed_on
    start = state.start if state.start is not None else signed
    if start is None:
        return None
    end = state.end
    if end is None and clause is not None and clause.term_months is not None and state.start is not None:
        end = add_months(state.start, clause.term_months)
    end = ENDLESS if end is None or end <= start else end
    created = min(start, signed) if signed is not None else start
    spend = state.category == "Spend"
    committed = "" if state.committed is None else text(state.committed)
    share = state.upfront_percent / 100
    return {
        "BillingCurrency": "USD",
        "ContractCommitmentApplicability": _applicability(clause),
        "ContractCommitmentBenefitCategory": "Discount" if spend else "Availability",
        "ContractCommitmentCategory": state.category,
        "ContractCommitmentCost": committed if spend else "",
        "ContractCommitmentCreated": created.iso(),
        "ContractCommitmentDescription": state.text_ref or state.clause,
        "ContractCommitmentDurationType": _duration(start, end),
        "ContractCommitmentFulfillmentInterval": state.interval,
        "ContractCommitmentId": commitment_id(state.clause, state.portion),
        "ContractCommitmentLastUpdated": max(created, at).iso(),
        "ContractCommitmentLifecycleStatus": state.status,
        "ContractCommitmentModel": "Continuous" if state.interval == "Full Period" else "Discontinuous",
        "ContractCommitmentOfferCategory": state.offer,
        "ContractCommitmentPaymentInterval": "One-Time" if share == 1 else "Monthly",
        "ContractCommitmentPaymentModel": _payment_model(share),
        "ContractCommitmentPaymentUpfrontPercentage": text(share),
        "ContractCommitmentPeriodStart": start.iso(),
        "ContractCommitmentPeriodEnd": end.iso(),
        "ContractCommitmentQuantity": "" if spend else committed,
        "ContractCommitmentType": "Minimum Spend" if spend else "Minimum Usage",
        "ContractCommitmentUnit": "" if spend else unit_name(state.unit),
        "ContractId": contract,
        "ContractPeriodStart": created.iso(),
        "ContractPeriodEnd": end.iso(),
        "InvoiceIssuerName": state.payee,
        "PricingCurrency": "USD",
        "PricingCurrencyContractCommitmentCost": committed if spend else "",
        "ServiceProviderName": state.payee,
        **_standing(state),
    }


def _standing(state: CommitmentState) -> dict[str, str]:
    """How far it was fulfilled, and what becomes of what is short: FOCUS has no columns for it."""
    return {
        "x_Payer": state.payer,
        "x_Portion": state.portion,
        "x_Consumed": text(state.consumed),
        "x_Remaining": "" if state.remaining is None else text(state.remaining),
        "x_Deadline": "" if state.deadline is None else state.deadline.iso(),
        "x_Due": "" if state.due is None else text(state.due),
        "x_Lacking": text(state.lacking),
        "x_Shortfall": state.shortfall,
        "x_Short": text(state.short),
        "x_ShortCost": text(Decimal(state.short_micro_usd).scaleb(-6)),
        "x_BurnDownOrder": str(state.order) if state.order else "",
        "x_TextRef": state.text_ref,
    }


def _applicability(clause: Commitment | None) -> str:
    """Everything of the parties; or more than FOCUS has words for, in the words of the clause."""
    scopes = [] if clause is None else [clause.scope, *(part.scope for part in clause.eligible)]
    said = [" and ".join(map(str, scope)) for scope in scopes if scope]
    if clause is not None and not said and not clause.exceptions:
        return '{"IsGlobalScope":true}'
    found = {"IsComplexScope": True, "x_Scope": "; ".join(said)}
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))


def _payment_model(share: Decimal) -> str:
    if not share:
        return "No Upfront"
    return "All Upfront" if share == 1 else "Partial Upfront"


def _duration(start: Instant, end: Instant) -> str:
    """Whole years or months of the calendar, else days."""
    months = months_between(start, end)
    if months and add_months(start, months) == end:
        count, unit = (months // 12, "Year") if not months % 12 else (months, "Month")
    else:
        count, unit = max(1, -(-(end - start) // DAY)), "Day"
    return f"{count} {unit}{'' if count == 1 else 's'}"
