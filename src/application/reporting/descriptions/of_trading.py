"""Sentences for what is not of one order: halts, dead letters, reports that match nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from liveorder.application.reporting.descriptions.words import plain, words
from liveorder.domain.dead_letter import SignalDeadLettered, SignalRetried
from liveorder.domain.default_account import DefaultAccountChanged
from liveorder.domain.events import Event
from liveorder.domain.position_adjustment import PositionAdjusted
from liveorder.domain.trading_halt import AutoTradingSwitched, TradingHalted, TradingResumed, covered_by
from liveorder.domain.unmatched_report import UnmatchedReportNoted, UnmatchedReportResolved


def _trading_halted(event: TradingHalted) -> str:
    detail = f" ({event.detail})" if event.detail else ""
    return f"Trading halted for {covered_by(event.scope)}: {words(event.reason)}{detail}"


def _trading_resumed(event: TradingResumed) -> str:
    detail = f" ({event.detail})" if event.detail else ""
    return f"Trading resumed for {covered_by(event.scope)}{detail}"


def _auto_trading_switched(event: AutoTradingSwitched) -> str:
    detail = f" ({event.detail})" if event.detail else ""
    return f"Auto-trading switched {'on' if event.enabled else 'off'}{detail}"


def _signal_dead_lettered(event: SignalDeadLettered) -> str:
    return f"Signal {event.signal_id or 'without an id'} from {event.source} at {event.offset} is unusable: {event.reason}"


def _signal_retried(event: SignalRetried) -> str:
    return f"A person had it sent after all: it became order {event.order_id}"


def _default_account_changed(event: DefaultAccountChanged) -> str:
    return f"Signals that name no account go to {event.account_id} from here on: {event.evidence}"


def _unmatched_report_noted(event: UnmatchedReportNoted) -> str:
    order = f"its order {event.broker_order_id}" if event.broker_order_id else "an order that it does not name"
    return f"{event.broker} reported on account {event.account_id} about {order}, which matches none of ours"


def _unmatched_report_resolved(event: UnmatchedReportResolved) -> str:
    outcome = f"it belongs to order {event.order_id}" if event.order_id else "it belongs to no order of ours"
    return f"Unmatched report resolved, {outcome}: {event.evidence}"


def _position_adjusted(event: PositionAdjusted) -> str:
    changed = f"{event.quantity:+f} {event.instrument.symbol} of {event.strategy_name} on account {event.account_id}"
    return f"Position adjusted for a {words(event.reason)}: {changed}, {plain(event.price)} each: {event.evidence}"


SENTENCES: dict[type[Event], Callable[[Any], str]] = {
    TradingHalted: _trading_halted,
    TradingResumed: _trading_resumed,
    AutoTradingSwitched: _auto_trading_switched,
    SignalDeadLettered: _signal_dead_lettered,
    SignalRetried: _signal_retried,
    DefaultAccountChanged: _default_account_changed,
    PositionAdjusted: _position_adjusted,
    UnmatchedReportNoted: _unmatched_report_noted,
    UnmatchedReportResolved: _unmatched_report_resolved,
}
