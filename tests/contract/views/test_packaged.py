"""A package's read model on SQLite and PostgreSQL: in a place of its own, and set aside where its code does wrong."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from liveorder.application.reporting import packaged
from liveorder.application.reporting.packaged import PackagedProjector
from liveorder.application.reporting.projections import ORDERS
from liveorder.application.reporting.projections.draft import RowChanges
from liveorder.application.reporting.projections.read_model import Batch, ReadModel
from liveorder.application.reporting.read_models import ProjectionFailed, Query, SetAside
from liveorder.domain.errors import InvalidInput
from liveorder.infrastructure.readmodels import views_apart
from liveorder.infrastructure.readmodels.sql_views import SqlViews
from tests.builders import SENT, acknowledged, fill
from tests.contract.event_stores import WallClock
from tests.contract.views.sets import STORE, Ground, dump, projector_of, sqlite_ground
from tests.interfaces.turnover import ORDER_TURNOVER, TurnoverRow
from tests.unit.readmodels.logs import MemoryLog, order_id, requested


@pytest.fixture
def log() -> MemoryLog:
    log = MemoryLog()
    log.add(1, requested(1), SENT, acknowledged(), fill("e1", 60, "10.10"))
    log.add(2, requested(2), SENT, fill("e2", 30, 11))
    return log


class Kept(PackagedProjector):
    """With what it reported."""

    def __init__(self, model: ReadModel[Any, Any], log: MemoryLog, views: SqlViews) -> None:
        self.errors: list[Exception] = []
        self.has_failed = asyncio.Event()
        super().__init__(model, log, views, WallClock(), self._failed)  # type: ignore[arg-type]  # the part of a store that it uses
        self.follow(STORE)

    def _failed(self, error: Exception) -> None:
        self.errors.append(error)
        self.has_failed.set()


@asynccontextmanager
async def kept(
    ground: Ground, log: MemoryLog, model: ReadModel[Any, Any] = ORDER_TURNOVER, limit_seconds: float = 60.0
) -> AsyncIterator[Kept]:
    projector = Kept(model, log, views_apart(model, ground.url, clock=WallClock(), limit_seconds=limit_seconds))
    try:
        yield projector
    finally:
        await projector.close()


def projecting(project: Any) -> ReadModel[Any, Any]:
    return dataclasses.replace(ORDER_TURNOVER, project=project)


async def test_it_is_listed_verified_and_made_anew_beside_the_others(ground: Ground, log: MemoryLog) -> None:
    async with ground.opened() as views:
        await projector_of(log, views).catch_up()
        before = await dump(views)
        async with kept(ground, log) as projector:
            rows = await projector.listed(Query())
            assert [(row.order_id, str(row.turned_over)) for row in rows] == [(order_id(1), "606.00"), (order_id(2), "330")]
            assert [row.order_id for row in await projector.listed(Query.of(fills=1, newest=1))] == [order_id(2)]
            assert (await projector.verify()).rows == {"order_turnover": 2}
            assert await projector.rebuild() == len(log.events)
            with pytest.raises(InvalidInput, match="order_turnover cannot be searched by it"):
                await projector.listed(Query(status="FILLED"))
        assert await dump(views) == before
        assert (await projector_of(log, views).verify()).is_equal
    assert not [name for name in places(ground) if "twin" in name]


def places(ground: Ground) -> list[str]:
    if not ground.url.startswith("sqlite"):
        with psycopg.connect(ground.url) as connection:
            return [name for (name,) in connection.execute("SELECT nspname FROM pg_namespace")]
    return [path.name for path in Path(ground.url.removeprefix("sqlite:///")).parent.iterdir()]


async def test_what_it_holds_is_kept_until_its_version_rises(ground: Ground, log: MemoryLog) -> None:
    asked: list[int] = []

    def counting(batch: Batch, rows: RowChanges) -> None:
        asked.append(len(batch.events))
        ORDER_TURNOVER.project(batch, rows)

    for version, seen in ((1, [7]), (1, [7]), (2, [7, 7]), (2, [7, 7])):
        async with kept(ground, log, dataclasses.replace(ORDER_TURNOVER, project=counting, version=version)) as projector:
            assert await projector.catch_up() == 7
        assert asked == seen


async def test_ahead_of_the_log_it_is_emptied_and_nothing_is_halted(ground: Ground, log: MemoryLog) -> None:
    async with kept(ground, log) as projector:
        await projector.catch_up()
    shorter = MemoryLog()
    shorter.events = log.events[:3]
    async with kept(ground, shorter) as projector:
        assert await projector.catch_up() == 3
        assert [row.fills for row in await projector.listed(Query())] == [0]
    assert shorter.halts == []


def raises(batch: Batch, rows: RowChanges) -> None:
    raise KeyError("no such thing")


def exits(batch: Batch, rows: RowChanges) -> None:
    raise SystemExit(3)


def interrupts(batch: Batch, rows: RowChanges) -> None:
    raise KeyboardInterrupt


def cancels(batch: Batch, rows: RowChanges) -> None:
    raise asyncio.CancelledError


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError


def raises_what_cannot_be_printed(batch: Batch, rows: RowChanges) -> None:
    raise Unprintable


def reads_others(batch: Batch, rows: RowChanges) -> None:
    rows.find(ORDERS, (1,))


def writes_others(batch: Batch, rows: RowChanges) -> None:
    rows.remove(ORDERS, (1,))


def writes_what_is_no_row(batch: Batch, rows: RowChanges) -> None:
    ORDER_TURNOVER.project(batch, rows)
    rows.put(ORDER_TURNOVER, a_row()._replace(session_date=datetime(2025, 3, 10)))  # noqa: DTZ001 - as a package may


def writes_a_time_without_a_zone(batch: Batch, rows: RowChanges) -> None:
    rows.put(ORDER_TURNOVER, a_row()._replace(closed_at=datetime(2025, 3, 10)))  # noqa: DTZ001 - as a package may


def a_row() -> TurnoverRow:
    return TurnoverRow(order_id(1), date(2025, 3, 10), "U1", "SPY", requested(1).terms.side, 0, Decimal(0), None, None, False)


@pytest.mark.parametrize(
    ("project", "says"),
    [
        (raises, "KeyError: 'no such thing', in events 1 to 7"),
        (exits, "SystemExit: 3"),
        (interrupts, "KeyboardInterrupt"),
        (cancels, "CancelledError"),
        (raises_what_cannot_be_printed, "Unprintable, in events 1 to 7"),
        (reads_others, "KeyError: 'orders'"),
        (writes_others, "it writes rows of orders"),
        (writes_what_is_no_row, "order_turnover.session_date: datetime.datetime(2025, 3, 10, 0, 0) is no date"),
        (writes_a_time_without_a_zone, "has no zone"),
    ],
)
async def test_one_whose_code_does_wrong_is_set_aside_with_one_line(
    ground: Ground, log: MemoryLog, project: Any, says: str
) -> None:
    async with ground.opened() as views, kept(ground, log, projecting(project)) as projector:
        await projector.run()
        (error,) = projector.errors
        assert isinstance(error, SetAside)
        assert "the projection order_turnover is set aside until the next start" in str(error)
        assert says in str(error)
        with pytest.raises(SetAside):
            await projector.listed(Query())
        assert await projector_of(log, views).catch_up() == len(log.events)
        assert len(await views.orders()) == 2


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError(), KeyError("no such thing")])
async def test_one_whose_view_does_wrong_ends_its_list_alone(ground: Ground, log: MemoryLog, error: BaseException) -> None:
    def shown(*_row: Any) -> Any:
        raise error

    async with kept(ground, log, dataclasses.replace(ORDER_TURNOVER, shown=shown)) as projector:
        with pytest.raises(ProjectionFailed, match=f"order_turnover cannot be listed: {type(error).__name__}"):
            await projector.listed(Query())
        assert await projector.catch_up() == 7


async def test_one_that_takes_too_long_is_left_to_itself(ground: Ground, log: MemoryLog) -> None:
    released, ended = threading.Event(), threading.Event()

    def blocks(batch: Batch, rows: RowChanges) -> None:
        released.wait()
        ended.set()

    async with ground.opened() as views, kept(ground, log, projecting(blocks), limit_seconds=2.0) as projector:
        await projector.run()
        (error,) = projector.errors
        assert "took longer than 2 s" in str(error)
        with pytest.raises(SetAside):
            await projector.catch_up()
        assert await projector_of(log, views).catch_up() == len(log.events)
    released.set()
    assert await asyncio.to_thread(ended.wait, 60)


async def test_one_that_falls_further_behind_each_time_is_set_aside(
    log: MemoryLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packaged, "LARGE_GAP", 2)
    log.add(3, requested(3), SENT)
    async with kept(sqlite_ground(tmp_path), log) as projector:
        for growth in (0, 3, 4, 4, 5, 6, 7, 8):
            log.add(3, *[acknowledged()] * growth)
            await projector.catch_up()
        log.add(3, *[acknowledged()] * 9)
        with pytest.raises(SetAside, match="it is 9 events behind, and further each time"):
            await projector.catch_up()


async def test_one_whose_database_is_away_is_tried_again(log: MemoryLog, tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    folder.write_text("where the folder should be")
    async with kept(sqlite_ground(tmp_path), log) as projector:
        run = asyncio.create_task(projector.run())
        await projector.has_failed.wait()
        assert not isinstance(projector.errors[0], SetAside)
        folder.unlink()
        await log.is_read.wait()
        run.cancel()
        assert len(await projector.listed(Query())) == 2


async def test_a_view_that_fails_is_said_by_its_name(log: MemoryLog, tmp_path: Path) -> None:
    async with kept(sqlite_ground(tmp_path), log, dataclasses.replace(ORDER_TURNOVER, shown=lambda row: row.no_such)) as projector:
        with pytest.raises(ProjectionFailed, match="order_turnover cannot be listed: AttributeError"):
            await projector.listed(Query())
        assert await projector.catch_up() == len(log.events)
