"""The runner for programs without an event loop. It has its own loop in its own thread, and every method is thread-safe."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Self, TypeVar
from uuid import UUID

from liveorder.application.emergency.kill import StopReport
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
from liveorder.domain.order.events import Refused
from liveorder.domain.position_adjustment import PositionTransferred
from liveorder.domain.reconciliation import ReconciliationReport
from liveorder.domain.signal import Signal
from liveorder.interfaces.runner import Number, Runner

T = TypeVar("T")


class ThreadedRunner:
    """As `Runner`, blocking. Callbacks run in the runner's thread.

        with ThreadedRunner(store="sqlite:///orders.db") as runner:
            order = runner.buy("SPY", 10, signal_id="s-1")

    A call from the runner's own thread (from within a callback) raises `RuntimeError`: it would wait for itself.
    """

    def __init__(self, config: Path | str | None = None, **options: Any) -> None:
        """`options` as for `Runner.open`."""
        self._config, self._options = config, options
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="liveorder", daemon=True)
        self._opened: AbstractAsyncContextManager[Runner] | None = None
        self._runner: Runner | None = None

    def __enter__(self) -> Self:
        self._thread.start()
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
            if self._opened is not None:
                self._wait_for(self._close())
        finally:
            self._end()

    async def _close(self) -> None:
        if self._opened is not None:
            await self._opened.__aexit__(None, None, None)

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("called from the runner's own thread: use an async callback and the async Runner there")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    @property
    def _open_runner(self) -> Runner:
        if self._runner is None:
            raise RuntimeError("not open: use it in a with block")
        return self._runner

    @property
    def recorder(self) -> EventRecorder:
        """As `Runner.recorder`. Safe from any thread except the runner's own."""
        return self._wait_for(self._recorder())

    async def _recorder(self) -> EventRecorder:
        return self._open_runner.recorder

    def execute(self, signal: Signal) -> OrderView:
        return self._wait_for(self._open_runner.execute(signal))

    def buy(self, symbol: str, quantity: Number, **fields: Any) -> OrderView:
        return self._wait_for(self._open_runner.buy(symbol, quantity, **fields))

    def sell(self, symbol: str, quantity: Number, **fields: Any) -> OrderView:
        return self._wait_for(self._open_runner.sell(symbol, quantity, **fields))

    def close(self, symbol: str, **fields: Any) -> OrderView:
        return self._wait_for(self._open_runner.close(symbol, **fields))

    def target(self, symbol: str, **fields: Any) -> OrderView:
        return self._wait_for(self._open_runner.target(symbol, **fields))

    def cancel(self, order_id: UUID | str) -> OrderView:
        return self._wait_for(self._open_runner.cancel(order_id))

    def replace(self, order_id: UUID | str, **terms: Number | None) -> OrderView:
        return self._wait_for(self._open_runner.replace(order_id, **terms))

    def validate(self, signal: Signal) -> Sequence[Refused]:
        return self._wait_for(self._open_runner.validate(signal))

    def wait_closed(self, order_id: UUID | str, timeout_seconds: float | None = None) -> OrderView:
        return self._wait_for(self._open_runner.wait_closed(order_id, timeout_seconds))

    def order(self, order_id: UUID | str) -> OrderView:
        return self._wait_for(self._open_runner.order(order_id))

    def active_orders(self) -> Sequence[OrderView]:
        return self._wait_for(self._open_runner.active_orders())

    def report(self, name: str, **wanted: Any) -> Sequence[Any]:
        return self._wait_for(self._open_runner.report(name, **wanted))

    def orders(self, **wanted: Any) -> Sequence[OrderView]:
        return self._wait_for(self._open_runner.orders(**wanted))

    def history(self, order_id: UUID | str) -> Sequence[HistoryView]:
        return self._wait_for(self._open_runner.history(order_id))

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
