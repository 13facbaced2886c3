"""The callbacks of an embedding program: several of each kind, added and removed while the runner runs.

1. A callback is called after its event is durable, in the order of the events; of several of one kind the first added first, and of
   one event `on_fill` before `on_status`.
2. What it raises is logged, and never touches trading.
3. What recovery finds at the start is called back about once the runner is ready.
4. `wait_closed` returns after every callback about that order has begun: a plain function has returned, a coroutine has come to its
   first wait.
5. Leaving the runner's block waits for those that have begun, no longer than `timeouts.drain_seconds`.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context, copy_context
from typing import Any, TypeAlias

from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.reporting.views import FillView, OrderView, order_view
from liveorder.domain.errors import InvalidInput, LiveOrderError
from liveorder.domain.events import RecordedEvent
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder

OnFill: TypeAlias = Callable[[OrderView, FillView], Awaitable[None] | None]
"""The order after the fill, and the fill: one execution that is new."""
OnStatus: TypeAlias = Callable[[OrderView, OrderStatus | None], Awaitable[None] | None]
"""The order with its new status, and the status that it had before; None if it is new."""
OnError: TypeAlias = Callable[[OrderView | None, LiveOrderError], Awaitable[None] | None]
"""The order, or None, and why it was not sent, or could not be."""


CANCELLING_SECONDS = 1.0
"""How long a cancelled callback may take to end, at the end of the runner."""


class Subscription:
    """A callback that is called until `remove()`. From then on no call of it begins; one that has begun goes on."""

    def __init__(self, function: Callable[..., Awaitable[None] | None], among: dict[Subscription, None]) -> None:
        self.function, self._among = function, among
        self.context: Context = copy_context()
        """Of the program where it added the callback, which runs in it."""
        among[self] = None

    @property
    def is_live(self) -> bool:
        return self in self._among

    def remove(self) -> None:
        """From any thread, also from within the callback. A second time does nothing."""
        self._among.pop(self, None)

    def __call__(self) -> None:
        self.remove()


class Callbacks:
    """An `OrderListener` that calls the program back. It is called on the runner's event loop; subscriptions may come from any
    thread.
    """

    def __init__(self) -> None:
        self._on_fill: dict[Subscription, None] = {}
        self._on_status: dict[Subscription, None] = {}
        self._on_error: dict[Subscription, None] = {}
        self._running: dict[asyncio.Task[None], str] = {}
        self._log: ActivityLog | None = None
        self._before_ready: list[tuple[Subscription, tuple[Any, ...]]] = []

    def begin(self, log: ActivityLog) -> None:
        """The runner is ready: call back, first about what recovery found. What callbacks raise goes to `log`."""
        self._log = log
        for subscription, details in self._before_ready:
            self._call_soon(subscription, details)
        self._before_ready.clear()

    def on_fill(self, function: OnFill) -> Subscription:
        return _subscribed("on_fill", function, "(order, fill)", self._on_fill)

    def on_status(self, function: OnStatus) -> Subscription:
        return _subscribed("on_status", function, "(order, status before)", self._on_status)

    def on_error(self, function: OnError) -> Subscription:
        return _subscribed("on_error", function, "(order, error)", self._on_error)

    def order_changed(self, before: LiveOrder | None, after: LiveOrder, recorded: Sequence[RecordedEvent]) -> None:
        """Calls back about new executions and status changes, which are durable."""
        if self._on_fill and (before is None or after.executions is not before.executions):
            known = set(before.executions.reported) if before is not None else set()
            view = order_view(after)
            for fill in view.fills:
                if fill.execution_id not in known:
                    self._schedule(self._on_fill, view, fill)
        was = before.status if before is not None else None
        if self._on_status and after.status is not was:
            self._schedule(self._on_status, order_view(after), was)

    def failed(self, order: LiveOrder | None, error: LiveOrderError) -> None:
        if self._on_error:
            self._schedule(self._on_error, order_view(order) if order is not None else None, error)

    async def have_begun(self) -> None:
        """Wait until every callback that is due now has begun: this goes in line behind them."""
        reached = asyncio.Event()
        line: dict[Subscription, None] = {}
        Subscription(reached.set, line)
        self._schedule(line)
        await reached.wait()

    async def finish(self, seconds: float) -> None:
        """Let what is due begin and end, for at most so long; what is left then is cancelled, and logged."""
        await self.have_begun()
        if not self._running:
            return
        _, late = await asyncio.wait(set(self._running), timeout=seconds)
        for name in {self._running[task] for task in late if task in self._running}:
            self._write(f"{name} had not ended after {seconds:g} s, and was cancelled when the runner ended")
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=CANCELLING_SECONDS)

    def _schedule(self, subscriptions: dict[Subscription, None], *details: Any) -> None:
        for each in list(subscriptions):
            if self._log is None:
                self._before_ready.append((each, details))
            else:
                self._call_soon(each, details)

    def _call_soon(self, subscription: Subscription, details: tuple[Any, ...]) -> None:
        asyncio.get_running_loop().call_soon(self._begin, subscription, details, context=subscription.context)

    def _begin(self, subscription: Subscription, details: tuple[Any, ...]) -> None:
        task = asyncio.get_running_loop().create_task(self._safely(subscription, details))
        self._running[task] = _name_of(subscription.function)
        task.add_done_callback(lambda ended: self._running.pop(ended, None))

    async def _safely(self, subscription: Subscription, details: tuple[Any, ...]) -> None:
        if not subscription.is_live:
            return
        try:
            answer = subscription.function(*details)
            if inspect.isawaitable(answer):
                await answer
        except Exception as error:  # noqa: BLE001 - a user's mistake must not affect trading; it is logged by name
            self._write(f"{_name_of(subscription.function)} raised {type(error).__name__}: {error}")

    def _write(self, sentence: str) -> None:
        if self._log is not None:
            self._log.write("ERROR", sentence)


def _subscribed(kind: str, function: Any, called_with: str, among: dict[Subscription, None]) -> Subscription:
    """Raises `InvalidInput` for what cannot be called with the two that it is called with."""
    if not callable(function):
        raise InvalidInput(kind, f"{function!r:.60} cannot be called", f"give a function of {called_with}")
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):  # one that Python knows no signature of, as of some written in C
        return Subscription(function, among)
    try:
        signature.bind(None, None)
    except TypeError:
        problem = f"{_name_of(function)}{signature} does not take what it is called with"
        raise InvalidInput(kind, problem, f"give a function of {called_with}") from None
    return Subscription(function, among)


def _name_of(function: object) -> str:
    return getattr(function, "__name__", type(function).__name__)
