"""Rules that compare an amount, the order included, with a limit on it."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from liveorder.domain.order.events import decimal_text
from liveorder.domain.risk.proposal import RiskCase, RiskRefusal
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.values import EXACT

_SHORT = Decimal("0.0001")


def order_quantity(case: RiskCase, limits: RiskLimits) -> RiskRefusal | None:
    units = case.proposal.whole_units
    return _above("order_quantity", "the order's quantity", units, limits.max_order_quantity, "max_order_quantity")


def order_value(case: RiskCase, limits: RiskLimits) -> RiskRefusal | None:
    return _above(
        "order_value", f"the order's value in {case.view.currency}", case.value, limits.max_order_value, "max_order_value"
    )


def position_value(case: RiskCase, limits: RiskLimits) -> RiskRefusal | None:
    """What all positions together could be worth: in each instrument its buys or its sells fill, whichever comes to more."""
    what = f"the value of all positions in {case.view.currency}"
    return _above("position_value", what, case.position_value, limits.max_position_size, "max_position_size")


def portfolio_exposure(case: RiskCase, limits: RiskLimits) -> RiskRefusal | None:
    """Long and short, held and open, added up without any netting; only what reduces a position is left out."""
    what = f"the gross exposure in {case.view.currency}"
    return _above("portfolio_exposure", what, case.exposure, limits.max_portfolio_exposure, "max_portfolio_exposure")


def open_order_count(case: RiskCase, limits: RiskLimits) -> RiskRefusal | None:
    return _above(
        "open_order_count", "the number of open orders", case.view.open_orders + 1, limits.max_open_orders, "max_open_orders"
    )


def position_count(case: RiskCase, limits: RiskLimits) -> RiskRefusal | None:
    """More of what is held or being opened already is no further position."""
    if case.view.exposure.is_taken:
        return None
    what = "the number of instruments held or being opened"
    return _above("position_count", what, case.view.other_positions + 1, limits.max_positions, "max_positions")


def daily_trade_count(case: RiskCase, limits: RiskLimits) -> RiskRefusal | None:
    what = f"the number of orders in session {case.view.session_date.isoformat()}"
    return _above("daily_trade_count", what, case.view.trades_today + 1, limits.max_daily_trades, "max_daily_trades")


def daily_loss(case: RiskCase, limits: RiskLimits) -> RiskRefusal | None:
    """Once so much is lost, nothing that adds risk goes out in that session; a loss of exactly the limit is enough."""
    view, loss, limit = case.view, -case.view.realized_net_today, limits.max_daily_loss
    if limit is None or loss < limit:
        return None
    measured, allowed = decimal_text(loss), decimal_text(limit)
    message = f"session {view.session_date.isoformat()} lost {_in_words(loss)} {view.currency}, the limit is {allowed}"
    return RiskRefusal("daily_loss", message, measured, allowed)


def _above(code: str, what: str, measured: Decimal | int | None, limit: Decimal | int | None, setting: str) -> RiskRefusal | None:
    if measured is None or limit is None or measured <= limit:
        return None
    found, allowed = decimal_text(Decimal(measured)), decimal_text(Decimal(limit))
    return RiskRefusal(code, f"{what} would be {_in_words(Decimal(measured))}, the limit is {allowed} ({setting})", found, allowed)


def _in_words(measured: Decimal) -> str:
    """To four decimals, rounded up, so that it never reads as within the limit that it is beyond."""
    short = measured.quantize(_SHORT, ROUND_CEILING, EXACT)
    return decimal_text(measured if short == measured else short)
