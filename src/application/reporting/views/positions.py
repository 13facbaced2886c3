"""A holding of one instrument by one strategy in one account, as shown."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import Field

from liveorder.application.reporting.views.fields import Moment, Number, Numbers, View, plain, rounded_fraction
from liveorder.domain.position import Position, PositionSide, PositionStatus
from liveorder.domain.values import ZERO


class PositionView(View):
    """Averages and results are rounded to 8 decimals, half to even; all money is in `currency`, but for `other_commissions`."""

    account_id: str
    strategy_name: str
    symbol: str
    exchange: str
    instrument: str
    currency: str
    multiplier: Number
    side: PositionSide
    quantity: Number
    """Units, without a sign: `side` has it."""
    average_price: Number | None
    """Of one unit by average cost, without commission; None when flat."""
    realized_pnl: Number
    """Since the first fill, before commission."""
    realized_pnl_net: Number
    """Less all commission in `currency`, that of opening fills too."""
    commission: Number
    """In `currency`. A fee that was taken out of the coin that is traded counts here, at what it was worth, whether or not it
    was reported with the fill; where it was, the order has it in `other_commissions`, in units of the coin."""
    other_commissions: Numbers = Field(default_factory=dict)
    """What was charged in other currencies, by currency: in no result, for want of a rate. Never the coin that is traded."""
    paid_in_kind: Number = ZERO
    """Units of the coin that fees took out of it since it left zero."""
    opened_at: Moment | None
    status: PositionStatus
    order_ids: tuple[UUID, ...]
    """The orders that traded since the position last left zero, in the order of their first fill; the newest 100."""


class AccountPositionView(View):
    """What an account holds of one instrument, all strategies together, as its broker has it; figures as in `PositionView`.

    Results are sums, but for what strategies hold against each other: that is closed for the account, though for none of them.
    """

    account_id: str
    symbol: str
    exchange: str
    instrument: str
    currency: str
    multiplier: Number
    side: PositionSide
    quantity: Number
    average_price: Number | None
    realized_pnl: Number
    realized_pnl_net: Number
    commission: Number
    other_commissions: Numbers = Field(default_factory=dict)
    paid_in_kind: Number = ZERO
    opened_at: Moment | None
    status: PositionStatus
    strategies: tuple[str, ...]
    """Those that hold some of it, or are short of it."""


def position_view(
    position: Position,
    *,
    account_id: str,
    strategy_name: str,
    symbol: str,
    exchange: str,
    instrument: str,
    order_ids: tuple[UUID, ...],
) -> PositionView:
    return PositionView(
        account_id=account_id,
        strategy_name=strategy_name,
        symbol=symbol,
        exchange=exchange,
        instrument=instrument,
        order_ids=order_ids,
        **_figures(position),
    )


def account_position_view(
    position: Position, *, account_id: str, symbol: str, exchange: str, instrument: str, strategies: tuple[str, ...]
) -> AccountPositionView:
    return AccountPositionView(
        account_id=account_id,
        symbol=symbol,
        exchange=exchange,
        instrument=instrument,
        strategies=strategies,
        **_figures(position),
    )


def _figures(position: Position) -> dict[str, Any]:
    return {
        "currency": position.currency,
        "multiplier": plain(position.multiplier),
        "side": position.side,
        "quantity": plain(abs(position.quantity)),
        "average_price": None if position.average_price is None else plain(position.average_price),
        "realized_pnl": rounded_fraction(position.realized_gross),
        "realized_pnl_net": rounded_fraction(position.realized_net),
        "commission": plain(position.commission),
        "other_commissions": {currency: plain(paid) for currency, paid in position.other_commissions.items()},
        "paid_in_kind": plain(position.paid_in_kind),
        "opened_at": position.opened_at,
        "status": position.status,
    }
