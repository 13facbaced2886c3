"""Trading at Alpaca by the real bootstrap: settings, engine, store, adapter, alpaca-py, and a server that speaks Alpaca's wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pytest

from liveorder import Runner, Signal
from liveorder.application.reporting.views import FillView, OrderView, PositionView
from liveorder.domain.errors import BrokerAuthenticationError, BrokerError, SettingsError
from liveorder.domain.values import Side
from liveorder.testing.exchange import Exchange, open_exchange
from liveorder.testing.venue.faults import Fault, FaultKind, Point
from liveorder.testing.venue.settings import Fills, PriceSource, VenueAccount, VenueSettings
from tests.twins.alpaca.server import COIN_FEES, COINS, KEY, LIVE_NUMBER, PAPER_NUMBER, SECRET, AlpacaTwin, alpaca_twin

D = Decimal
T = TypeVar("T")
PATIENCE_SECONDS = 20
FAST: dict[str, Any] = {
    "delivery_bound_seconds": 0.3,
    "lookup_lag_seconds": 0.1,
    "position_lag_seconds": 0.0,
    "clock_skew_seconds": 0.0,
    "requests_per_minute": 6e4,
}
LAX: dict[str, Any] = {
    "max_daily_trades": None,
    "max_position_size": None,
    "max_signal_age_seconds": None,
    "allow_closed_market": True,
    "allow_short_selling": True,
    "max_price_age_seconds": 1e9,
}


def settings(folder: Path, twin: AlpacaTwin, **alpaca: Any) -> dict[str, Any]:
    return {
        "trading_mode": "PAPER",
        "enable_auto_trading": True,
        "store": f"sqlite:///{folder / 'orders.db'}",
        "risk": LAX,
        "engine": {"poll_seconds": 0.1},
        "timeouts": {"broker_call_seconds": 1.0},
        "logs": {"console": False, "directory": folder / "logs"},
        "accounts": [{"id": "main", "broker": "alpaca", "capabilities": FAST}],
        "alpaca": {"api_key": KEY, "secret_key": SECRET, "base_url": twin.address, "data_url": twin.data_address} | alpaca,
    }


@asynccontextmanager
async def market(**changes: Any) -> AsyncIterator[tuple[Exchange, AlpacaTwin]]:
    """Where prices stand still; `by_hand`: orders trade when told to."""
    by_hand, carries = changes.pop("by_hand", False), changes.pop("carries_fills", False)
    usual: dict[str, Any] = {"accounts": (VenueAccount(),), "commission": COIN_FEES, "catalogue_file": COINS}
    terms = VenueSettings(prices=PriceSource(volatility=0), fills=Fills(automatic=not by_hand), **usual | changes)
    async with open_exchange(terms) as exchange, alpaca_twin(exchange, carries_fills=carries) as twin:
        yield exchange, twin


async def until(runner: Runner, order: OrderView, holds: Callable[[OrderView], object]) -> OrderView:
    """The order once it is so."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds(now := await runner.order(order.order_id)):  # noqa: ASYNC110 - no event tells of every change
            await asyncio.sleep(0.02)
        return now


def resting(signal_id: str = "a", **fields: Any) -> Signal:
    usual: dict[str, Any] = {"symbol": "AAPL", "side": "BUY", "quantity": 10, "order_type": "LIMIT", "limit_price": D(150)}
    return Signal(signal_id=signal_id, **usual | fields)


async def test_a_signal_is_traded_on_paper_and_followed_to_its_end(tmp_path: Path) -> None:
    fills: list[FillView] = []
    async with market() as (exchange, twin):
        async with Runner.open(on_fill=lambda order, fill: fills.append(fill), **settings(tmp_path, twin)) as runner:
            order = await runner.execute(Signal(signal_id="a", symbol="AAPL", side="BUY", quantity=10))
            order = await runner.wait_closed(order.order_id, PATIENCE_SECONDS)
            assert (order.status, order.filled_quantity, order.average_price) == ("FILLED", D(10), D(200))
            assert (order.broker, order.instrument) == ("alpaca", "NASDAQ:AAPL")
            assert [held.symbol for held in await runner.positions()] == ["AAPL"]
            (report,) = await runner.reconcile()
            assert report.is_clean, report
            assert (await runner.execute(Signal(signal_id="a", symbol="AAPL", side="BUY", quantity=10))).order_id == order.order_id
        assert len(await exchange.control.orders()) == 1
    written = "".join(path.read_text() for path in (tmp_path / "logs").iterdir())
    assert SECRET not in written
    assert KEY not in written
    assert sum(fill.quantity for fill in fills) >= 10


