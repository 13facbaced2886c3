"""Which broker an account is at: by its name in the settings, several at once, and what is said where one is missing."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder import Runner, Signal
from liveorder.bootstrap import load_settings, open_brokerage, open_service
from liveorder.domain.errors import SettingsError
from liveorder.domain.lifecycle import OrderStatus
from liveorder.testing.exchange import open_exchange
from liveorder.testing.venue.settings import PriceSource, VenueAccount, VenueSettings
from tests.harness.worlds import RememberedLog
from tests.interfaces.test_runner import LAX
from tests.twins.alpaca.server import KEY, SECRET, alpaca_twin
from tests.twins.ibkr import ACCOUNT, CATALOGUE, tws_twin
from tests.twins.kite import API_KEY, USER_ID, kite_twin, venue_settings
from tests.twins.kite.server import FIRST_TOKEN

PATIENCE_SECONDS = 20
STILL = PriceSource(volatility=0)


async def test_one_service_trades_at_three_brokers_at_once(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        here = stack.enter_async_context
        alpaca = await here(alpaca_twin(await here(open_exchange(VenueSettings(prices=STILL)))))
        world = VenueSettings(prices=STILL, accounts=(VenueAccount(account_id=ACCOUNT),), catalogue_file=CATALOGUE)
        tws = await here(tws_twin(await here(open_exchange(world))))
        indian = venue_settings(VenueAccount(account_id=USER_ID, currency="INR", cash=Decimal(1_000_000)))
        kite = await here(kite_twin(await here(open_exchange(indian)), indian))
        runner = await here(
            Runner.open(
                store=f"sqlite:///{tmp_path / 'orders.db'}",
                trading_mode="PAPER",
                enable_auto_trading=True,
                risk=LAX,
                accounts=[
                    {"id": "us", "broker": "alpaca"},
                    {"id": "india", "broker": "kite", "currency": "INR", "product": "CNC"},
                    {"id": "world", "broker": "ibkr"},
                ],
                alpaca={"api_key": KEY, "secret_key": SECRET, "base_url": alpaca.address, "data_url": alpaca.data_address},
                kite={"api_key": API_KEY, "access_token": FIRST_TOKEN, "root": kite.address},
                ibkr={"host": "127.0.0.1", "port": tws.port},
                timeouts={"broker_call_seconds": 3},
                logs={"console": False, "directory": tmp_path / "logs"},
            )
        )
        signals = {
            "us": {"symbol": "AAPL", "exchange": "NASDAQ"},
            "india": {"symbol": "RELIANCE", "exchange": "NSE"},
            "world": {"symbol": "AAPL", "exchange": "NASDAQ"},
        }
        async with asyncio.timeout(PATIENCE_SECONDS):
            for account, named in signals.items():
                signal = Signal(signal_id="the same", account_id=account, side="BUY", quantity=10, **named)
                order = await runner.wait_closed((await runner.execute(signal)).order_id)
                assert (account, order.status, order.filled_quantity) == (account, OrderStatus.FILLED, Decimal(10))
        brokers = {order.account_id: order.broker for order in await runner.orders()}
        assert brokers == {"us": "alpaca", "india": "kite", "world": "ibkr"}


async def test_what_only_a_simulation_reads_is_said_where_money_is_real(tmp_path: Path) -> None:
    settings = load_settings(
        trading_mode="PAPER",
        store=f"sqlite:///{tmp_path / 'orders.db'}",
        accounts=[{"id": "a", "broker": "of nobody"}],
        simulation={"quotes": "quotes.csv", "seed": 4},
        logs={"console": False, "directory": tmp_path / "logs"},
    )
    log = RememberedLog()
    with pytest.raises(SettingsError, match="of nobody"):
        await open_service(settings, log=log).__aenter__()
    assert log.of("WARNING") == ["Ignored here: simulation.quotes, simulation.seed; the mode is PAPER"]


@pytest.mark.parametrize(
    ("broker", "module", "extra", "options"),
    [
        ("alpaca", "alpaca", "liveorder[alpaca]", {"api_key": "k", "secret_key": "s"}),
        ("kite", "kiteconnect", "liveorder[kite]", {"api_key": "k", "access_token": "t", "root": "http://127.0.0.1:1"}),
        ("ibkr", "ib_insync", "liveorder[ibkr] or liveorder[ib-async]", {"host": "127.0.0.1"}),
    ],
)
async def test_a_missing_client_library_is_named_with_what_installs_it(
    broker: str, module: str, extra: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith(f"liveorder.infrastructure.brokers.{broker}")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name == module or name.startswith(f"{module}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    if broker == "ibkr":
        monkeypatch.setitem(sys.modules, "ib_async", None)
    settings = load_settings(trading_mode="PAPER", accounts=[{"id": "a", "broker": broker, "options": options}])
    with pytest.raises(SettingsError) as raised:
        async with open_brokerage(settings, "a"):
            pass
    assert f"pip install '{extra}'" in str(raised.value)


@pytest.mark.parametrize(
    ("account", "told"),
    [
        ({"id": "a", "broker": "alpacca"}, "there is no broker 'alpacca'; use one of alpaca, kite, ibkr"),
        ({"id": "a", "broker": "alpaca", "options": {"api_kee": "k"}}, "options.api_kee"),
    ],
)
async def test_a_broker_or_an_option_that_is_not_there_is_refused_by_name(account: dict[str, Any], told: str) -> None:
    settings = load_settings(trading_mode="PAPER", accounts=[account], alpaca={"api_key": "k", "secret_key": "s"})
    with pytest.raises(SettingsError) as raised:
        async with open_brokerage(settings, "a"):
            pass
    assert told in str(raised.value)
