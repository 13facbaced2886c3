"""The orders in memory and their one door to the log: decide, record durably, and only then change.

Nothing else in the application appends events of an order. `hold` makes the steps of one order follow one another; it is held while
deciding and recording, never while a broker is called.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from decimal import Decimal
from types import MappingProxyType
from typing import Protocol, TypeGuard
from uuid import UUID

from liveorder.application.ports.calendar import TradingCalendar
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.order_store import (
    BrokerName,
    Claiming,
    Commit,
    LedgerEntry,
    OrderStore,
    StoreIdentity,
)
from liveorder.application.recording import Cause, Recorder
from liveorder.application.risk.book import RiskBook
from liveorder.domain.claim import IdempotencyClaim, Recognition
from liveorder.domain.errors import OrderNotFound, StoreError, StoreUnavailable, VersionConflict
from liveorder.domain.events import Event, RecordedEvent
from liveorder.domain.execution_report import ExecutionReport
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import CancelReason, LeftUnguarded, OrderRequested
from liveorder.domain.order.matching import matching, surely_matching
from liveorder.domain.own_exits import left_at_the_end, left_by_itself
from liveorder.domain.position_adjustment import PositionChange
from liveorder.domain.values import EXACT, ZERO, AssetClass

FINISHED_IN_MEMORY = 5_000
"""About 9 KB each. Beyond it the one that has been here longest goes; it is read again when it is spoken of."""


class OrderListener(Protocol):
    """Told of each durable step of an order. Must not raise and must not block."""

    def __call__(self, before: LiveOrder | None, after: LiveOrder, recorded: Sequence[RecordedEvent], /) -> None: ...


class OrderRegister:
    """Every unfinished order in memory, with the finished ones that were met last; whichever other is asked for is read."""

    identity: StoreIdentity
    """Of the store that they belong to: set before the first is loaded or made."""

    def __init__(
        self,
        store: OrderStore,
        recorder: Recorder,
        clock: Clock,
        risk: RiskBook,
        calendar: TradingCalendar,
        fees_in_kind: Mapping[str, Mapping[AssetClass, Decimal]] = MappingProxyType({}),
    ) -> None:
        """`fees_in_kind`: by account, as its broker's capabilities say."""
        self._fees_in_kind = fees_in_kind
        self._store, self.recorder, self._clock = store, recorder, clock
        self._risk, self._calendar = risk, calendar
        self._unfinished: dict[UUID, LiveOrder] = {}
        self._finished = FinishedOrders()
        self._by_client_id: dict[str, UUID] = {}
        self._by_broker_id: dict[tuple[str, str], UUID] = {}
        self._held: dict[UUID, deque[asyncio.Future[None]]] = {}
        """Orders that somebody holds, and who waits for each, in turn."""
        self._listeners: list[OrderListener] = []
        self._suspect: set[UUID] = set()
        """Orders whose last commit failed without saying whether it was stored: read again before they are used."""
        self.may_have_begun: set[UUID] = set()
        """Those of them of which it was the first, so that nobody here knows them: of what is open, none may be missing."""
        self.may_have_moved: list[PositionChange] = []
        """Changes without an order whose commit failed without saying whether it was stored; until that is known they are expected,
        as before.
        """
        self._looking_at_positions = asyncio.Lock()
        self._ending: dict[UUID, LiveOrder] = {}
        """Exits that made way, and orders that others made way for, whose end is being stored: as they are then."""

    def listen(self, listener: OrderListener) -> Callable[[], None]:
        """Tell `listener` of every step from now on; the returned call ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # --- reading ---------------------------------------------------------------------------------------------------------------

    async def load(self) -> Sequence[LiveOrder]:
        """Take in the unfinished orders of the store."""
        for stream in (await self._store.unfinished()).values():
            self._remember(self._with_its_keys(LiveOrder.replay(stream)))
        return self.unfinished()

    def unfinished(self, account_id: str | None = None) -> list[LiveOrder]:
        """Orders that are not closed, or have a request unanswered."""
        return [o for o in self._unfinished.values() if account_id is None or o.intent.account_id == account_id]

    def unfinished_with(self, order_id: UUID) -> LiveOrder | None:
        """An unfinished order as it was last known, without asking the store."""
        return self._unfinished.get(order_id)

    async def get(self, order_id: UUID) -> LiveOrder:
        """The order as its durable events make it. Not for a caller that holds it. Raises `OrderNotFound`."""
        known = self._known(order_id)
        if known is not None:
            return known
        async with self.hold(order_id) as order:  # what is read must not be put in the place of what is recorded meanwhile
            return order

    async def read(self, order_id: UUID) -> LiveOrder:
        """As `get`, for a caller that holds it. A suspect one is used as it was last known while the store is away."""
        if (known := self._known(order_id)) is not None:
            return known
        was_suspect, before = order_id in self._suspect, self._in_memory(order_id)
        try:
            if was_suspect:
                await self._look_at_the_figures()
            stream = await self._store.stream(order_id)
        except StoreUnavailable:
            if before is None:
                raise
            return before
        if not stream or not isinstance(stream[0].event, OrderRequested):  # of a halt, say
            raise OrderNotFound(order_id)
        order = self._found(self._with_its_keys(LiveOrder.replay(stream)))
        missed = stream[before.version if before is not None else 0 :]
        if was_suspect and missed:  # stored after all, by a commit that failed
            self._notify(before, order, missed)
        return order

    def _known(self, order_id: UUID) -> LiveOrder | None:
        """In memory, and as the store has it."""
        return None if order_id in self._suspect else self._unfinished.get(order_id) or self._finished.get(order_id)

    def _in_memory(self, order_id: UUID) -> LiveOrder | None:
        return self._unfinished.get(order_id) or self._finished.get(order_id)

    async def _look_at_the_figures(self) -> None:
        """What the commit did to the account's figures is not known either.

        To be done before its stream is read: it waits for what is being written, which a commit whose caller is gone can be.
        """
        self._risk.absorb(await self._store.ledger())

    def _found(self, order: LiveOrder) -> LiveOrder:
        """As the store has it; one that was not in memory is from here on."""
        self._suspect.discard(order.order_id)
        self.may_have_begun.discard(order.order_id)
        if not order.is_finished or order.order_id in self._unfinished:
            self._risk.track(order)
        self._remember(order)
        return order

    async def look_again(self) -> None:
        """Read what failed commits left open, once the store can be asked: what was stored after all must not be lost."""
        try:
            await self.look_at_positions()
            for order_id in list(self._suspect):
                await self._look_again_at(order_id)
        except StoreError:
            return

    async def look_at_what_is_unsure(self) -> None:
        """Read what `may_have_begun` and what `may_have_moved`, before an order is decided. Raises `StoreUnavailable`."""
        await self.look_at_positions()
        for order_id in list(self.may_have_begun):
            await self._look_again_at(order_id)

    async def look_at_positions(self) -> None:
        """Know whether positions changed by commits that failed. Raises `StoreUnavailable`."""
        async with self._looking_at_positions:
            if expected := [*self.may_have_moved]:
                await self._look_at_the_figures()
                del self.may_have_moved[: len(expected)]
                self._risk.expect(expected, is_over=True)

    async def _look_again_at(self, order_id: UUID) -> None:
        try:
            await self.get(order_id)
        except OrderNotFound:
            self._suspect.discard(order_id)
            self.may_have_begun.discard(order_id)

    async def matching(self, account_id: str, report: ExecutionReport) -> UUID | None:
        """Which order a report speaks of, also long after it ended: by our key, else by the broker's id."""
        if report.client_order_id is not None:
            if (known := self._with_key(report.client_order_id)) is not None:
                return known
            claim = await self._store.claim_of(report.client_order_id)
            if claim is not None:
                return claim.order_id
        return await self._by_name(account_id, report) if report.broker_order_id is not None else None

    async def recall(self, account_id: str, reports: Sequence[ExecutionReport]) -> Collection[str]:
        """Take in, all at once, the finished orders that these reports speak of and that are not in memory.

        Returns the broker's ids among them that no order of ours ever had.
        """
        asked = [report.broker_order_id for report in reports if not self._is_at_hand(account_id, report)]
        names = {name for name in asked if name is not None}
        found = await self._store.streams_named(account_id, names) if names else {}
        for name, streams in found.items():
            for stream in streams:
                order = self._in_memory(stream[0].stream_id) or self._with_its_keys(LiveOrder.replay(stream))
                if order.is_finished and order.order_id not in self._suspect:
                    self._finished.keep(order, name)
        return names - found.keys()

    def _is_at_hand(self, account_id: str, report: ExecutionReport) -> bool:
        """Whether what is in memory says whom it speaks of."""
        if report.client_order_id is not None and self._with_key(report.client_order_id) is not None:
            return True
        return report.broker_order_id is not None and self._named_at_hand(account_id, report.broker_order_id, report) is not None

    def _with_key(self, client_order_id: str) -> UUID | None:
        return self._by_client_id.get(client_order_id) or self._finished.with_key(client_order_id)

    def _named_at_hand(self, account_id: str, broker_order_id: str, report: ExecutionReport) -> UUID | None:
        live, finished = self.unfinished_named(account_id, broker_order_id), self._finished.named(account_id, broker_order_id)
        found = surely_matching(live, finished, report)
        return found.order_id if found is not None else None

    async def _by_name(self, account_id: str, report: ExecutionReport) -> UUID | None:
        assert report.broker_order_id is not None
        at_hand = self._named_at_hand(account_id, report.broker_order_id, report)
        if at_hand is not None:
            return at_hand
        order_ids = await self._store.named(account_id, report.broker_order_id)
        found = matching([await self.get(order_id) for order_id in order_ids], report)
        return found.order_id if found is not None else None

    def unfinished_named(self, account_id: str, broker_order_id: str) -> LiveOrder | None:
        """The newest unfinished order with this id at its broker."""
        order_id = self._by_broker_id.get((account_id, broker_order_id))
        return self._unfinished.get(order_id) if order_id is not None else None

    def known_by_key(self, client_order_id: str) -> LiveOrder | None:
        """The unfinished order with this key."""
        order_id = self._by_client_id.get(client_order_id)
        return self._unfinished.get(order_id) if order_id is not None else None

    async def claims(self, known_by: Recognition) -> Sequence[IdempotencyClaim]:
        """Those in the store that fit a signal."""
        return await self._store.claims(known_by)

    # --- writing ---------------------------------------------------------------------------------------------------------------

    def hold(self, order_id: UUID) -> AbstractAsyncContextManager[LiveOrder]:
        """The order, with nobody else deciding about it until the block ends."""
        return _Hold(self, order_id)

    async def _wait_for(self, order_id: UUID) -> None:
        """Until the holder of the order passes it on to this caller."""
        turn = asyncio.get_running_loop().create_future()
        self._held[order_id].append(turn)
        try:
            await turn
        except BaseException:
            if not turn.cancel() and not turn.cancelled():  # it was this caller's turn
                self._pass_on(order_id)
            raise

    def _pass_on(self, order_id: UUID) -> None:
        """To the first who still waits; nobody who comes meanwhile gets between."""
        waiting = self._held[order_id]
        while waiting and waiting[0].done():  # cancelled
            waiting.popleft()
        if waiting:
            waiting.popleft().set_result(None)
        else:
            del self._held[order_id]

    async def record(
        self,
        order: LiveOrder | None,
        events: Sequence[Event],
        cause: Cause,
        *,
        order_id: UUID | None = None,
        claim: Claiming | None = None,
        unless_halted: tuple[str, ...] = (),
        adds_risk: bool = False,
    ) -> LiveOrder:
        """Make the events durable, then change the order. `order` is None for the events that begin one, of id `order_id`.

        `adds_risk`: the account's figures count the order as it will be from this call on, before anything is awaited, so that two
        orders that are decided at once cannot pass a limit together. Raises what `OrderStore.append` raises: the order is as it was
        then, and suspect if the failure leaves open what was stored.
        """
        stream_id = order.order_id if order is not None else order_id
        assert stream_id is not None
        if not events and order is not None:
            return order
        recorded = self.recorder.enveloped(stream_id, order.version if order is not None else 0, events, cause)
        after = self._with_its_keys(order.apply(recorded) if order is not None else LiveOrder.replay(recorded))
        if (after.made_way or after.cancel_reason is CancelReason.MADE_WAY) and self._ends_now(order, after):
            return await self._record_end(order, after, events, cause, unless_halted, adds_risk=adds_risk)
        was_open, is_open, name = order is not None and not order.is_finished, not after.is_finished, after.broker_order_id
        is_renamed = name is not None and (order is None or name != order.broker_order_id)
        try:
            commit = Commit(
                events=tuple(recorded),
                claim=claim,
                is_open=is_open if is_open is not was_open else None,
                entries=self._entries(order, after, events, reserve=adds_risk),
                unless_halted=unless_halted,
                names=(BrokerName(after.intent.account_id, name, stream_id),) if name is not None and is_renamed else (),
            )
            committed = await self._store.append(commit)
        except BaseException as error:
            if isinstance(error, (StoreUnavailable, VersionConflict, asyncio.CancelledError)):
                self._suspect.add(stream_id)
                if order is None:
                    self.may_have_begun.add(stream_id)
            if adds_risk:
                self._risk.release(stream_id)
            raise
        self._remember(after)
        self._risk.follow(committed.rows, after)
        self._notify(order, after, recorded)
        return after

    # --- what is left without an exit ------------------------------------------------------------------------------------------

    async def made_way_for(self, order: LiveOrder) -> list[LiveOrder]:
        """Orders that were at their broker and had to end before it. In place of one that was not, those that had to end before
        that. One that was being stored when it was named, and was not stored, never was.
        """
        found, left = dict[UUID, LiveOrder](), [*order.made_way]
        while left:
            if (order_id := left.pop(0)) not in found:
                with suppress(OrderNotFound):
                    each = found[order_id] = await self.get(order_id)
                    left += () if each.is_at_broker else each.made_way
        return [each for each in found.values() if each.is_at_broker]

    def _ends_now(self, before: LiveOrder | None, after: LiveOrder) -> TypeGuard[LiveOrder]:
        is_news = after.status.is_closed and after.order_id not in self._ending
        return is_news and before is not None and not before.status.is_closed

    async def _record_end(
        self,
        order: LiveOrder,
        after: LiveOrder,
        events: Sequence[Event],
        cause: Cause,
        unless_halted: tuple[str, ...],
        *,
        adds_risk: bool,
    ) -> LiveOrder:
        """With what its end leaves without an exit, in one commit: no crash comes between."""
        made_way = [each.order_id for each in await self.made_way_for(after)]
        self._ending[order.order_id] = after
        try:
            lost = self._left_unguarded(order, after, made_way)
            return await self.record(order, [*events, *lost], cause, unless_halted=unless_halted, adds_risk=adds_risk)
        finally:
            del self._ending[order.order_id]

    def _left_unguarded(self, before: LiveOrder, after: LiveOrder, made_way: Sequence[UUID]) -> list[LeftUnguarded]:
        """What had the same orders cancelled and is not over says it at its own end."""
        intent = after.intent
        others = [each for each in self._unfinished.values() if not each.status.is_closed and each.order_id not in self._ending]
        owed = {order_id for each in others for order_id in each.made_way}
        if after.order_id in owed:
            return []
        standing = self._risk.standing(intent.account_id, intent.strategy_name, intent.instrument, after.order_id)
        standing = standing.once_cancelled([each for each in standing.orders if each.order_id in self._ending])
        own, product, side = standing.own, intent.terms.product, intent.terms.side
        own = standing.under(product, product).own
        filled = EXACT.subtract(after.filled_quantity, before.filled_quantity)
        own = own._replace(quantity=EXACT.add(own.quantity, side.signed(filled)))
        if not after.made_way:
            return left_by_itself(own, after)
        lost = [self._ending.get(each) or self._in_memory(each) for each in made_way if each not in owed]
        return left_at_the_end(own, [each for each in lost if each is not None], after)

    def _notify(self, before: LiveOrder | None, after: LiveOrder, recorded: Sequence[RecordedEvent]) -> None:
        for listener in tuple(self._listeners):
            listener(before, after, recorded)

    def _with_its_keys(self, order: LiveOrder) -> LiveOrder:
        if order.is_suspect and not order.other_ids:
            ids = self.identity.keys.possible_ids(order.intent.account_id, order.intent.signal_id)
            order.other_ids = tuple(each for each in ids if each != order.client_order_id)
        return order

    def _entries(
        self, before: LiveOrder | None, after: LiveOrder, events: Sequence[Event], *, reserve: bool
    ) -> tuple[LedgerEntry, ...]:
        """None of most steps: only what was traded and what was submitted changes an account's figures."""
        is_same = before is not None and before.executions is after.executions and before.submission is after.submission
        if is_same and not reserve:
            return ()
        instrument = after.intent.instrument
        fee_in_kind = self._fees_in_kind.get(after.intent.account_id, {}).get(instrument.asset_class, ZERO)
        session = self._calendar.session_for(instrument, self._clock.now())
        return self._risk.stage(before, after, events, session, fee_in_kind, reserve=reserve)

    def _remember(self, order: LiveOrder) -> None:
        before = self._unfinished.pop(order.order_id, None)
        if order.is_finished:
            self._by_client_id.pop(order.client_order_id, None)
            self._finished.keep(order, order.broker_order_id)
        else:
            self._finished.drop(order.order_id)
            self._unfinished[order.order_id] = order
            self._by_client_id[order.client_order_id] = order.order_id
        self._rename(order, before.broker_order_id if before is not None else None)

    def _rename(self, order: LiveOrder, old: str | None) -> None:
        """Of two orders with the same name the newer has it: brokers' ids come again."""
        account_id, new = order.intent.account_id, None if order.is_finished else order.broker_order_id
        if new == old:
            return
        if old is not None and self._by_broker_id.get((account_id, old)) == order.order_id:
            del self._by_broker_id[account_id, old]
        if new is not None:
            holder = self._by_broker_id.get((account_id, new), order.order_id)
            self._by_broker_id[account_id, new] = max(holder, order.order_id)