async def test_an_amount_of_money_buys_its_quantity(tmp_path: Path) -> None:
    async with market() as (_, twin), Runner.open(**settings(tmp_path, twin)) as runner:
        order = await runner.execute(Signal(signal_id="a", symbol="AAPL", side="BUY", notional=D(1000)))
        order = await runner.wait_closed(order.order_id, PATIENCE_SECONDS)
        assert (order.status, order.quantity, order.filled_quantity) == ("FILLED", D(5), D(5))


async def test_a_coin_is_bought_in_parts_and_closed_by_a_kill_though_nobody_names_a_time_in_force(tmp_path: Path) -> None:
    async with market() as (_, twin), Runner.open(**settings(tmp_path, twin)) as runner:
        signal = Signal(signal_id="a", symbol="BTC/USD", side="BUY", quantity=D("0.0125"))
        order = await runner.wait_closed((await runner.execute(signal)).order_id, PATIENCE_SECONDS)
        assert (order.status, order.filled_quantity, order.time_in_force) == ("FILLED", D("0.0125"), "GTC")
        (report,) = await runner.reconcile()
        assert report.is_clean, report
        stopped = await runner.kill("enough", flatten=True)
        assert (stopped.is_flat, stopped.remaining) == (True, ())


async def test_what_alpaca_cannot_do_is_rejected_before_it_is_sent(tmp_path: Path) -> None:
    async with market() as (exchange, twin), Runner.open(**settings(tmp_path, twin)) as runner:
        order = await runner.execute(resting(symbol="BTC/USD", quantity=D("0.5"), limit_price=D(50000), time_in_force="DAY"))
        assert order.status == "REJECTED"
        assert "time_in_force" in str(order.model_dump())
        assert await exchange.control.orders() == []


@pytest.mark.parametrize("push", ["pushed", "lost"])
async def test_an_order_is_replaced_filled_and_stays_one_order(tmp_path: Path, push: str) -> None:
    async with market(by_hand=True, carries_fills=True) as (exchange, twin):
        if push == "lost":
            await exchange.control.lay(Fault(kind=FaultKind.REPORT_LOST, on=Point.REPORT))
        async with Runner.open(**settings(tmp_path, twin, replacement_counts_fills=True)) as runner:
            order = await runner.execute(resting())
            (at_venue,) = await exchange.control.orders()
            await exchange.control.fill(at_venue.broker_order_id or "", D(4), D(150))
            await until(runner, order, lambda now: now.filled_quantity == 4)
            first = (await runner.order(order.order_id)).broker_order_id
            await runner.replace(order.order_id, quantity=20, limit_price=D(151))
            now = await until(runner, order, lambda now: now.limit_price == 151)
            assert (now.quantity, now.filled_quantity) == (D(20), D(4))
            assert now.broker_order_id != first
            await exchange.control.fill(at_venue.broker_order_id or "", D(16), D(151))
            order = await runner.wait_closed(order.order_id, PATIENCE_SECONDS)
            assert (order.status, order.filled_quantity, order.average_price) == ("FILLED", D(20), D("150.8"))
            assert (await runner.reconcile())[0].is_clean
            assert not order.anomalies
        assert len(await exchange.control.orders()) == 1


@pytest.mark.parametrize("carries", [True, False])
@pytest.mark.parametrize("push", ["pushed", "lost"])
async def test_a_fill_that_meets_a_replace_on_its_way_counts_once(tmp_path: Path, carries: bool, push: str) -> None:
    async with market(by_hand=True, carries_fills=carries, replace_delay_seconds=0.3) as (exchange, twin):
        if push == "lost":
            await exchange.control.lay(Fault(kind=FaultKind.REPORT_LOST, on=Point.REPORT))
        async with Runner.open(**settings(tmp_path, twin)) as runner:
            order = await runner.execute(resting())
            await runner.replace(order.order_id, limit_price=D(151))
            (at_venue,) = await exchange.control.orders()
            await exchange.control.fill(at_venue.broker_order_id or "", D(4), D(150))
            now = await until(runner, order, lambda now: now.limit_price == 151)
            assert now.quantity == 10
            await exchange.control.fill(at_venue.broker_order_id or "", D(6), D(151))
            order = await runner.wait_closed(order.order_id, PATIENCE_SECONDS)
            assert (order.status, order.filled_quantity, order.average_price) == ("FILLED", D(10), D("150.6"))
            assert (await runner.reconcile())[0].is_clean
            assert (await runner.order(order.order_id)).filled_quantity == 10
            assert not order.anomalies


