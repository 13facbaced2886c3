"""Kite as a `Broker`: sends requests as they were prepared, takes the day's lists as the truth, and uses pushes as wake-ups
only.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from liveorder.application.ports.broker import (
    Absence,
    BrokerPosition,
    BrokerRequest,
    CancelRequest,
    Prepared,
    ReplaceRequest,
    SubmitRequest,
)
from liveorder.application.ports.brokerage import AccountAccess
from liveorder.domain.broker_account import BrokerAccount
from liveorder.domain.broker_capabilities import BrokerCapabilities, KeySupport
from liveorder.domain.errors import BrokerAuthenticationError, BrokerRefusal, OrderValidationError, OutcomeUnknown
from liveorder.domain.execution_report import (
    Accepted,
    CancelIsPending,
    CancelRejected,
    ExecutionReport,
    OrderSnapshot,
    ReplaceIsPending,
    ReplaceRejected,
)
from liveorder.domain.values import TradingMode
from liveorder.infrastructure.brokers.kite import orders, postback
from liveorder.infrastructure.brokers.kite.questions import KiteQuestions
from liveorder.infrastructure.brokers.kite.session import KiteSession
from liveorder.infrastructure.brokers.kite.stream import WakeUps
from liveorder.infrastructure.brokers.kite.translation import ORDER_TYPES
from liveorder.infrastructure.settings.sections import Kite

CAPABILITIES = BrokerCapabilities(
    key_support=KeySupport.SEARCHABLE,
    crosses_zero=True,
    lookup_lag_seconds=5.0,
    position_lag_seconds=1.0,
    delivery_bound_seconds=60.0,
    trusts_absence=False,
    atomic_replace=True,
    order_types=frozenset(ORDER_TYPES),
    times_in_force=frozenset(orders.VALIDITIES),
    notional=False,
    fractional=False,
    requests_per_second=10.0,
    requests_per_minute=200.0,
    quiet_poll_seconds=15.0,
)
"""A tag is a label: Kite accepts a second order with the same tag. Kite does not document how long a new order may be missing from
its list.
"""
CANNOT: Mapping[str, str] = {
    "a_second_order_with_the_same_key_is_refused": "Kite's tag is a label: a second order with it is accepted",
    "a_bust_takes_the_fill_back": "Kite reports no busts: the trade disappears from its list, which proves nothing",
    "a_correction_stands_in_place_of_the_fill": "Kite reports no corrections: its list has another trade instead",
}
"""Cases of the port's contract that Kite cannot fulfil."""
_PATIENCE_SECONDS = 5.0
_GOODBYE_SECONDS = 1.0


