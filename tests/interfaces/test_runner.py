"""Embedding: a runner in a program of one's own, and what its callbacks may do to trading, which is nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal, getcontext, localcontext
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from liveorder import Runner, Signal
from liveorder.application.ports.signal_source import SourceMessage
from liveorder.application.reporting.views import FillView, OrderView
from liveorder.bootstrap import Brokerage
from liveorder.domain.errors import (
    BrokerConnectionError,
    InvalidInput,
    LiveOrderError,
    OrderRetryExhaustedError,
    SettingsError,
    StoppedBefore,
)
from liveorder.domain.lifecycle import OrderStatus
from liveorder.infrastructure.brokers.simulated.broker import SimulatedBroker
from liveorder.infrastructure.brokers.simulated.instruments import SimulatedInstruments
from liveorder.infrastructure.brokers.simulated.market_data import SimulatedMarketData
from liveorder.infrastructure.clock import SystemClock
from liveorder.interfaces.threaded_runner import ThreadedRunner
from liveorder.testing.venue.floor import Floor
from liveorder.testing.venue.in_process import InProcess
from liveorder.testing.venue.opening import open_venue
from liveorder.testing.venue.settings import VenueAccount, VenueSettings

LAX: dict[str, Any] = {
    "max_daily_trades": None,
    "max_position_size": None,
    "max_signal_age_seconds": None,
    "allow_closed_market": True,
    "allow_short_selling": True,
    "max_price_age_seconds": 1e9,
}


def settings(folder: Path, **more: Any) -> dict[str, Any]:
    """Of a simulation that lives in `folder`; coins trade at every hour."""
    return {
        "store": f"sqlite:///{folder / 'orders.db'}",
        "risk": LAX,
        "logs": {"console": False, "directory": folder / "logs"},
        "simulation": {"venue_data": folder / "venue.db"},
    } | more


async def test_a_signal_is_executed_and_followed_to_its_end(tmp_path: Path) -> None:
    fills: list[tuple[OrderView, FillView]] = []
    statuses: list[tuple[OrderStatus | None, str]] = []

    async def on_fill(order: OrderView, fill: FillView) -> None:
        fills.append((order, fill))

    def on_status(order: OrderView, was: OrderStatus | None) -> None:
        statuses.append((was, order.status))

    async with Runner.open(on_fill=on_fill, on_status=on_status, **settings(tmp_path)) as runner:
        assert await runner.validate(Signal(signal_id="a", symbol="BTC/USD", side="BUY", quantity=1)) == []
        order = await runner.execute(Signal(signal_id="a", symbol="BTC/USD", side="BUY", quantity=1))
        order = await runner.wait_closed(order.order_id, 10)
        assert order.status == "FILLED"
        assert (await runner.order(order.order_id)).filled_quantity == Decimal(1)
        assert len(await runner.history(order.order_id)) >= 5
        assert [held.symbol for held in await runner.positions()] == ["BTC/USD"]
        assert [row.order_id for row in await runner.orders(symbol="BTC/USD")] == [order.order_id]
        (day,) = await runner.todays_summary()
        assert day.account_id == "SIM"
    assert [fill.quantity for _, fill in fills] == [Decimal(1)]
    assert statuses[0][0] is None
    assert statuses[-1][1] == "FILLED"


async def test_orders_are_cancelled_replaced_and_listed(tmp_path: Path) -> None:
    async with Runner.open(**settings(tmp_path)) as runner:
        order = await runner.buy("BTC/USD", 1, signal_id="a", order_type="LIMIT", limit_price=100)
        assert [each.order_id for each in await runner.active_orders()] == [order.order_id]
        await runner.replace(order.order_id, quantity=2, limit_price="101.5")
        await runner.cancel(order.order_id)
        order = await runner.wait_closed(order.order_id, 10)
        assert (order.status, order.quantity, order.reason) == ("CANCELLED", Decimal(2), "REQUESTED")
        assert await runner.active_orders() == []
        assert await runner.doubts() == []
        assert all(report.is_clean for report in await runner.reconcile())
        first, second = await runner.sell("ETH/USD", 1), await runner.sell("ETH/USD", 1)
        assert first.order_id != second.order_id


async def test_killing_and_resuming(tmp_path: Path) -> None:
    async with Runner.open(**settings(tmp_path)) as runner:
        bought = await runner.buy("BTC/USD", 1)
        await runner.wait_closed(bought.order_id, 10)
        assert (await runner.kill("enough", flatten=True, cancel_all=True)).is_flat
        assert (await runner.buy("BTC/USD", 1)).reason == "RISK"
        assert await runner.resume(detail="fine")
        assert (await runner.buy("BTC/USD", 1)).status != "REJECTED"


async def test_what_a_callback_raises_never_touches_trading(tmp_path: Path) -> None:
    async def broken(*told: Any) -> None:
        raise ZeroDivisionError("my mistake")

    def worse(*told: Any) -> None:
        raise KeyError("mine too")

    async def endless(*told: Any) -> None:
        await asyncio.sleep(1e6)

    of_two_kinds: list[dict[str, Any]] = [{"on_fill": broken, "on_status": worse}, {"on_fill": endless, "on_status": endless}]
    for n, callbacks in enumerate(of_two_kinds):
        async with Runner.open(**callbacks, **settings(tmp_path, timeouts={"drain_seconds": 0.1})) as runner:
            order = await runner.buy("BTC/USD", 1, signal_id=f"a{n}")
            assert (await runner.wait_closed(order.order_id, 10)).status == "FILLED"
    logged = "".join(path.read_text() for path in (tmp_path / "logs").iterdir())
    assert "broken raised ZeroDivisionError: my mistake" in logged
    assert "worse raised KeyError" in logged
    assert "endless had not ended after 0.1 s, and was cancelled when the runner ended" in logged


async def test_the_decimal_context_of_the_program_changes_no_order_and_is_that_of_its_callbacks(tmp_path: Path) -> None:
    heard: list[int] = []
    with localcontext() as context:
        context.prec = 6
        async with Runner.open(on_status=lambda *_: heard.append(getcontext().prec), **settings(tmp_path)) as runner:
            bought = await runner.buy("BTC/USD", "123.4567", strategy_name="A")
            bought = await runner.wait_closed(bought.order_id, 30)
            assert (bought.quantity, bought.filled_quantity) == (Decimal("123.4567"), Decimal("123.4567"))
            closed = await runner.wait_closed((await runner.close("BTC/USD", strategy_name="A")).order_id, 30)
            assert closed.filled_quantity == Decimal("123.4567")
            assert getcontext().prec == 6
    assert set(heard) == {6}


async def test_a_caller_that_goes_away_leaves_its_order_to_go_on(tmp_path: Path) -> None:
    async with Runner.open(**settings(tmp_path)) as runner:
        calling = asyncio.create_task(runner.buy("BTC/USD", 1, signal_id="a"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        order = await runner.buy("BTC/USD", 1, signal_id="a")
        assert (await runner.wait_closed(order.order_id, 10)).status == "FILLED"
        resting = await runner.buy("BTC/USD", 1, order_type="LIMIT", limit_price=100)
        with pytest.raises(TimeoutError):
            await runner.wait_closed(resting.order_id, 0.05)


async def test_leaving_waits_no_longer_than_it_may_for_what_was_begun(tmp_path: Path) -> None:
    """The order waits an hour for its second attempt; the next start makes it."""
    is_refused = asyncio.Event()

    async def refuses(prepared: object) -> Any:
        is_refused.set()
        raise BrokerConnectionError("no line")

    more = {"retry": {"first_wait_seconds": 3600, "max_wait_seconds": 3600}, "timeouts": {"drain_seconds": 0.5}}
    with a_brokerage() as own:
        own.broker.submit = refuses  # type: ignore[method-assign]  # a fault of our own making
        async with asyncio.timeout(20):
            async with Runner.open(brokers={"SIM": own}, **settings(tmp_path, **more)) as runner:
                calling = asyncio.create_task(runner.buy("BTC/USD", 1, signal_id="a"))
                await is_refused.wait()
            with pytest.raises(StoppedBefore, match="ask again"):
                await calling
    with a_brokerage() as own:
        async with Runner.open(brokers={"SIM": own}, **settings(tmp_path, **more)) as runner:
            order = await runner.buy("BTC/USD", 1, signal_id="a")
            assert (await runner.wait_closed(order.order_id, 10)).status == "FILLED"


class Messages:
    """A source of one's own."""

    name, finite = "mine", True

    def __init__(self, *signals: Signal) -> None:
        self._signals = signals

    async def messages(self) -> AsyncIterator[SourceMessage]:
        for n, signal in enumerate(self._signals):
            yield SourceMessage(self.name, str(n), signal)

    async def acknowledge(self, message: SourceMessage) -> None:
        """Nothing to keep."""


