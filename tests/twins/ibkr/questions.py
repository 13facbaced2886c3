"""What TWS is asked."""

from __future__ import annotations

from datetime import datetime, time
from decimal import Decimal
from itertools import chain
from typing import Any

from liveorder.domain.instrument import Instrument
from tests.twins.ibkr import wire
from tests.twins.ibkr.client import Client, Switches
from tests.twins.ibkr.desk import READ_ONLY, UNKNOWN, Desk
from tests.twins.ibkr.orders import trades_told
from tests.twins.ibkr.trading import commissions

BOUNDLESS = "1000000000000"
"""What an account of the exchange that is not limited can buy for."""


class Questions:
    def __init__(self, desk: Desk, switches: Switches) -> None:
        self._desk, self._switches = desk, switches
        self._account_then: tuple[datetime, dict[str, Any]] | None = None

    async def open_orders(self, client: Client, _: list[str]) -> None:
        answer = await self._desk.ask("open_orders")
        if not self._is_whole(client, -1, answer):
            return
        rows = [row for each in answer["orders"] for row in self._desk.speech.state(self._desk.order(each["broker_order_id"]))]
        if self._switches.garbles_open_orders:
            rows = [list(wire.GARBLED) if row[0] == "5" else row for row in rows]
        client.tell(*rows, *self._end("open", "53", "1"))

    async def completed_orders(self, client: Client, _: list[str]) -> None:
        if not self._is_whole(client, -1, await self._desk.ask("find", client_order_id="nobody's")):
            return
        listed = await self._desk.exchange.control.orders(self._desk.account)
        orders = [self._desk.order(str(each.broker_order_id)) for each in listed]
        rows = [self._desk.speech.completed(order) for order in orders if not order.state.is_live]
        client.tell(*rows, *self._end("completed", "102"))

    async def executions(self, client: Client, fields: list[str]) -> None:
        now = self._desk.exchange.clock.now().astimezone(self._desk.zone)
        answer = await self._desk.ask("executions", since=now.combine(now.date(), time(), now.tzinfo))
        if not self._is_whole(client, fields[2], answer):
            return
        rows: dict[str, list[list[str]]] = {}
        for each in answer["executions"] if not self._switches.withholds_executions else ():
            order = self._desk.order(each["broker_order_id"])
            for trade in trades_told(order, [each]):
                name = self._desk.speech.execution_id(order, trade)
                told = [self._desk.speech.execution(int(fields[2]), order, trade)]
                told += commissions(self._desk, self._switches, each, order)
                rows[name.rpartition(".")[0] if self._switches.executions_are_the_latest else name] = told
        client.tell(*chain.from_iterable(rows.values()), *self._end("executions", "55", "1", fields[2]))

    async def positions(self, client: Client, _: list[str]) -> None:
        answer = await self._desk.ask("positions")
        if not self._is_whole(client, -1, answer):
            return
        rows = []
        for each in answer["positions"]:
            instrument = Instrument.from_dict(each["instrument"])
            cost = Decimal(each["average_price"]) * instrument.multiplier
            rows.append(wire.position(self._desk.account, self._desk.listings.contract(instrument), each["quantity"], f"{cost:f}"))
        client.tell(*rows, *self._end("positions", "62", "1"))

    async def account_summary(self, client: Client, fields: list[str]) -> None:
        answer = await self._account()
        if not self._is_whole(client, fields[2], answer):
            return
        asked = {*fields[4].split(",")}
        asked |= {"TotalCashBalance", "ExchangeRate"} if "$LEDGER:ALL" in asked else set()
        rows = [["63", "1", fields[2], *row] for row in self._summary(answer) if row[1] in asked]
        client.tell(*rows, ["64", "1", fields[2]])

    async def _account(self) -> dict[str, Any]:
        """As it was renewed last."""
        now, known = self._desk.exchange.clock.now(), self._account_then
        if known is None or (now - known[0]).total_seconds() >= self._switches.account_values_last_seconds:
            known = self._account_then = (now, await self._desk.ask("account"))
        return known[1]

    def _summary(self, answer: dict[str, Any]) -> list[list[str]]:
        """Account, tag, value and currency, of every tag; with those of the switch in their place. Without leverage."""
        currency, others = answer["currency"], answer["other_cash"]
        free = answer.get("buying_power", BOUNDLESS)
        told = {
            ("NetLiquidation", currency): answer["equity"],
            ("TotalCashValue", currency): answer["cash"],
            ("AvailableFunds", currency): free,
            ("BuyingPower", currency): free,
            ("InitMarginReq", currency): "0.00",
            ("MaintMarginReq", currency): "0.00",
            ("TotalCashBalance", currency): answer["cash"],
            ("TotalCashBalance", "BASE"): answer["cash"],
            ("ExchangeRate", currency): "1.00",
            ("ExchangeRate", "BASE"): "1.00",
            **{("TotalCashBalance", other): cash for other, cash in others.items()},
        }
        told = told if self._switches.account_values is None else self._switches.account_values
        ours = [[self._desk.account, tag, value, told_in] for (tag, told_in), value in told.items()]
        return [*ours, ["DU9999999", "NetLiquidation", "1.23", "CHF"], ["DU9999999", "BuyingPower", "4.56", "CHF"]]

    async def account_updates(self, client: Client, fields: list[str]) -> None:
        client.tell(["54", "1", fields[3]])

    async def account_updates_multi(self, client: Client, fields: list[str]) -> None:
        client.tell(["74", "1", fields[2]])

    async def next_id(self, client: Client, _: list[str]) -> None:
        client.tell(["9", "1", self._desk.ids.next(client.client_id)])

    async def current_time(self, client: Client, _: list[str]) -> None:
        client.tell(["49", "1", int(self._desk.exchange.clock.now().timestamp())])

    async def contract_details(self, client: Client, fields: list[str]) -> None:
        meant = self._desk.listings.meant(wire.contract_asked(fields, 3))
        if not meant:
            client.tell(wire.error(fields[2], 200, "No security definition has been found for the request"))
            return
        rows = [wire.contract_details(fields[2], self._desk.listings.contract(each), self._details(each)) for each in meant]
        client.tell(*rows, ["52", "1", fields[2]])

    def _details(self, instrument: Instrument) -> wire.Fields:
        """The step is the smallest at any price, and in the currency. Each exchange has its own rule."""
        numbers = self._desk.listings.numbers(instrument)
        return {
            "minTick": f"{instrument.tick_size / instrument.price_magnifier:f}",
            "sizeIncrement": f"{instrument.lot_size:f}",
            "priceMagnifier": f"{instrument.price_magnifier:f}",
            "validExchanges": ",".join(numbers),
            "marketRuleIds": ",".join(numbers.values()),
        }

    async def market_rule(self, client: Client, fields: list[str]) -> None:
        """Of a number that is none, nothing is said."""
        self._switches.market_rules_asked.append(fields[1])
        rule = self._desk.listings.rules.get(fields[1])
        if rule is not None and not self._switches.market_rules_are_untold:
            steps = rule.quoted if self._switches.market_rules_are_quoted else rule.in_currency()
            client.tell(wire.market_rule(fields[1], steps))

    def _end(self, name: str, *fields: str) -> list[tuple[str, ...]]:
        return [] if name in self._switches.withheld else [fields]

    def _is_whole(self, client: Client, number: int | str, answer: dict[str, Any]) -> bool:
        """Else TWS says what is wrong, and there is no end; an answer without a number is missed in silence."""
        if "error" not in answer:
            return True
        code, text = (321, READ_ONLY) if answer["error"] == "unauthorized" else UNKNOWN
        client.tell(wire.error(number, code, text.format(answer["message"])))
        return False
