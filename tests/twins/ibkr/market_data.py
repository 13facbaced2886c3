"""Prices: a snapshot, which takes its time to end, and subscriptions, which tick until they are ended."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from tests.twins.ibkr import wire
from tests.twins.ibkr.client import Client, Switches
from tests.twins.ibkr.desk import Desk

SNAPSHOT_SECONDS = 11.0
"""A snapshot collects what comes in that time, and ends then."""
_LOOK_SECONDS = 0.01
_LIVE = {"bid": "1", "ask": "2", "last": "4", "traded": "45"}
_DELAYED = {"bid": "66", "ask": "67", "last": "68", "traded": "88"}
_DELAYED_KINDS = (3, 4)


class MarketData:
    def __init__(self, desk: Desk, switches: Switches) -> None:
        self._desk, self._switches = desk, switches

    async def choose(self, client: Client, fields: list[str]) -> None:
        client.market_data_kind = int(fields[2])

    async def subscribe(self, client: Client, fields: list[str]) -> None:
        number, is_snapshot = fields[2], fields[17] == "1"
        meant = self._desk.listings.meant(wire.contract_asked(fields, 3))
        if len(meant) != 1:
            client.tell(wire.error(number, 200, "No security definition has been found for the request"))
            return
        answer = await self._desk.ask("quote", instrument=meant[0].key)
        if "error" in answer:
            client.tell(wire.error(number, 322, f"Error processing request: {answer['message']}"))
            return
        if self._switches.market_data_meets is not None:
            client.tell(wire.error(number, *self._switches.market_data_meets))
        client.tell(["58", "1", number, str(client.market_data_kind)], *self._ticks(client, number, answer))
        if is_snapshot:
            await asyncio.sleep(SNAPSHOT_SECONDS)
            client.tell(["57", "1", number])
            return
        self._switches.subscribed.append((client, number))
        await self._follow(client, number, meant[0].key, answer)

    async def _follow(self, client: Client, number: str, key: str, told: dict[str, Any]) -> None:
        """Every change, as long as the subscription stands."""
        while (client, number) in self._switches.subscribed and not client.is_gone:
            await asyncio.sleep(_LOOK_SECONDS)
            now = self._desk.exchange.quote(key)
            if now != told and (client, number) in self._switches.subscribed and not self._switches.is_link_lost:
                client.tell(*self._ticks(client, number, now))
                told = now

    async def cancel(self, client: Client, fields: list[str]) -> None:
        if (client, fields[2]) in self._switches.subscribed:
            self._switches.subscribed.remove((client, fields[2]))
        else:
            client.tell(wire.error(fields[2], 300, f"Can't find EId with tickerId:{fields[2]}"))

    def _ticks(self, client: Client, number: str, quote: dict[str, Any]) -> list[list[str]]:
        """The venue has one price, which is bid, offered and traded."""
        if "price" not in quote:
            return []
        kinds = _DELAYED if client.market_data_kind in _DELAYED_KINDS else _LIVE
        names = [name for name in ("bid", "ask", "last") if name in self._switches.ticks]
        rows = [["1", "6", number, kinds[name], quote["price"], "100", "0"] for name in names]
        at = int(datetime.fromisoformat(quote["at"]).timestamp())
        return [*rows, ["46", "6", number, kinds["traded"], str(at)]] if "last" in names else rows
