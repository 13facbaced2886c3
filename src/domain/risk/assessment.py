"""The rules in their order, and what they say of an order together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from msgspec import Struct, field

from liveorder.domain.limit_tables import LimitTable
from liveorder.domain.order.events import decimal_text
from liveorder.domain.risk.amounts import (
    daily_loss,
    daily_trade_count,
    open_order_count,
    order_quantity,
    order_value,
    portfolio_exposure,
    position_count,
    position_value,
)
from liveorder.domain.risk.buying_power import buying_power
from liveorder.domain.risk.permissions import (
    IN_DOUBT_SYMBOL,
    across_zero,
    allowed_symbols,
    beyond_zero,
    currency,
    in_doubt_symbol,
    market_closed,
    short_selling,
    signal_score,
    unreconciled_symbol,
)
from liveorder.domain.risk.prices import (
    collar_of_its_stop,
    exits_at_market,
    no_fresh_price,
    price_collar,
    stop_already_passed,
)
from liveorder.domain.risk.proposal import Proposal, RiskCase, RiskRefusal, RiskView, Rule
from liveorder.domain.risk.repeats import repeated
from liveorder.domain.risk.switches import auto_trading, kill_switch, stale_signal
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.values import ZERO, PositionEffect, Side

SWITCHES: tuple[Rule, ...] = (kill_switch, auto_trading, stale_signal)
EXIT_RULES: tuple[Rule, ...] = (*SWITCHES, signal_score, stop_already_passed, price_collar)
"""All that an order which can only reduce a position has to pass."""

RULES: tuple[Rule, ...] = (
    *SWITCHES,
    currency,
    allowed_symbols,
    market_closed,
    unreconciled_symbol,
    in_doubt_symbol,
    signal_score,
    no_fresh_price,
    stop_already_passed,
    price_collar,
    short_selling,
    beyond_zero,
    across_zero,
    order_quantity,
    order_value,
    repeated,
    daily_trade_count,
    open_order_count,
    daily_loss,
    position_count,
    position_value,
    portfolio_exposure,
    buying_power,
)
"""Asked in this order; the first refusal is the one that is recorded, but for a doubt where there is another."""

GATES: tuple[Rule, ...] = (*SWITCHES, market_closed, unreconciled_symbol, short_selling, beyond_zero)
"""What an approved order has to pass again, just before each attempt to send it: what it was to close may be gone by then."""

OPENING_RULES: tuple[Rule, ...] = (
    currency,
    allowed_symbols,
    signal_score,
    across_zero,
    order_quantity,
    order_value,
    daily_trade_count,
    repeated,
)
"""What the opening leg of a reversal would not pass either once the closing one is filled: asked before that leaves."""

LASTING: tuple[Rule, ...] = (*SWITCHES, signal_score, collar_of_its_stop)
"""What an exit has to pass whatever it comes to, and wherever the market is by then."""

OF_ITSELF: tuple[Rule, ...] = (*SWITCHES, currency, allowed_symbols, signal_score, order_quantity, order_value)
"""What an order that opens has to pass whatever else there is by then."""

_OF_EXITS = frozenset((*EXIT_RULES, *LASTING))

REPLACEMENT_RULES: tuple[Rule, ...] = tuple(
    rule for rule in RULES if rule not in {stale_signal, signal_score, repeated, daily_trade_count, open_order_count}
)
"""For new terms of an order that is counted already and whose signal was judged when it came."""


TABLE_RULES: Mapping[Rule, tuple[str, ...]] = {
    stale_signal: ("max_signal_age_seconds",),
    signal_score: ("min_buy_score", "max_sell_score"),
    short_selling: ("allow_short_selling",),
    order_quantity: ("max_order_quantity",),
    order_value: ("max_order_value",),
    repeated: ("repeat_window_seconds",),
    daily_trade_count: ("max_daily_trades",),
    open_order_count: ("max_open_orders",),
    daily_loss: ("max_daily_loss",),
    position_count: ("max_positions",),
    position_value: ("max_position_size",),
}
"""Those that are asked of a table of limits too, with the names of the limits; where there are two, of a BUY and of a SELL."""


class Level(NamedTuple):
    """A table of limits, and what the rules measure by it: the figures of its strategy or symbol."""

    table: LimitTable
    view: RiskView


class Assessment(Struct, frozen=True):
    """What the rules say of one order. `figures` are those that they measured, as text, whatever they said."""

    refusal: RiskRefusal | None
    is_reducing: bool
    """It can only reduce what its strategy holds."""
    reduces_account: bool
    """And the account's position too, so that its broker may be told so."""
    figures: dict[str, str] = field(default_factory=dict)
    exits_at_market: bool = False
    """Whether it goes out as a market order, since it only reduces and its stop is passed."""
    is_unconfirmed: bool = False
    """It only reduces by our book: the broker did not say in time what the account holds."""
    at_most: Decimal | None = None
    """Units, where by our book it only reduces, and by what the broker said, or takes in one order, no more than this would."""
    at_broker: Decimal = ZERO
    """Signed units of the account, with `at_most`."""
    may_be_ours: bool = False
    """With `at_most`: our own open orders can have filled what the broker lacks."""


def assess(
    proposal: Proposal, view: RiskView, limits: RiskLimits, rules: Sequence[Rule] = RULES, levels: Sequence[Level] = ()
) -> Assessment:
    """The first refusal, if any: by the account's limits, then by its tables. A doubt only where nothing else refuses the order:
    it passes.
    """
    case = RiskCase.of(proposal, view, limits)
    refusal = min(_refusals(case, limits, rules, levels), key=_is_doubt, default=None)
    reduces_account = case.is_reducing and _reduces_account(case)
    is_unconfirmed = case.is_reducing and view.heard_difference is None
    at_most, at_market = _at_most(case, limits), exits_at_market(case, limits)
    has = view.of_order
    is_ours = has.account.may_have_filled(has.heard_difference or ZERO, proposal.terms.side)
    return Assessment(
        refusal, case.is_reducing, reduces_account, _figures(case), at_market, is_unconfirmed, at_most, has.at_broker, is_ours
    )


