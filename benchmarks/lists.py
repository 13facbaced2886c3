"""What the lists and look-ups of the command line take behind a million closed orders, beside the same behind a thousand.

    python -m benchmarks.lists [orders]

Each is asked through the read models, as a command asks, and makes its views; the text of a table is not measured.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial
from uuid import UUID

from benchmarks import history, projections, showing
from benchmarks.places import Place, places
from liveorder.application.reporting.projections import (
    DAILY_SUMMARY,
    EXECUTION_CONFIRMATIONS,
    FILLS,
    ORDER_HISTORY,
    ORDERS,
    POSITIONS,
    SIGNALS,
)
from liveorder.application.reporting.projections.read_model import ReadModel
from liveorder.application.reporting.projector import Projector
from liveorder.application.reporting.read_models import Query
from liveorder.infrastructure.clock import SystemClock
from liveorder.infrastructure.readmodels import views_at
from liveorder.infrastructure.readmodels.sql_views import SqlViews
from liveorder.infrastructure.settings import Settings

AIM_MILLISECONDS = 20
_NEWEST = 50
_TIMES = 21

_ORDER = next(iter(projections.lives(1)))[0]
_LAST_DAY = projections.START.date() + timedelta(days=3)

Asked = Callable[[SqlViews], Awaitable[object]]


def _list(model: ReadModel, **wanted: object) -> Asked:  # type: ignore[type-arg]  # of any rows
    return lambda views: views.listed(model, Query.of(**wanted))


QUESTIONS: Mapping[str, Asked] = {
    "orders, newest": _list(ORDERS, newest=_NEWEST),
    "orders of a status that none has": _list(ORDERS, status="REJECTED", newest=_NEWEST),
    "orders of a symbol that none has": _list(ORDERS, symbol="NONE", newest=_NEWEST),
    "orders of a strategy that none has": _list(ORDERS, strategy_name="none", newest=_NEWEST),
    "orders of an account that none has": _list(ORDERS, account_id="none", newest=_NEWEST),
    "orders of a symbol": _list(ORDERS, symbol="SPY", newest=_NEWEST),
    "orders of a session, newest": _list(ORDERS, session_date=_LAST_DAY, newest=_NEWEST),
    "open orders": _list(ORDERS, is_open=True),
    "orders that wait": _list(ORDERS, is_waiting=True),
    "order by an id": lambda views: views.find_orders(str(_ORDER.stream_id)),
    "an order's history": lambda views: views.history(_ORDER.stream_id),
    "history, newest": _list(ORDER_HISTORY, newest=_NEWEST),
    "fills, newest": _list(FILLS, newest=_NEWEST),
    "fills of a symbol that none has": _list(FILLS, symbol="NONE", newest=_NEWEST),
    "fills of a session, newest": _list(FILLS, session_date=_LAST_DAY, newest=_NEWEST),
    "signals, newest": _list(SIGNALS, newest=_NEWEST),
    "dead letters": _list(SIGNALS, status="DEAD_LETTER"),
    "signals of a symbol that none has": _list(SIGNALS, symbol="NONE", newest=_NEWEST),
    "confirmations, newest": _list(EXECUTION_CONFIRMATIONS, newest=_NEWEST),
    "confirmations of a status that none has": _list(EXECUTION_CONFIRMATIONS, status="REJECTED", newest=_NEWEST),
    "positions": _list(POSITIONS),
    "open positions": _list(POSITIONS, is_open=True),
    "account positions": lambda views: views.account_positions(),
    "daily summary of a session": _list(DAILY_SUMMARY, session_date=_LAST_DAY),
}


async def measure(place: Place, orders: int) -> None:
    url = place.new_url()
    async with projections.store_of(url, history.BLOCK) as store:
        views = views_at(Settings(store=url).read_model_url, clock=SystemClock())
        projector = Projector(store, views, SystemClock(), lambda error: None)
        projector.follow(UUID(int=0))
        await projector.catch_up()
        few = {name: await _timed(partial(asked, views)) for name, asked in QUESTIONS.items()}
        began = time.perf_counter()
        await history.add_read_models(views, orders)
        showing.line(f"{place.name}, {orders:,} orders, made in {time.perf_counter() - began:.0f} s; aim {AIM_MILLISECONDS} ms")
        for name, asked in QUESTIONS.items():
            took = await _timed(partial(asked, views))
            mark = "" if showing.quantile(took, 0.5) * 1e3 < AIM_MILLISECONDS else "  ABOVE"
            ratio = showing.quantile(took, 0.5) / showing.quantile(few[name], 0.5)
            showing.line(f"  {name:42} {_millis(took)}; {ratio:7.1f} × of {history.BLOCK:,}{mark}")
        await views.close()


async def _timed(ask: Callable[[], Awaitable[object]]) -> list[float]:
    took = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        await ask()
        took.append(time.perf_counter() - began)
        if sum(took) > 10:
            break
    return took


def _millis(took: list[float]) -> str:
    return "  ".join(f"p{share * 100:.0f} {showing.quantile(took, share) * 1e3:8.2f}" for share in (0.1, 0.5, 0.9)) + " ms"


async def main(orders: int) -> None:
    async with places() as found:
        for place in found:
            if not place.is_in_thread:
                await measure(place, orders)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
