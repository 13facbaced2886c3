"""What a case is judged by: the venue's own books and the stored events, never our memory alone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from msgspec.structs import replace

from liveorder.application.ports.signal_source import SourceMessage
from liveorder.domain.execution_report import ExecutionReport, OrderSnapshot
from liveorder.domain.instrument import Instrument
from liveorder.domain.order import LiveOrder
from liveorder.domain.signal import Signal
from tests.engine.scenes import ACCOUNT, SPY, Scene

R = TypeVar("R", bound=ExecutionReport)


async def stored(scene: Scene, order: LiveOrder) -> LiveOrder:
    """The order that its events make, as another process reads them."""
    return LiveOrder.replay(await scene.reading(lambda store: store.stream(order.order_id)))


def at_venue(scene: Scene, order: LiveOrder | str) -> list[tuple[str, Decimal]]:
    """State and filled quantity of every order that the venue ever took under this key: more than one is a broken promise."""
    return [(each["state"], Decimal(each["filled_quantity"])) for each in scene.venue_orders(order)]


def all_at_venue(scene: Scene, account_id: str = ACCOUNT) -> list[dict[str, Any]]:
    """Every order that the venue ever took, under whatever key, the oldest first."""
    return list(scene.floors[account_id].gateway.venue.questions.orders(scene.clock.now()))


def held_at_venue(scene: Scene, instrument: str = SPY) -> Decimal:
    """What the venue says that the account holds."""
    positions = scene.floors[ACCOUNT].gateway.venue.questions.positions(ACCOUNT)["positions"]
    held = {Instrument.from_dict(each["instrument"]).key: each["quantity"] for each in positions}
    return Decimal(held.get(instrument, 0))


def sent_keys(scene: Scene) -> list[str]:
    """The client order id of every submission that left, in turn."""
    return [json.loads(call.payload)["client_order_id"] for call in scene.witness.of("submit")]


@dataclass
class Repeated:
    """A `SignalSource` that tells all it has each time it is read, as a strategy does that starts anew."""

    signals: tuple[Signal, ...]
    name: str = "strategy"
    finite: bool = True

    async def messages(self) -> AsyncIterator[SourceMessage]:
        for offset, signal in enumerate(self.signals):
            yield SourceMessage(self.name, str(offset), signal)

    async def acknowledge(self, message: SourceMessage) -> None:
        """It remembers nothing."""


def retell(scene: Scene, change: Callable[[Any], Any]) -> None:
    """From here on the broker tells its reports, and what it lists, as `change` makes them."""

    async def reports() -> AsyncIterator[ExecutionReport]:
        async for report in scene.witness._broker.reports():
            yield change(report)

    async def open_orders() -> list[OrderSnapshot]:
        return [change(snapshot) for snapshot in await scene.witness._broker.open_orders()]

    async def executions_since(since: Any) -> list[ExecutionReport]:
        return [change(report) for report in await scene.witness._broker.executions_since(since)]

    async def find(*asked: Any) -> Any:
        found = await scene.witness._broker.find(*asked)
        return change(found) if isinstance(found, OrderSnapshot) else found

    scene.witness.answers |= {
        "reports": reports,
        "open_orders": open_orders,
        "executions_since": executions_since,
        "find": find,
    }


def without_key(report: R) -> R:
    """As told by a broker that names orders by its own ids alone."""
    return replace(report, client_order_id=None)
