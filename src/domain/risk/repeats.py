"""Is an order the same as one before? A strategy that fires twice, or a source that sends under another id, asks for it twice."""

from __future__ import annotations

from datetime import timedelta

from liveorder.domain.order.terms import OrderTerms
from liveorder.domain.risk.proposal import RiskCase, RiskRefusal
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.values import OrderRole, PositionEffect


def likeness(terms: OrderTerms) -> str:
    """Orders of a strategy in one instrument are alike where this is the same: the side, and whether they open or close."""
    closes = terms.role is not OrderRole.ENTRY or terms.position_effect is PositionEffect.CLOSE
    return f"{terms.side}:CLOSE" if closes else str(terms.side)


def repeated(case: RiskCase, limits: RiskLimits) -> RiskRefusal | None:
    """Within the window of an order, none that is alike; once exactly the window has passed, the next may go. Never an exit."""
    window_seconds, last = limits.repeat_window_seconds, case.view.last_alike
    proposal, terms = case.proposal, case.proposal.terms
    if window_seconds is None or last is None or terms.is_exit:
        return None
    passed, window = case.view.now - last.at, timedelta(seconds=window_seconds)
    if passed >= window:
        return None
    age, left = f"{passed.total_seconds():.3f}", f"{(window - passed).total_seconds():.3f}"
    message = (
        f"{proposal.strategy_name} ordered a {terms.side} of {proposal.instrument.symbol} {age} s ago, order {last.order_id}; "
        f"{left} s of repeat_window_seconds are left; send it again after that if it is meant"
    )
    return RiskRefusal("repeated", message, age, f"{window_seconds:g}")