async def test_a_replaced_order_is_cancelled_by_its_newest_id(tmp_path: Path) -> None:
    async with market(by_hand=True) as (exchange, twin), Runner.open(**settings(tmp_path, twin)) as runner:
        order = await runner.execute(resting())
        await runner.replace(order.order_id, limit_price=D(151))
        await until(runner, order, lambda now: now.limit_price == 151)
        await runner.cancel(order.order_id)
        order = await runner.wait_closed(order.order_id, PATIENCE_SECONDS)
        assert order.status == "CANCELLED"
        assert [each.status for each in await exchange.control.orders()] == ["CANCELLED"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind=FaultKind.ACKNOWLEDGEMENT_LOST, nth=1),
        Fault(kind=FaultKind.ACKNOWLEDGEMENT_LOST, nth=1, silent=True),
        Fault(kind=FaultKind.REQUEST_LOST, nth=1),
        Fault(kind=FaultKind.SERVER_ERROR, nth=1),
        Fault(kind=FaultKind.ACKNOWLEDGEMENT_GARBLED, nth=1),
        Fault(kind=FaultKind.UNAVAILABLE, nth=1),
        Fault(kind=FaultKind.RESTART, nth=1),
    ],
    ids=lambda fault: f"{fault.kind}{'-silent' if fault.silent else ''}",
)
async def test_whatever_befalls_the_request_there_is_one_order_in_the_end(tmp_path: Path, fault: Fault) -> None:
    async with market() as (exchange, twin):
        await exchange.control.lay(fault)
        async with Runner.open(**settings(tmp_path, twin)) as runner:
            order = await runner.execute(Signal(signal_id="a", symbol="AAPL", side="BUY", quantity=10))
            order = await runner.wait_closed(order.order_id, PATIENCE_SECONDS)
            assert (order.status, order.filled_quantity) == ("FILLED", D(10))
        assert len(await exchange.control.orders()) == 1


async def test_a_run_takes_up_what_the_last_one_left(tmp_path: Path) -> None:
    async with market(by_hand=True) as (exchange, twin):
        async with Runner.open(**settings(tmp_path, twin)) as runner:
            order = await runner.execute(resting())
        (at_venue,) = await exchange.control.orders()
        await exchange.control.fill(at_venue.broker_order_id or "", D(10), D(150))
        async with Runner.open(**settings(tmp_path, twin)) as runner:
            order = await runner.wait_closed(order.order_id, PATIENCE_SECONDS)
            assert (order.status, order.filled_quantity) == ("FILLED", D(10))
            assert (await runner.reconcile())[0].is_clean


async def test_fills_while_the_broker_was_away_are_found(tmp_path: Path) -> None:
    async with market(by_hand=True) as (exchange, twin), Runner.open(**settings(tmp_path, twin)) as runner:
        order = await runner.execute(resting())
        async with twin.away():
            (at_venue,) = await exchange.control.orders()
            await exchange.control.fill(at_venue.broker_order_id or "", D(10), D(150))
        order = await runner.wait_closed(order.order_id, PATIENCE_SECONDS)
        assert (order.status, order.filled_quantity) == ("FILLED", D(10))


@pytest.mark.parametrize(("mode", "number", "it_is"), [("PAPER", LIVE_NUMBER, "LIVE"), ("LIVE", PAPER_NUMBER, "PAPER")])
@pytest.mark.parametrize("path", ["", "/paper", "/live"])
async def test_an_account_of_the_other_money_is_not_traded_whatever_its_address(
    tmp_path: Path, mode: str, number: str, it_is: str, path: str
) -> None:
    async with market() as (_, twin):
        twin.number = number
        given = settings(tmp_path, twin, base_url=f"{twin.data_address}{path}") | {"trading_mode": mode}
        told = f"TRADING_MODE: main is set to {mode}, but alpaca reports {it_is}; correct the credentials or the mode"
        with pytest.raises(SettingsError, match=f"^{told}$"):
            async with Runner.open(**given):
                pass


