"""A trading program with liveorder inside: `python examples/embedded_runner.py`.

It trades at the simulated venue and keeps everything under var/embedded. Run it twice: the second time its signals are known, so
the orders that they became are returned and nothing new is sent. Kill it anywhere: the next run takes up what this one left.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime

from liveorder import Runner, Signal


def say(sentence: str) -> None:
    sys.stdout.write(sentence + "\n")


async def main() -> None:
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    async with Runner.open(
        trading_mode="SIMULATION",
        store="sqlite:///var/embedded/liveorder.db",
        logs={"directory": "var/embedded/logs", "console": False},
        accounts=[{"id": "acc_demo", "currency": "USD"}],
        on_fill=lambda order, fill: say(f"  filled {fill.quantity} {order.symbol} @ {fill.price}"),
        on_status=lambda order, before: say(f"  {before or 'new'} -> {order.status}"),
    ) as runner:
        signal = Signal(signal_id=f"btc-{today}", symbol="BTC/USD", side="BUY", quantity="0.01")
        say(f"would be refused because: {await runner.validate(signal) or 'nothing'}")
        order = await runner.execute(signal)
        order = await runner.wait_closed(order.order_id, timeout_seconds=30)
        say(f"{order.signal_id}: {order.status} {order.filled_quantity:f} at {order.average_price:f}")

        resting = await runner.buy("ETH/USD", "0.1", signal_id=f"eth-{today}", order_type="LIMIT", limit_price="2900")
        if not resting.status.is_closed:
            resting = await runner.cancel(resting.order_id)
        say(f"{resting.signal_id}: {resting.status}, {resting.reason}")

        for held in await runner.positions():
            say(
                f"{held.side} {held.quantity:f} {held.symbol} since {held.opened_at}, net {held.realized_pnl_net:f} {held.currency}"
            )


if __name__ == "__main__":
    asyncio.run(main())
