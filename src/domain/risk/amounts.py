"""Rules that compare an amount, the order included, with a limit on it."""

from __future__ import annotations

from decimal import Decimal

from liveorder.domain.order.facts import decimal_text
from liveorder.domain.risk.exposure import Exposure
from liveorder.domain.risk.proposal import Proposal, RiskRefusal, RiskView
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.values import ZERO


def order_quantity(proposal: Proposal, view: RiskView, limits: RiskLimits) -> RiskRefusal | None:
    return _above("order_quantity", "the order's quantity", proposal.units, limits.max_order_quantity)


def order_value(proposal: Proposal, view: RiskView, limits: RiskLimits) -> RiskRefusal | None:
    return _above("order_value", f"the order's value in {view.currency}", proposal.value(view.last_price), limits.max_order_value)


def position_value(proposal: Proposal, view: RiskView, limits: RiskLimits) -> RiskRefusal | None:
    """What all positions together could be worth: in each instrument its buys or its sells fill, whichever comes to more."""
    measured = positions_after(proposal, view)
    return _above("position_value", f"the value of all positions in {view.currency}", measured, limits.max_position_size)


def portfolio_exposure(proposal: Proposal, view: RiskView, limits: RiskLimits) -> RiskRefusal | None:
    """Long and short, held and open, added up without any netting; only what reduces a position is left out."""
    measured = exposure_after(proposal, view)
    return _above("portfolio_exposure", f"the gross exposure in {view.currency}", measured, limits.max_portfolio_exposure)


def open_order_count(proposal: Proposal, view: RiskView, limits: RiskLimits) -> RiskRefusal | None:
    return _above("open_order_count", "the number of open orders", view.open_orders + 1, limits.max_open_orders)


def daily_trade_count(proposal: Proposal, view: RiskView, limits: RiskLimits) -> RiskRefusal | None:
    what = f"the number of orders in session {view.session_date.isoformat()}"
    return _above("daily_trade_count", what, view.trades_today + 1, limits.max_daily_trades)


def daily_loss(proposal: Proposal, view: RiskView, limits: RiskLimits) -> RiskRefusal | None:
    """Once so much is lost, nothing that adds risk goes out in that session; a loss of exactly the limit is enough."""
    loss, limit = -view.realized_net_today, limits.max_daily_loss
    if limit is None or loss < limit:
        return None
    message = (
        f"session {view.session_date.isoformat()} lost {decimal_text(loss)} {view.currency}, the limit is {decimal_text(limit)}"
    )
    return RiskRefusal("daily_loss", message, decimal_text(loss), decimal_text(limit))


def positions_after(proposal: Proposal, view: RiskView) -> Decimal:
    """Money: see `position_value`."""
    return view.other_position_value + _exposure_after(proposal, view).position_value


def exposure_after(proposal: Proposal, view: RiskView) -> Decimal:
    """Money: see `portfolio_exposure`."""
    return view.other_exposure + _exposure_after(proposal, view).gross


def _exposure_after(proposal: Proposal, view: RiskView) -> Exposure:
    """An order without a known price counts nothing here; `no_fresh_price` has it."""
    return view.exposure.plus(proposal.side, proposal.units or ZERO, proposal.value(view.last_price) or ZERO)


def _above(code: str, what: str, measured: Decimal | int | None, limit: Decimal | int | None) -> RiskRefusal | None:
    if measured is None or limit is None or measured <= limit:
        return None
    found, allowed = decimal_text(Decimal(measured)), decimal_text(Decimal(limit))
    return RiskRefusal(code, f"{what} would be {found}, the limit is {allowed}", found, allowed)