async def test_a_broker_and_a_source_of_ones_own_are_taken_and_errors_are_told(tmp_path: Path) -> None:
    async def refuses(prepared: object) -> Any:
        raise BrokerConnectionError("no line")

    told: list[LiveOrderError] = []
    more = {"retry": {"max_attempts": 2, "first_wait_seconds": 0.01}}
    source = Messages(Signal(signal_id="a", symbol="BTC/USD", side="BUY", quantity=1))
    with a_brokerage() as own:
        own.broker.submit = refuses  # type: ignore[method-assign]  # a fault of our own making
        opening = Runner.open(
            brokers={"SIM": own}, sources=[source], on_error=lambda order, error: told.append(error), **settings(tmp_path, **more)
        )
        async with opening as runner:
            for _ in range(200):
                if told:
                    break
                await asyncio.sleep(0.02)
            (error,) = told
            assert isinstance(error, OrderRetryExhaustedError)
            (order,) = await runner.orders()
            assert (order.status, order.broker) == ("REJECTED", "mine")


async def test_the_accounts_money_is_told_with_its_time(tmp_path: Path) -> None:
    accounts = [{"id": "SIM"}, {"id": "fixed", "equity": "2500.50"}]
    async with Runner.open(**settings(tmp_path, accounts=accounts)) as runner:
        money = await runner.account()
        assert (money.account_id, money.currency) == ("SIM", "USD")
        assert money.equity is not None
        assert money.equity.amount == Decimal(1_000_000)
        assert money.equity.age_seconds < 60
        fixed = await runner.account("fixed", max_age_seconds=0)
        assert fixed.equity is not None
        assert fixed.equity.amount == Decimal("2500.50")
        with pytest.raises(InvalidInput, match="account_id: other is not traded here; name one of SIM, fixed"):
            await runner.account("other")