class _Hold(AbstractAsyncContextManager[LiveOrder]):
    """Each order is held twice or more: an order that is in memory and that nobody else holds costs no further coroutine."""

    __slots__ = ("_order_id", "_orders")

    def __init__(self, orders: OrderRegister, order_id: UUID) -> None:
        self._orders, self._order_id = orders, order_id

    async def __aenter__(self) -> LiveOrder:
        orders, order_id = self._orders, self._order_id
        if order_id in orders._held:
            await orders._wait_for(order_id)
        else:
            orders._held[order_id] = deque()
        try:
            return orders._known(order_id) or await orders.read(order_id)
        except BaseException:
            orders._pass_on(order_id)
            raise

    async def __aexit__(self, *raised: object) -> None:
        self._orders._pass_on(self._order_id)


class FinishedOrders:
    """So many of the newest: brokers repeat reports of finished orders all day, and these add nothing.

    By id, by our key, and by each of the broker's names under which they were met. What is here is what the store has: events of an
    order are appended by this process alone, and each passes through `OrderRegister`.
    """

    def __init__(self) -> None:
        self._orders: dict[UUID, LiveOrder] = {}
        self._by_key: dict[str, UUID] = {}
        self._by_name: dict[tuple[str, str], set[UUID]] = {}
        self._names: dict[UUID, set[str]] = {}

    def get(self, order_id: UUID) -> LiveOrder | None:
        return self._orders.get(order_id)

    def with_key(self, client_order_id: str) -> UUID | None:
        return self._by_key.get(client_order_id)

    def named(self, account_id: str, broker_order_id: str) -> Iterator[LiveOrder]:
        for order_id in self._by_name.get((account_id, broker_order_id), ()):
            yield self._orders[order_id]

    def keep(self, order: LiveOrder, name: str | None) -> None:
        """Under one of the broker's names, beside those that it is here by already."""
        self._orders[order.order_id] = order
        self._by_key[order.client_order_id] = order.order_id
        names = self._names.setdefault(order.order_id, set())
        if name is not None:
            names.add(name)
            self._by_name.setdefault((order.intent.account_id, name), set()).add(order.order_id)
        if len(self._orders) > FINISHED_IN_MEMORY:
            self.drop(next(iter(self._orders)))

    def drop(self, order_id: UUID) -> None:
        """Nothing happens where it is not here."""
        order = self._orders.pop(order_id, None)
        if order is None:
            return
        self._by_key.pop(order.client_order_id, None)
        for name in self._names.pop(order_id):
            key = order.intent.account_id, name
            self._by_name[key].discard(order_id)
            if not self._by_name[key]:
                del self._by_name[key]
