"""Several orders, one after the other or at once, and what people do between them: what a trial of positions is made of.

A play is a row of the matrix, and an entry of `PLAYS`: steps that every life takes again from the first, until each is done. What
is done already does nothing then: a signal that is known is the same order, a transfer is known by its name.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from liveorder.domain.execution_report import OrderSnapshot
from liveorder.domain.values import Side
from liveorder.testing.venue.control import VenueControl
from liveorder.testing.venue.faults import Point
from tests.crash.cases import ALWAYS_TRADED, BELOW_THE_MARKET, TRADED, Case, key_of
from tests.crash.processes import Process, Refused
from tests.crash.verdict import LIVE, is_left_to_a_person

KILL_SECONDS = 2.0
"""A kill waits so long for each cancel and each closing order."""

Given = Mapping[str, str]
"""The fields of a signal, but for what is traded."""


@dataclass(frozen=True, slots=True)
class Befallen:
    """The order that a fault befalls, and which of the requests of that kind is its first."""

    signal_id: str
    nth: int = 1


@dataclass(frozen=True, slots=True)
class Play:
    name: str
    steps: Sequence[Step]
    befalls: Mapping[Point, Befallen]
    """Requests that a fault can befall; the first is the one that the play is about."""
    struck_from: str
    """First deaths are at boundaries from the first on that names this."""
    endings: Mapping[str, Sequence[tuple[str, str]]]
    """Status and filled quantity that each order may have at the end, by signal id, where nothing is in doubt."""
    held: Mapping[str, str] = field(default_factory=dict)
    """What strategies hold at the end; the others nothing."""
    may_be_short: bool = False
    is_market_closed: bool = False
    """When a life begins."""

    @property
    def points(self) -> tuple[Point, ...]:
        return tuple(self.befalls)

    def nth(self, point: Point) -> int:
        return self.befalls[point].nth

    def befallen_key(self, case: Case, account: str) -> str:
        return key_of(account, named(self.befalls[case.point].signal_id))


class Stage:
    """One life, as steps see it."""

    def __init__(
        self, service: Process, control: VenueControl, case: Case, account: str, notes: list[str], shown: dict[str, int]
    ) -> None:
        """`notes`: broken promises that only show while it goes on. `shown`: by key, the latest version of each order that any
        life has shown.
        """
        self.service, self.control, self.case, self.account = service, control, case, account
        self.notes, self._shown = notes, shown
        self.orders: dict[str, dict[str, Any]] = {}
        """By signal id, as the service has them."""
        self.doubts: Sequence[str] = ()
        self.settled_at = 0.0
        """When it was first at rest, by the machine's monotonic clock."""
        self._in_doubt_since: dict[str, float] = {}

    async def look(self) -> None:
        state, now = await self.service.ask("state"), time.monotonic()
        self._take(*state["orders"].values())
        self.doubts = state["doubts"]
        in_doubt = [order["key"] for order in self.orders.values() if order["is_in_doubt"]]
        self._in_doubt_since = {key: self._in_doubt_since.get(key, now) for key in in_doubt}

    async def give(self, signal: Given) -> None:
        order = await self.service.ask("execute", raw=json.dumps({**signal, **ALWAYS_TRADED}))
        self._take(order)

    def _take(self, *orders: dict[str, Any]) -> None:
        for order in orders:
            self.orders[order["signal_id"]] = order
            self._shown[order["key"]] = max(order["version"], self._shown.get(order["key"], 0))

    def has_ended(self, signal_id: str) -> bool:
        return not self.orders[signal_id]["is_open"]

    @property
    def is_at_rest(self) -> bool:
        """Nothing is open but doubts that are left to a person, and what waits for them."""
        return all(self._is_left(order) or order["is_waiting"] for order in self._open) and not self._waits_in_vain

    @property
    def _waits_in_vain(self) -> bool:
        return bool(self._open) and not any(self._is_left(order) for order in self._open)

    @property
    def has_doubts_left(self) -> bool:
        """At rest, because of what only a person can settle."""
        return self.is_at_rest and bool(self._open)

    @property
    def _open(self) -> list[dict[str, Any]]:
        return [order for order in self.orders.values() if order["is_open"]]

    def _is_left(self, order: Mapping[str, Any]) -> bool:
        """It may stand for ever, and is shown to people: by time alone it could be one that a slow machine is about to settle."""
        now = time.monotonic()
        may_stand = is_left_to_a_person(self.case, order, now - self._in_doubt_since.get(order["key"], now))
        return may_stand and order["key"] in self.doubts

    async def at_venue(self, signal_id: str) -> OrderSnapshot | None:
        theirs = await self.control.orders_by_key(key_of(self.account, signal_id))
        return theirs[0] if theirs else None


Step = Callable[[Stage], Awaitable[bool]]
"""Whether it is done; else it is taken again, unless a doubt keeps it from ever being done."""


