"""Requests about orders, handed on to the exchange."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from liveorder.domain.instrument import Instrument
from liveorder.domain.values import ZERO, total
from liveorder.infrastructure.brokers.simulated.catalogue import BUILT_IN, VenueCatalogue
from liveorder.testing.exchange import Exchange
from liveorder.testing.venue.orders import VenueOrder
from tests.twins.alpaca import words
from tests.twins.alpaca.links import Links, is_pending, live_link
from tests.twins.alpaca.refusals import Refused, unless_refused
from tests.twins.alpaca.words import Json, order_named

SINCE_THE_LAST_TRADE = timedelta(hours=3)


@dataclass
class OrderDesk:
    """One account."""

    exchange: Exchange
    account: str
    links: Links = field(default_factory=Links)
    catalogue: VenueCatalogue = BUILT_IN
    _auctions: dict[str, str] = field(default_factory=dict)

    async def ask(self, verb: str, **fields: Any) -> Json:
        return unless_refused(await self.exchange.ask(verb, account=self.account, **fields))

    def shown(self, order: VenueOrder, link: int | None = None) -> Json:
        number = live_link(order) if link is None else link
        return words.order_json(order, number, self.links, self.instrument(order), self._auctions.get(order.order_id))

    def instrument(self, order: VenueOrder) -> Instrument:
        return self.catalogue.listed(order.placed.instrument).instrument

    def listed(self, symbol: str) -> Instrument | None:
        """By symbol, with or without a slash, or by asset id."""
        names = ((each, (each.symbol, each.symbol.replace("/", ""), words.asset_uuid(each))) for each in self.traded())
        return next((each for each, named in names if symbol in named), None)

    def traded(self) -> list[Instrument]:
        return [listing.instrument for listing in self.catalogue if listing.instrument.currency == "USD"]

    # --- requests --------------------------------------------------------------------------------------------------------------

    async def submit(self, body: Json) -> Json:
        instrument, tif = self.listed(body["symbol"]), body["time_in_force"]
        if body.get("extended_hours") and (body["type"], tif) != ("limit", "day"):
            raise Refused("invalid_order", "extended hours order must be DAY limit orders")
        await self._must_be_meant(body)
        answer = await self._submitted(
            body,
            client_order_id=body.get("client_order_id") or str(uuid4()),
            instrument=instrument.key if instrument is not None else f"UNKNOWN:{body['symbol']}",
            side=body["side"].upper(),
            order_type=body["type"].upper(),
            time_in_force=words.AT_AN_AUCTION.get(tif, tif.upper()),
            quantity=body.get("qty"),
            notional=body.get("notional"),
            limit_price=body.get("limit_price"),
            stop_price=body.get("stop_price"),
            trail_amount=body.get("trail_price"),
            trail_percent=body.get("trail_percent"),
            hours="extended" if body.get("extended_hours") else None,
        )
        order = self.order(answer["order"]["broker_order_id"])
        if tif in words.AT_AN_AUCTION:
            self._auctions[order.order_id] = tif
        return self.shown(order)

    async def _must_be_meant(self, body: Json) -> None:
        """`position_intent` is compared with what the order would do to the position."""
        meant = body.get("position_intent")
        if meant is None:
            return
        held = {each["symbol"]: Decimal(each["qty"]) for each in await self.positions()}.get(body["symbol"], ZERO)
        closes = held > 0 if body["side"] == "sell" else held < 0
        inferred = f"{body['side']}_to_{'close' if closes else 'open'}"
        if meant != inferred:
            raise Refused("other_intent", f"position intent mismatch, inferred: {inferred}, specified: {meant}")

    async def _submitted(self, body: Json, **fields: Any) -> Json:
        try:
            return await self.ask("submit", **fields)
        except Refused as refused:
            if refused.code == "insufficient_balance" and body["side"] == "sell":
                coin = body["symbol"].partition("/")[0]
                raise Refused("insufficient_quantity", f"insufficient balance for {coin}: {refused.message}") from None
            raise

    async def cancel(self, named: str) -> None:
        order, link = await self.found(named, asks=False)
        self._must_be_live(order, link)
        await self.ask("cancel", client_order_id=order.placed.client_order_id, broker_order_id=order.order_id)

    async def replace(self, named: str, body: Json) -> Json:
        order, link = await self.found(named, asks=False)
        key = body.get("client_order_id") or str(uuid4())
        if key in order.replace_ids:
            raise Refused("duplicate")
        self._must_be_live(order, link)
        terms = self._terms(order, link, body) | {"replace_id": key}
        await self.ask("replace", client_order_id=order.placed.client_order_id, broker_order_id=order.order_id, terms=terms)
        return self.shown(order, len(order.replace_ids))

    def _terms(self, order: VenueOrder, link: int, body: Json) -> Json:
        """To the exchange the quantity is of the whole order, whatever a replacement counts."""
        terms = {"quantity": body.get("qty"), "limit_price": body.get("limit_price"), "stop_price": body.get("stop_price")}
        filled = ZERO if self.links.carries_fills else total(trade.quantity for trade in order.effective_trades())
        if filled:
            own = body.get("qty") or order.quantity - self.links.filled_before(order, link)
            terms["quantity"] = str(Decimal(own) + filled)
        return {name: value for name, value in terms.items() if value is not None}

    def _must_be_live(self, order: VenueOrder, link: int) -> None:
        status = self.shown(order, link)["status"]
        if link != live_link(order) or not order.state.is_live:
            raise Refused("too_late", f'order is already in "{status}" state')

    # --- questions -------------------------------------------------------------------------------------------------------------

    def order(self, venue_id: str) -> VenueOrder:
        order = self.exchange.order(venue_id)
        if order is None:
            raise Refused("unknown_order")
        return order

    async def found(self, named: str, *, asks: bool = True) -> tuple[VenueOrder, int]:
        """By Alpaca's id. `asks`: as a question of its own, which meets faults."""
        parts = order_named(named)
        order = self.order(parts[0]) if parts is not None else None
        if parts is None or order is None or parts[1] > len(order.replace_ids):
            raise Refused("unknown_order")
        if asks:
            key = order.placed.client_order_id
            answer = await self.ask("find", client_order_id=key, broker_order_id=order.order_id)
            if answer.get("order") is None:
                raise Refused("unknown_order")
        return order, parts[1]

    async def with_key(self, key: str) -> Json:
        answer = await self.ask("find", client_order_id=key)
        if answer.get("order") is None:
            raise Refused("unknown_order")
        return self.shown(self.order(answer["order"]["broker_order_id"]), 0)

    async def open_orders(self, after: str | None, limit: int) -> list[Json]:
        """A replacement that is not accepted yet is one more."""
        answer = await self.ask("open_orders")
        orders = [self.order(each["broker_order_id"]) for each in answer["orders"]]
        shown = [self.shown(each, link) for each in orders for link in self._shown_links(each)]
        return [each for each in shown if after is None or each["submitted_at"] > after][:limit]

    def _shown_links(self, order: VenueOrder) -> list[int]:
        live = live_link(order)
        return [live, live + 1] if is_pending(order) else [live]

    async def fills(self, after: datetime, token: str | None, size: int) -> list[Json]:
        answer = await self.ask("executions", since=after + timedelta(microseconds=1))
        told = [each for each in answer["executions"] if each["report"] == "fill"]
        orders = {name: self.order(name) for name in {each["broker_order_id"] for each in told}}
        by_id = {fill.trade.execution_id: (order, fill) for order in orders.values() for fill in self.links.fills(order)}
        shown = [by_id[each["execution_id"]] for each in told]
        rows = [words.activity_json(order, fill, self.links, self.instrument(order)) for order, fill in shown]
        names = [row["id"] for row in rows]
        first = names.index(token) + 1 if token in names else 0
        return rows[first : first + size]

    async def positions(self) -> list[Json]:
        answer = await self.ask("positions")
        return [
            words.position_json(Instrument.from_dict(each["instrument"]), Decimal(each["quantity"]), Decimal(each["average_price"]))
            for each in answer["positions"]
        ]

    async def snapshot(self, symbol: str) -> Json | None:
        """A trade and a quote at the exchange's price: the trade was before, as the feed of one venue tells it."""
        instrument = self.listed(symbol)
        if instrument is None:
            return None
        told = unless_refused(await self.exchange.ask("quote", instrument=instrument.key))
        if "price" not in told:
            return {}
        at, price = datetime.fromisoformat(told["at"]), float(told["price"])
        trade = {"t": words.stamp(at - SINCE_THE_LAST_TRADE), "x": "V", "p": price, "s": 100}
        return {"latestTrade": trade, "latestQuote": {"t": words.stamp(at), "bp": price, "bs": 1, "ap": price, "as": 1}}
