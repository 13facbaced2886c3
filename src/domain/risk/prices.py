"""Rules about prices: is there one, and is the order's own anywhere near it."""

from __future__ import annotations

from decimal import Decimal

from liveorder.domain.order.events import decimal_text
from liveorder.domain.risk.proposal import Proposal, RiskCase, RiskRefusal
from liveorder.domain.risk_limits import RiskLimits


def no_fresh_price(case: RiskCase, limits: RiskLimits) -> RiskRefusal | None:
    """An order without a price of its own cannot be valued without the market's, nor a limit price compared with it.

    A limit order passes without a price where `price_collar_percent` is None, a stop order always.
    """
    if not _needs_price(case.proposal, limits):
        return None
    age_seconds, allowed_seconds = case.view.price_age_seconds, limits.max_price_age_seconds
    is_valued = case.proposal.units is not None and case.value is not None
    if is_valued and age_seconds is not None and age_seconds <= allowed_seconds:
        return None
    symbol, measured = case.proposal.instrument.symbol, "none" if age_seconds is None else f"{age_seconds:.3f}"
    message = f"no price of {symbol} at most {allowed_seconds:g} s old"
    if case.view.price_problem:
        message = f"the price of {symbol} could not be asked for: {case.view.price_problem}"
    message += "; check market data, give `price` and `timestamp` in the signal"
    waits = case.proposal.terms.order_type.traits.is_stop or case.proposal.terms.order_type.traits.is_touched
    message += "" if waits else ", or send a limit order without a price_collar_percent"
    return RiskRefusal("no_fresh_price", message, measured, f"{allowed_seconds:g}")


def _needs_price(proposal: Proposal, limits: RiskLimits) -> bool:
    if proposal.terms.order_type.traits.meets_the_market or proposal.terms.order_type.traits.trails or proposal.units is None:
        return True
    return proposal.terms.limit_price is not None and limits.price_collar_percent is not None


def price_collar(case: RiskCase, limits: RiskLimits) -> RiskRefusal | None:
    """A limit price may be worse than the last price by so many percent; how much better is the sender's own affair."""
    limit_price, last_price, percent = case.proposal.terms.limit_price, case.view.last_price, limits.price_collar_percent
    if limit_price is None or last_price is None or percent is None:
        return None
    worse_by = (limit_price - last_price) * case.proposal.terms.side.sign
    if worse_by * 100 <= percent * abs(last_price):
        return None
    price, last = decimal_text(limit_price), decimal_text(last_price)
    message = f"{case.proposal.terms.side} at {price} is {_percent(worse_by, last_price)} % worse than the last price, {last}"
    return RiskRefusal("price_collar", message, _percent(worse_by, last_price), decimal_text(percent))


def _percent(difference: Decimal, price: Decimal) -> str:
    return f"{difference * 100 / abs(price):.2f}" if price else "infinitely many"
