from decimal import Decimal

import pytest

from liveorder.application.recording import domain_events
from liveorder.domain.dead_letter import SignalDeadLettered, SignalRetried
from liveorder.domain.default_account import DefaultAccountChanged
from liveorder.domain.events import Event
from liveorder.domain.instrument import Instrument
from liveorder.domain.order import events as ev
from liveorder.domain.position_adjustment import AdjustmentReason, PositionAdjusted
from liveorder.domain.position_owner import PositionOwner, PositionOwnerChosen
from liveorder.domain.trading_halt import AutoTradingSwitched, HaltReason, TradingHalted, TradingResumed
from liveorder.domain.unmatched_event import UnmatchedReportNoted, UnmatchedReportResolved
from liveorder.domain.values import AssetClass
from tests.builders import (
    ACKNOWLEDGED,
    FAILED,
    ORDER_ID,
    REFUSED,
    REJECTED,
    SENT,
    acknowledged,
    bust,
    cancel_request,
    cancelled,
    correction,
    fill,
    intent,
    replace_request,
    seconds,
    unknown,
)


@pytest.mark.parametrize("kind", list(domain_events()), ids=lambda kind: kind.topic)
def test_every_kind_of_event_has_a_sentence_and_a_category(kind: type[Event]) -> None:
    assert "sentence" in vars(kind)
    assert kind.category


def test_every_event_of_an_order_says_what_it_does_to_it() -> None:
    assert [kind for kind in domain_events() if issubclass(kind, ev.OrderEvent) and "apply" not in vars(kind)] == []


