"""Rules about prices: is there one, is the order's own anywhere near it, and has the market passed its stop."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from liveorder.domain.order.events import decimal_text
from liveorder.domain.risk.proposal import Proposal, RiskCase, RiskRefusal
from liveorder.domain.risk_limits import PassedExitStop, RiskLimits
from liveorder.domain.values import ZERO, Side

_HUNDREDTH = Decimal("0.01")


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
    """A limit price may be worse than the last price by so many percent; how much better is the sender's own affair.

    An exit passes where there is no fresh price, or where new terms leave its prices as they are. The limit of an exit that waits
    is compared with its stop, where the market will be by then (ADR 58).
    """
    terms, percent = case.proposal.terms, limits.price_collar_percent
    if terms.limit_price is None or percent is None or exits_at_market(case, limits):
        return None
    compared, what = _compared_with(case, limits)
    if compared is None:
        return None
    worse_by = (terms.limit_price - compared) * terms.side.sign
    if worse_by * 100 <= percent * abs(compared):
        return None
    worse, price = _percent(worse_by, compared), decimal_text(terms.limit_price)
    message = f"{terms.side} at {price} is {worse} % worse than {what}, {decimal_text(compared)}"
    return RiskRefusal("price_collar", message, worse, decimal_text(percent))


def collar_of_its_stop(case: RiskCase, limits: RiskLimits) -> RiskRefusal | None:
    """The collar where the limit is compared with the order's own stop: where the market will be by then changes nothing."""
    return price_collar(case, limits) if _is_compared_with_its_stop(case, limits) else None


def _compared_with(case: RiskCase, limits: RiskLimits) -> tuple[Decimal | None, str]:
    """What the limit price is compared with, and what that is; None: with nothing."""
    if not case.is_reducing:
        return case.view.last_price, "the last price"
    if not case.proposal.renews("limit_price", "stop_price"):
        return None, ""
    if _is_compared_with_its_stop(case, limits):
        return case.proposal.terms.stop_price, "its stop"
    return _fresh_price(case, limits), "the last price"


def _is_compared_with_its_stop(case: RiskCase, limits: RiskLimits) -> bool:
    """Of an exit whose stop a fresh price has not passed."""
    is_known = case.proposal.terms.stop_price is not None and _fresh_price(case, limits) is not None
    return case.is_reducing and is_known and not is_passed(case, limits)


def stop_already_passed(case: RiskCase, limits: RiskLimits) -> RiskRefusal | None:
    """What waits for a price that the market has passed does not wait: it trades at once. A digit too many does that.

    An exit goes out all the same, as what it comes to: see `exits_at_market`.
    """
    terms = case.proposal.terms
    if not is_passed(case, limits) or not case.proposal.renews("stop_price") or exits_at_market(case, limits):
        return None
    assert terms.stop_price is not None
    last, stop = decimal_text(case.view.last_price or ZERO), decimal_text(terms.stop_price)
    waits = "at or above" if (terms.side is Side.BUY) is terms.order_type.traits.is_stop else "at or below"
    message = (
        f"{case.proposal.instrument.symbol} stands at {last}, and a {terms.side} {terms.order_type} is active {waits} its "
        f"stop_price, {stop}: it would trade at once; correct stop_price, or send a MARKET order if that is meant"
    )
    return RiskRefusal("stop_already_passed", message, last, stop)


def is_passed(case: RiskCase, limits: RiskLimits) -> bool:
    """Whether the market is beyond the price at which the order becomes active, or just there, by fresh prices only.

    By what the order would meet and by the last trade: brokers differ in what they go by, and in a wide spread they are far apart.
    """
    terms, price = case.proposal.terms, _fresh_price(case, limits)
    if terms.stop_price is None or price is None:
        return False
    way = terms.side.sign if terms.order_type.traits.is_stop else -terms.side.sign
    told = (price, case.view.last_trade if case.view.last_trade is not None else price)
    return all((each - terms.stop_price) * way >= 0 for each in told)


def exits_at_market(case: RiskCase, limits: RiskLimits) -> bool:
    """Whether it is a new order that only reduces, and goes out at the market because its stop is passed."""
    is_wanted = case.is_reducing and case.proposal.is_new and limits.passed_exit_stop is PassedExitStop.MARKET
    return is_wanted and is_passed(case, limits)


def _fresh_price(case: RiskCase, limits: RiskLimits) -> Decimal | None:
    """What the order would meet, where that is young enough to be reckoned with."""
    age_seconds = case.view.price_age_seconds
    return case.view.last_price if age_seconds is not None and age_seconds <= limits.max_price_age_seconds else None


def _percent(difference: Decimal, price: Decimal) -> str:
    """To two decimals, rounded up, so that it never reads as within the collar that it is beyond."""
    return str((difference * 100 / abs(price)).quantize(_HUNDREDTH, ROUND_CEILING)) if price else "infinitely many"
