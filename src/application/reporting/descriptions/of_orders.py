"""Sentences for the events of an order's life."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from liveorder.application.reporting.descriptions.words import listed, plain, words
from liveorder.domain.events import Event
from liveorder.domain.order import events as ev
from liveorder.domain.values import TradingHours


def _requested(event: ev.Requested) -> str:
    size = plain(event.quantity) if event.quantity is not None else f"{plain(event.notional)} {event.instrument.currency} of"
    kind = event.order_type.replace("_", " ").lower()
    prices = {
        "limit": event.limit_price,
        "stop": event.stop_price,
        "trail": event.trail_amount,
        "trail %": event.trail_percent,
        "limit offset": event.limit_offset,
    }
    hours = ", extended hours" if event.hours is TradingHours.EXTENDED else ""
    shadow = " (shadow: not to be sent)" if event.is_shadow else ""
    return (
        f"Order requested by {event.strategy_name}: {event.side} {size} {event.instrument.key} at {kind}"
        f"{listed(prices)}, {event.time_in_force}{hours}{shadow}{f'; {said_of_unattended(event)}' if event.unattended else ''}"
    )


def said_of_unattended(event: ev.Requested) -> str:
    """Of exits and links that nothing acts on, where the intent has any."""
    return f"nothing places {' and '.join(event.unattended)} yet"


def _refused(event: ev.Refused) -> str:
    measured = f" (measured {event.measured}, limit {event.limit})" if event.measured is not None else ""
    return f"Order refused by {event.code}: {event.message}{measured}"


def _approved(event: ev.Approved) -> str:
    return f"Risk rules passed{listed(event.figures)}"


def _submission_started(event: ev.SubmissionStarted) -> str:
    return f"Order submitted, attempt {event.attempt}, for the session of {event.session_date.isoformat()}"


def _submission_failed(event: ev.SubmissionFailed) -> str:
    if event.error == ev.NOT_BEGUN:
        return f"Submission {event.request_id} {event.message}"
    evidence = f" ({event.evidence})" if event.evidence else ""
    return f"Submission {event.request_id} surely did not arrive: {event.error}: {event.message}{evidence}"


def _outcome_unknown(event: ev.OutcomeDoubted) -> str:
    return f"Outcome of {event.kind.lower()} {event.request_id} unknown, asking the broker: {event.message}"


def _cancel_requested(event: ev.CancelRequested) -> str:
    return f"Cancel requested: {words(event.reason)}"


def _replace_requested(event: ev.ReplaceRequested) -> str:
    return f"Replace {event.number} requested{_terms(event)}"


def _acknowledged(event: ev.Acknowledged) -> str:
    as_id = f" as {event.broker_order_id}" if event.broker_order_id else ""
    return f"Order acknowledged by the broker{as_id}{listed({'quantity': event.effective_quantity})}"


def _rejected(event: ev.Rejected) -> str:
    return f"Order rejected by the broker: {event.message or event.error or 'no reason given'}"


def _filled(event: ev.Filled) -> str:
    return f"Order filled: {plain(event.quantity)} @ {plain(event.price)}{listed({'commission': _commission(event)})}"


def _commission(event: ev.Filled | ev.CommissionReported) -> str | None:
    if event.commission is None or event.commission_currency is None:
        return None if event.commission is None else plain(event.commission)
    return f"{plain(event.commission)} {event.commission_currency}"


def _fill_inferred(event: ev.FillInferred) -> str:
    return f"Fill inferred: {plain(event.quantity)} @ {plain(event.price)}, because {event.evidence}"


def _commission_reported(event: ev.CommissionReported) -> str:
    return f"Commission of execution {event.execution_id}: {_commission(event)}"


def _fill_corrected(event: ev.FillCorrected) -> str:
    return f"Execution {event.corrects} corrected by {event.execution_id}: {plain(event.quantity)} @ {plain(event.price)}"


def _fill_busted(event: ev.FillBusted) -> str:
    return f"Execution {event.execution_id} busted: it did not happen"


def _cancel_pending(event: ev.CancelPending) -> str:
    return "Cancel taken by the broker, not done yet"


def _cancel_refused(event: ev.CancelRefused) -> str:
    return f"Cancel refused, the order stands: {event.message or 'no reason given'}"


def _cancelled(event: ev.Cancelled) -> str:
    message = f" ({event.message})" if event.message else ""
    return f"Order cancelled: {words(event.reason)}{message}"


def _found_under_key(event: ev.FoundUnderKey) -> str:
    return f"Found at the broker under {event.client_order_id}, which an earlier release gave it"


def _replace_pending(event: ev.ReplacePending) -> str:
    return "Replace taken by the broker, not done yet"


def _replaced(event: ev.Replaced) -> str:
    return f"Order replaced{_terms(event)}"


def _replace_refused(event: ev.ReplaceRefused) -> str:
    return f"Replace refused, the order stands as it was: {event.message or 'no reason given'}"


def _restated(event: ev.Restated) -> str:
    message = f" ({event.message})" if event.message else ""
    split = listed({"split": event.split_ratio}) if event.split_ratio is not None else ""
    return f"Order changed by the broker, unasked{_terms(event)}{split}{message}"


def _triggered(event: ev.Triggered) -> str:
    return "Stop triggered: the order works in the market"


def _anomaly_noted(event: ev.AnomalyNoted) -> str:
    return f"Anomaly noted, {words(event.code)}: {event.message}"


def _review_requested(event: ev.ReviewRequested) -> str:
    return f"A person must look, {words(event.code)}: {event.message}"


def _review_resolved(event: ev.ReviewResolved) -> str:
    return f"Review resolved: {event.evidence}"


def _terms(event: ev.ReplaceRequested | ev.Replaced | ev.Restated) -> str:
    return listed({"quantity": event.quantity, "limit": event.limit_price, "stop": event.stop_price})


SENTENCES: dict[type[Event], Callable[[Any], str]] = {
    ev.Requested: _requested,
    ev.Refused: _refused,
    ev.Approved: _approved,
    ev.SubmissionStarted: _submission_started,
    ev.SubmissionFailed: _submission_failed,
    ev.OutcomeDoubted: _outcome_unknown,
    ev.CancelRequested: _cancel_requested,
    ev.ReplaceRequested: _replace_requested,
    ev.Acknowledged: _acknowledged,
    ev.Rejected: _rejected,
    ev.Filled: _filled,
    ev.FillInferred: _fill_inferred,
    ev.CommissionReported: _commission_reported,
    ev.FillCorrected: _fill_corrected,
    ev.FillBusted: _fill_busted,
    ev.CancelPending: _cancel_pending,
    ev.CancelRefused: _cancel_refused,
    ev.Cancelled: _cancelled,
    ev.ReplacePending: _replace_pending,
    ev.Replaced: _replaced,
    ev.ReplaceRefused: _replace_refused,
    ev.Restated: _restated,
    ev.FoundUnderKey: _found_under_key,
    ev.Triggered: _triggered,
    ev.AnomalyNoted: _anomaly_noted,
    ev.ReviewRequested: _review_requested,
    ev.ReviewResolved: _review_resolved,
}