def assess_all(proposal: Proposal, view: RiskView, limits: RiskLimits, levels: Sequence[Level] = ()) -> tuple[RiskRefusal, ...]:
    """Every refusal, for a person who wants to know all that stands in the way."""
    return tuple(_refusals(RiskCase.of(proposal, view, limits), limits, RULES, levels))


def assess_opening(
    first: Proposal, opens: Decimal, view: RiskView, limits: RiskLimits, levels: Sequence[Level] = ()
) -> RiskRefusal | None:
    """What refuses a reversal in two legs as a whole: its `first` one would close, and another that `opens` so many units would be
    refused after it.
    """
    side, closes = first.terms.side, first.units or ZERO
    part = None if view.part is None else view.part._replace(account=view.part.account.once_filled(side, closes))
    view = view._replace(exposure=view.exposure.once_filled(side, closes), part=part, trades_today=view.trades_today + 1)
    levels = [each._replace(view=each.view._replace(trades_today=each.view.trades_today + 1)) for each in levels]
    opening = first._replace(terms=first.terms.but(quantity=opens, notional=None, position_effect=PositionEffect.OPEN))
    case = RiskCase.of(opening, view, limits)._replace(is_reducing=False)
    return next(_refusals(case, limits, OPENING_RULES, levels), None)


def assess_wait(
    proposal: Proposal, view: RiskView, limits: RiskLimits, levels: Sequence[Level] = (), *, ages: bool, meets_market: bool
) -> RiskRefusal | None:
    """What refuses an order at once that would have to wait: a switch, and whatever it comes to the score of one that closes, and
    its prices. Its size may not be known yet; one that closes can only reduce. `ages`: its signal does not get old while it waits,
    so that it has to be young enough now. `meets_market`: as it is now.
    """
    case, effect = RiskCase.of(proposal, view, limits), proposal.terms.position_effect
    closes = effect is PositionEffect.CLOSE
    rules = SWITCHES
    if not ages:
        rules = (kill_switch, auto_trading)
    elif closes:
        rules = EXIT_RULES if meets_market else LASTING
    elif effect is PositionEffect.OPEN and proposal.units is not None:
        rules = OF_ITSELF
    return next(_refusals(case._replace(is_reducing=case.is_reducing or closes), limits, rules, levels), None)


def _refusals(case: RiskCase, limits: RiskLimits, rules: Sequence[Rule], levels: Sequence[Level]) -> Iterator[RiskRefusal]:
    met = [rule for rule in rules if rule in _OF_EXITS or not case.is_reducing]
    for rule in met:
        if (refusal := rule(case, limits)) is not None:
            yield refusal
    for table, view in levels:
        seen = RiskCase.of(case.proposal, view, limits)._replace(is_reducing=case.is_reducing)
        for rule in met:
            if rule in TABLE_RULES and (refusal := rule(seen, table.limits)) is not None:
                limit = _limit_of(rule, case.proposal)
                yield replace(refusal, message=f"{refusal.message.removesuffix(f' ({limit})')} ({limit} of {table.title})")


def _is_doubt(refusal: RiskRefusal) -> bool:
    return refusal.code == IN_DOUBT_SYMBOL


def _limit_of(rule: Rule, proposal: Proposal) -> str:
    names = TABLE_RULES[rule]
    return names[0] if proposal.terms.side is Side.BUY else names[-1]


def _reduces_account(case: RiskCase) -> bool:
    has, units = case.view.of_order, case.proposal.units
    return units is not None and units <= has.account.reducible_by(case.proposal.terms.side, has.agreed_quantity)


def _at_most(case: RiskCase, limits: RiskLimits) -> Decimal | None:
    """An order that opens says so, or is for more than its strategy holds."""
    view, has, terms, units = case.view, case.view.of_order, case.proposal.terms, case.proposal.units
    if units is None or units > has.own.reducible_by(terms.side) or terms.position_effect is PositionEffect.OPEN:
        return None
    if view.crosses_zero and terms.side.signed(has.heard_difference or ZERO) <= 0:
        return None
    most = view.closable_by(terms.side, may_be_short=limits.allow_short_selling)
    return most if most < units else None


def _figures(case: RiskCase) -> dict[str, str]:
    """Amounts with the order included, as the rules compare them; what is not known is left out."""
    proposal, view = case.proposal, case.view
    figures = {
        "reduces_only": "yes" if case.is_reducing else "no",
        "position_quantity": decimal_text(view.of_order.account.quantity),
        "position_value": decimal_text(case.position_value),
        "portfolio_exposure": decimal_text(case.exposure),
        "realized_net_today": decimal_text(view.realized_net_today),
        "trades_today": str(view.trades_today + 1),
        "open_orders": str(view.open_orders + 1),
    }
    known = {"order_quantity": proposal.whole_units, "order_value": case.value, "last_price": view.last_price}
    figures |= {name: decimal_text(value) for name, value in known.items() if value is not None}
    if view.of_order.heard_difference:
        figures["at_broker"] = decimal_text(view.of_order.at_broker)
    if view.buying_power is not None:
        figures["buying_power"] = decimal_text(view.buying_power.amount)
    if view.price_age_seconds is not None:
        figures["price_age_seconds"] = f"{view.price_age_seconds:.3f}"
    if proposal.terms.signal_at is not None:
        figures["signal_age_seconds"] = f"{(view.now - proposal.terms.signal_at).total_seconds():.3f}"
    return figures