@contextmanager
def a_brokerage(name: str = "mine") -> Iterator[Brokerage]:
    """Of one's own: a venue of its own that nothing else reaches."""
    clock = SystemClock()
    venue = VenueSettings(accounts=(VenueAccount(account_id="SIM"),))
    floor = Floor(open_venue(venue, clock.now()), venue, clock)
    transport = InProcess(floor, clock)
    yield Brokerage(SimulatedBroker(transport, name=name), SimulatedMarketData(transport), SimulatedInstruments())
    floor.close()


@pytest.mark.parametrize(
    ("brokers", "says"),
    [
        (lambda own: {"X": own}, "brokers: 'X' is not an account that the settings trade"),
        (lambda own: {"sim": own}, "brokers: 'sim' is not an account that the settings trade; use SIM, or add it"),
        (lambda own: {"SIM ": own}, "brokers: 'SIM ' is not an account that the settings trade"),
        (lambda own: {"SIM": own, "other": own}, "brokers: 'other' is not an account that the settings trade"),
        (lambda own: {1: own}, "brokers: 1 is not an account that the settings trade"),
        (lambda own: {"shut": own}, "brokers: 'shut' is not an account that the settings trade"),
        (lambda own: {}, "brokers: an empty mapping; name an account"),
        (lambda own: {"SIM": own.broker}, "brokers: 'SIM' has a SimulatedBroker, not a Brokerage"),
        (lambda own: {"SIM": None}, "brokers: 'SIM' has a NoneType, not a Brokerage"),
        (lambda own: [own], "brokers: a list is not a mapping"),
    ],
)
async def test_a_broker_of_ones_own_for_an_account_that_nobody_trades_is_refused(
    tmp_path: Path, brokers: Callable[[Brokerage], Any], says: str
) -> None:
    accounts = [{"id": "SIM"}, {"id": "shut", "closed": True}]
    with a_brokerage() as own, pytest.raises(SettingsError) as refused:
        async with Runner.open(brokers=brokers(own), **settings(tmp_path, accounts=accounts)) as runner:
            await runner.buy("BTC/USD", 1, signal_id="a")
    assert says in str(refused.value)
    assert not (tmp_path / "orders.db").exists()


# --- threads --------------------------------------------------------------------------------------------------------------------


