"""The read models in SQL: `Views` for readers and `ViewsWriter` for the projector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select, tuple_, update

from liveorder.application.ports.clock import Clock
from liveorder.application.reporting.projections import (
    DAILY_SUMMARY,
    EXECUTION_CONFIRMATIONS,
    FILLS,
    ORDER_HISTORY,
    ORDERS,
    POSITIONS,
    SIGNALS,
)
from liveorder.application.reporting.projections.draft import Changes, RowReader
from liveorder.application.reporting.projections.read_model import ReadModel, V
from liveorder.application.reporting.projections.shapes import Key, TableSpec, as_stored
from liveorder.application.reporting.read_models import EVERYTHING, Query, Superseded
from liveorder.application.reporting.views import (
    AccountPositionView,
    BookedFillView,
    ConfirmationView,
    DailySummaryView,
    HistoryView,
    OrderView,
    PositionView,
    SignalView,
)
from liveorder.infrastructure.readmodels.place import ViewsPlace
from liveorder.infrastructure.readmodels.reading import RowQueries
from liveorder.infrastructure.readmodels.writing import SqlPrior, write

_LOOK_AGAIN_SECONDS = 0.02


class SqlViews:
    """Reads and writes one set. Any number may read it; of several projectors one wins each batch."""

    def __init__(self, place: ViewsPlace, clock: Clock) -> None:
        self._place, self._clock = place, clock
        self._reader = RowQueries(place.tables)
        self._checkpoint = place.tables.checkpoint
        self._store_id: UUID | None = None

    async def open(self, store_id: UUID) -> None:
        await self._place.make_ready(store_id)
        self._store_id = store_id

    async def close(self) -> None:
        await self._place.close()

    # --- reading ---------------------------------------------------------------------------------------------------------------

    async def listed(self, model: ReadModel[Any, V], wanted: Query = EVERYTHING) -> Sequence[V]:
        return await self._place.read(partial(self._reader.listed, model=model, wanted=wanted))

    async def orders(self, wanted: Query = EVERYTHING) -> Sequence[OrderView]:
        return await self.listed(ORDERS, wanted)

    async def find_orders(self, any_id: str) -> Sequence[OrderView]:
        return await self._place.read(partial(self._reader.find_orders, any_id=any_id))

    async def history(self, order_id: UUID) -> Sequence[HistoryView]:
        return await self.listed(ORDER_HISTORY, Query.of(order_id=order_id))

    async def fills(self, wanted: Query = EVERYTHING) -> Sequence[BookedFillView]:
        return await self.listed(FILLS, wanted)

    async def positions(self, wanted: Query = EVERYTHING) -> Sequence[PositionView]:
        return await self.listed(POSITIONS, wanted)

    async def account_positions(self, wanted: Query = EVERYTHING) -> Sequence[AccountPositionView]:
        return await self._place.read(partial(self._reader.account_positions, wanted=wanted))

    async def signals(self, wanted: Query = EVERYTHING) -> Sequence[SignalView]:
        return await self.listed(SIGNALS, wanted)

    async def confirmations(self, wanted: Query = EVERYTHING) -> Sequence[ConfirmationView]:
        return await self.listed(EXECUTION_CONFIRMATIONS, wanted)

    async def daily_summary(self, wanted: Query = EVERYTHING) -> Sequence[DailySummaryView]:
        return await self.listed(DAILY_SUMMARY, wanted)

    async def position(self) -> int:
        return await self._place.read(lambda connection: connection.scalars(select(self._checkpoint.c.position)).one())

    async def wait_for(self, position: int, timeout_seconds: float) -> bool:
        give_up_at = self._clock.monotonic() + timeout_seconds
        while await self.position() < position:
            if self._clock.monotonic() >= give_up_at:
                return False
            await self._clock.sleep(_LOOK_AGAIN_SECONDS)
        return True

    # --- writing ---------------------------------------------------------------------------------------------------------------

    async def apply(self, after: int, upto: int, project: Callable[[RowReader], Changes]) -> None:
        await self._place.write(lambda connection: self._apply(connection, after, upto, project))

    def _apply(self, connection: Connection, after: int, upto: int, project: Callable[[RowReader], Changes]) -> None:
        """The checkpoint moves first: its row lock makes another projector wait, and then find that it lost."""
        mine = self._checkpoint.c.position == after
        moved = connection.scalars(
            update(self._checkpoint).where(mine).values(position=upto).returning(self._checkpoint.c.position)
        )
        if moved.one_or_none() is None:
            raise Superseded(f"the read models are not at position {after} any more")
        write(connection, self._place.tables, project(SqlPrior(connection, self._place.tables)))

    async def clear(self) -> None:
        store_id = self._stamped()
        await self._place.write(lambda connection: self._place.empty(connection, store_id))

    async def twin(self) -> SqlViewsTwin:
        place = self._place.twin()
        twin = SqlViewsTwin(place, self._clock)
        try:
            await twin.open(self._stamped())
            await twin.clear()
        except BaseException:
            await twin.close()
            raise
        return twin

    def _stamped(self) -> UUID:
        if self._store_id is None:
            raise RuntimeError("open the read models first")
        return self._store_id

    async def rows(self, shape: TableSpec[Any], beyond: Key | None, limit: int) -> Sequence[Any]:
        return await self._place.read(lambda connection: self._rows(connection, shape, beyond, limit))

    def _rows(self, connection: Connection, shape: TableSpec[Any], beyond: Key | None, limit: int) -> list[Any]:
        table = self._place.tables.of(shape)
        key = [table.c[name] for name in shape.key]
        wanted = select(table).order_by(*key).limit(limit)
        if beyond is not None:
            wanted = wanted.where(tuple_(*key) > tuple_(*map(as_stored, beyond)))
        return [shape.loaded(row) for row in connection.execute(wanted)]


class SqlViewsTwin(SqlViews):
    """A second set, to compare with: closing it removes it."""

    async def close(self) -> None:
        await self._place.discard()
