"""How fast the read models are rebuilt from the log, beside how fast the log alone is read and decoded.

    python benchmarks/projections.py [orders]

An order is five events. PostgreSQL is measured where `LIVEORDER_TEST_POSTGRES` (or a server on this machine) answers; SQLite where
`TMPDIR` says: it must be a real disk.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid4

import psycopg
from psycopg.sql import SQL, Identifier

from liveorder.application.ports.order_store import Commit
from liveorder.application.reporting.projector import Projector, rare_collections
from liveorder.domain.events import Envelope, Event, RecordedEvent
from liveorder.domain.identifiers import uuid7
from liveorder.domain.instrument import Instrument
from liveorder.domain.order.events import Acknowledged, Approved, Filled, OrderRequested, SubmissionStarted
from liveorder.domain.order.terms import OrderTerms
from liveorder.domain.values import OrderType, Side
from liveorder.infrastructure.clock import SystemClock
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.infrastructure.eventstore.store_by_url import create_store, store_at
from liveorder.infrastructure.readmodels import views_at
from liveorder.infrastructure.settings import Settings

POSTGRES = os.environ.get("LIVEORDER_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
AIMS = {"sqlite": 25_000, "postgresql": 10_000}
"""Events a second."""
SYMBOLS = ("AAPL", "MSFT", "NVDA", "SPY", "QQQ")
START = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)


def lives(orders: int) -> Iterator[list[RecordedEvent]]:
    """Market orders of two strategies in five instruments, each filled at once."""
    chance = random.Random(1)  # noqa: S311 -- the same orders every time
    for number in range(orders):
        at = START + timedelta(seconds=number)
        order_id = uuid7(at, chance.getrandbits(74))
        yield [
            RecordedEvent(order_id, version, _envelope(at, number, chance), event)
            for version, event in enumerate(_life(order_id, number, at, chance), 1)
        ]


def _envelope(at: datetime, number: int, chance: random.Random) -> Envelope:
    return Envelope(
        event_id=uuid7(at, chance.getrandbits(74)), actor="engine", epoch=1, correlation_id=f"signal-{number}", recorded_at=at
    )


def _life(order_id: UUID, number: int, at: datetime, chance: random.Random) -> list[Event]:
    key, quantity, price = f"K{number:019d}", Decimal(chance.randrange(1, 100)), Decimal(chance.randrange(10_000, 30_000)) / 100
    requested = OrderRequested(
        order_id=order_id,
        client_order_id=key,
        signal_id=f"signal-{number}",
        signal_fingerprint=f"{number:064x}",
        namespace="bench",
        session_id="bench",
        account_id="main",
        strategy_name=chance.choice(("trend", "mean")),
        broker="simulated",
        instrument=Instrument(symbol=chance.choice(SYMBOLS), exchange="NASDAQ"),
        terms=OrderTerms(side=chance.choice((Side.BUY, Side.SELL)), order_type=OrderType.MARKET, quantity=quantity),
    )
    return [
        requested,
        Approved(figures={"order_value": f"{price * quantity}", "daily_trade_count": "3"}),
        SubmissionStarted(request_id=f"{key}-s1", attempt=1, payload=f'{{"key":"{key}"}}', deadline=at, session_date=at.date()),
        Acknowledged(broker_order_id=f"B{number}"),
        Filled(execution_id=f"E{number}", quantity=quantity, price=price, commission=Decimal("0.35"), filled_at=at),
    ]


@asynccontextmanager
async def store_of(url: str, orders: int) -> AsyncIterator[DatabaseOrderStore]:
    clock = SystemClock()
    await create_store(url, clock=clock, namespace="bench", default_account="main", mode="SIMULATION", account_ids=["main"])
    store = store_at(url, clock=clock)
    await store.open()
    try:
        waiting = [Commit(tuple(life)) for life in lives(orders)]
        for start in range(0, orders, 500):
            await asyncio.gather(*[store.append(commit) for commit in waiting[start : start + 500]])
        yield store
    finally:
        await store.close()


async def measure(url: str, orders: int) -> None:
    async with store_of(url, orders) as store:
        events = await store.head()
        views = views_at(Settings(store=url).read_model_url, clock=SystemClock())
        projector = Projector(store, views, SystemClock(), lambda error: None)
        projector.follow(UUID(int=0))
        await projector.catch_up()
        reading = await _rate(events, lambda: _read(store))
        rebuilding = await _rate(events, projector.rebuild)
        engine = urlsplit(url).scheme
        rates = f"rebuilt {rebuilding:,.0f}/s, aim {AIMS[engine]:,}; read and decoded {reading:,.0f}/s"
        _say(f"{engine:11} {events:,} events: {rates}")
        verification = await projector.verify()
        _say(f"{engine:11} {sum(verification.rows.values()):,} rows equal after another rebuild: {verification.is_equal}")
        await views.close()


async def _read(store: DatabaseOrderStore) -> None:
    with rare_collections():
        async for _page in store.log():
            pass


async def _rate(events: int, work: Callable[[], Awaitable[Any]]) -> float:
    """Events a second, the better of two runs."""
    best = float("inf")
    for _ in range(2):
        began = time.perf_counter()
        await work()
        best = min(best, time.perf_counter() - began)
    return events / best


async def main(orders: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        await measure(f"sqlite:///{Path(folder) / 'orders.sqlite'}", orders)
    try:
        psycopg.connect(POSTGRES, connect_timeout=5).close()
    except psycopg.OperationalError as error:
        _say(f"PostgreSQL is not measured: {error}")
        return
    name = f"liveorder_bench_{uuid4().hex}"
    with psycopg.connect(POSTGRES, autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        try:
            await measure(urlunsplit(urlsplit(POSTGRES)._replace(path=f"/{name}")), orders)
        finally:
            connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000))
