"""Parts of your own beside a built-in broker: `python examples/embedded_parts.py`.

Two signals come from a source that is a list here, and would be a queue or a socket elsewhere. They are sized by quotes of one's
own, traded at the simulated exchange, confirmed to a publisher and told to a notifier. The second time nothing is sent.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from liveorder import FillView, OrderView, Runner, Signal, tune_process
from liveorder.plugins import Confirmation, Instrument, Notice, Price, Quote, SourceMessage


def say(sentence: str) -> None:
    sys.stdout.write(sentence + "\n")


class Desk:
    """A `SignalSource`: two signals a day."""

    name, finite = "desk", True

    async def messages(self) -> AsyncIterator[SourceMessage]:
        today = f"{datetime.now(UTC):%Y-%m-%d}"
        for symbol in ("BTC/USD", "ETH/USD"):
            content = Signal(signal_id=f"desk-{symbol}-{today}", symbol=symbol, side="BUY")
            yield SourceMessage(self.name, content.signal_id, content)

    async def acknowledge(self, message: SourceMessage) -> None:
        say(f"taken: {message.offset}")


class Quotes:
    """A `MarketData`: for what it does not know, there is no price."""

    async def latest(self, instrument: Instrument) -> Quote | None:
        prices = {"BTC/USD": Decimal(65_000), "ETH/USD": Decimal(3_000)}
        price = prices.get(instrument.symbol)
        return None if price is None else Quote(last=Price(price, datetime.now(UTC)))


class Ledger:
    """A `Publisher`."""

    name = "ledger"

    async def publish(self, confirmations: Sequence[Confirmation]) -> None:
        for each in confirmations:
            say(f"confirmed: {each.view.signal_id} {each.view.status}")


class Phone:
    """A `Notifier`."""

    name = "phone"

    async def notify(self, notices: Sequence[Notice]) -> None:
        for notice in notices:
            say(f"told: {notice.sentence}")


async def main() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s", stream=sys.stdout)
    closed = asyncio.Queue[OrderView]()

    async def on_fill(order: OrderView, fill: FillView) -> None:
        say(f"filled: {fill.quantity:f} {order.symbol}")
        if order.status.is_closed:
            closed.put_nowait(order)

    async with Runner.open(
        trading_mode="SIMULATION",
        store="sqlite:///var/embedded-parts/liveorder.db",
        simulation={"venue_data": "var/embedded-parts/venue.db"},
        accounts=[{"id": "acc_demo", "currency": "USD"}],
        market_data=Quotes(),
        sources=[Desk()],
        publishers=[Ledger()],
        notifiers=[(Phone(), {"fill": "on"})],
        on_fill=on_fill,
        log=logging.getLogger("trading"),
    ) as runner:
        known = {order.signal_id for order in await runner.all_orders() if order.status.is_closed}
        for _ in range(2 - len(known)):
            order = await asyncio.wait_for(closed.get(), 60)
            say(f"closed: {order.signal_id} for {order.quantity:f}, sized at a price of one's own")
        say(f"orders: {len(await runner.all_orders())}")


if __name__ == "__main__":
    tune_process()
    asyncio.run(main())
