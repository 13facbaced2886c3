"""Sentences for what is not of one order: halts, dead letters, reports that match nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from liveorder.application.reporting.descriptions.words import plain, words
from liveorder.domain.dead_letter import SignalDeadLettered, SignalRetried
from liveorder.domain.default_account import DefaultAccountChanged
from liveorder.domain.facts import Fact
from liveorder.domain.position_adjustment import PositionAdjusted
from liveorder.domain.trading_halt import AutoTradingSwitched, TradingHalted, TradingResumed, covered_by
from liveorder.domain.unmatched_report import UnmatchedReportNoted, UnmatchedReportResolved


def _trading_halted(fact: TradingHalted) -> str:
    detail = f" ({fact.detail})" if fact.detail else ""
    return f"Trading halted for {covered_by(fact.scope)}: {words(fact.reason)}{detail}"


def _trading_resumed(fact: TradingResumed) -> str:
    detail = f" ({fact.detail})" if fact.detail else ""
    return f"Trading resumed for {covered_by(fact.scope)}{detail}"


def _auto_trading_switched(fact: AutoTradingSwitched) -> str:
    detail = f" ({fact.detail})" if fact.detail else ""
    return f"Auto-trading switched {'on' if fact.enabled else 'off'}{detail}"


def _signal_dead_lettered(fact: SignalDeadLettered) -> str:
    return f"Signal {fact.signal_id or 'without an id'} from {fact.source} at {fact.offset} is unusable: {fact.reason}"


def _signal_retried(fact: SignalRetried) -> str:
    return f"A person had it sent after all: it became order {fact.order_id}"


def _default_account_changed(fact: DefaultAccountChanged) -> str:
    return f"Signals that name no account go to {fact.account_id} from here on: {fact.evidence}"


def _unmatched_report_noted(fact: UnmatchedReportNoted) -> str:
    order = f"its order {fact.broker_order_id}" if fact.broker_order_id else "an order that it does not name"
    return f"{fact.broker} reported on account {fact.account_id} about {order}, which matches none of ours"


def _unmatched_report_resolved(fact: UnmatchedReportResolved) -> str:
    outcome = f"it belongs to order {fact.order_id}" if fact.order_id else "it belongs to no order of ours"
    return f"Unmatched report resolved, {outcome}: {fact.evidence}"


def _position_adjusted(fact: PositionAdjusted) -> str:
    changed = f"{fact.quantity:+f} {fact.instrument.symbol} of {fact.strategy_name} on account {fact.account_id}"
    return f"Position adjusted for a {words(fact.reason)}: {changed}, {plain(fact.price)} each: {fact.evidence}"


SENTENCES: dict[type[Fact], Callable[[Any], str]] = {
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
