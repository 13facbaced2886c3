"""The rules in their order, and what they say of an order together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

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
    allowed_symbols,
    currency,
    in_doubt_symbol,
    market_closed,
    short_selling,
    signal_score,
    unreconciled_symbol,
)
from liveorder.domain.risk.prices import exits_at_market, no_fresh_price, price_collar, stop_already_passed
from liveorder.domain.risk.proposal import Proposal, RiskCase, RiskRefusal, RiskView, Rule
from liveorder.domain.risk.repeats import repeated
from liveorder.domain.risk.switches import auto_trading, kill_switch, stale_signal
from liveorder.domain.risk_limits import RiskLimits

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
"""Asked in this order; the first refusal is the one that is recorded."""

GATES: tuple[Rule, ...] = (*SWITCHES, market_closed, unreconciled_symbol, short_selling)
"""What an approved order has to pass again, just before each attempt to send it: what it was to close may be gone by then."""

REPLACEMENT_RULES: tuple[Rule, ...] = tuple(
    rule for rule in RULES if rule not in {stale_signal, signal_score, repeated, daily_trade_count, open_order_count}
)
"""For new terms of an order that is counted already and whose signal was judged when it came."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the rules say of one order. `figures` are those that they measured, as text, whatever they said."""

    refusal: RiskRefusal | None
    is_reducing: bool
    figures: dict[str, str] = field(default_factory=dict)
    exits_at_market: bool = False
    """Whether it goes out as a market order, since it only reduces and its stop is passed."""


def assess(proposal: Proposal, view: RiskView, limits: RiskLimits, rules: Sequence[Rule] = RULES) -> Assessment:
    """The first refusal, if any."""
    case = RiskCase.of(proposal, view)
    refusal = next(_refusals(case, limits, rules), None)
    return Assessment(refusal, case.is_reducing, _figures(case), exits_at_market(case, limits))


def assess_all(proposal: Proposal, view: RiskView, limits: RiskLimits) -> tuple[RiskRefusal, ...]:
    """Every refusal, for a person who wants to know all that stands in the way."""
    return tuple(_refusals(RiskCase.of(proposal, view), limits, RULES))


def _refusals(case: RiskCase, limits: RiskLimits, rules: Sequence[Rule]) -> Iterator[RiskRefusal]:
    for rule in rules:
        if case.is_reducing and rule not in EXIT_RULES:
            continue
        if (refusal := rule(case, limits)) is not None:
            yield refusal


def _figures(case: RiskCase) -> dict[str, str]:
    """Amounts with the order included, as the rules compare them; what is not known is left out."""
    proposal, view = case.proposal, case.view
    figures = {
        "reduces_only": "yes" if case.is_reducing else "no",
        "position_quantity": decimal_text(view.exposure.quantity),
        "position_value": decimal_text(case.position_value),
        "portfolio_exposure": decimal_text(case.exposure),
        "realized_net_today": decimal_text(view.realized_net_today),
        "trades_today": str(view.trades_today + 1),
        "open_orders": str(view.open_orders + 1),
    }
    known = {"order_quantity": proposal.units, "order_value": case.value, "last_price": view.last_price}
    figures |= {name: decimal_text(value) for name, value in known.items() if value is not None}
    if view.buying_power is not None:
        figures["buying_power"] = decimal_text(view.buying_power.amount)
    if view.price_age_seconds is not None:
        figures["price_age_seconds"] = f"{view.price_age_seconds:.3f}"
    if proposal.terms.signal_at is not None:
        figures["signal_age_seconds"] = f"{(view.now - proposal.terms.signal_at).total_seconds():.3f}"
    return figures
