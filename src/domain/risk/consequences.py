"""What follows from what the rules say: the event that records a refusal, the end of an order that was approved before, or what an
exit comes to whose stop is passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from liveorder.domain.broker_capabilities import BrokerCapabilities, KeySupport
from liveorder.domain.events import Event
from liveorder.domain.order import LiveOrder, requests
from liveorder.domain.order.events import CancelReason, OrderRequested, Refused, RejectReason
from liveorder.domain.risk.proposal import RiskRefusal
from liveorder.domain.risk.switches import AUTO_TRADING, KILL_SWITCH
from liveorder.domain.signal import UnusableSignal
from liveorder.domain.values import OrderType


def refused_by(refusal: RiskRefusal) -> Refused:
    return Refused(
        reason=RejectReason.RISK,
        code=refusal.code,
        message=refusal.message,
        measured=refusal.measured,
        limit=refusal.limit,
    )


def as_market_exit(intent: OrderRequested, price: Decimal | None, can: BrokerCapabilities) -> OrderRequested:
    """What an exit comes to whose stop is passed: a market order at about `price`, beside which stands what was asked.

    It trades at once: it stands as long as market orders usually do at its broker, and is stale once it would have ended.
    """
    terms = intent.terms
    return intent.with_terms(
        order_type=OrderType.MARKET,
        limit_price=None,
        stop_price=None,
        time_in_force=can.usual_time_in_force(intent.instrument.asset_class, OrderType.MARKET),
        expires_at=None,
        valid_until=terms.stale_after,
        decision_price=price,
        asked_order_type=terms.order_type,
        asked_stop_price=terms.stop_price,
        asked_limit_price=terms.limit_price,
    )


def end_unwanted(order: LiveOrder, refusal: RiskRefusal | None) -> list[Event]:
    """The end of an approved order that surely never reached the broker, if it is not to go out any more; nothing where it is.

    Its cancel was asked for, or a rule refuses it by now: it is halted, stale or out of session.
    """
    if order.cancels:
        return requests.cancel_unsent(order, CancelReason.REQUESTED, "its cancel was asked for; it never reached the broker")
    if refusal is None:
        return []
    reason = CancelReason.HALTED if refusal.code in (KILL_SWITCH, AUTO_TRADING) else CancelReason.STALE
    before = f"; until then: {order.last_failure.message}" if order.last_failure is not None else ""
    return requests.cancel_unsent(order, reason, f"before it was sent: {refusal.message}{before}")


def is_refused_though_it_may_be_sent(
    signal_id: str, refused: Refused, rules: Sequence[RiskRefusal], broker: str, can: BrokerCapabilities
) -> bool:
    """Whether to refuse a signal that this store may have sent before it was restored, and that its broker does not show.

    Where only a halt is in its way it is not refused: it begins in doubt, and is not sent while that stands. Else it is, only where
    no question could ever find it: a refused order that is alive at the broker would be taken for a stray and cancelled. Otherwise
    raises `UnusableSignal`; the next reading of the message asks again.
    """
    if refused.code == KILL_SWITCH and [each.code for each in rules] == [KILL_SWITCH]:
        return False
    if can.key_support is KeySupport.NONE:
        return True
    raise UnusableSignal(
        f"signal_id: {signal_id} may have been sent before this store was restored; {broker} does "
        f"not show it, which proves nothing yet, and a new order is refused ({refused.message}); send it again after that",
        signal_id,
        is_passing=True,
    )