def test_an_event_that_nobody_wrote_a_sentence_for_is_called_by_its_name() -> None:
    class MoonRisen(Event):
        pass

    assert MoonRisen().sentence() == "MoonRisen recorded"


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (intent(), "Order requested by trend: BUY 100 ARCA:SPY at market, DAY"),
        (
            intent(
                order_type="STOP_LIMIT", limit_price=Decimal("9.5"), stop_price=Decimal(9), notional=Decimal(500), is_shadow=True
            ),
            "Order requested by trend: BUY 500 USD of ARCA:SPY at stop limit, limit 9.5, stop 9, DAY (shadow: not to be sent)",
        ),
        (REFUSED, "Order refused by daily_trade_count: 10 of 10 used"),
        (
            REFUSED.but(measured="10", limit="10"),
            "Order refused by daily_trade_count: 10 of 10 used (measured 10, limit 10)",
        ),
        (ev.Approved(figures={"open_orders": "3"}), "Risk rules passed, open_orders 3"),
        (ev.Approved(), "Risk rules passed"),
        (SENT, "Order submitted, attempt 1, for the session of 2026-11-20"),
        (FAILED, "Submission LIVEORDERKEYOFATESTX-s1 surely did not arrive: BrokerConnectionError: connection refused"),
        (
            FAILED.but(evidence="asked twice"),
            "Submission LIVEORDERKEYOFATESTX-s1 surely did not arrive: BrokerConnectionError: connection refused (asked twice)",
        ),
        (
            FAILED.but(error="NotBegun", message="not sent: our own side took 12.0 s"),
            "Submission LIVEORDERKEYOFATESTX-s1 not sent: our own side took 12.0 s",
        ),
        (unknown("X-s1"), "Outcome of submit X-s1 unknown, asking the broker: no answer"),
        (cancel_request(), "Cancel requested: requested"),
        (replace_request(2, "50", "9.9"), "Replace 2 requested, quantity 50, limit 9.9"),
        (ACKNOWLEDGED, "Order acknowledged by the broker as B-1"),
        (acknowledged("12"), "Order acknowledged by the broker as B-1, quantity 12"),
        (ev.Acknowledged(broker_order_id=None), "Order acknowledged by the broker"),
        (REJECTED, "Order rejected by the broker: no margin"),
        (ev.Rejected(message=""), "Order rejected by the broker: no reason given"),
        (fill("e1", 100, "235.15"), "Order filled: 100 @ 235.15"),
        (fill("e1", 100, "235.15", "0.35"), "Order filled: 100 @ 235.15, commission 0.35"),
        (fill("e1", 100, "235.15", "0.35 EUR"), "Order filled: 100 @ 235.15, commission 0.35 EUR"),
        (
            ev.FillInferred(execution_id="i", quantity=Decimal(5), price=Decimal(2), evidence="the broker tells 5"),
            "Fill inferred: 5 @ 2, because the broker tells 5",
        ),
        (ev.CommissionReported(execution_id="e1", commission=Decimal("1.0")), "Commission of execution e1: 1.0"),
        (correction("c1", "e1", 90, "235.10"), "Execution e1 corrected by c1: 90 @ 235.10"),
        (bust("e1"), "Execution e1 busted: it did not happen"),
        (ev.CancelPending(), "Cancel taken by the broker, not done yet"),
        (ev.CancelRefused(request_id=None, message=""), "Cancel refused, the order stands: no reason given"),
        (cancelled(ev.CancelReason.DONE_FOR_DAY), "Order cancelled: done for day"),
        (cancelled(message="by hand"), "Order cancelled: by broker (by hand)"),
        (ev.ReplacePending(), "Replace taken by the broker, not done yet"),
        (ev.Replaced(request_id=None, stop_price=Decimal(8)), "Order replaced, stop 8"),
        (ev.ReplaceRefused(request_id=None, message="too late"), "Replace refused, the order stands as it was: too late"),
        (ev.Restated(split_ratio=Decimal(2), message="2:1"), "Order changed by the broker, unasked, split 2 (2:1)"),
        (ev.Restated(quantity=Decimal(2)), "Order changed by the broker, unasked, quantity 2"),
        (ev.Triggered(), "Stop triggered: the order works in the market"),
        (
            ev.FoundUnderKey(client_order_id="AN7EARLIERKEY2345672"),
            "Found at the broker under AN7EARLIERKEY2345672, which an earlier release gave it",
        ),
        (ev.AnomalyNoted(code="fill_after_close", message="late"), "Anomaly noted, fill after close: late"),
        (ev.ReviewRequested(code="overfill", message="look"), "A person must look, overfill: look"),
        (ev.ReviewResolved(evidence="called them"), "Review resolved: called them"),
        (TradingHalted(scope="*", reason=HaltReason.KILL_SWITCH), "Trading halted for every account: kill switch"),
        (
            TradingHalted(scope="account:U1", reason=HaltReason.CIRCUIT_BREAKER, detail="5 failures"),
            "Trading halted for account U1: circuit breaker (5 failures)",
        ),
        (TradingResumed(scope="*", detail="checked"), "Trading resumed for every account (checked)"),
        (
            PositionAdjusted(
                account_id="U1",
                strategy_name="trend",
                instrument=Instrument(symbol="BTC/USD", exchange="CRYPTO", asset_class=AssetClass.CRYPTO),
                reason=AdjustmentReason.FEE_IN_KIND,
                quantity=Decimal("-0.00025"),
                price=Decimal(60000),
                effective_at=seconds(0),
                evidence="alpaca holds 0.09975 of 0.1",
            ),
            "Position adjusted for a fee in kind: -0.00025 BTC/USD of trend on account U1, 60000 each: alpaca holds 0.09975 of 0.1",
        ),
        (AutoTradingSwitched(enabled=False), "Auto-trading switched off"),
        (AutoTradingSwitched(enabled=True, detail="by ann"), "Auto-trading switched on (by ann)"),
        (
            SignalDeadLettered(source="file", offset="12", line="{", reason="not JSON"),
            "Signal without an id from file at 12 is unusable: not JSON",
        ),
        (
            SignalRetried(order_id=ORDER_ID, dead_letter_position=7),
            f"A person had it sent after all: it became order {ORDER_ID}",
        ),
        (
            PositionOwnerChosen(positions=PositionOwner.ACCOUNT),
            "From here on an order may close what the whole account holds (positions = by_account)",
        ),
        (
            DefaultAccountChanged(account_id="U2", evidence="U1 is being closed"),
            "Signals that name no account go to U2 from here on: U1 is being closed",
        ),
        (
            UnmatchedReportNoted(account_id="U1", broker="ibkr", broker_order_id="7", fields={}),
            "ibkr reported on account U1 about its order 7, which matches none of ours",
        ),
        (
            UnmatchedReportNoted(account_id="U1", broker="ibkr", broker_order_id=None, fields={}),
            "ibkr reported on account U1 about an order that it does not name, which matches none of ours",
        ),
        (
            UnmatchedReportResolved(order_id=ORDER_ID, evidence="same price"),
            f"Unmatched report resolved, it belongs to order {ORDER_ID}: same price",
        ),
        (
            UnmatchedReportResolved(order_id=None, evidence="placed by phone"),
            "Unmatched report resolved, it belongs to no order of ours: placed by phone",
        ),
    ],
)
def test_an_event_is_told_in_one_plain_sentence(event: Event, told: str) -> None:
    assert event.sentence() == told
