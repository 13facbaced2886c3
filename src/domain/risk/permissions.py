"""Rules about what may be traded at all, and when: market, symbol, score, and what is known of the instrument."""

from __future__ import annotations

from liveorder.domain.order.facts import decimal_text
from liveorder.domain.risk.proposal import Proposal, RiskRefusal, RiskView
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.values import ZERO, Side


def currency(proposal: Proposal, view: RiskView, limits: RiskLimits) -> RiskRefusal | None:
    """Limits hold for one currency; an amount in another cannot be compared with them."""
    asked = proposal.instrument.currency
    if asked == view.currency:
        return None
    message = f"account {view.account_id} has limits in {view.currency} and none in {asked}; set some, or trade it elsewhere"
    return RiskRefusal("currency", message, asked, view.currency)


def allowed_symbols(proposal: Proposal, view: RiskView, limits: RiskLimits) -> RiskRefusal | None:
    symbol = proposal.instrument.symbol
    if limits.allowed_symbols is None or symbol in limits.allowed_symbols:
        return None
    allowed = ", ".join(sorted(limits.allowed_symbols)) or "none"
    return RiskRefusal("allowed_symbols", f"{symbol} is not among allowed_symbols", symbol, allowed)


def market_closed(proposal: Proposal, view: RiskView, limits: RiskLimits) -> RiskRefusal | None:
    if view.is_market_open or limits.allow_closed_market:
        return None
    message = f"{proposal.instrument.exchange} is closed; wait for its session, or set allow_closed_market"
    return RiskRefusal("market_closed", message, "closed", "open")


def signal_score(proposal: Proposal, view: RiskView, limits: RiskLimits) -> RiskRefusal | None:
    """A BUY above its bound, a SELL below its own; at the bound is not beyond it. Without a score only where none is required."""
    score, is_buy = proposal.score, proposal.side is Side.BUY
    if score is None:
        if not limits.require_score or proposal.is_operators:
            return None
        return RiskRefusal("signal_score", "the signal has no score and require_score is set", "none", "a score")
    bound = limits.min_buy_score if is_buy else limits.max_sell_score
    if bound is None or (score > bound if is_buy else score < bound):
        return None
    side, way = proposal.side.value, "above" if is_buy else "below"
    measured, limit = decimal_text(score), decimal_text(bound)
    return RiskRefusal("signal_score", f"the score of a {side} must be {way} {limit}, it is {measured}", measured, limit)


def in_doubt_symbol(proposal: Proposal, view: RiskView, limits: RiskLimits) -> RiskRefusal | None:
    """While it is not known what an earlier order did, a new one could double it."""
    if not view.doubts:
        return None
    orders = ", ".join(str(order_id) for order_id in view.doubts)
    message = f"order {orders} in {proposal.instrument.symbol} is in doubt; see `liveorder doubts`"
    return RiskRefusal("in_doubt_symbol", message, str(len(view.doubts)), "0")


def unreconciled_symbol(proposal: Proposal, view: RiskView, limits: RiskLimits) -> RiskRefusal | None:
    """Where our position is not the broker's, only what surely reduces both may go out."""
    if view.is_reconciled:
        return None
    symbol = proposal.instrument.symbol
    message = f"our position in {symbol} is not the broker's; see `liveorder reconcile`, then adopt or import the difference"
    return RiskRefusal("unreconciled_symbol", message, "differs", "agrees")


def short_selling(proposal: Proposal, view: RiskView, limits: RiskLimits) -> RiskRefusal | None:
    """Unless it is allowed, a SELL may not take the position below zero, should every open SELL fill and no open BUY."""
    if limits.allow_short_selling or proposal.side is Side.BUY:
        return None
    held = view.exposure.quantity - view.exposure.sells.quantity
    left = held - (proposal.units or ZERO)
    if left >= 0 and proposal.units is not None:
        return None
    symbol = proposal.instrument.symbol
    message = f"{decimal_text(max(held, ZERO))} {symbol} can be sold; to sell short, set allow_short_selling"
    return RiskRefusal("short_selling", message, decimal_text(left), "0")
