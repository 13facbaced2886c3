"""Orders that wait: judged and sent once what they wait for came, ended once that did not come in time.

What an order waits for stands in its events, so a restart goes on waiting. An exit that waits for orders of its strategy has them
cancelled here, as often as it takes: that too follows from its events.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from uuid import UUID

from msgspec.structs import replace

from liveorder.application.gateway.gateway import Gateway
from liveorder.application.orders.order_register import OrderRegister
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.clock import Clock
from liveorder.application.recording import Cause
from liveorder.application.runtime.dispatcher import Dispatcher, Lane
from liveorder.application.trading.cancel_order import CancelOrder
from liveorder.application.trading.execute_order import ExecuteOrder, Waited
from liveorder.application.trading.submit_order import SubmitOrder
from liveorder.application.trading.waits import Waits
from liveorder.domain import reversal
from liveorder.domain.errors import DecisionRefused, LiveOrderError, TradingIsHalted
from liveorder.domain.events import Event
from liveorder.domain.order import LiveOrder, requests
from liveorder.domain.order.events import (
    CancelReason,
    OrderRequested,
    Refused,
    RejectReason,
    WaitBegan,
    WaitEnded,
    WaitReason,
)
from liveorder.domain.own_exits import left_unguarded
from liveorder.domain.risk import KILL_SWITCH, RiskRefusal, refused_by
from liveorder.domain.signal import Signal, UnusableSignal
from liveorder.domain.timeouts import MAKING_WAY_SECONDS, LateCancel
from liveorder.domain.values import OrderRole
from liveorder.domain.waiting import YOUNG_AFTER, has_lapsed, is_spared_by_a_kill


class WaitingOrders:
    """Looks at every waiting order at an interval."""

    def __init__(
        self,
        orders: OrderRegister,
        gateways: Mapping[str, Gateway],
        execute: ExecuteOrder,
        submit: SubmitOrder,
        waits: Waits,
        cancel: CancelOrder,
        dispatcher: Dispatcher,
        clock: Clock,
        log: ActivityLog,
        *,
        check_seconds: float = 0.5,
    ) -> None:
        self._orders, self._gateways, self._execute, self._submit = orders, gateways, execute, submit
        self._waits, self._cancel, self._dispatcher = waits, cancel, dispatcher
        self._clock, self._log, self._check_seconds = clock, log, check_seconds
        self._woken = {account_id: asyncio.Event() for account_id in gateways}
        self.awaited = dict.fromkeys(gateways, frozenset[UUID]())
        """By account, the orders whose end is waited for."""
        self._tried: dict[UUID, LateCancel] = {}
        self._under_way: set[UUID] = set()
        """Orders that are judged or cancelled now."""
        self._judging: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)
        """By account and instrument: those that wait there are judged one after the other."""

    def wake(self, account_id: str) -> None:
        """Look now: an order of the account begins to wait, or one that is awaited took a step."""
        self._woken[account_id].set()

    async def check_for_ever(self, account_id: str) -> None:
        woken = self._woken[account_id]
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._check_seconds):
                    await woken.wait()
            woken.clear()
            self.check(account_id)

    def check(self, account_id: str) -> None:
        """Each by itself: a broker that is slow with one order keeps no other from being looked at."""
        waiting = sorted((order for order in self._orders.unfinished(account_id) if order.is_waiting), key=_turn)
        self.awaited[account_id] = frozenset(each for order in waiting if order.wait is not None for each in order.wait.orders)
        self._tried = {entry: tried for entry, tried in self._tried.items() if self._orders.unfinished_with(entry) is not None}
        for order in waiting:
            if self._waits.is_killed(order):
                self._begin(order.order_id, self._end_killed)
            elif self._waits.is_due(order):
                self._begin(order.order_id, self._take_up)
            else:
                for each in self._to_cancel(order):
                    self._begin(each, partial(self._cancel_for, order.order_id))

    def _begin(self, order_id: UUID, work: Callable[[UUID], Awaitable[None]]) -> None:
        """Not twice at once."""
        if order_id not in self._under_way:
            self._under_way.add(order_id)
            self._dispatcher.post(Lane.SIGNALS, partial(self._done, order_id, work))

    async def _done(self, order_id: UUID, work: Callable[[UUID], Awaitable[None]]) -> None:
        try:
            await work(order_id)
        except LiveOrderError as error:
            self._log.write("ERROR", f"What an order waits for could not be taken up yet: {error}", order_id=str(order_id))
        finally:
            self._under_way.discard(order_id)

    async def _take_up(self, order_id: UUID) -> None:
        order = self._orders.unfinished_with(order_id)
        if order is None or order.wait is None or not order.is_waiting or not self._waits.is_due(order):
            return
        if self._waits.may_be_sent_already(order):
            await self._ask_first(order_id)
            return
        if has_lapsed(order.wait, self._clock.now()):
            await self._end(order)
            return
        async with self._judging[order.intent.account_id, order.intent.instrument.key]:
            after = await self._judged(order) if self._waits.is_due(order) else order
        if after.is_approved and not after.status.is_closed:
            await self._submit.drive(after, is_started=after.submission_is_open)

    async def end_all(self) -> None:
        """As a kill does that is recorded after the fact: whatever waits and does not guard a position ends now."""
        for order in self._orders.unfinished():
            if order.is_waiting and not is_spared_by_a_kill(order.terms):
                await self._end_killed(order.order_id, is_recorded=True)

    async def end_killed(self) -> None:
        """Before a kill is lifted: what it ends must not outlive it."""
        for order in self._orders.unfinished():
            if order.is_waiting and self._waits.is_killed(order):
                await self._end_killed(order.order_id)

    async def _end_killed(self, order_id: UUID, *, is_recorded: bool = False) -> None:
        async with self._orders.hold(order_id) as held:
            if held.is_waiting and (is_recorded or self._waits.is_killed(held)):
                refused = requests.refuse(RejectReason.RISK, KILL_SWITCH, "trading was halted while it waited")
                await self._orders.record(held, refused, Cause(correlation_id=held.intent.signal_id))

    async def _ask_first(self, order_id: UUID) -> None:
        """It is in doubt from here on, and `ResolveUnknownOutcomes` asks. Surely not sent, it waits again, and is judged."""
        async with self._orders.hold(order_id) as held:
            if held.is_waiting:
                await self._submit.doubt_forgotten(held)

    async def _judged(self, order: LiveOrder) -> LiveOrder:
        """The order once its signal was sized and judged as if it came now, and that is stored: it is to be sent, or is refused, or
        waits for something else. It stays as it is where its wait ended otherwise meanwhile.
        """
        wait, gateway = order.wait, self._gateways[order.intent.account_id]
        assert wait is not None
        signal = Signal.restored(wait.signal).meaning(order.terms.position_effect)
        if wait.reason is WaitReason.LEG:
            follows = self._what_follows(signal, await self._orders.get(wait.orders[0]))
            if follows.signal is None:
                await self._end_leg(order, follows.refused)
                return order
            signal = follows.signal
        known, execute = (order.terms.signal_at, order.intent.instrument), self._execute
        counts_from = self._clock.now() if wait.reason in YOUNG_AFTER else order.terms.signal_at
        waited = Waited(order.intent, wait.reason, counts_from, orders=wait.orders)
        made_way = await self._orders.made_way_for(order)
        gathered = await execute.gathered(signal, gateway, *known, waited=waited)
        sized = await execute.sized(gathered)
        if sized.is_first_leg and not await self._has_second_leg(order, signal):
            return order
        gathered = replace(gathered, waited=replace(waited, has_second_leg=sized.is_first_leg))
        async with self._orders.hold(order.order_id) as held:
            if held.wait != wait or not held.is_waiting:
                return order
            cause, is_operators = Cause(correlation_id=signal.signal_id), held.is_persons
            decision = await execute.decided(gathered, await execute.sized(gathered), is_operators=is_operators)
            if (successor := self._waits.successor_of(held)) is not None:
                ended = requests.request_cancel(held, CancelReason.MADE_WAY, made_way_for=successor)
                return await self._orders.record(held, ended, cause)
            verdict = decision.verdict
            if isinstance(verdict, Refused) and reversal.is_second_leg(signal.signal_id):
                verdict = reversal.refused_second(verdict)
            if isinstance(verdict, WaitBegan) and (verdict.reason, verdict.orders) == (wait.reason, wait.orders):
                return order
            (intent, *events), scopes = execute.begun(gateway, decision.intent, verdict, decision.also, is_operators=is_operators)
            assert isinstance(intent, OrderRequested)
            over = WaitEnded(terms=intent.terms)
            lost = left_unguarded(decision.of_product.own, made_way, held, verdict, intent.terms)
            try:
                return await self._orders.record(held, [over, *lost, *events], cause, unless_halted=scopes, adds_risk=True)
            except TradingIsHalted as error:
                refused = refused_by(RiskRefusal(KILL_SWITCH, str(error)))
                return await self._orders.record(held, [over, refused], cause)

    async def _has_second_leg(self, order: LiveOrder, signal: Signal) -> bool:
        """The opening leg is durable before the closing one leaves, so that no crash comes between. Else the closing one ends."""
        second, operator = reversal.second_leg_of(signal), f"order {order.order_id}" if order.is_persons else None
        at, instrument = order.terms.signal_at, order.intent.instrument
        try:
            await self._execute.execute(second, published_at=at, operator=operator, instrument=instrument, follows=order)
        except UnusableSignal as error:
            await self._end_leg(order, reversal.without_second(error.reason))
            return False
        return True

    def _what_follows(self, signal: Signal, first: LiveOrder) -> reversal.Follows:
        return reversal.after_first_leg(signal, first)

    def _to_cancel(self, order: LiveOrder) -> list[UUID]:
        """Of the orders that it waits for, those of which a cancel is due now."""
        due = [each for each in self._waits.to_cancel(order) if not each.cancel_requested]
        return [each.order_id for each in due if self._next_cancel(each) is not None]

    def _next_cancel(self, order: LiveOrder) -> LateCancel | None:
        """The one that is due now: at once where the last one surely never arrived."""
        never_arrived = order.cancel_wish is not None and order.is_at_broker
        last = None if never_arrived else self._tried.get(order.order_id)
        return LateCancel.due_after(last, self._clock.monotonic(), MAKING_WAY_SECONDS)

    async def _cancel_for(self, waiting: UUID, order_id: UUID) -> None:
        known = self._orders.unfinished_with(order_id)
        if known is None or (due := self._next_cancel(known)) is None:
            return
        self._tried[order_id] = due
        try:
            await self._cancel.cancel(order_id, CancelReason.MADE_WAY, made_way_for=waiting)
        except DecisionRefused:
            known = self._orders.unfinished_with(order_id)
            if known is not None and not known.status.is_closed:  # else it ended meanwhile, which is all that is waited for
                raise

    async def _end(self, order: LiveOrder) -> None:
        async with self._orders.hold(order.order_id) as held:
            if held.wait is not None and held.is_waiting and has_lapsed(held.wait, self._clock.now()):
                why = f"it waited {held.wait.message}, in vain"
                ended: Sequence[Event] = requests.cancel_unsent(held, CancelReason.STALE, why)
                if reversal.is_second_leg(held.intent.signal_id):
                    ended = [reversal.incomplete(why)]
                await self._orders.record(held, ended, Cause(correlation_id=held.intent.signal_id))

    async def _end_leg(self, order: LiveOrder, refused: Refused | None) -> None:
        """A leg of a reversal is not sent; without a refusal nothing is left for it to do."""
        async with self._orders.hold(order.order_id) as held:
            if held.wait == order.wait and held.is_waiting:
                ended = requests.cancel_unsent(held, CancelReason.MADE_WAY, "its first leg did all of it")
                await self._orders.record(
                    held, ended if refused is None else [refused], Cause(correlation_id=held.intent.signal_id)
                )


def _guards_nothing(awaited: LiveOrder, waiting: LiveOrder) -> bool:
    return awaited.is_waiting or awaited.terms.side is not waiting.terms.side


def _turn(order: LiveOrder) -> tuple[bool, UUID]:
    """In which orders whose waits end together are judged: in that of their age, a take-profit after what else may close."""
    return order.terms.role is OrderRole.TAKE_PROFIT, order.order_id