# --- signals ---------------------------------------------------------------------------------------------------------------------


def buys(signal_id: str, strategy: str, quantity: str, **fields: str) -> Given:
    return _signal(signal_id, strategy, "BUY", quantity=quantity, **fields)


def sells(signal_id: str, strategy: str, quantity: str, **fields: str) -> Given:
    return _signal(signal_id, strategy, "SELL", quantity=quantity, **fields)


def exits(signal_id: str, strategy: str) -> Given:
    """All that its strategy holds."""
    return _signal(signal_id, strategy, "SELL", position_effect="CLOSE")


def rests(signal_id: str, strategy: str, quantity: str) -> Given:
    """A buy that does not trade by itself."""
    return buys(signal_id, strategy, quantity, order_type="LIMIT", limit_price=BELOW_THE_MARKET)


def guards(signal_id: str, strategy: str, quantity: str) -> Given:
    """A stop far from the market."""
    return sells(signal_id, strategy, quantity, order_type="STOP", role="STOP_LOSS", stop_price=BELOW_THE_MARKET)


def _signal(signal_id: str, strategy: str, side: str, **fields: str) -> Given:
    return {"signal_id": signal_id, "strategy_name": strategy, "side": side, "order_type": "MARKET"} | fields


CLOSING = "flatten"


def named(signal_id: str) -> str:
    """A closing order's signal id is derived; others have their own."""
    return f"{CLOSING}-{datetime.now(UTC).date().isoformat()}-{TRADED}-1" if signal_id == CLOSING else signal_id


# --- steps -----------------------------------------------------------------------------------------------------------------------


def given(*signals: Given) -> Step:
    """All at once."""

    async def step(stage: Stage) -> bool:
        await asyncio.gather(*(stage.give(signal) for signal in signals))
        return True

    return step


def ended(*signal_ids: str) -> Step:
    async def step(stage: Stage) -> bool:
        return all(stage.has_ended(signal_id) for signal_id in signal_ids)

    return step


def works(signal_id: str) -> Step:
    """It is at the broker, and no request of it is under way."""

    async def step(stage: Stage) -> bool:
        order = stage.orders[signal_id]
        return not order["is_open"] or (order["is_at_broker"] and not order["requests"])

    return step


def filled(signal_id: str, quantity: str) -> Step:
    """So much of it, or more."""

    async def step(stage: Stage) -> bool:
        return Decimal(stage.orders[signal_id]["filled"]) >= Decimal(quantity)

    return step


def filled_by_hand(signal_id: str, quantity: str) -> Step:
    """The venue's people book a part of it, once; until that is known here."""

    async def step(stage: Stage) -> bool:
        theirs = await stage.at_venue(signal_id)
        if theirs is not None and theirs.status in LIVE and not theirs.filled_quantity:
            assert theirs.broker_order_id is not None
            await stage.control.fill(theirs.broker_order_id, Decimal(quantity), Decimal(BELOW_THE_MARKET))
        return Decimal(stage.orders[signal_id]["filled"]) >= Decimal(quantity)

    return step


def transferred(giver: str, taker: str, quantity: str, name: str) -> Step:
    async def step(stage: Stage) -> bool:
        with suppress(Refused):  # nothing is held yet, or what is open could still take it
            await stage.service.ask("transfer", instrument=TRADED, giver=giver, taker=taker, quantity=quantity, name=name)
            return True
        return False

    return step


async def flattened(stage: Stage) -> bool:
    """`kill --flatten`, again and again until it says FLAT; what it says is held against the venue at once."""
    if not (await stage.service.ask("flatten", wait_seconds=KILL_SECONDS))["is_flat"]:
        return False
    theirs, held = await stage.control.orders(stage.account), await stage.service.ask("held")
    live, net = [each for each in theirs if each.status in LIVE], net_of(theirs)
    if live or net or any(Decimal(units) for units in held.values()):
        stage.notes.append(f"FLAT was said, with {len(live)} orders and {net} at the venue, and {held} here")
    return True


def without_connection(signal: Given) -> Step:
    """The connection is lost before the signal comes, and back once it waits for that. In a life that knows it, there is one."""

    async def step(stage: Stage) -> bool:
        if not await stage.service.ask("is_known", key=key_of(stage.account, signal["signal_id"])):
            await stage.service.ask("sever")
            await stage.give(signal)
            await stage.service.ask("mend")
        await stage.give(signal)
        return True

    return step


async def market_opens(stage: Stage) -> bool:
    await stage.service.ask("open_market")
    return True


def net_of(theirs: Sequence[OrderSnapshot]) -> Decimal:
    """Signed units that the account holds by all its orders at the venue."""
    filled = (each.filled_quantity if each.side is Side.BUY else -each.filled_quantity for each in theirs)
    return sum(filled, Decimal(0))
