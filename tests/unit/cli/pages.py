"""Views to render, and what a person would see of them."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import pytest
from rich.console import Console

from liveorder.application.reporting.views import OrderView, PositionView, order_view
from liveorder.domain.instrument import Instrument
from liveorder.domain.order import LiveOrder
from liveorder.domain.position import PositionSide, PositionStatus
from liveorder.interfaces.cli import order_page, screen, tables
from tests.builders import intent

HOSTILE = "[red]SPY[/red]\x1b[31m\nforged\u202e"
"""Markup, an escape sequence, a line of its own, and a turned reading direction."""
HARMLESS = "[red]SPY[/red]\\x1b[31m\\nforged\\u202e"


def an_order(symbol: str = "SPY", **changes: Any) -> OrderView:
    asked = intent(instrument=Instrument(symbol=symbol, exchange="ARCA"))
    view = order_view(LiveOrder(asked, quantity=asked.terms.quantity))
    return view.model_copy(update={"requested_at": datetime(2025, 3, 10, 3, 50, tzinfo=UTC), **changes})


def a_position(**changes: Any) -> PositionView:
    fields: dict[str, Any] = {
        "account_id": "U1",
        "strategy_name": "trend",
        "symbol": "SPY",
        "exchange": "ARCA",
        "instrument": "ARCA:SPY",
        "currency": "USD",
        "multiplier": Decimal(1),
        "side": PositionSide.LONG,
        "quantity": Decimal(60),
        "average_price": Decimal("235.15"),
        "realized_pnl": Decimal(34),
        "realized_pnl_net": Decimal("31.30"),
        "commission": Decimal("2.70"),
        "opened_at": datetime(2025, 3, 10, 3, 50, tzinfo=UTC),
        "status": PositionStatus.OPEN,
        "order_ids": (UUID(int=1),),
    }
    return PositionView(**fields | changes)


def seen(monkeypatch: pytest.MonkeyPatch, width: int, show: Callable[[], object], *, is_terminal: bool = False) -> str:
    """What `show` prints on a screen so wide."""
    paper = io.StringIO()

    def on_paper(*, errors: bool = False) -> Console:
        colors: Literal["standard"] | None = "standard" if is_terminal else None
        return Console(
            file=paper, width=width, markup=False, highlight=False, emoji=False, force_terminal=is_terminal, color_system=colors
        )

    for module in (screen, tables, order_page):
        monkeypatch.setattr(module, "screen", on_paper)
    show()
    return paper.getvalue()
