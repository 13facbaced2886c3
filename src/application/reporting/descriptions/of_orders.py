"""Sentences for the facts of an order's life."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from liveorder.application.reporting.descriptions.words import listed, plain, words
from liveorder.domain.facts import Fact
from liveorder.domain.order import facts as f
from liveorder.domain.values import TradingHours


def _requested(fact: f.Requested) -> str:
    size = plain(fact.quantity) if fact.quantity is not None else f"{plain(fact.notional)} {fact.instrument.currency} of"
    kind = fact.order_type.replace("_", " ").lower()
    prices = {
        "limit": fact.limit_price,
        "stop": fact.stop_price,
        "trail": fact.trail_amount,
        "trail %": fact.trail_percent,
        "limit offset": fact.limit_offset,
    }
    hours = ", extended hours" if fact.hours is TradingHours.EXTENDED else ""
    shadow = " (shadow: not to be sent)" if fact.is_shadow else ""
    return (
        f"Order requested by {fact.strategy_name}: {fact.side} {size} {fact.instrument.key} at {kind}"
        f"{listed(prices)}, {fact.time_in_force}{hours}{shadow}{f'; {said_of_unattended(fact)}' if fact.unattended else ''}"
    )


def said_of_unattended(fact: f.Requested) -> str:
    """Of exits and links that nothing acts on, where the intent has any."""
    return f"nothing places {' and '.join(fact.unattended)} yet"


def _refused(fact: f.Refused) -> str:
    measured = f" (measured {fact.measured}, limit {fact.limit})" if fact.measured is not None else ""
    return f"Order refused by {fact.code}: {fact.message}{measured}"


def _approved(fact: f.Approved) -> str:
    return f"Risk rules passed{listed(fact.figures)}"


def _submission_started(fact: f.SubmissionStarted) -> str:
    return f"Order submitted, attempt {fact.attempt}, for the session of {fact.session_date.isoformat()}"


def _submission_failed(fact: f.SubmissionFailed) -> str:
    if fact.error == f.NOT_BEGUN:
        return f"Submission {fact.request_id} {fact.message}"
    evidence = f" ({fact.evidence})" if fact.evidence else ""
    return f"Submission {fact.request_id} surely did not arrive: {fact.error}: {fact.message}{evidence}"


def _outcome_unknown(fact: f.OutcomeDoubted) -> str:
    return f"Outcome of {fact.kind.lower()} {fact.request_id} unknown, asking the broker: {fact.message}"


def _cancel_requested(fact: f.CancelRequested) -> str:
    return f"Cancel requested: {words(fact.reason)}"


def _replace_requested(fact: f.ReplaceRequested) -> str:
    return f"Replace {fact.number} requested{_terms(fact)}"


def _acknowledged(fact: f.Acknowledged) -> str:
    as_id = f" as {fact.broker_order_id}" if fact.broker_order_id else ""
    return f"Order acknowledged by the broker{as_id}{listed({'quantity': fact.effective_quantity})}"


def _rejected(fact: f.Rejected) -> str:
    return f"Order rejected by the broker: {fact.message or fact.error or 'no reason given'}"


def _filled(fact: f.Filled) -> str:
    return f"Order filled: {plain(fact.quantity)} @ {plain(fact.price)}{listed({'commission': _commission(fact)})}"


def _commission(fact: f.Filled | f.CommissionReported) -> str | None:
    if fact.commission is None or fact.commission_currency is None:
        return None if fact.commission is None else plain(fact.commission)
    return f"{plain(fact.commission)} {fact.commission_currency}"


def _fill_inferred(fact: f.FillInferred) -> str:
    return f"Fill inferred: {plain(fact.quantity)} @ {plain(fact.price)}, because {fact.evidence}"


def _commission_reported(fact: f.CommissionReported) -> str:
    return f"Commission of execution {fact.execution_id}: {_commission(fact)}"


def _fill_corrected(fact: f.FillCorrected) -> str:
    return f"Execution {fact.corrects} corrected by {fact.execution_id}: {plain(fact.quantity)} @ {plain(fact.price)}"


def _fill_busted(fact: f.FillBusted) -> str:
    return f"Execution {fact.execution_id} busted: it did not happen"


def _cancel_pending(fact: f.CancelPending) -> str:
    return "Cancel taken by the broker, not done yet"


def _cancel_refused(fact: f.CancelRefused) -> str:
    return f"Cancel refused, the order stands: {fact.message or 'no reason given'}"


def _cancelled(fact: f.Cancelled) -> str:
    message = f" ({fact.message})" if fact.message else ""
    return f"Order cancelled: {words(fact.reason)}{message}"


def _found_under_key(fact: f.FoundUnderKey) -> str:
    return f"Found at the broker under {fact.client_order_id}, which an earlier release gave it"


def _replace_pending(fact: f.ReplacePending) -> str:
    return "Replace taken by the broker, not done yet"


def _replaced(fact: f.Replaced) -> str:
    return f"Order replaced{_terms(fact)}"


def _replace_refused(fact: f.ReplaceRefused) -> str:
    return f"Replace refused, the order stands as it was: {fact.message or 'no reason given'}"


def _restated(fact: f.Restated) -> str:
    message = f" ({fact.message})" if fact.message else ""
    split = listed({"split": fact.split_ratio}) if fact.split_ratio is not None else ""
    return f"Order changed by the broker, unasked{_terms(fact)}{split}{message}"


def _triggered(fact: f.Triggered) -> str:
    return "Stop triggered: the order works in the market"


def _anomaly_noted(fact: f.AnomalyNoted) -> str:
    return f"Anomaly noted, {words(fact.code)}: {fact.message}"


def _review_requested(fact: f.ReviewRequested) -> str:
    return f"A person must look, {words(fact.code)}: {fact.message}"


def _review_resolved(fact: f.ReviewResolved) -> str:
    return f"Review resolved: {fact.evidence}"


def _terms(fact: f.ReplaceRequested | f.Replaced | f.Restated) -> str:
    return listed({"quantity": fact.quantity, "limit": fact.limit_price, "stop": fact.stop_price})


SENTENCES: dict[type[Fact], Callable[[Any], str]] = {
    f.Requested: _requested,
    f.Refused: _refused,
    f.Approved: _approved,
    f.SubmissionStarted: _submission_started,
    f.SubmissionFailed: _submission_failed,
    f.OutcomeDoubted: _outcome_unknown,
    f.CancelRequested: _cancel_requested,
    f.ReplaceRequested: _replace_requested,
    f.Acknowledged: _acknowledged,
    f.Rejected: _rejected,
    f.Filled: _filled,
    f.FillInferred: _fill_inferred,
    f.CommissionReported: _commission_reported,
    f.FillCorrected: _fill_corrected,
    f.FillBusted: _fill_busted,
    f.CancelPending: _cancel_pending,
    f.CancelRefused: _cancel_refused,
    f.Cancelled: _cancelled,
    f.ReplacePending: _replace_pending,
    f.Replaced: _replaced,
    f.ReplaceRefused: _replace_refused,
    f.Restated: _restated,
    f.FoundUnderKey: _found_under_key,
    f.Triggered: _triggered,
    f.AnomalyNoted: _anomaly_noted,
    f.ReviewRequested: _review_requested,
    f.ReviewResolved: _review_resolved,
}
