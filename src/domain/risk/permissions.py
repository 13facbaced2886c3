"""Rules about what may be traded at all, and when: market, symbol, score, and what is known of the instrument."""

from __future__ import annotations

from liveorder.domain.order.events import decimal_text
from liveorder.domain.risk.proposal import RiskCase, RiskRefusal
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.values import ZERO, PositionEffect, Side
from liveorder.domain.wording import few

IN_DOUBT_SYMBOL = "in_doubt_symbol"


def currency(case: RiskCase, limits: RiskLimits) -> RiskRefusal | None:
    """Limits hold for one currency; an amount in another cannot be compared with them."""
    asked = case.proposal.instrument.currency
    if asked == case.view.currency:
        return None
    message = (
        f"account {case.view.account_id} has limits in {case.view.currency} and none in {asked}; set some, or trade it elsewhere"
    )
    return RiskRefusal("currency", message, asked, case.view.currency)


def allowed_symbols(case: RiskCase, limits: RiskLimits) -> RiskRefusal | None:
    symbol = case.proposal.instrument.symbol
    if limits.allowed_symbols is None or symbol in limits.allowed_symbols:
        return None
    allowed = few(sorted(limits.allowed_symbols)) or "none"
    return RiskRefusal("allowed_symbols", f"{symbol} is not among allowed_symbols", symbol, allowed)


def market_closed(case: RiskCase, limits: RiskLimits) -> RiskRefusal | None:
    why = case.view.closed_because
    if why is None or limits.allow_closed_market:
        return None
    return RiskRefusal("market_closed", f"{why}, or set allow_closed_market", "closed", "open")


def signal_score(case: RiskCase, limits: RiskLimits) -> RiskRefusal | None:
    """A BUY above its bound, a SELL below its own; at the bound is not beyond it. Of an exit too, unless `score_exits` is off.

    Without a score only where none is required: an exit needs none, and neither does what a person orders (ADR 58).
    """
    terms, score = case.proposal.terms, case.proposal.terms.score
    is_buy, is_exit = terms.side is Side.BUY, case.is_reducing or terms.is_exit
    if case.proposal.is_operators or (case.is_reducing and not limits.score_exits):
        return None
    if score is None:
        if is_exit or not limits.require_score:
            return None
        return RiskRefusal("signal_score", "the signal has no score and require_score is set", "none", "a score")
    bound = limits.min_buy_score if is_buy else limits.max_sell_score
    if bound is None or (score > bound if is_buy else score < bound):
        return None
    side, way = terms.side.value, "above" if is_buy else "below"
    measured, limit = decimal_text(score), decimal_text(bound)
    return RiskRefusal("signal_score", f"the score of a {side} must be {way} {limit}, it is {measured}", measured, limit)


def in_doubt_symbol(case: RiskCase, limits: RiskLimits) -> RiskRefusal | None:
    """While it is not known what an earlier order did, a new one could double it. A target is sized by both that its strategy's own
    orders may have done.
    """
    reckoned = case.view.own_doubts if case.proposal.terms.has_target else ()
    doubts = [order_id for order_id in case.view.doubts if order_id not in reckoned]
    if not doubts:
        return None
    are = "is" if len(doubts) == 1 else "are"
    message = f"order {few(doubts)} in {case.proposal.instrument.symbol} {are} in doubt; see `liveorder doubts`"
    return RiskRefusal(IN_DOUBT_SYMBOL, message, str(len(doubts)), "0")


def unreconciled_symbol(case: RiskCase, limits: RiskLimits) -> RiskRefusal | None:
    """Where our position is not the broker's, only what surely reduces both may go out."""
    if case.view.is_reconciled:
        return None
    symbol = case.proposal.instrument.symbol
    message = f"our position in {symbol} is not the broker's; `liveorder reconcile` shows it, `liveorder adopt` takes it over"
    return RiskRefusal("unreconciled_symbol", message, "differs", "agrees")


def short_selling(case: RiskCase, limits: RiskLimits) -> RiskRefusal | None:
    """Unless it is allowed, a SELL may take neither its strategy's position below zero nor the account's, should every open SELL
    fill and no open BUY.
    """
    if limits.allow_short_selling or case.proposal.terms.side is Side.BUY:
        return None
    has = case.view.of_order
    own, account = has.own, has.account
    of_own, of_account = own.quantity - own.sells, account.quantity - account.sells.quantity
    held = min(of_own, of_account)
    left = held - (case.proposal.units or ZERO)
    if left >= 0 and case.proposal.units is not None:
        return None
    symbol = f"{case.proposal.instrument.symbol}{_under(case)}"
    sellable, whose = decimal_text(max(held, ZERO).normalize()), case.proposal.strategy_name
    message = f"{sellable if held > 0 else 'no'} {symbol} can be sold by strategy {whose}; to sell short, set allow_short_selling"
    if of_own > of_account:
        message = f"{whose} has {decimal_text(of_own)} {symbol} to sell, the account {sellable}: another strategy is short of it"
    elif of_own < of_account:
        message = f"{message}. Of the account it is {decimal_text(of_account)}; `liveorder positions` shows which strategy holds it"
    return RiskRefusal("short_selling", message, decimal_text(left), "0")


def beyond_zero(case: RiskCase, limits: RiskLimits) -> RiskRefusal | None:
    """An order that says CLOSE takes nothing beyond zero, whatever short selling is allowed. Nor does one that was approved as it
    only reduces, when it is sent again. What surely reduces is not asked.
    """
    terms, own, under = case.proposal.terms, case.view.of_order.own, _under(case)
    says_close = terms.position_effect is PositionEffect.CLOSE
    if not says_close and not (terms.reduces_only and case.proposal.is_new):
        return None
    symbol, whose = case.proposal.instrument.symbol, case.proposal.strategy_name
    left = case.view.closable_by(terms.side, may_be_short=limits.allow_short_selling)
    units = "an unknown number" if case.proposal.units is None else decimal_text(case.proposal.units)
    message = (
        f"{'CLOSE' if says_close else 'it only reduces'}: {whose} has {decimal_text(own.quantity)} {symbol}{under}, "
        f"its open orders and its broker leave {decimal_text(left)} of it to close, and "
        f"this is for {units}; close less, or give no size to close what is left"
    )
    return RiskRefusal("beyond_zero", message, units, decimal_text(left))


def across_zero(case: RiskCase, limits: RiskLimits) -> RiskRefusal | None:
    """At a broker that takes none, no order takes the account's position across zero, whichever strategy holds it. What surely
    reduces is not asked, nor is the one order by which a shadow run judges both legs of a reversal: nothing of it is sent.
    """
    view, terms, units = case.view, case.proposal.terms, case.proposal.whole_units
    side = terms.side
    left = None if view.crosses_zero or terms.is_shadow else view.of_order.left_before_zero(side)
    if left is None or (units is not None and units <= left):
        return None
    symbol = f"{case.proposal.instrument.symbol}{_under(case)}"
    remedy = f"{side} no more than that, and the rest once it is filled" if left else "send it again once they have ended"
    message = (
        f"the account has {decimal_text(view.of_order.account.quantity)} {symbol}, open orders leave {decimal_text(left)} of it "
        f"to {side}, and its broker takes no order across zero; {remedy}"
    )
    return RiskRefusal("across_zero", message, "an unknown number" if units is None else decimal_text(units), decimal_text(left))


def _under(case: RiskCase) -> str:
    """For people, where a position is kept for each product."""
    return "" if case.view.part is None else f" under {case.proposal.terms.product}"
