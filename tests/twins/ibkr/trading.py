"""Orders as they come in, and what becomes of them."""

from __future__ import annotations

from typing import Any

from liveorder.testing.venue.orders import OrderState, VenueOrder
from tests.twins.ibkr import wire
from tests.twins.ibkr.client import Client, Switches
from tests.twins.ibkr.desk import READ_ONLY, UNKNOWN, Desk
from tests.twins.ibkr.orders import submission, trades_told

_REFUSALS = {
    "insufficient_balance": (201, "Order rejected - reason:Insufficient funds: {}"),
    "unknown_symbol": (200, "No security definition has been found for the request"),
    "invalid_order": (201, "Order rejected - reason:{}"),
    "duplicate": (103, "Duplicate order id"),
    "rate_limited": (100, "Max rate of messages per second has been exceeded: {}"),
    "unavailable": (100, "Max rate of messages per second has been exceeded: {}"),
    "unauthorized": (321, READ_ONLY),
}


class Trading:
    def __init__(self, desk: Desk, switches: Switches) -> None:
        self._desk, self._switches = desk, switches

    async def place(self, client: Client, fields: list[str]) -> None:
        self._switches.placed.append(fields)
        order_id, order = int(fields[1]), wire.order_placed(fields)
        if self._switches.next_order_meets is not None:
            code, text = self._switches.next_order_meets
            self._switches.next_order_meets = None
            client.tell(wire.error(order_id, code, text))
            return
        if self._switches.next_order_is_warned is not None:
            client.tell(wire.error(order_id, *self._switches.next_order_is_warned))
            self._switches.next_order_is_warned = None
        venue_id = self._desk.ids.venue_id(client.client_id, order_id)
        if venue_id is not None:
            await self._change(client, order_id, self._desk.order(venue_id), submission(order))
            return
        meant = self._desk.listings.meant(wire.contract_asked(fields, 2))
        if len(meant) != 1:
            client.tell(wire.error(order_id, 200, "No security definition has been found for the request"))
            return
        self._desk.ids.sent(order.get("orderRef", ""), client.client_id, order_id)
        self._desk.speech.natives[order.get("orderRef", "")] = order["orderType"]
        self._answer(client, order_id, await self._desk.ask("submit", instrument=meant[0].key, **submission(order)))

    async def _change(self, client: Client, order_id: int, order: VenueOrder, wanted: dict[str, Any]) -> None:
        if not order.state.is_live:
            filled = order.state is OrderState.FILLED
            client.tell(wire.error(order_id, *((104, "Cannot modify a filled order") if filled else (103, "Duplicate order id"))))
            return
        has = {"quantity": order.quantity, "limit_price": order.limit_price, "stop_price": order.stop_price}
        terms = {name: str(wanted[name]) for name in has if wanted[name] is not None and wanted[name] != has[name]}
        answer = await self._desk.ask("replace", broker_order_id=order.order_id, terms=terms)
        if answer.get("error") in ("too_late", "invalid_order"):
            code = 110 if answer["error"] == "invalid_order" else 201
            client.tell(wire.error(order_id, code, answer["message"]))
        else:
            self._answer(client, order_id, answer)

    def _answer(self, client: Client, order_id: int, answer: dict[str, Any]) -> None:
        if "error" in answer:
            code, text = _REFUSALS.get(answer["error"], UNKNOWN)
            client.tell(wire.error(order_id, code, text.format(answer["message"])))
        elif "order" not in answer:
            client.tell(wire.GARBLED)
        else:
            order = self._desk.order(answer["order"]["broker_order_id"])
            client.tell(*self._desk.speech.state(order))

    async def cancel(self, client: Client, fields: list[str]) -> None:
        order_id = int(fields[2])
        venue_id = self._desk.ids.venue_id(client.client_id, order_id)
        if venue_id is None:
            client.tell(wire.error(order_id, 10147, f"OrderId {order_id} that needs to be cancelled is not found."))
            return
        key = self._desk.order(venue_id).placed.client_order_id
        answer = await self._desk.ask("cancel", broker_order_id=venue_id, client_order_id=key)
        if answer.get("error") == "too_late":
            state = self._desk.speech.status(self._desk.order(venue_id))[2]
            text = f"OrderId {order_id} that needs to be cancelled can not be cancelled, state: {state}."
            client.tell(wire.error(order_id, 10148, text))
        elif "order" in answer:
            order = self._desk.order(venue_id)
            client.tell(*([wire.error(order_id, 202, "Order Canceled - reason:")] if not order.state.is_live else []))
            client.tell(self._desk.speech.status(order))
        else:
            self._answer(client, order_id, answer)

    def told(self, message: dict[str, Any], order: VenueOrder) -> list[list[str]]:
        """In TWS's words. That an order was taken or changed is told by the answer to who asked."""
        order_id = self._desk.speech.ids(order)["orderId"]
        match message["report"]:
            case "fill" | "correction" | "bust":
                trades = trades_told(order, [message])
                rows = [self._desk.speech.execution(-1, order, trade) for trade in trades]
                return [*rows, self._desk.speech.status(order), *commissions(self._desk, self._switches, message, order)]
            case "commission":
                trades = [trade for trade in order.trades if trade.execution_id == message["execution_id"]]
                return [self._desk.speech.commission(order, trade) for trade in trades[-1:]]
            case "rejected":
                return [wire.error(order_id, 201, f"Order rejected - reason:{message['reason']}"), self._desk.speech.status(order)]
            case "closed" | "triggered" | "cancel_pending":
                return [self._desk.speech.status(order)]
            case "restated":
                return self._desk.speech.state(order)
            case "cancel_rejected":
                return [wire.error(order_id, 10148, f"OrderId {order_id} can not be cancelled, state: Filled.")]
            case _:
                return []


def commissions(desk: Desk, switches: Switches, message: dict[str, Any], order: VenueOrder) -> list[list[str]]:
    """Of the trade that the message tells; none of a bust, nor where they are told apart."""
    if message["report"] == "bust" or "commission" not in message:
        return []
    rows = [desk.speech.commission(order, trade) for trade in trades_told(order, [message])]
    return [[*row[:3], wire.UNSET, *row[4:]] for row in rows] if switches.commission_is_untold else rows
