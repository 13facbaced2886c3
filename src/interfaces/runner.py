"""Embedding: a program opens a `Runner`, executes signals, and is called back about their orders.

    async with Runner.open(store="sqlite:///orders.db") as runner:
        order = await runner.execute(Signal(signal_id="s-1", symbol="SPY", side="BUY", quantity=10))
        order = await runner.wait_closed(order.order_id)

If a caller cancels a call or lets it time out, the work goes on: the order continues, and is found under its signal.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import date
from difflib import get_close_matches
from enum import Enum
from inspect import Parameter, signature
from logging import Logger, LoggerAdapter
from pathlib import Path
from typing import Any, Final, Self, TypeAlias
from uuid import UUID

from liveorder.application.emergency.kill import StopReport
from liveorder.application.engine.engine import Engine
from liveorder.application.engine.service import Service
from liveorder.application.outbox.publisher import Publisher
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.instruments import Instruments
from liveorder.application.ports.market_data import MarketData
from liveorder.application.ports.signal_source import SignalSource
from liveorder.application.recovery.recover import RecoveryReport
from liveorder.application.reporting.find_order import as_uuid, find_order
from liveorder.application.reporting.read_models import Query
from liveorder.application.reporting.views import (
    AccountPositionView,
    AccountView,
    DailySummaryView,
    DoubtView,
    HistoryView,
    OrderView,
    PositionView,
    doubt_view,
    history_view,
    order_view,
)
from liveorder.application.risk.account_figures import LOOK_SECONDS
from liveorder.application.trading.adopt import ADOPTED
from liveorder.bootstrap import (
    Brokerage,
    EventRecorder,
    Settings,
    Supplied,
    SuppliedNotifier,
    load_settings,
    open_service,
    recorder_of,
)
from liveorder.domain.errors import InvalidInput, OrderNotFound, RunnerClosed, SettingsError, StoppedBefore
from liveorder.domain.events import RecordedEvent
from liveorder.domain.given_by_hand import amount_given
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order.events import CancelReason, Refused
from liveorder.domain.order.refusals import RiskManagementError
from liveorder.domain.position_adjustment import PositionTransferred
from liveorder.domain.reconciliation import ReconciliationReport
from liveorder.domain.signal import Signal
from liveorder.domain.values import OrderType, PositionEffect, Product, Side
from liveorder.interfaces.arguments import (
    Number,
    exact,
    id_given,
    position_given,
    seconds_given,
    signal_given,
    signal_of,
    text_given,
    word_given,
)
from liveorder.interfaces.callbacks import Callbacks, OnError, OnFill, OnStatus, Subscription

EVENTS_AT_ONCE = 500
"""Events that are read from the store together."""
LOOK_AGAIN_SECONDS = 5.0
"""How long to wait for an event of this process; one of another is seen after that at the latest."""


Table: TypeAlias = Mapping[str, Any]


class Unsized(Enum):
    """Says that `buy` or `sell` names no quantity. It is not None, which is what a calculation that went wrong returns."""

    BY_SIGNAL = "as the signal says"

    def __repr__(self) -> str:
        return "BY_SIGNAL"


BY_SIGNAL: Final = Unsized.BY_SIGNAL


class Runner:
    """A service inside your own process. Open it with `Runner.open`. Its methods may be called from any task of that event loop.

    An `order_id` is an order's id, as `UUID` or as text, or its client, broker or signal id; one that several orders share is
    `InvalidInput`, one that none has `OrderNotFound`. After the block every method raises `RunnerClosed`, and from another event
    loop `RuntimeError`.
    """

    def __init__(self, service: Service, callbacks: Callbacks | None = None) -> None:
        """For `Runner.open`."""
        self.__service, self._callbacks = service, callbacks if callbacks is not None else Callbacks()
        self._loop, self._is_ending = asyncio.get_running_loop(), asyncio.Event()
        self._callbacks.begin(service.engine.log)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        config: Path | str | None = None,
        *,
        brokers: Mapping[str, Brokerage] | None = None,
        market_data: MarketData | Mapping[str, MarketData] | None = None,
        instruments: Instruments | Mapping[str, Instruments] | None = None,
        sources: Sequence[SignalSource | Table] = (),
        publishers: Sequence[Publisher | Table] = (),
        notifiers: Sequence[SuppliedNotifier | Table] = (),
        on_fill: OnFill | None = None,
        on_status: OnStatus | None = None,
        on_error: OnError | None = None,
        log: ActivityLog | Logger | LoggerAdapter[Any] | None = None,
        wait_for_lease: bool = False,
        **settings: Any,
    ) -> AsyncIterator[Self]:
        """Recover what the last run left, then be ready.

        `settings` are those of the file (`store="sqlite:///orders.db"`, `risk={"max_daily_trades": 50}`) and override it. `brokers`
        are your own, by account name from the settings. `market_data` and `instruments` take the place of a built-in broker's: one
        object for every account that `brokers` does not name, or several by account. `sources`, `publishers` and `notifiers` are
        used in addition to those that the settings name; a notifier gets the alerts, or what is named beside it:
        `(notifier, {"fill": "on"})`. A dict among them is a table of the settings: `{"url": "file:signals.jsonl"}`. `log` takes the
        place of the console and the files: an `ActivityLog`, or a logger of the standard library.

        If the store's owner may be dead, this waits until its lease has expired. Raises `SettingsError`, `StoreRefused`,
        `LeaseLost` if another live process owns the store, `BrokerError` if a broker cannot be reached, and `InvalidInput` for a
        callback that cannot be called.
        """
        _check_names(settings)
        callbacks = Callbacks()
        if on_fill is not None:
            callbacks.on_fill(on_fill)
        if on_status is not None:
            callbacks.on_status(on_status)
        if on_error is not None:
            callbacks.on_error(on_error)
        doors: dict[str, Any] = {"sources": sources, "publishers": publishers, "notifiers": notifiers}
        tables = {name: found for name, given in doors.items() if (found := _tables_in(given))}
        loaded = load_settings(Path(config) if config is not None else None, **settings, **tables)
        objects = {name: _objects_in(given) for name, given in doors.items()}

        async def finish_callbacks() -> None:
            await callbacks.finish(loaded.timeouts.drain_seconds)

        async with open_service(
            loaded,
            supplied=Supplied(brokers, market_data, instruments, **objects),
            wait_for_lease=wait_for_lease,
            on_error=callbacks.failed,
            on_order=callbacks.order_changed,
            log=log,
            before_closing_the_log=finish_callbacks,
        ) as service:
            runner = cls(service, callbacks)
            reading = asyncio.create_task(service.run()) if service.sources else None
            try:
                yield runner
            finally:
                runner._is_ending.set()
                if reading is not None:
                    reading.cancel()

    @property
    def _service(self) -> Service:
        """For a call that comes now."""
        if self._is_ending.is_set():
            raise RunnerClosed("this runner has ended with its block; open another one")
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return self.__service
        if loop is not self._loop:
            raise RuntimeError("this runner belongs to another event loop; call it there, or use a ThreadedRunner")
        return self.__service

    @property
    def _engine(self) -> Engine:
        return self._service.engine

    @property
    def recovery(self) -> RecoveryReport | None:
        """What recovery found at start."""
        return self.__service.recovery

    @property
    def recorder(self) -> EventRecorder:
        """The store as a recorder of the `eventsourcing` library, for reading all of it and for events of your own.

        Its methods block. On this event loop, call them with `asyncio.to_thread`.
        """
        return recorder_of(self._service)

    # --- callbacks -------------------------------------------------------------------------------------------------------------

    def on_fill(self, function: OnFill) -> Subscription:
        """Call `function(order, fill)` after each execution from now on, until the subscription's `remove()`.

        Several are called in the order in which they were added; a coroutine function may wait. Raises `InvalidInput` for what
        cannot be called with these two. So do `on_status` and `on_error`.
        """
        self._service  # noqa: B018 - raises where the runner has ended
        return self._callbacks.on_fill(function)

    def on_status(self, function: OnStatus) -> Subscription:
        """Call `function(order, status_before)` after each change of an order's status. The one before is None for a new order."""
        self._service  # noqa: B018 - as above
        return self._callbacks.on_status(function)

    def on_error(self, function: OnError) -> Subscription:
        """Call `function(order, error)` when an order could not be sent; the order is None where there is none."""
        self._service  # noqa: B018 - as above
        return self._callbacks.on_error(function)

    # --- trading ---------------------------------------------------------------------------------------------------------------

    async def execute(self, signal: Signal | Mapping[str, Any]) -> OrderView:
        """Execute a signal and return its order after its first attempts. The same signal again returns the same order.

        A dict has the fields of a line of JSON. Raises `InvalidInput` if it is no signal, `UnusableSignal` if it cannot become an
        order, and `StoreUnavailable` if nothing could be stored, and so nothing was sent. A refused or rejected order is returned,
        not raised: look at `status` and `reason`.
        """
        engine = self._engine
        return order_view(await engine.dispatcher.done(engine.execute.execute(signal_given(signal))))

    async def buy(self, symbol: str, quantity: Number | Unsized = BY_SIGNAL, **fields: Any) -> OrderView:
        """Buy by a signal that is made here. Give your own `signal_id` to make repeated calls harmless; otherwise each call is a
        new signal.

        Without `quantity`, of the size that another field names (`notional`, `percent`), else as any signal without a size: it
        closes what the strategy is short of, or opens for the setting `position_size`. None is refused: it is no quantity, and who
        reckoned one did not mean that. Raises as `execute`.
        """
        return await self._signal("buy", symbol, quantity, Side.BUY, fields)

    async def sell(self, symbol: str, quantity: Number | Unsized = BY_SIGNAL, **fields: Any) -> OrderView:
        """Sell. As `buy`."""
        return await self._signal("sell", symbol, quantity, Side.SELL, fields)

    async def execute_market_order(self, symbol: str, quantity: Number, side: Side | str, **fields: Any) -> OrderView:
        """Another name of `buy` and `sell`: `side` is BUY or SELL."""
        return await self._signal("execute_market_order", symbol, quantity, side, fields, order_type=OrderType.MARKET)

    async def execute_limit_order(
        self, symbol: str, quantity: Number, limit_price: Number, side: Side | str, **fields: Any
    ) -> OrderView:
        """Another name of `buy` and `sell` with the order type LIMIT."""
        limit = {"order_type": OrderType.LIMIT, "limit_price": limit_price}
        return await self._signal("execute_limit_order", symbol, quantity, side, fields, **limit)

    async def _signal(
        self, called: str, symbol: str, quantity: Number | Unsized | None, side: Side | str, fields: dict[str, Any], **own: Any
    ) -> OrderView:
        if quantity is None:
            remedy = "give a number, or leave it out to trade what a signal without a size does"
            raise InvalidInput("quantity", "None is no quantity", remedy)
        size = {} if isinstance(quantity, Unsized) else {"quantity": quantity}
        given_side = word_given(side, "side", Side) or side
        return await self._executed(called, fields, symbol=symbol, side=given_side, **size, **own)

    async def _executed(self, called: str, fields: dict[str, Any], **own: Any) -> OrderView:
        named = {"signal_id": f"runner-{self._engine.orders.recorder.new_id()}"} | fields
        return await self.execute(signal_of(called, named, **own))

    async def close(self, symbol: str, **fields: Any) -> OrderView:
        """Close what a strategy holds of a symbol (`strategy_name`, else `default`): all of it, or the `quantity`, `notional` or
        `percent` that you give. Never beyond zero; refused where nothing is left to close. As `buy`.
        """
        return await self._executed("close", fields, symbol=symbol, position_effect=PositionEffect.CLOSE)

    async def target(
        self, symbol: str, *, quantity: Number | None = None, percent: Number | None = None, **fields: Any
    ) -> OrderView:
        """Have a strategy hold a target, what it has on order included: signed units, or a part of the account's equity.

        The order is the difference, on whichever side; refused where there is none. As `buy`. Raises `InvalidInput` unless one of
        the two is given.
        """
        if (quantity is None) is (percent is None):
            raise InvalidInput("target", "needs one size", "give quantity or percent")
        size = {"target_percent": percent} if quantity is None else {"target_quantity": quantity}
        return await self._executed("target", fields, symbol=symbol, **size)

    async def cancel(self, order_id: UUID | str) -> OrderView:
        """Ask the broker to cancel. The order may still be filled: the status that follows counts. Raises `OrderNotFound`, and
        `DecisionRefused` where it is closed.
        """
        engine, found = self._engine, await self._id_of(order_id)
        return order_view(await engine.dispatcher.done(engine.cancel.cancel(found, CancelReason.REQUESTED)))

    async def replace(
        self,
        order_id: UUID | str,
        *,
        quantity: Number | None = None,
        limit_price: Number | None = None,
        stop_price: Number | None = None,
    ) -> OrderView:
        """Amend a working order. `quantity` is the whole order's, including the filled part. Raises `OrderNotFound`, and
        `DecisionRefused` where the order cannot be amended.
        """
        engine, units = self._engine, exact(quantity, "quantity")
        limit, stop = exact(limit_price, "limit_price"), exact(stop_price, "stop_price")
        replaced = await self._id_of(order_id)
        replacing = engine.replace.replace(replaced, quantity=units, limit_price=limit, stop_price=stop)
        return order_view(await engine.dispatcher.done(replacing))

    async def validate(self, signal: Signal | Mapping[str, Any], *, strict: bool = False) -> Sequence[Refused]:
        """All reasons to refuse this signal now. Empty if there is none. Nothing is stored or sent.

        With `strict` raises `RiskManagementError` if there are any. Raises `InvalidInput` and `UnusableSignal` as `execute`.
        """
        engine, wanted = self._engine, signal_given(signal)
        refusals = (await engine.dispatcher.done(engine.execute.validate(wanted)))[1]
        if strict and refusals:
            raise RiskManagementError(wanted.signal_id, refusals)
        return refusals

    async def wait_closed(self, order_id: UUID | str, timeout_seconds: float | None = None) -> OrderView:
        """Wait until the order is FILLED, CANCELLED or REJECTED, and return it, once every callback about it has begun.

        Raises `TimeoutError`, `OrderNotFound`, and `RunnerClosed` when the runner ends first.
        """
        limit = None if timeout_seconds is None else seconds_given(timeout_seconds, "timeout_seconds")
        engine, changed = self._engine, asyncio.Event()
        async with asyncio.timeout(limit):
            awaited = await self._id_of(order_id)
            stop_listening = engine.orders.listen(
                lambda before, after, recorded: changed.set() if after.order_id == awaited else None
            )
            try:
                while not (order := await engine.orders.get(awaited)).status.is_closed:
                    changed.clear()
                    await self._unless_ended(changed.wait())
                    self._service  # noqa: B018 - raises where the runner has ended
                await self._callbacks.have_begun()
                return order_view(order)
            finally:
                stop_listening()

    async def _unless_ended(self, work: Coroutine[Any, Any, Any]) -> None:
        """Wait for it, or for the end of the runner."""
        waiting = {asyncio.ensure_future(work), asyncio.ensure_future(self._is_ending.wait())}
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        for each in done:
            each.result()

    async def _id_of(self, given: UUID | str) -> UUID:
        """From any id. An order that is known by its order id is found without the read models, which may be away."""
        any_id = id_given(given)
        if (order_id := as_uuid(any_id)) is not None and await self._is_order(order_id):
            return order_id
        await self._service.settle_views()
        return (await find_order(self._service.views, any_id, "order_id")).order_id

    async def _is_order(self, order_id: UUID) -> bool:
        try:
            await self._engine.orders.get(order_id)
        except OrderNotFound:
            return False
        return True

    # --- queries ---------------------------------------------------------------------------------------------------------------

    async def order(self, order_id: UUID | str) -> OrderView:
        """The order after its latest durable event. Raises `OrderNotFound`."""
        engine = self._engine
        return order_view(await engine.orders.get(await self._id_of(order_id)))

    async def order_status(self, order_id: UUID | str) -> OrderStatus:
        """The `status` of `order(order_id)`."""
        return (await self.order(order_id)).status

    async def all_orders(self) -> Sequence[OrderView]:
        """Another name of `orders()`."""
        return await self.orders()

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
        return await self._service.views.orders(Query.of(**wanted))

    async def history(self, order_id: UUID | str) -> Sequence[HistoryView]:
        """Every event of an order, in order. Raises `OrderNotFound`."""
        store = self._engine.store
        return [history_view(item) for item in await store.stream(await self._id_of(order_id))]

    async def order_history(self, order_id: UUID | str) -> Sequence[HistoryView]:
        """Another name of `history`."""
        return await self.history(order_id)

    async def position(self) -> int:
        """Position of the newest event of the log; 0 while it is empty."""
        return await self._engine.store.head()

    def events(self, after: int = 0) -> AsyncIterator[HistoryView]:
        """Every durable event of liveorder's behind the position `after`, each once, in the order of the log; at its end wait for
        more. `await runner.position()` begins at what is new.

        Keep the `position` of the last one that you have dealt with, and begin there after a restart. It ends when the runner does;
        what it has not returned by then comes after that position. Events of your own in the same store are left out, so positions
        may have gaps. Raises `InvalidInput` for a position that the log has not reached, and `StoreError` where it cannot be read.
        """
        self._service  # noqa: B018 - raises where the runner has ended
        return self._following(position_given(after))

    async def _following(self, after: int) -> AsyncIterator[HistoryView]:
        store = self._engine.store
        if (head := await store.head()) < after:
            remedy = "the store has lost its end, or it is another one: reconcile with what you keep, and begin where it ends"
            raise InvalidInput("after", f"the log ends at {head}, before {after}", remedy)
        while not self._is_ending.is_set():
            try:
                page = await self._engine.dispatcher.done(self._page(after))
            except (StoppedBefore, RunnerClosed):
                return
            for item in page:
                after = item.position
                if item.event.topic:  # else of another program
                    yield history_view(item)
            if not page:
                await self._unless_ended(store.wait_beyond(after, LOOK_AGAIN_SECONDS))

    async def _page(self, after: int) -> Sequence[RecordedEvent]:
        async with aclosing(self._engine.store.log(after, EVENTS_AT_ONCE)) as pages:  # type: ignore[type-var]  # a generator
            async for page in pages:
                return page
        return ()

    async def positions(self, **wanted: Any) -> Sequence[PositionView]:
        """Positions by account, strategy and instrument."""
        await self._service.settle_views()
        return await self._service.views.positions(Query.of(**wanted))

    async def account_positions(self, **wanted: Any) -> Sequence[AccountPositionView]:
        """Positions by account and instrument, all strategies together: what the broker should hold. Filters as in `Query`."""
        await self._service.settle_views()
        return await self._service.views.account_positions(Query.of(**wanted))

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
        engine, age = self._engine, seconds_given(max_age_seconds, "max_age_seconds")
        named = engine.orders.identity.default_account if account_id is None else text_given(account_id, "account_id")
        return await engine.dispatcher.done(engine.figures.shown(named, age))

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
        engine, person = self._engine, f"person:{text_given(actor, 'actor')}"
        account_id, named = text_given(account_id, "account_id"), text_given(broker_order_id, "broker_order_id")
        strategy, seen = text_given(strategy_name, "strategy_name"), text_given(evidence, "evidence")
        adopting = engine.adopt.adopt_order(account_id, named, seen, person, strategy)
        return order_view(await engine.dispatcher.done(adopting))

    async def transfer(
        self,
        instrument: str,
        *,
        from_strategy: str,
        to_strategy: str,
        quantity: Number,
        price: Number | None = None,
        account_id: str | None = None,
        product: Product | str | None = None,
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
            engine.orders.identity.default_account if account_id is None else text_given(account_id, "account_id"),
            text_given(instrument, "instrument"),
            text_given(from_strategy, "from_strategy"),
            text_given(to_strategy, "to_strategy"),
            amount_given(quantity, "quantity"),
            text_given(evidence, "evidence"),
            f"person:{text_given(actor, 'actor')}",
            exact(price, "price"),
            product=word_given(product, "product", Product),
        )
        return await engine.dispatcher.done(transferring)

    async def settle(self, order_id: UUID | str, *, found: str | None = None, evidence: str, actor: str) -> OrderView:
        """End a doubt on a person's evidence: the broker has the order under the id `found`, or, without one, never received it."""
        engine, person = self._engine, f"person:{text_given(actor, 'actor')}"
        seen, theirs = text_given(evidence, "evidence"), None if found is None else text_given(found, "found")
        settled = await self._id_of(order_id)
        if theirs is not None:
            return order_view(await engine.dispatcher.done(engine.doubts.settle_found(settled, theirs, seen, person)))
        return order_view(await engine.dispatcher.done(engine.doubts.settle_absent(settled, seen, person)))

    async def kill(self, detail: str = "", *, cancel_all: bool = False, flatten: bool = False) -> StopReport:
        """Stop sending at once, cancel entries, close positions with `flatten`, and report what the brokers still hold.

        Whatever `detail` is, it is stored as text: a wrong type is no reason not to stop.
        """
        engine = self._engine
        return await engine.dispatcher.done(
            engine.kill_all.kill(str(detail), "person:runner", cancel_all=bool(cancel_all), flatten=bool(flatten))
        )

    async def resume(self, scope: str = "*", detail: str = "") -> bool:
        """Lift the halt of exactly this scope (`*`, `account:ID`). False if there is none."""
        engine = self._engine
        resuming = engine.halts.resume(text_given(scope, "scope"), text_given(detail, "detail"), "person:runner")
        return await engine.dispatcher.done(resuming)


def _tables_in(given: object) -> list[Table]:
    """What a list has of tables of the settings."""
    return [each for each in given if isinstance(each, Mapping)] if isinstance(given, list | tuple) else []


def _objects_in(given: Any) -> Any:
    """The rest of the list; whatever else is given, as it is, to be refused."""
    return [each for each in given if not isinstance(each, Mapping)] if isinstance(given, list | tuple) else given


def _check_names(settings: Mapping[str, Any]) -> None:
    """Raises `SettingsError` for a name that is no setting, but nearly one of `Runner.open`'s own arguments."""
    own = [each.name for each in signature(Runner.open).parameters.values() if each.kind is Parameter.KEYWORD_ONLY]
    for name in settings:
        near = get_close_matches(name, own, n=1, cutoff=0.75)
        if name not in Settings.model_fields and near:
            raise SettingsError(f"{name}: no such argument and no such setting; did you mean {near[0]}?")
