"""Signals from Redis and confirmations to Redis: `make demo-redis`, or `python examples/redis_demo.py` beside a Redis server.

It listens on a stream and on a channel, trades what a strategy sends there, places an order by hand, has two signals validated,
and follows its orders up to the confirmations that other programs read. It trades at the simulated venue, keeps everything under
var/demo-redis, and deletes its streams at the end. DEMO_REDIS names another server than redis://127.0.0.1:6379/0.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from liveorder import Runner, Signal

if TYPE_CHECKING:
    from redis.asyncio import Redis

SERVER = os.environ.get("DEMO_REDIS", "redis://127.0.0.1:6379/0")
SIGNALS, CHANNEL, CONFIRMATIONS = (f"liveorder-demo:{name}" for name in ("trading-signals", "signals", "execution-confirmations"))


def say(sentence: str) -> None:
    sys.stdout.write(sentence + "\n")


async def main() -> None:
    from redis.asyncio import Redis
    from redis.exceptions import ConnectionError as NotConnected

    async with Redis.from_url(SERVER) as redis:
        try:
            await redis.ping()
        except NotConnected as error:
            sys.exit(f"no Redis answers ({error}); start one, for example `redis-server`, or name another in DEMO_REDIS")
        try:
            await trade(redis)
        finally:
            await redis.delete(SIGNALS, CONFIRMATIONS)


async def trade(redis: Redis) -> None:
    async with Runner.open(
        trading_mode="SIMULATION",
        store="sqlite:///var/demo-redis/liveorder.db",
        logs={"directory": "var/demo-redis/logs", "console": False},
        accounts=[{"id": "acc_demo", "currency": "INR"}],
        sources=[{"url": f"{SERVER}?stream={SIGNALS}&group=liveorder"}, {"url": f"{SERVER}?channel={CHANNEL}"}],
        publishers=[{"url": f"{SERVER}?stream={CONFIRMATIONS}"}],
        on_status=lambda order, before: say(f"  {order.symbol} {before or 'new'} -> {order.status}"),
    ) as runner:
        say("1. It listens on Redis: a strategy sends a signal to the stream, and one to the channel")
        from_stream = {"signal_type": "BUY", "symbol": "RELIANCE", "cms_score": 75.0, "timestamp": now()}
        await redis.xadd(SIGNALS, {"data": json.dumps(from_stream)})
        await until_subscribed(redis)
        from_channel = {"signal_type": "BUY", "symbol": "INFY", "cms_score": 80.0, "timestamp": now()}
        await redis.publish(CHANNEL, json.dumps(from_channel))
        orders = [await arrived(runner, Signal.parse(json.dumps(signal)).signal_id) for signal in (from_stream, from_channel)]

        say("2. An order by hand")
        orders.append((await runner.buy("TCS", "10", signal_id=f"manual-{uuid4()}")).order_id)

        say("3. Validation: nothing is sent")
        for score in (75, 40):
            signal = Signal(symbol="RELIANCE", side="BUY", score=score, timestamp=now())
            refusal = await runner.validate(signal)
            say(f"  a BUY of score {score} would be refused because: {refusal or 'nothing'}")

        say("4. Tracking")
        for order_id in orders:
            order = await runner.wait_closed(order_id, timeout_seconds=30)
            say(f"  {order.symbol}: {order.status} {order.filled_quantity:f} at {order.average_price or 0:f}")
        for confirmation in await confirmed(redis, len(orders)):
            shown = {name: confirmation[name] for name in ("signal_id", "status", "filled_quantity", "avg_fill_price", "notes")}
            say(f"  confirmed: {json.dumps(shown)}")


def now() -> str:
    return datetime.now(UTC).isoformat()


async def until_subscribed(redis: Redis) -> None:
    """A channel keeps nothing: what is sent before somebody listens is lost."""
    while not (await redis.pubsub_numsub(CHANNEL))[0][1]:  # noqa: ASYNC110 - nothing says when
        await asyncio.sleep(0.05)


async def arrived(runner: Runner, signal_id: str) -> UUID:
    """The order of a signal, once there is one."""
    while True:
        for order in await runner.orders():
            if order.signal_id == signal_id:
                return order.order_id
        await asyncio.sleep(0.05)


async def confirmed(redis: Redis, count: int) -> list[dict[str, object]]:
    """The last confirmation of each order, once so many orders are filled."""
    while True:
        entries = [json.loads(fields[b"data"]) for _, fields in await redis.xrange(CONFIRMATIONS) or () if fields]
        newest = {entry["liveorder_order_id"]: entry for entry in entries}
        if len(newest) == count and all(entry["status"] == "FILLED" for entry in newest.values()):
            return list(newest.values())
        await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(main())
