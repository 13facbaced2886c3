"""From the settings to a fill, through the program as it is put together for trading."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from liveorder import Runner, Signal
from liveorder.infrastructure.brokers.simulated.venue.settings import AccountTerms, VenueSettings
from liveorder.testing.exchange import open_exchange
from tests.twins.ibkr import ACCOUNT, CATALOGUE, tws_twin

LAX = {"max_position_size": None, "allow_closed_market": True, "max_price_age_seconds": 1e9}


async def test_a_signal_becomes_a_filled_order_of_the_paper_account(tmp_path: Path) -> None:
    venue = VenueSettings(accounts=(AccountTerms(account_id=ACCOUNT),), catalogue_file=CATALOGUE)
    async with open_exchange(venue) as exchange, tws_twin(exchange) as twin:
        settings: dict[str, Any] = {
            "trading_mode": "PAPER",
            "enable_auto_trading": True,
            "ibkr": {"host": "127.0.0.1", "port": twin.port},
            "store": f"sqlite:///{tmp_path / 'orders.db'}",
            "logs": {"console": False, "directory": tmp_path / "logs"},
            "risk": LAX,
        }
        async with Runner.open(**settings) as runner:
            order = await runner.execute(Signal(signal_id="a", symbol="AAPL", side="BUY", quantity=3, cms_score=90))
            order = await runner.wait_closed(order.order_id, 20)
            assert (order.status.value, order.filled_quantity, order.broker) == ("FILLED", Decimal(3), "ibkr")
            (taken,) = await exchange.control.orders_by_key(order.client_order_id)
            assert taken.filled_quantity == 3