def test_several_threads_trade_through_one_runner(tmp_path: Path) -> None:
    with ThreadedRunner(**settings(tmp_path)) as runner, ThreadPoolExecutor(6) as threads:
        twice = [f"s{n}" for n in range(6)] * 2
        orders = list(threads.map(lambda name: runner.buy("BTC/USD", 1, signal_id=name), twice))
        assert len({order.order_id for order in orders}) == 6
        closed = list(threads.map(lambda order: runner.wait_closed(order.order_id, 10), orders))
        assert {order.status for order in closed} == {"FILLED"}
        (held,) = runner.positions()
        assert held.quantity == Decimal(6)
        assert runner.active_orders() == []
        assert runner.doubts() == []


def test_a_threaded_runner_does_what_the_async_one_does(tmp_path: Path) -> None:
    with ThreadedRunner(**settings(tmp_path)) as runner:
        signal = Signal(signal_id="a", symbol="BTC/USD", side="BUY", quantity=1, order_type="LIMIT", limit_price=100)
        assert runner.validate(signal) == []
        order = runner.execute(signal)
        runner.replace(order.order_id, quantity=2)
        runner.cancel(order.order_id)
        assert runner.wait_closed(order.order_id, 10).status == "CANCELLED"
        assert runner.order(order.order_id).quantity == Decimal(2)
        assert len(runner.history(order.order_id)) > 4
        assert [each.order_id for each in runner.orders()] == [order.order_id]
        assert runner.wait_closed(runner.sell("ETH/USD", 1).order_id, 10).status == "FILLED"
        assert runner.todays_summary()
        assert runner.account().cash is not None
        assert all(report.is_clean for report in runner.reconcile())
        assert runner.kill("enough", flatten=True).is_flat
        assert runner.resume()
        refusals: list[Callable[[], object]] = [
            lambda: runner.settle(order.order_id, evidence="none", actor="ann"),
            lambda: runner.settle(order.order_id, found="V1", evidence="there", actor="ann"),
            lambda: runner.adopt("SIM", "V99", evidence="none", actor="ann"),
            lambda: runner.order(UUID(int=1)),
        ]
        for refused in refusals:
            with pytest.raises(LiveOrderError):
                refused()


def test_a_threaded_runner_outside_its_block_and_within_its_own_thread_says_so(tmp_path: Path) -> None:
    told: list[str] = []
    done = threading.Event()

    def on_status(order: OrderView, was: OrderStatus | None) -> None:
        try:
            runner.active_orders()
        except RuntimeError as error:
            told.append(str(error))
        done.set()

    runner = ThreadedRunner(on_status=on_status, **settings(tmp_path))
    with pytest.raises(RuntimeError, match="not open"):
        runner.active_orders()
    with runner:
        runner.buy("BTC/USD", 1)
        assert done.wait(10)
    assert "own thread" in told[0]


def test_a_threaded_runner_that_cannot_open_ends_its_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    with pytest.raises(LiveOrderError), ThreadedRunner(**settings(tmp_path, no_such_setting=1)):
        pass
    assert threading.active_count() <= before


# --- closing and targets ---------------------------------------------------------------------------------------------------------


async def test_close_and_target_trade_what_is_held(tmp_path: Path) -> None:
    async with Runner.open(**settings(tmp_path)) as runner:
        bought = await runner.target("BTC/USD", quantity="0.5", signal_id="t1")
        assert (bought.side, bought.quantity, bought.position_effect) == ("BUY", Decimal("0.5"), "OPEN")
        assert (await runner.target("BTC/USD", quantity="0.5", signal_id="t1")).order_id == bought.order_id
        await runner.wait_closed(bought.order_id, 30)
        less = await runner.target("BTC/USD", quantity="0.2")
        assert (less.side, less.quantity, less.target_quantity) == ("SELL", Decimal("0.3"), Decimal("0.2"))
        await runner.wait_closed(less.order_id, 30)
        half = await runner.close("BTC/USD", percent=50)
        assert (half.side, half.quantity, half.percent) == ("SELL", Decimal("0.1"), Decimal(50))
        await runner.wait_closed(half.order_id, 30)
        rest = await runner.close("BTC/USD")
        assert (rest.quantity, rest.position_effect) == (Decimal("0.1"), "CLOSE")
        await runner.wait_closed(rest.order_id, 30)
        nothing = await runner.close("BTC/USD")
        assert nothing.status is OrderStatus.REJECTED
        assert "default holds no BTC/USD" in (nothing.error_message or "")
        part = await runner.target("BTC/USD", percent=1)
        assert part.decision_equity is not None
        for sizes in ({}, {"quantity": 1, "percent": 1}):
            with pytest.raises(InvalidInput, match="target: needs one size; give quantity or percent"):
                await runner.target("BTC/USD", **sizes)
