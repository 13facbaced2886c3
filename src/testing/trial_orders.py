"""The orders of certification: sent at the declared rate, found again, and in any case cancelled at the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from liveorder.application.gateway.admission import RateLimit
from liveorder.application.ports.broker import (
    Absence,
    Broker,
    CancelRequest,
    Prepared,
    ReplaceRequest,
    SubmitRequest,
)
from liveorder.application.ports.clock import Clock
from liveorder.domain.errors import BrokerRefusal, BrokerUnavailable, DuplicateClientOrderId
from liveorder.domain.execution_report import (
    Accepted,
    BrokerStatus,
    CancelRejected,
    ExecutionReport,
    OrderRejected,
    OrderSnapshot,
)
from liveorder.domain.identifiers import SignalKey

T = TypeVar("T")

LOOK_AGAIN_SECONDS = 0.25
PATIENCE_SECONDS = 30.0
"""Maximum wait. Anything that has not happened by then is reported as missing."""
LIVE = frozenset({BrokerStatus.PENDING, BrokerStatus.WORKING})
ENDED = frozenset({BrokerStatus.FILLED, BrokerStatus.CANCELLED, BrokerStatus.EXPIRED, BrokerStatus.REJECTED})
"""Ended statuses. An unknown status is neither live nor ended."""


@dataclass(eq=False)
class TrialOrder:
    """An order that is prepared or sent."""

    request: SubmitRequest
    prepared: Prepared
    broker_order_id: str | None = None
    is_refused: bool = False
    """The adapter reported it as refused, so the broker should not have it."""
    end: OrderSnapshot | None = None
    """Its last snapshot, once it has ended."""

    @property
    def key(self) -> str:
        return self.request.client_order_id


class TrialOrders:
    """The trial orders of one account. An order is recorded before it is sent."""

    def __init__(self, broker: Broker, account_id: str, clock: Clock) -> None:
        self._broker, self._account_id, self._clock = broker, account_id, clock
        self._pace = RateLimit(clock, broker.capabilities.requests_per_second, broker.capabilities.requests_per_minute)
        self._sent: list[TrialOrder] = []
        self._is_in_doubt = False
        """True if the outcome of a request is unknown."""
        self._numbers = iter(range(1, 1000))

    def new_key(self) -> str:
        """The key of a made-up signal."""
        made_up = f"{self._clock.now().isoformat()} {next(self._numbers)}"
        return SignalKey("certify", self._account_id, made_up).client_order_id

    # --- requests --------------------------------------------------------------------------------------------------------------

    def ready(self, request: SubmitRequest) -> TrialOrder:
        """Prepare an order without sending it. Raises `OrderValidationError` if the adapter refuses it."""
        return TrialOrder(request, self._broker.prepare(request))

    async def send(self, order: TrialOrder) -> None:
        """Send the order. Raises what the adapter raises, and `BrokerRefusal` also if the answer is a rejection."""
        self._sent.append(order)
        try:
            reports = await self._submitted(order)
            if rejected := [each for each in reports if isinstance(each, OrderRejected)]:
                raise BrokerRefusal(rejected[0].reason)
        except DuplicateClientOrderId:
            raise
        except BrokerRefusal:
            order.is_refused = True
            raise
        order.broker_order_id = _id_in(reports)

    async def send_again(self, order: TrialOrder) -> bool:
        """Send the same bytes again. Returns whether they became another order. Raises what the adapter raises."""
        broker_order_id = _id_in(await self._submitted(order))
        return broker_order_id is not None and self._is_another(order, broker_order_id)

    def _is_another(self, order: TrialOrder, broker_order_id: str) -> bool:
        """Whether the id belongs to another order with the same key. If so, it is cancelled with the rest."""
        order.broker_order_id = order.broker_order_id or broker_order_id
        is_another = broker_order_id not in {each.broker_order_id for each in self._sent}
        if is_another:
            self._sent.append(TrialOrder(order.request, order.prepared, broker_order_id))
        return is_another

    async def _submitted(self, order: TrialOrder) -> Sequence[ExecutionReport]:
        await self._pace.take()
        try:
            return await self._broker.submit(order.prepared)
        except (BrokerRefusal, BrokerUnavailable):
            raise
        except BaseException:
            self._is_in_doubt = True
            raise

    async def replace(self, order: TrialOrder, limit_price: Decimal) -> Sequence[ExecutionReport]:
        reference = order.prepared.reference
        change = ReplaceRequest(order.key, order.broker_order_id, self._account_id, 1, limit_price=limit_price, reference=reference)
        prepared = self._broker.prepare(change)
        await self._pace.take()
        return await self._broker.replace(prepared)

    async def cancel(self, order: TrialOrder) -> OrderSnapshot | None:
        """Cancel the order. Returns its final snapshot, or None if it has not ended in time."""
        await self._ask_to_cancel(order)
        order.end = await self.found(order, lambda found: found.status in ENDED)
        return order.end

    async def _ask_to_cancel(self, order: TrialOrder) -> bool:
        """Request a cancel. Returns whether the broker accepted it."""
        request = CancelRequest(order.key, order.broker_order_id, self._account_id, order.prepared.reference)
        prepared = self._broker.prepare(request)
        await self._pace.take(is_urgent=True)
        return not any(isinstance(each, CancelRejected) for each in await self._broker.cancel(prepared))

    async def pause(self) -> None:
        """Leave room for questions; one question may be several requests to the broker."""
        await self._clock.sleep(LOOK_AGAIN_SECONDS)

    # --- questions -------------------------------------------------------------------------------------------------------------

    async def find(self, order: TrialOrder, *, by_key_alone: bool = False) -> OrderSnapshot | Absence:
        broker_order_id = None if by_key_alone else order.broker_order_id
        await self._pace.take()
        return await self._broker.find(order.key, broker_order_id, order.prepared.reference)

    async def found(
        self, order: TrialOrder, when: Callable[[OrderSnapshot], bool], *, by_key_alone: bool = False
    ) -> OrderSnapshot | None:
        """The order once `when` holds for it. None if that does not happen in time."""

        async def look() -> OrderSnapshot | None:
            answer = await self.find(order, by_key_alone=by_key_alone)
            return answer if isinstance(answer, OrderSnapshot) and when(answer) else None

        return await self._within(look)

    async def _within(self, look: Callable[[], Awaitable[T | None]]) -> T | None:
        until = self._clock.monotonic() + PATIENCE_SECONDS
        while (seen := await look()) is None and self._clock.monotonic() < until:
            await self._clock.sleep(LOOK_AGAIN_SECONDS)
        return seen

    # --- the end ---------------------------------------------------------------------------------------------------------------

    async def cancel_all(self) -> list[str]:
        """Cancel everything that was sent. Returns what is left: orders that are or may be live, and fills."""
        open_ones = [order for order in self._sent if order.end is None]
        asked = {order: not order.is_refused and await self._try_to_cancel(order) for order in open_ones}
        asked |= {order: await self._try_to_cancel(order) for order in await self._found_by_their_keys()}
        for order, is_asked in asked.items():
            order.end = await self._ended(order, is_asked=is_asked)
        traded = [
            f"{each.end.filled_quantity:f} traded by {_name(each)}" for each in self._sent if each.end and each.end.filled_quantity
        ]
        return [_name(each) for each in self._sent if each.end is None and not each.is_refused] + traded

    async def _found_by_their_keys(self) -> list[TrialOrder]:
        """Orders that came from requests with an unknown outcome, in addition to the known ones."""
        by_key = {order.key: order for order in self._sent}
        before = len(self._sent)
        with suppress(Exception):
            if self._is_in_doubt:
                await self._clock.sleep(self._broker.capabilities.lookup_lag_seconds)
            for each in await self._broker.open_orders():
                if each.client_order_id in by_key and each.broker_order_id is not None:
                    self._is_another(by_key[each.client_order_id], each.broker_order_id)
        return self._sent[before:]

    async def _ended(self, order: TrialOrder, *, is_asked: bool) -> OrderSnapshot | None:
        """The final snapshot, or None if none was seen. An order that was reported as refused, but exists, is cancelled too."""

        async def look() -> OrderSnapshot | Absence | None:
            nonlocal is_asked
            answer = await self._try_to_find(order)
            if isinstance(answer, Absence):
                return answer if order.is_refused else None
            if answer.status in ENDED:
                return answer
            order.is_refused, order.broker_order_id = False, answer.broker_order_id
            is_asked = is_asked or await self._try_to_cancel(order)
            return None

        end = await self._within(look)
        return end if isinstance(end, OrderSnapshot) else None

    async def _try_to_cancel(self, order: TrialOrder) -> bool:
        """Ignores what the adapter raises: the order's state is asked next, and the other orders have to be cancelled too."""
        with suppress(Exception):
            return await self._ask_to_cancel(order)
        return False

    async def _try_to_find(self, order: TrialOrder) -> OrderSnapshot | Absence:
        with suppress(Exception):
            return await self.find(order)
        return Absence.INCONCLUSIVE


def _id_in(reports: Sequence[ExecutionReport]) -> str | None:
    return next((each.broker_order_id for each in reports if isinstance(each, Accepted)), None)


def _name(order: TrialOrder) -> str:
    return f"order {order.broker_order_id or order.key}"
