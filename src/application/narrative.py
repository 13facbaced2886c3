"""One plain English sentence for each kind of fact: for histories, log lines and notifications.

A sentence is made from the fact alone. Text from outside that it quotes is not made harmless here: whoever prints it escapes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from liveorder.domain.dead_letter import SignalDeadLettered
from liveorder.domain.facts import Fact
from liveorder.domain.order import facts as f
from liveorder.domain.trading_halt import EVERYTHING, AutoTradingSwitched, TradingHalted, TradingResumed
from liveorder.domain.unmatched_report import UnmatchedReportNoted, UnmatchedReportResolved


def sentence(fact: Fact) -> str:
    """What happened. A kind of fact that has no sentence of its own yet is told by its name."""
    tell = SENTENCES.get(type(fact))
    return tell(fact) if tell is not None else f"{type(fact).__name__} recorded"


def _requested(fact: f.Requested) -> str:
    size = _plain(fact.quantity) if fact.quantity is not None else f"{_plain(fact.notional)} {fact.instrument.currency} of"
    kind = fact.order_type.replace("_", " ").lower()
    prices = {"limit": fact.limit_price, "stop": fact.stop_price, "trail": fact.trail_amount, "trail %": fact.trail_percent}
    shadow = " (shadow: not to be sent)" if fact.is_shadow else ""
    return (
        f"Order requested by {fact.strategy_name}: {fact.side} {size} {fact.instrument.key} at {kind}"
        f"{_listed(prices)}, {fact.time_in_force}{shadow}"
    )


def _refused(fact: f.Refused) -> str:
    measured = f" (measured {fact.measured}, limit {fact.limit})" if fact.measured is not None else ""
    return f"Order refused by {fact.code}: {fact.message}{measured}"


def _approved(fact: f.Approved) -> str:
    return f"Risk rules passed{_listed(fact.figures)}"


def _submission_started(fact: f.SubmissionStarted) -> str:
    return f"Order submitted, attempt {fact.attempt}, for the session of {fact.session_date.isoformat()}"


def _submission_failed(fact: f.SubmissionFailed) -> str:
    evidence = f" ({fact.evidence})" if fact.evidence else ""
    return f"Submission {fact.request_id} surely did not arrive: {fact.error}: {fact.message}{evidence}"


def _outcome_unknown(fact: f.OutcomeUnknown) -> str:
    return f"Outcome of {fact.kind.lower()} {fact.request_id} unknown, asking the broker: {fact.message}"


def _cancel_requested(fact: f.CancelRequested) -> str:
    return f"Cancel requested: {_words(fact.reason)}"


def _replace_requested(fact: f.ReplaceRequested) -> str:
    return f"Replace {fact.number} requested{_terms(fact)}"


def _acknowledged(fact: f.Acknowledged) -> str:
    as_id = f" as {fact.broker_order_id}" if fact.broker_order_id else ""
    return f"Order acknowledged by the broker{as_id}{_listed({'quantity': fact.effective_quantity})}"


def _rejected(fact: f.Rejected) -> str:
    return f"Order rejected by the broker: {fact.message or fact.error or 'no reason given'}"


def _filled(fact: f.Filled) -> str:
    return f"Order filled: {_plain(fact.quantity)} @ {_plain(fact.price)}{_listed({'commission': fact.commission})}"


def _fill_inferred(fact: f.FillInferred) -> str:
    return f"Fill inferred: {_plain(fact.quantity)} @ {_plain(fact.price)}, because {fact.evidence}"


def _commission_reported(fact: f.CommissionReported) -> str:
    return f"Commission of execution {fact.execution_id}: {_plain(fact.commission)}"


def _fill_corrected(fact: f.FillCorrected) -> str:
    return f"Execution {fact.corrects} corrected by {fact.execution_id}: {_plain(fact.quantity)} @ {_plain(fact.price)}"


def _fill_busted(fact: f.FillBusted) -> str:
    return f"Execution {fact.execution_id} busted: it did not happen"


def _cancel_pending(fact: f.CancelPending) -> str:
    return "Cancel taken by the broker, not done yet"


def _cancel_refused(fact: f.CancelRefused) -> str:
    return f"Cancel refused, the order stands: {fact.message or 'no reason given'}"


def _cancelled(fact: f.Cancelled) -> str:
    message = f" ({fact.message})" if fact.message else ""
    return f"Order cancelled: {_words(fact.reason)}{message}"


def _replace_pending(fact: f.ReplacePending) -> str:
    return "Replace taken by the broker, not done yet"


def _replaced(fact: f.Replaced) -> str:
    return f"Order replaced{_terms(fact)}"


def _replace_refused(fact: f.ReplaceRefused) -> str:
    return f"Replace refused, the order stands as it was: {fact.message or 'no reason given'}"


def _restated(fact: f.Restated) -> str:
    message = f" ({fact.message})" if fact.message else ""
    split = _listed({"split": fact.split_ratio}) if fact.split_ratio is not None else ""
    return f"Order changed by the broker, unasked{_terms(fact)}{split}{message}"


def _triggered(fact: f.Triggered) -> str:
    return "Stop triggered: the order works in the market"


def _anomaly_noted(fact: f.AnomalyNoted) -> str:
    return f"Anomaly noted, {_words(fact.code)}: {fact.message}"


def _review_requested(fact: f.ReviewRequested) -> str:
    return f"A person must look, {_words(fact.code)}: {fact.message}"


def _review_resolved(fact: f.ReviewResolved) -> str:
    return f"Review resolved: {fact.evidence}"


def _trading_halted(fact: TradingHalted) -> str:
    detail = f" ({fact.detail})" if fact.detail else ""
    return f"Trading halted for {_scope(fact.scope)}: {_words(fact.reason)}{detail}"


def _trading_resumed(fact: TradingResumed) -> str:
    detail = f" ({fact.detail})" if fact.detail else ""
    return f"Trading resumed for {_scope(fact.scope)}{detail}"


def _auto_trading_switched(fact: AutoTradingSwitched) -> str:
    detail = f" ({fact.detail})" if fact.detail else ""
    return f"Auto-trading switched {'on' if fact.enabled else 'off'}{detail}"


def _signal_dead_lettered(fact: SignalDeadLettered) -> str:
    return f"Signal {fact.signal_id or 'without an id'} from {fact.source} at {fact.offset} is unusable: {fact.reason}"


def _unmatched_report_noted(fact: UnmatchedReportNoted) -> str:
    order = f"its order {fact.broker_order_id}" if fact.broker_order_id else "an order that it does not name"
    return f"{fact.broker} reported on account {fact.account_id} about {order}, which matches none of ours"


def _unmatched_report_resolved(fact: UnmatchedReportResolved) -> str:
    outcome = f"it belongs to order {fact.order_id}" if fact.order_id else "it belongs to no order of ours"
    return f"Unmatched report resolved, {outcome}: {fact.evidence}"


def _terms(fact: f.ReplaceRequested | f.Replaced | f.Restated) -> str:
    return _listed({"quantity": fact.quantity, "limit": fact.limit_price, "stop": fact.stop_price})


def _listed(named: Mapping[str, Any]) -> str:
    told = [f"{name} {_plain(value)}" for name, value in named.items() if value is not None]
    return f", {', '.join(told)}" if told else ""


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def _words(code: str) -> str:
    return code.replace("_", " ").lower()


def _scope(scope: str) -> str:
    return "every account" if scope == EVERYTHING else scope.replace(":", " ")


SENTENCES: dict[type[Fact], Callable[[Any], str]] = {
    f.Requested: _requested,
    f.Refused: _refused,
    f.Approved: _approved,
    f.SubmissionStarted: _submission_started,
    f.SubmissionFailed: _submission_failed,
    f.OutcomeUnknown: _outcome_unknown,
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
    f.Triggered: _triggered,
    f.AnomalyNoted: _anomaly_noted,
    f.ReviewRequested: _review_requested,
    f.ReviewResolved: _review_resolved,
    TradingHalted: _trading_halted,
    TradingResumed: _trading_resumed,
    AutoTradingSwitched: _auto_trading_switched,
    SignalDeadLettered: _signal_dead_lettered,
    UnmatchedReportNoted: _unmatched_report_noted,
    UnmatchedReportResolved: _unmatched_report_resolved,
}
