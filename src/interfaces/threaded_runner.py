"""The runner for programs without an event loop. It has its own loop in its own thread, and every method is thread-safe."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Self, TypeVar
from uuid import UUID

from liveorder.application.emergency.kill import StopReport
from liveorder.application.recovery.recover import RecoveryReport
from liveorder.application.reporting.views import (
    AccountPositionView,
    AccountView,
    DailySummaryView,
    DoubtView,
    HistoryView,
    OrderView,
    PositionView,
)
from liveorder.application.risk.account_figures import LOOK_SECONDS
from liveorder.bootstrap import EventRecorder
from liveorder.domain.errors import RunnerClosed, StoppedBefore
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order.events import Refused
from liveorder.domain.position_adjustment import PositionTransferred
from liveorder.domain.reconciliation import ReconciliationReport
from liveorder.domain.signal import Signal
from liveorder.domain.values import Side
from liveorder.interfaces.arguments import Number
from liveorder.interfaces.callbacks import CANCELLING_SECONDS, OnError, OnFill, OnStatus, Subscription
from liveorder.interfaces.runner import BY_SIGNAL, Runner, Unsized

T = TypeVar("T")


class ThreadedRunner:
    """As `Runner`, blocking. Callbacks run in the runner's thread.

        with ThreadedRunner(store="sqlite:///orders.db") as runner:
            order = runner.buy("SPY", 10, signal_id="s-1")

    A call from the runner's own thread (from within a callback) raises `RuntimeError`: it would wait for itself. A callback that is
    a coroutine function awaits the methods of `runner.asynchronous` instead. Before and after the block every method raises
    `RunnerClosed`; a call that another thread still waits for when the block ends raises `StoppedBefore`.
    """

    def __init__(self, config: Path | str | None = None, **options: Any) -> None:
        """`options` as for `Runner.open`."""
        self._config, self._options = config, options
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._opened: AbstractAsyncContextManager[Runner] | None = None
        self._runner: Runner | None = None
        self._entering, self._takes_calls = threading.Lock(), False

    def __enter__(self) -> Self:
        if self._thread is not None:
            raise RunnerClosed("this ThreadedRunner has been opened before; make another one")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="liveorder", daemon=True)
        self._thread.start()
        self._takes_calls = True
        try:
            self._runner = self._wait_for(self._open())
        except BaseException:
            self._end()
            raise
        return self

    async def _open(self) -> Runner:
        self._opened = Runner.open(self._config, **self._options)
        return await self._opened.__aenter__()

    def __exit__(self, *failure: object) -> None:
        try:
            self._wait_for(self._close())
        finally:
            self._end()

    async def _close(self) -> None:
        assert self._opened is not None
        await self._opened.__aexit__(None, None, None)

    def _end(self) -> None:
        """Take no more calls, end those that other threads still wait for, and then the thread."""
        assert self._loop is not None
        assert self._thread is not None
        with self._entering:
            self._takes_calls = False
            ending = asyncio.run_coroutine_threadsafe(_end_what_is_left(), self._loop)
        ending.result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("called from the runner's own thread; there, await the methods of its `asynchronous` in a coroutine")
        with self._entering:
            if not self._takes_calls or self._loop is None:
                work.close()
                raise self._closed()
            waiting = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return waiting.result()
        except CancelledError:
            raise StoppedBefore from None

    def _closed(self) -> RunnerClosed:
        if self._thread is None:
            return RunnerClosed("not open yet; use it in a with block")
        return RunnerClosed("this ThreadedRunner has ended with its block; make another one")

    @property
    def _open_runner(self) -> Runner:
        if self._runner is None or not self._takes_calls:
            raise self._closed()
        return self._runner

    @property
    def asynchronous(self) -> Runner:
        """The `Runner` behind this one, for coroutines on its event loop: callbacks that trade."""
        return self._open_runner

    @property
    def recovery(self) -> RecoveryReport | None:
        """As `Runner.recovery`."""
        return self._open_runner.recovery

    # --- callbacks -------------------------------------------------------------------------------------------------------------

    def on_fill(self, function: OnFill) -> Subscription:
        """As `Runner.on_fill`. The function is called in the runner's thread; add and remove it from any."""
        return self._open_runner.on_fill(function)

    def on_status(self, function: OnStatus) -> Subscription:
        return self._open_runner.on_status(function)

    def on_error(self, function: OnError) -> Subscription:
        return self._open_runner.on_error(function)

    # --- the methods of `Runner` -----------------------------------------------------------------------------------------------

    @property
    def recorder(self) -> EventRecorder:
        """As `Runner.recorder`. Safe from any thread except the runner's own."""
        return self._wait_for(self._recorder())

    async def _recorder(self) -> EventRecorder:
        return self._open_runner.recorder

    def execute(self, signal: Signal | Mapping[str, Any]) -> OrderView:
        return self._wait_for(self._open_runner.execute(signal))

    def buy(self, symbol: str, quantity: Number | Unsized = BY_SIGNAL, **fields: Any) -> OrderView:
        return self._wait_for(self._open_runner.buy(symbol, quantity, **fields))

    def sell(self, symbol: str, quantity: Number | Unsized = BY_SIGNAL, **fields: Any) -> OrderView:
        return self._wait_for(self._open_runner.sell(symbol, quantity, **fields))

    def execute_market_order(self, symbol: str, quantity: Number, side: Side | str, **fields: Any) -> OrderView:
        return self._wait_for(self._open_runner.execute_market_order(symbol, quantity, side, **fields))

    def execute_limit_order(self, symbol: str, quantity: Number, limit_price: Number, side: Side | str, **fields: Any) -> OrderView:
        return self._wait_for(self._open_runner.execute_limit_order(symbol, quantity, limit_price, side, **fields))

    def close(self, symbol: str, **fields: Any) -> OrderView:
        return self._wait_for(self._open_runner.close(symbol, **fields))

    def target(self, symbol: str, **fields: Any) -> OrderView:
        return self._wait_for(self._open_runner.target(symbol, **fields))

    def cancel(self, order_id: UUID | str) -> OrderView:
        return self._wait_for(self._open_runner.cancel(order_id))

    def replace(self, order_id: UUID | str, **terms: Number | None) -> OrderView:
        return self._wait_for(self._open_runner.replace(order_id, **terms))

    def validate(self, signal: Signal | Mapping[str, Any], *, strict: bool = False) -> Sequence[Refused]:
        return self._wait_for(self._open_runner.validate(signal, strict=strict))

    def wait_closed(self, order_id: UUID | str, timeout_seconds: float | None = None) -> OrderView:
        return self._wait_for(self._open_runner.wait_closed(order_id, timeout_seconds))

    def order(self, order_id: UUID | str) -> OrderView:
        return self._wait_for(self._open_runner.order(order_id))

    def order_status(self, order_id: UUID | str) -> OrderStatus:
        return self._wait_for(self._open_runner.order_status(order_id))

    def all_orders(self) -> Sequence[OrderView]:
        return self._wait_for(self._open_runner.all_orders())

    def active_orders(self) -> Sequence[OrderView]:
        return self._wait_for(self._open_runner.active_orders())

    def report(self, name: str, **wanted: Any) -> Sequence[Any]:
        return self._wait_for(self._open_runner.report(name, **wanted))

    def orders(self, **wanted: Any) -> Sequence[OrderView]:
        return self._wait_for(self._open_runner.orders(**wanted))

    def history(self, order_id: UUID | str) -> Sequence[HistoryView]:
        return self._wait_for(self._open_runner.history(order_id))

    def order_history(self, order_id: UUID | str) -> Sequence[HistoryView]:
        return self._wait_for(self._open_runner.order_history(order_id))

    def position(self) -> int:
        return self._wait_for(self._open_runner.position())

    def events(self, after: int = 0) -> Iterator[HistoryView]:
        """As `Runner.events`, as an iterator that blocks until the next one. It ends when the runner does, in every thread."""
        return self._blocking(self._open_runner.events(after))

    def _blocking(self, following: AsyncIterator[HistoryView]) -> Iterator[HistoryView]:
        while self._takes_calls:
            try:
                item = self._wait_for(_next(following))
            except (StoppedBefore, RunnerClosed):
                return
            if item is None:
                return
            yield item

    def positions(self, **wanted: Any) -> Sequence[PositionView]:
        return self._wait_for(self._open_runner.positions(**wanted))

    def account_positions(self, **wanted: Any) -> Sequence[AccountPositionView]:
        return self._wait_for(self._open_runner.account_positions(**wanted))

    def todays_summary(self) -> Sequence[DailySummaryView]:
        return self._wait_for(self._open_runner.todays_summary())

    def account(self, account_id: str | None = None, *, max_age_seconds: float = LOOK_SECONDS) -> AccountView:
        return self._wait_for(self._open_runner.account(account_id, max_age_seconds=max_age_seconds))

    def doubts(self) -> Sequence[DoubtView]:
        return self._wait_for(self._open_runner.doubts())

    def reconcile(self) -> Sequence[ReconciliationReport]:
        return self._wait_for(self._open_runner.reconcile())

    def adopt(self, account_id: str, broker_order_id: str, **fields: Any) -> OrderView:
        return self._wait_for(self._open_runner.adopt(account_id, broker_order_id, **fields))

    def transfer(self, instrument: str, **fields: Any) -> PositionTransferred:
        return self._wait_for(self._open_runner.transfer(instrument, **fields))

    def settle(self, order_id: UUID | str, *, found: str | None = None, evidence: str, actor: str) -> OrderView:
        return self._wait_for(self._open_runner.settle(order_id, found=found, evidence=evidence, actor=actor))

    def kill(self, detail: str = "", *, cancel_all: bool = False, flatten: bool = False) -> StopReport:
        return self._wait_for(self._open_runner.kill(detail, cancel_all=cancel_all, flatten=flatten))

    def resume(self, scope: str = "*", detail: str = "") -> bool:
        return self._wait_for(self._open_runner.resume(scope, detail))


async def _next(following: AsyncIterator[HistoryView]) -> HistoryView | None:
    """None behind the last. Not by the default of `anext`, which fails in a task on Python 3.11."""
    try:
        return await anext(following)
    except StopAsyncIteration:
        return None


async def _end_what_is_left() -> None:
    """Their threads would wait for ever."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=CANCELLING_SECONDS)
    loop = asyncio.get_running_loop()
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()
