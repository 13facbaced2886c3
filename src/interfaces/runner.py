"""Embedding: a program opens a `Runner`, executes signals, and is called back about their orders.

    async with Runner.open(store="sqlite:///orders.db") as runner:
        order = await runner.execute(Signal(signal_id="s-1", symbol="SPY", side="BUY", quantity=10))
        order = await runner.wait_closed(order.order_id)

If a caller cancels a call or lets it time out, the work goes on: the order continues, and is found under its signal.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import copy_context
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar
from uuid import UUID

from liveorder.application.emergency.kill import StopReport
from liveorder.application.engine.service import Service
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.signal_source import SignalSource
from liveorder.application.recovery.recover import RecoveryReport
from liveorder.application.reporting.read_models import Query
from liveorder.application.reporting.views import (
    AccountPositionView,
    AccountView,
    DailySummaryView,
    DoubtView,
    FillView,
    HistoryView,
    OrderView,
    PositionView,
    doubt_view,
    history_view,
    order_view,
)
from liveorder.application.risk.account_figures import LOOK_SECONDS
from liveorder.application.trading.adopt import ADOPTED
from liveorder.bootstrap import Brokerage, EventRecorder, load_settings, open_service, recorder_of
from liveorder.domain.errors import InvalidInput, LiveOrderError
from liveorder.domain.events import RecordedEvent
from liveorder.domain.given_by_hand import amount_given
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import CancelReason, Refused
from liveorder.domain.position_adjustment import PositionTransferred
from liveorder.domain.reconciliation import ReconciliationReport
from liveorder.domain.signal import Signal
from liveorder.domain.values import PositionEffect, Product, Side

T = TypeVar("T")
Number = Decimal | int | str

OnFill = Callable[[OrderView, FillView], Awaitable[None] | None]
OnStatus = Callable[[OrderView, OrderStatus | None], Awaitable[None] | None]
OnError = Callable[[OrderView | None, LiveOrderError], Awaitable[None] | None]


class Callbacks:
    """The user's callbacks, plain or async, in the context in which the runner was opened. Their exceptions are logged and never
    affect trading.
    """

    def __init__(self, on_fill: OnFill | None, on_status: OnStatus | None, on_error: OnError | None) -> None:
        self._on_fill, self._on_status, self._on_error = on_fill, on_status, on_error
        self._running: set[asyncio.Task[None]] = set()
        self._programs = copy_context()
        self.log: ActivityLog | None = None

    def order_changed(self, before: LiveOrder | None, after: LiveOrder, recorded: Sequence[RecordedEvent]) -> None:
        """An `OrderListener`: calls back about new executions and status changes, after they are durable."""
        if self._on_fill is not None and (before is None or after.executions is not before.executions):
            known = set(before.executions.reported) if before is not None else set()
            view = order_view(after)
            for fill in view.fills:
                if fill.execution_id not in known:
                    self._schedule(self._on_fill, view, fill)
        was = before.status if before is not None else None
        if self._on_status is not None and after.status is not was:
            self._schedule(self._on_status, order_view(after), was)

    def failed(self, order: LiveOrder | None, error: LiveOrderError) -> None:
        if self._on_error is not None:
            self._schedule(self._on_error, order_view(order) if order is not None else None, error)

    def _schedule(self, function: Callable[..., Awaitable[None] | None], *details: Any) -> None:
        asyncio.get_running_loop().call_soon(self._begin, function, details, context=self._programs)

    def _begin(self, function: Callable[..., Awaitable[None] | None], details: tuple[Any, ...]) -> None:
        task = asyncio.get_running_loop().create_task(self._safely(function, details))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _safely(self, function: Callable[..., Awaitable[None] | None], details: tuple[Any, ...]) -> None:
        try:
            answer = function(*details)
            if inspect.isawaitable(answer):
                await answer
        except Exception as error:  # noqa: BLE001 - a user's mistake must not affect trading; it is logged by name
            name = getattr(function, "__name__", "callback")
            if self.log is not None:
                self.log.write("ERROR", f"{name} raised {type(error).__name__}: {error}")


class Runner:
    """A service inside your own process. Open it with `Runner.open`. Its methods may be called from any task of that event loop."""

    def __init__(self, service: Service) -> None:
        self._service, self._engine = service, service.engine

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        config: Path | str | None = None,
        *,
        brokers: Mapping[str, Brokerage] | None = None,
        sources: Sequence[SignalSource] = (),
        on_fill: OnFill | None = None,
        on_status: OnStatus | None = None,
        on_error: OnError | None = None,
        log: ActivityLog | None = None,
        wait_for_lease: bool = False,
        **settings: Any,
    ) -> AsyncIterator[Self]:
        """Recover what the last run left, then be ready.

        `settings` are those of the file (`store="sqlite:///orders.db"`, `risk={"max_daily_trades": 50}`) and override it. `brokers`
        are your own, by account name from the settings. `sources` are read in the background, in addition to those that the file
        names.

        If the store's owner may be dead, this waits until its lease has expired. Raises `SettingsError`, `StoreRefused`,
        `LeaseLost` if another live process owns the store, and `BrokerError` if a broker cannot be reached.
        """
        callbacks = Callbacks(on_fill, on_status, on_error)
        async with open_service(
            load_settings(Path(config) if config is not None else None, **settings),
            sources=[partial(_given, source) for source in sources],
            supplied=brokers,
            wait_for_lease=wait_for_lease,
            on_error=callbacks.failed,
            log=log,
        ) as service:
            callbacks.log = service.engine.log
            service.engine.orders.listen(callbacks.order_changed)
            runner = cls(service)
            reading = asyncio.create_task(service.run()) if service.sources else None
            try:
                yield runner
            finally:
                if reading is not None:
                    reading.cancel()

    @property
    def recovery(self) -> RecoveryReport | None:
        """What recovery found at start."""
        return self._service.recovery

    @property
    def recorder(self) -> EventRecorder:
        """The store as a recorder of the `eventsourcing` library, for reading all of it and for events of your own.

        Its methods block. On this event loop, call them with `asyncio.to_thread`.
        """
        return recorder_of(self._service)

    # --- trading ---------------------------------------------------------------------------------------------------------------

    async def execute(self, signal: Signal) -> OrderView:
        """Execute a signal and return its order after its first attempts. The same signal again returns the same order.

        Raises `UnusableSignal` if it cannot become an order, and `StoreUnavailable` if nothing could be stored, and so nothing was
        sent. A refused or rejected order is returned, not raised: look at `status` and `reason`.
        """
        return order_view(await self._engine.dispatcher.done(self._engine.execute.execute(signal)))

    async def buy(self, symbol: str, quantity: Number, **fields: Any) -> OrderView:
        """Buy by a signal that is made here. Give your own `signal_id` to make repeated calls harmless; otherwise each call is a
        new signal.
        """
        return await self._signal(Side.BUY, symbol, quantity, fields)

    async def sell(self, symbol: str, quantity: Number, **fields: Any) -> OrderView:
        """Sell. As `buy`."""
        return await self._signal(Side.SELL, symbol, quantity, fields)

    async def _signal(self, side: Side, symbol: str, quantity: Number, fields: dict[str, Any]) -> OrderView:
        fields.setdefault("signal_id", f"runner-{self._engine.orders.recorder.new_id()}")
        return await self.execute(Signal(symbol=symbol, side=side, quantity=quantity, **fields))

    async def close(self, symbol: str, **fields: Any) -> OrderView:
        """Close what a strategy holds of a symbol (`strategy_name`, else `default`): all of it, or the `quantity`, `notional` or
        `percent` that you give. Never beyond zero; refused where nothing is left to close. As `buy`.
        """
        fields.setdefault("signal_id", f"runner-{self._engine.orders.recorder.new_id()}")
        return await self.execute(Signal(symbol=symbol, position_effect=PositionEffect.CLOSE, **fields))

    async def target(
        self, symbol: str, *, quantity: Number | None = None, percent: Number | None = None, **fields: Any
    ) -> OrderView:
        """Have a strategy hold a target, what it has on order included: signed units, or a part of the account's equity.

        The order is the difference, on whichever side; refused where there is none. As `buy`. Raises `InvalidInput` unless one of
        the two is given.
        """
        if (quantity is None) is (percent is None):
            raise InvalidInput("target", "needs one size", "give quantity or percent")
        fields.setdefault("signal_id", f"runner-{self._engine.orders.recorder.new_id()}")
        return await self.execute(Signal(symbol=symbol, target_quantity=quantity, target_percent=percent, **fields))

    async def cancel(self, order_id: UUID | str) -> OrderView:
        """Ask the broker to cancel. The order may still be filled: the status that follows counts."""
        return order_view(
            await self._engine.dispatcher.done(self._engine.cancel.cancel(_order_id(order_id), CancelReason.REQUESTED))
        )

    async def replace(
        self,
        order_id: UUID | str,
        *,
        quantity: Number | None = None,
        limit_price: Number | None = None,
        stop_price: Number | None = None,
    ) -> OrderView:
        """Amend a working order. `quantity` is the whole order's, including the filled part."""
        replacing = self._engine.replace.replace(
            _order_id(order_id),
            quantity=_exact(quantity, "quantity"),
            limit_price=_exact(limit_price, "limit_price"),
            stop_price=_exact(stop_price, "stop_price"),
        )
        return order_view(await self._engine.dispatcher.done(replacing))

    async def validate(self, signal: Signal) -> Sequence[Refused]:
        """All reasons to refuse this signal now. Empty if there is none. Nothing is stored or sent."""
        return (await self._engine.dispatcher.done(self._engine.execute.validate(signal)))[1]

    async def wait_closed(self, order_id: UUID | str, timeout_seconds: float | None = None) -> OrderView:
        """Wait until the order is FILLED, CANCELLED or REJECTED, and return it. Raises `TimeoutError` and `OrderNotFound`."""
        awaited, closed = _order_id(order_id), asyncio.Event()
        stop_listening = self._engine.orders.listen(
            lambda before, after, recorded: closed.set() if after.order_id == awaited else None
        )
        try:
            async with asyncio.timeout(timeout_seconds):
                while not (order := await self._engine.orders.get(awaited)).status.is_closed:
                    closed.clear()
                    await closed.wait()
            return order_view(order)
        finally:
            stop_listening()

    # --- queries ---------------------------------------------------------------------------------------------------------------

    async def order(self, order_id: UUID | str) -> OrderView:
        """The order after its latest durable event. Raises `OrderNotFound`."""
        return order_view(await self._engine.orders.get(_order_id(order_id)))

    async def active_orders(self) -> Sequence[OrderView]:
        """Orders that are not closed."""
        return [order_view(order) for order in self._engine.orders.unfinished() if not order.status.is_closed]

    async def report(self, name: str, **wanted: Any) -> Sequence[Any]:
        """Any list by the name of its read model (`fills`, or one of a package), level with what was durable when you called.

        `wanted` are its filters and `newest`. Raises `InvalidInput` for a list or a filter that there is none of.
        """
        return await self._service.listed(name, Query.of(**wanted))

    async def orders(self, **wanted: Any) -> Sequence[OrderView]:
        """Orders from the read models, which include everything that was durable at the call. Filters as in `Query`."""
        await self._service.settle_views()
        return await self._service.views.orders(Query(**wanted))

    async def history(self, order_id: UUID | str) -> Sequence[HistoryView]:
        """Every event of an order, in order."""
        return [history_view(item) for item in await self._engine.store.stream(_order_id(order_id))]

    async def positions(self, **wanted: Any) -> Sequence[PositionView]:
        """Positions by account, strategy and instrument."""
        await self._service.settle_views()
        return await self._service.views.positions(Query(**wanted))

    async def account_positions(self, **wanted: Any) -> Sequence[AccountPositionView]:
        """Positions by account and instrument, all strategies together: what the broker should hold. Filters as in `Query`."""
        await self._service.settle_views()
        return await self._service.views.account_positions(Query(**wanted))

    async def todays_summary(self) -> Sequence[DailySummaryView]:
        """Summaries by account and strategy, of the latest session that has orders."""
        await self._service.settle_views()
        rows = await self._service.views.daily_summary(Query())
        newest: date | None = max((row.session_date for row in rows), default=None)
        return [row for row in rows if row.session_date == newest]

    async def account(self, account_id: str | None = None, *, max_age_seconds: float = LOOK_SECONDS) -> AccountView:
        """The account's money as its broker reports it, each figure with its time. Figures older than `max_age_seconds` are asked
        for again, as often as the broker allows.

        Without `account_id`, the default account. Raises `InvalidInput` for an account that is not traded.
        """
        return await self._engine.dispatcher.done(
            self._engine.figures.shown(account_id or self._engine.orders.identity.default_account, max_age_seconds)
        )

    async def doubts(self) -> Sequence[DoubtView]:
        """Requests with an unknown outcome, and how the inquiry about each goes."""
        return [doubt_view(doubt, is_being_asked=True) for doubt in self._engine.doubts.standing()]

    # --- for operators ---------------------------------------------------------------------------------------------------------

    async def reconcile(self) -> Sequence[ReconciliationReport]:
        """Ask every broker for everything and compare."""
        return await self._engine.dispatcher.done(self._engine.reconcile.reconcile_all())

    async def adopt(
        self, account_id: str, broker_order_id: str, *, evidence: str, actor: str, strategy_name: str = ADOPTED
    ) -> OrderView:
        """Adopt an order that was placed elsewhere: it and what it fills are the strategy's."""
        adopting = self._engine.adopt.adopt_order(account_id, broker_order_id, evidence, f"person:{actor}", strategy_name)
        return order_view(await self._engine.dispatcher.done(adopting))

    async def transfer(
        self,
        instrument: str,
        *,
        from_strategy: str,
        to_strategy: str,
        quantity: Number,
        price: Number | None = None,
        account_id: str | None = None,
        product: Product | None = None,
        evidence: str,
        actor: str,
    ) -> PositionTransferred:
        """Move `quantity` (signed, units) of what `from_strategy` holds of the instrument, named by its key, to `to_strategy`.

        At `price`, else at average cost, so that nothing is earned. Without `account_id`, on the default account. `product`: which
        of them goes, where it holds units under several. Raises `InvalidInput` for what is not held, and `DecisionRefused` while
        open orders could still take it.
        """
        engine = self._engine
        transferring = engine.transfer.transfer(
            account_id or engine.orders.identity.default_account,
            instrument,
            from_strategy,
            to_strategy,
            amount_given(quantity, "quantity"),
            evidence,
            f"person:{actor}",
            _exact(price, "price"),
            product=product,
        )
        return await engine.dispatcher.done(transferring)

    async def settle(self, order_id: UUID | str, *, found: str | None = None, evidence: str, actor: str) -> OrderView:
        """End a doubt on a person's evidence: the broker has the order under the id `found`, or, without one, never received it."""
        doubts, person, order_id = self._engine.doubts, f"person:{actor}", _order_id(order_id)
        if found is not None:
            return order_view(await self._engine.dispatcher.done(doubts.settle_found(order_id, found, evidence, person)))
        return order_view(await self._engine.dispatcher.done(doubts.settle_absent(order_id, evidence, person)))

    async def kill(self, detail: str = "", *, cancel_all: bool = False, flatten: bool = False) -> StopReport:
        """Stop sending at once, cancel entries, close positions with `flatten`, and report what the brokers still hold."""
        return await self._engine.dispatcher.done(
            self._engine.kill_all.kill(detail, "person:runner", cancel_all=cancel_all, flatten=flatten)
        )

    async def resume(self, scope: str = "*", detail: str = "") -> bool:
        """Lift the halt of exactly this scope (`*`, `account:ID`). False if there is none."""
        return await self._engine.dispatcher.done(self._engine.halts.resume(scope, detail, "person:runner"))


def _given(source: SignalSource, *_: object) -> SignalSource:
    return source


def _order_id(given: UUID | str) -> UUID:
    """Also as text, as logs and JSON have it. Raises `InvalidInput`."""
    if isinstance(given, UUID):
        return given
    try:
        return UUID(given)
    except (ValueError, AttributeError, TypeError):
        problem = f"{given!r} is not the `order_id` of an order"
        raise InvalidInput("order_id", problem, "take it from the order; `liveorder order` finds one by any of its ids") from None


def _exact(number: Number | None, field: str) -> Decimal | None:
    return None if number is None else amount_given(number, field)
