"""Control of the venue over a transport, for tests, drills and demonstrations."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from liveorder.domain.errors import BrokerError
from liveorder.domain.execution_report import OrderSnapshot
from liveorder.domain.values import OrderType, Product, Side, TimeInForce
from liveorder.infrastructure.brokers.simulated.translation import error_of, snapshot_of
from liveorder.infrastructure.brokers.simulated.transport import Transport
from liveorder.infrastructure.brokers.simulated.wire import Message, plain
from liveorder.testing.venue.faults import Fault


class VenueControl:
    """Not subject to faults. Every method raises the `BrokerError` that matches the venue's answer."""

    def __init__(self, transport: Transport, *, request_timeout_seconds: float = 5.0) -> None:
        self._transport, self._timeout = transport, request_timeout_seconds

    # --- faults -------------------------------------------------------------------------------------------------------------

    async def lay(self, *faults: Fault) -> None:
        """Set faults. Each counts from now on; see `Fault`."""
        for fault in faults:
            await self._do("fault", fault=fault.model_dump(mode="json", exclude_defaults=True))

    async def clear_faults(self) -> None:
        await self._do("clear_faults")

    async def release(self) -> int:
        """Deliver the requests that are held until released. Returns how many there were."""
        return int((await self._do("release"))["released"])

    async def drop_streams(self, account_id: str | None = None, seconds: float = 0.0) -> None:
        """End the report streams of an account, or all. None can be opened for `seconds`."""
        await self._do("drop_streams", account=account_id, seconds=seconds)

    # --- market and orders --------------------------------------------------------------------------------------------------

    async def post_price(self, instrument_key: str, price: Decimal) -> None:
        await self._do("price", instrument=instrument_key, price=price)

    async def place(
        self,
        account_id: str,
        instrument_key: str,
        side: Side,
        quantity: Decimal,
        limit_price: Decimal | None = None,
        product: Product | None = None,
    ) -> str:
        """Place an order that is not ours: GTC and without a client key. Returns the venue's order id."""
        order_type = OrderType.MARKET if limit_price is None else OrderType.LIMIT
        answer = await self._do(
            "submit",
            account=account_id,
            instrument=instrument_key,
            side=side.value,
            order_type=order_type.value,
            time_in_force=TimeInForce.GTC.value,
            quantity=quantity,
            limit_price=limit_price,
            **({} if product is None else {"product": product.value}),
        )
        return str(answer["order"]["broker_order_id"])

    async def fill(self, broker_order_id: str, quantity: Decimal, price: Decimal) -> str:
        """A manual fill, also of a closed order and beyond its quantity. Returns the execution id."""
        answer = await self._do("fill", broker_order_id=broker_order_id, quantity=quantity, price=price)
        return str(answer["execution_id"])

    async def bust(self, execution_id: str) -> None:
        await self._do("bust", execution_id=execution_id)

    async def correct(self, execution_id: str, quantity: Decimal, price: Decimal) -> str:
        """Correct an execution. Returns the id of the one that replaces it."""
        return str((await self._do("correct", execution_id=execution_id, quantity=quantity, price=price))["execution_id"])

    async def close_order(self, broker_order_id: str, cause: str = "BY_BROKER", reason: str = "") -> None:
        """Close an order without a request. `cause` is BY_BROKER, DONE_FOR_DAY or EXPIRED."""
        await self._do("close", broker_order_id=broker_order_id, cause=cause, reason=reason)

    async def restate(
        self,
        broker_order_id: str,
        *,
        quantity: Decimal | None = None,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        reason: str = "",
    ) -> None:
        terms = plain(quantity=quantity, limit_price=limit_price, stop_price=stop_price)
        await self._do("restate", broker_order_id=broker_order_id, terms=terms, reason=reason)

    async def split(self, broker_order_id: str, ratio: Decimal) -> None:
        """Split: `ratio` new units for each old one."""
        await self._do("split", broker_order_id=broker_order_id, ratio=ratio)

    # --- the true state -----------------------------------------------------------------------------------------------------

    async def orders_by_key(self, client_order_id: str) -> list[OrderSnapshot]:
        """Every order ever accepted with this key: more than one breaks the promise. No lag, no faults."""
        answer = await self._do("orders_by_key", client_order_id=client_order_id)
        return [snapshot_of(order) for order in answer["orders"]]

    async def orders(self, account_id: str | None = None) -> list[OrderSnapshot]:
        """Every order ever accepted, oldest first; of all accounts, or of this one."""
        return [snapshot_of(order) for order in (await self._do("orders", account=account_id))["orders"]]

    async def now(self) -> datetime:
        return datetime.fromisoformat((await self._do("time"))["now"])

    async def _do(self, act: str, **fields: Any) -> Message:
        line = json.dumps({"verb": f"admin.{act}"} | plain(**fields))
        answer = await self._transport.ask(line, self._timeout)
        if "error" in answer:
            error: BrokerError = error_of(answer)
            raise error
        return answer