async def test_refused_credentials_end_the_start(tmp_path: Path) -> None:
    wrong = "another secret"
    async with market() as (_, twin):
        with pytest.raises(BrokerAuthenticationError) as raised:
            async with Runner.open(**settings(tmp_path, twin, secret_key=wrong)):
                pass
        assert wrong not in str(raised.value)


async def test_a_broker_that_is_not_there_ends_the_start(tmp_path: Path) -> None:
    async with market() as (_, twin), twin.away():
        with pytest.raises(BrokerError):
            async with Runner.open(**settings(tmp_path, twin)):
                pass


SPOT = (VenueAccount(allows_short=False),)
"""Coins cannot be sold short."""


async def coins(runner: Runner, signal_id: str, side: str, quantity: str, symbol: str = "BTC/USD") -> OrderView:
    order = await runner.execute(Signal(signal_id=signal_id, symbol=symbol, side=side, quantity=D(quantity)))
    return order if order.status == "REJECTED" else await runner.wait_closed(order.order_id, PATIENCE_SECONDS)


async def at_alpaca(twin: AlpacaTwin) -> dict[str, Decimal]:
    return {row["symbol"]: D(row["qty"]) for row in await twin.desk.positions()}


async def settled(runner: Runner, holds: Callable[[PositionView], object]) -> PositionView:
    """The position once the fee is settled, by itself."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds(held := (await runner.positions())[0]):  # noqa: ASYNC110 - no event tells of every change
            await asyncio.sleep(0.05)
        return held


async def test_coins_are_sold_whole_and_bought_again_though_their_fee_was_kept_out_of_them(tmp_path: Path) -> None:
    """Field case 46 (freqtrade#528, #1371; alpaca-py#374)."""
    async with market(accounts=SPOT) as (_, twin), Runner.open(**settings(tmp_path, twin)) as runner:
        bought = await coins(runner, "in", "BUY", "0.1")
        assert (bought.status, bought.filled_quantity, bought.commission) == ("FILLED", D("0.1"), D(0))
        assert await at_alpaca(twin) == {"BTCUSD": D("0.09975")}
        sold = await coins(runner, "out", "SELL", "0.1")
        assert (sold.status, sold.filled_quantity) == ("FILLED", D("0.09975")), sold.error_message
        assert await at_alpaca(twin) == {}
        assert (await coins(runner, "again", "BUY", "0.1")).status == "FILLED"
        held = await settled(runner, lambda held: held.quantity == D("0.09975"))
        assert (held.commission, held.status) == (D(30), "OPEN")
        (report,) = await runner.reconcile()
        assert report.is_clean, report
        assert (await coins(runner, "out again", "SELL", "0.1")).filled_quantity == D("0.09975")
        assert (await at_alpaca(twin), (await runner.positions())[0].status) == ({}, "CLOSED")


async def test_a_fee_that_was_open_when_the_service_ended_is_settled_by_the_next_and_blocks_nothing(tmp_path: Path) -> None:
    async with market(accounts=SPOT) as (_, twin):
        async with Runner.open(**settings(tmp_path, twin)) as runner:
            await coins(runner, "in", "BUY", "2.75634854", "ETH/USD")
            assert await at_alpaca(twin) == {"ETHUSD": D("2.749457668")}
        async with Runner.open(**settings(tmp_path, twin)) as runner:
            assert (await coins(runner, "more", "BUY", "1", "ETH/USD")).status == "FILLED"
            await settled(runner, lambda held: held.quantity == D("3.746957668"))
            assert (await coins(runner, "out", "SELL", "3.75634854", "ETH/USD")).filled_quantity == D("3.746957668")
            assert await at_alpaca(twin) == {}


async def test_more_missing_coins_than_a_fee_are_a_difference_and_block(tmp_path: Path) -> None:
    async with market(accounts=SPOT) as (exchange, twin), Runner.open(**settings(tmp_path, twin)) as runner:
        await coins(runner, "in", "BUY", "0.1")
        await exchange.control.place("SIM", "CRYPTO:BTC/USD", Side.SELL, D("0.001"))
        (report,) = await runner.reconcile()
        (found,) = report.differences
        assert found.note == "no fee explains it: a fee would be at most 0.00025 less at the broker"
        assert "not the broker's" in ((await coins(runner, "more", "BUY", "0.1")).error_message or "")


# --- what the account holds, at an exit ----------------------------------------------------------------------------------------


async def stock(runner: Runner, signal_id: str, side: str, strategy: str = "default", **fields: Any) -> OrderView:
    signal = Signal(signal_id=signal_id, symbol="AAPL", side=side, strategy_name=strategy, **fields)
    order = await runner.execute(signal)
    return order if order.status == "REJECTED" else await runner.wait_closed(order.order_id, PATIENCE_SECONDS)


def orders_sent(twin: AlpacaTwin) -> list[tuple[str, str, str | None]]:
    """Side, quantity and intent of each order that Alpaca was sent."""
    bodies = [body or {} for method, path, body in twin.requests if (method, path) == ("POST", "/v2/orders")]
    return [(body["side"], body["qty"], body.get("position_intent")) for body in bodies]


@pytest.mark.parametrize("lag", [0.0, 0.3])
async def test_an_exit_is_for_what_a_person_left_at_alpaca_and_says_that_it_closes(tmp_path: Path, lag: float) -> None:
    declared = {"accounts": [{"id": "main", "broker": "alpaca", "capabilities": FAST | {"position_lag_seconds": lag}}]}
    late = market(positions_lag_seconds=lag)
    async with late as (exchange, twin), Runner.open(**settings(tmp_path, twin) | declared) as runner:
        await stock(runner, "in", "BUY", quantity=D(20))
        await exchange.control.place("SIM", "NASDAQ:AAPL", Side.SELL, D(13))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await at_alpaca(twin) != {"AAPL": D(7)}:  # noqa: ASYNC110 - no event tells when the positions show it
                await asyncio.sleep(0.02)
        sold = await stock(runner, "out", "SELL", position_effect="CLOSE")
        assert (sold.status, sold.filled_quantity) == ("FILLED", D(7))
        assert "position_unconfirmed" not in sold.flags
        assert orders_sent(twin) == [("buy", "20", None), ("sell", "7", "sell_to_close")]


async def test_of_what_a_person_sold_all_at_alpaca_no_exit_is_sent(tmp_path: Path) -> None:
    async with market() as (exchange, twin), Runner.open(**settings(tmp_path, twin)) as runner:
        await stock(runner, "in", "BUY", quantity=D(20))
        await exchange.control.place("SIM", "NASDAQ:AAPL", Side.SELL, D(20))
        sizes: list[dict[str, Any]] = [{"position_effect": "CLOSE"}, {"quantity": D(20)}]
        for number, size in enumerate(sizes):
            refused = await stock(runner, f"out-{number}", "SELL", **size)
            assert "holds none" in (refused.error_message or "")
        assert orders_sent(twin) == [("buy", "20", None)]
        assert await at_alpaca(twin) == {}


@pytest.mark.parametrize("by_person", [0, 15, -3])
async def test_an_exit_is_of_no_more_than_alpaca_has_and_says_that_it_closes_where_our_book_has_it_too(
    tmp_path: Path, by_person: int
) -> None:
    """One strategy is long of 20, another short of 15: Alpaca has 5, and what a person did. It takes no order across zero."""
    async with market() as (exchange, twin), Runner.open(**settings(tmp_path, twin)) as runner:
        await stock(runner, "long", "BUY", "long", quantity=D(20))
        await stock(runner, "short", "SELL", "short", quantity=D(15))
        if by_person:
            side = Side.BUY if by_person > 0 else Side.SELL
            await exchange.control.place("SIM", "NASDAQ:AAPL", side, D(abs(by_person)))
        sold = await stock(runner, "out", "SELL", "long", position_effect="CLOSE")
        assert (sold.status, sold.filled_quantity) == ("FILLED", D(5 + by_person))
        assert orders_sent(twin)[-1][2] == (None if by_person > 0 else "sell_to_close")


async def test_what_alpaca_has_again_says_again_that_it_closes(tmp_path: Path) -> None:
    """It was compared while a person had sold a part, and nothing since."""
    async with market() as (exchange, twin), Runner.open(**settings(tmp_path, twin)) as runner:
        await stock(runner, "in", "BUY", quantity=D(20))
        await exchange.control.place("SIM", "NASDAQ:AAPL", Side.SELL, D(13))
        (report,) = await runner.reconcile()
        assert not report.is_clean
        await exchange.control.place("SIM", "NASDAQ:AAPL", Side.BUY, D(13))
        await stock(runner, "part", "SELL", quantity=D(1), position_effect="CLOSE")
        sold = await stock(runner, "out", "SELL", position_effect="CLOSE")
        assert sold.filled_quantity == D(19)
        assert orders_sent(twin)[-1] == ("sell", "19", "sell_to_close")
