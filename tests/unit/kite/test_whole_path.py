"""A signal through the real bootstrap to the twin and back."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from liveorder import Runner, Signal
from liveorder.infrastructure.brokers.simulated.venue.settings import AccountTerms
from liveorder.testing.exchange import open_exchange
from tests.interfaces.test_runner import LAX
from tests.twins.kite import API_KEY, API_SECRET, USER_ID, kite_twin, venue_settings
from tests.twins.kite.server import FIRST_TOKEN


async def test_a_signal_is_filled_at_kite_as_the_settings_say(tmp_path: Path) -> None:
    settings = venue_settings(AccountTerms(account_id=USER_ID, currency="INR", cash=Decimal(1_000_000)))
    async with open_exchange(settings) as exchange, kite_twin(exchange, settings) as twin:
        async with Runner.open(
            store=f"sqlite:///{tmp_path / 'orders.db'}",
            trading_mode="PAPER",
            enable_auto_trading=True,
            default_currency="INR",
            default_product="CNC",
            risk=LAX,
            kite={"api_key": API_KEY, "access_token": FIRST_TOKEN, "root": twin.address},
            logs={"console": False, "directory": tmp_path / "logs"},
        ) as runner:
            signal = Signal(signal_id="s-1", symbol="RELIANCE", exchange="NSE", side="BUY", quantity=10)
            order = await runner.execute(signal)
            order = await runner.wait_closed(order.order_id, 20)
            assert (order.status, order.filled_quantity) == ("FILLED", Decimal(10))
            (fill,) = order.fills
            assert fill.execution_id.startswith("NSE:7000000")
            (report,) = await runner.reconcile()
            assert report.is_clean, report
        written = "".join(path.read_text() for path in (tmp_path / "logs").iterdir())
        assert not any(secret in written for secret in (API_KEY, API_SECRET, FIRST_TOKEN))
    (form,) = twin.placed
    assert (form["market_protection"], form["product"], form["validity"]) == ("-1", "CNC", "DAY")