class KiteBroker:
    """A `Broker`. `find` covers today only, by India's calendar: Kite drops orders and trades overnight."""

    name = "kite"

    def __init__(
        self, access: AccountAccess, session: KiteSession, questions: KiteQuestions, capabilities: BrokerCapabilities
    ) -> None:
        self._access, self._session, self._questions, self._capabilities = access, session, questions, capabilities
        self._section, self._clock, self._log = session.section, access.clock, access.log
        self._wake_ups: WakeUps | None = None
        session.on_refused = self._hang_up

    @property
    def capabilities(self) -> BrokerCapabilities:
        return self._capabilities

    # --- connection ------------------------------------------------------------------------------------------------------------

    async def connect(self) -> BrokerAccount:
        """Reads the access token again, so that a new login takes effect. A failing ticker does not fail the connect: orders can be
        sent, and their state is polled.
        """
        token = self._session.take_token()
        await self._session.ask(_user, "profile")
        account = await self.account()
        self._session.connected()
        if self._wake_ups is None or self._wake_ups.has_ended:
            self._wake_ups = await self._listen(token)
        return account

    async def _listen(self, token: str) -> WakeUps:
        key = self._section.api_key
        wake_ups = WakeUps(key.get_secret_value() if key else "", token, ticker_root(self._section), _PATIENCE_SECONDS)
        wake_ups.listen()
        await self._session.questions.run(wake_ups.start)
        if not await wake_ups.opened(_PATIENCE_SECONDS):
            self._log.write("BROKER", "Kite pushes nothing for now: fills are found by polling", account_id=self._access.account_id)
        return wake_ups

    def _hang_up(self) -> None:
        """A question notices an expired token first. Ending the stream makes the engine reconnect, which either picks up a new
        token or halts the account.
        """
        if self._wake_ups is not None and not self._wake_ups.has_ended:
            self._wake_ups.close()

    async def close(self) -> None:
        if self._wake_ups is not None:
            self._wake_ups.close()
            await self._wake_ups.closed(_GOODBYE_SECONDS)
        self._session.close()

    async def account(self) -> BrokerAccount:
        """Raises `BrokerAuthenticationError` if the token is not valid today."""
        mode = TradingMode.LIVE if self._section.root is None else self._access.mode
        return BrokerAccount(self._access.account_id, mode, "INR", await self._questions.figures())

    # --- requests --------------------------------------------------------------------------------------------------------------

    def check(self, request: SubmitRequest) -> None:
        self.prepare(request)

    def prepare(self, request: BrokerRequest) -> Prepared:
        ours = self._access.account_id
        if request.account_id != ours:
            raise OrderValidationError(f"account_id: this connection is to {ours}, not {request.account_id}; name {ours}")
        match request:
            case SubmitRequest():
                return orders.prepared(request, self._section, self._clock.now(), self._capabilities)
            case CancelRequest():
                return orders.prepared_cancel(request, self._section)
            case ReplaceRequest():
                return orders.prepared_replace(request, self._section)

    async def submit(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        """Accepted means that Kite has the order. What the exchange does with it, including a rejection, appears later in the day's
        list.
        """
        fields = json.loads(prepared.payload)
        order_id = await self._session.order("place_order", **fields)
        if not isinstance(order_id, str):
            raise OutcomeUnknown("kite: the order was answered without an id that can be read")
        return [Accepted(client_order_id=fields["tag"], broker_order_id=order_id)]

    async def cancel(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        """A cancel that Kite refuses is a `CancelRejected`, not an error."""
        order_id, refusal = await self._change("cancel_order", prepared)
        if refusal is not None:
            return [CancelRejected(broker_order_id=order_id, reason=str(refusal))]
        return [CancelIsPending(broker_order_id=order_id)]

    async def replace(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        """A change that Kite refuses is a `ReplaceRejected`, not an error."""
        order_id, refusal = await self._change("modify_order", prepared)
        if refusal is not None:
            return [ReplaceRejected(broker_order_id=order_id, reason=str(refusal))]
        return [ReplaceIsPending(broker_order_id=order_id)]

    async def _change(self, method: str, prepared: Prepared) -> tuple[str, BrokerRefusal | None]:
        """The id of the order, and the refusal if Kite refused the request."""
        fields = json.loads(prepared.payload)
        try:
            await self._session.order(method, **fields)
        except BrokerAuthenticationError:
            raise
        except BrokerRefusal as refusal:
            return fields["order_id"], refusal
        return fields["order_id"], None

    # --- questions -------------------------------------------------------------------------------------------------------------

    async def find(
        self, client_order_id: str, broker_order_id: str | None, reference: Mapping[str, str]
    ) -> OrderSnapshot | Absence:
        return await self._questions.find(client_order_id, broker_order_id, reference)

    async def open_orders(self) -> Sequence[OrderSnapshot]:
        return await self._questions.open_orders()

    async def executions_since(self, since: datetime) -> Sequence[ExecutionReport]:
        return await self._questions.executions_since(since)

    async def positions(self) -> Sequence[BrokerPosition]:
        return await self._questions.positions()

    # --- pushes ----------------------------------------------------------------------------------------------------------------

    async def reports(self) -> AsyncIterator[ExecutionReport]:
        """For each order woken by a push, asks Kite and yields the reports. Questions that fail are left to the poll."""
        if self._wake_ups is None:
            return
        async for order_id in self._wake_ups:
            for report in await self._questions.news(order_id):
                yield report

    def take_postback(self, body: bytes) -> bool:
        """Accept a postback, received by the user's own server. Returns whether it was genuine; if so, its order was woken."""
        secret = self._section.api_secret
        order_id = postback.order_woken(body, secret) if secret is not None else None
        if order_id is None:
            self._log.write("WARNING", "A postback was dropped: its checksum is not Kite's", account_id=self._access.account_id)
        elif self._wake_ups is not None:
            self._wake_ups.wake(order_id)
        return order_id is not None


def ticker_root(section: Kite) -> str | None:
    """The ticker's address. If the API has another address, the ticker is expected beside it, so that a test never reaches the real
    one.
    """
    if section.ticker_root is not None or section.root is None:
        return section.ticker_root
    return section.root.replace("http", "ws", 1)


def _user(answer: Any) -> str:
    return str(answer["user_id"])
