"""A session of one strategy in one account, summed up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from liveorder.application.reporting.views.fields import Number, View
from liveorder.domain.lifecycle import OrderStatus


class DailySummaryView(View):
    """All money is in `currency`; a strategy that trades in two, or pays fees in another than it trades in, has two of these.

    An order counts to the session of its submission, or the UTC date of its request when it was never submitted. So do its fills,
    but those of a GTC or GTD order that come on a later UTC date count to that.
    """

    session_date: date
    account_id: str
    strategy_name: str
    currency: str
    orders: int
    by_status: Mapping[OrderStatus, int]
    """All six, also those that no order has."""
    fills: int
    filled_quantity: Number
    filled_value: Number
    """Σ quantity × price × multiplier, bought and sold."""
    commission: Number
    realized_pnl: Number
    """By the fills of this session, before commission; average cost, to 8 decimals, half to even."""
    realized_pnl_net: Number
    """Less the commission of this session's fills."""
