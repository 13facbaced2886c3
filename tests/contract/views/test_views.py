"""The contract of `Views` and `ViewsWriter`, on SQLite and PostgreSQL."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import NullPool, create_engine

from liveorder.application.reporting.projections import READ_MODELS
from liveorder.application.reporting.projector import BatchProjector
from liveorder.application.reporting.read_models import Query, Superseded, ViewsUnavailable
from liveorder.application.reporting.views import confirmation_view, history_view, order_view
from liveorder.domain.errors import InvalidInput, SettingsError
from liveorder.domain.order import LiveOrder
from liveorder.domain.order import events as ev
from liveorder.domain.values import Side
from liveorder.infrastructure.database_url import database_url
from liveorder.infrastructure.readmodels import views_at
from liveorder.infrastructure.readmodels.engines import engine_for
from tests.builders import REFUSED, SENT, SESSION, acknowledged, bust, cancelled, correction, fill
from tests.contract.event_stores import WallClock, require_postgres
from tests.contract.views.sets import STORE, Ground, dump, postgres_ground, projector_of, remove
from tests.unit.readmodels.logs import MemoryLog, MemoryViews, order_id, requested


@pytest.fixture
def log() -> MemoryLog:
    """Bought, sold in part, refused, corrected and busted; and one that still works."""
    log = MemoryLog()
    log.add(1, requested(1), SENT, acknowledged(), fill("e1", 60, "10.10", "0.30"))
    log.add(2, requested(2, side=Side.SELL), SENT, fill("e2", 30, 11))
    log.add(1, correction("c1", "e1", 60, "10.00"), fill("e3", 40, 10))
    log.add(3, requested(3, strategy_name="mean", account_id="U2"), REFUSED)
    log.add(2, fill("e4", 10, 12), bust("e2"), ev.CommissionReported(execution_id="e4", commission=Decimal("0.2")))
    log.add(4, requested(4, instrument=requested(4).instrument.but(symbol="QQQ")), SENT)
    return log


def live(log: MemoryLog, number: int) -> LiveOrder:
    return LiveOrder.replay([item for item in log.events if item.stream_id == order_id(number)])


async def test_an_order_read_from_the_tables_is_the_order_of_its_stream(ground: Ground, log: MemoryLog) -> None:
    async with ground.opened() as views:
        await projector_of(log, views).catch_up()
        assert list(await views.orders()) == [order_view(live(log, number)) for number in (1, 2, 3, 4)]
        assert list(await views.history(order_id(2))) == [
            history_view(item) for item in log.events if item.stream_id == order_id(2)
        ]
        assert list(await views.confirmations()) == [confirmation_view(live(log, number)) for number in (1, 2, 3)]


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (Query(status="REJECTED"), [3]),
        (Query(is_open=True), [2, 4]),
        (Query(is_open=False), [1, 3]),
        (Query(symbol="QQQ"), [4]),
        (Query(strategy_name="mean", account_id="U2"), [3]),
        (Query(session_date=SESSION), [1, 2, 4]),
        (Query(session_date=date(2020, 1, 1)), []),
        (Query(newest=2), [3, 4]),
    ],
)
async def test_orders_are_listed_by_what_is_asked_for(ground: Ground, log: MemoryLog, wanted: Query, numbers: list[int]) -> None:
    async with ground.opened() as views:
        await projector_of(log, views).catch_up()
        assert [order.order_id for order in await views.orders(wanted)] == [order_id(number) for number in numbers]


async def test_an_order_is_found_by_any_of_its_ids(ground: Ground, log: MemoryLog) -> None:
    async with ground.opened() as views:
        await projector_of(log, views).catch_up()
        ids = (str(order_id(1)), requested(1).client_order_id, "B-1", "signal-1")
        assert [[order.order_id for order in await views.find_orders(each)] for each in ids] == [[order_id(1)]] * 4
        assert list(await views.find_orders("no such")) == []


async def test_a_filter_that_a_list_does_not_have_is_an_error(ground: Ground) -> None:
    async with ground.opened() as views:
        with pytest.raises(InvalidInput, match="positions cannot be searched by it"):
            await views.positions(Query(session_date=SESSION))


async def test_positions_name_the_orders_that_made_them(ground: Ground, log: MemoryLog) -> None:
    async with ground.opened() as views:
        await projector_of(log, views).catch_up()
        (position,) = await views.positions(Query(status="OPEN"))
        assert (position.quantity, position.average_price, position.realized_pnl) == (Decimal(90), Decimal(10), Decimal(20))
        assert position.order_ids == (order_id(1), order_id(2))


async def test_fills_signals_and_days_are_listed(ground: Ground, log: MemoryLog) -> None:
    async with ground.opened() as views:
        await projector_of(log, views).catch_up()
        assert [(each.execution_id, each.realized_pnl) for each in await views.fills(Query(session_date=SESSION))] == [
            ("c1", Decimal(0)),
            ("e3", Decimal(0)),
            ("e4", Decimal(20)),
        ]
        assert [each.signal_id for each in await views.signals(Query(status="REJECTED"))] == ["signal-3"]
        (day,) = await views.daily_summary(Query(strategy_name="trend"))
        assert (day.orders, day.realized_pnl, day.commission) == (3, Decimal(20), Decimal("0.5"))


async def test_rows_written_in_batches_are_those_of_a_rebuild_and_of_memory(ground: Ground, log: MemoryLog) -> None:
    async with ground.opened() as views:
        for upto in range(1, len(log.events) + 1):
            await BatchProjector(log, views).advance(upto)  # type: ignore[arg-type]  # the part of a store that it uses
        written = await dump(views)
        memory = MemoryViews()
        await BatchProjector(log, memory).advance()  # type: ignore[arg-type]  # as above
        assert written == memory.dump()
        assert await projector_of(log, views).rebuild() == len(log.events)
        assert await dump(views) == written


async def test_verifying_compares_with_a_second_set_and_leaves_nothing_behind(ground: Ground, log: MemoryLog) -> None:
    async with ground.opened() as views:
        projector = projector_of(log, views)
        await projector.catch_up()
        before = await dump(views)
        verification = await projector.verify()
        assert verification.is_equal
        assert verification.rows == {shape.name: len(before[shape.name]) for shape in READ_MODELS}
        assert await dump(views) == before
    assert not [path for path in sqlite_files(ground) if "twin" in path]


def sqlite_files(ground: Ground) -> list[str]:
    if not ground.url.startswith("sqlite"):
        with psycopg.connect(ground.url) as connection:
            return [name for (name,) in connection.execute("SELECT nspname FROM pg_namespace")]
    return [path.name for path in Path(ground.url.removeprefix("sqlite:///")).parent.iterdir()]


async def test_a_batch_that_fails_leaves_no_row_and_no_step(ground: Ground, log: MemoryLog) -> None:
    async with ground.opened() as views:
        await projector_of(log, views).catch_up()
        before, position = await dump(views), await views.position()
        with pytest.raises(ZeroDivisionError):
            await views.apply(position, position + 1, lambda prior: 1 // 0)  # type: ignore[arg-type,return-value]  # it fails
        assert (await dump(views), await views.position()) == (before, position)


async def test_of_two_projectors_one_writes_a_batch_and_the_other_is_told(ground: Ground) -> None:
    async with ground.opened() as ours, ground.opened() as theirs:
        await ours.apply(0, 5, lambda prior: [])
        with pytest.raises(Superseded):
            await theirs.apply(0, 3, lambda prior: [])
        assert await theirs.position() == 5


async def test_two_projectors_in_turn_write_what_one_would(ground: Ground, log: MemoryLog) -> None:
    async with ground.opened() as ours, ground.opened() as theirs:
        projectors = [BatchProjector(log, ours), BatchProjector(log, theirs)]  # type: ignore[arg-type]  # the part of a store that they use
        for upto in range(1, len(log.events) + 1):
            await projectors[upto // 2 % 2].advance(upto)
        assert (await projector_of(log, ours).verify()).is_equal


async def test_what_was_written_is_there_after_opening_again(ground: Ground, log: MemoryLog) -> None:
    async with ground.opened() as views:
        await projector_of(log, views).catch_up()
        written = await dump(views)
    async with ground.opened() as again:
        assert await again.position() == len(log.events)
        assert await dump(again) == written


async def test_the_read_models_of_another_store_are_emptied(ground: Ground, log: MemoryLog) -> None:
    async with ground.opened() as views:
        await projector_of(log, views).catch_up()
    async with ground.opened(UUID(int=8)) as other:
        assert await other.position() == 0
        assert not any((await dump(other)).values())


async def test_read_models_of_other_shapes_are_emptied(ground: Ground, log: MemoryLog, monkeypatch: pytest.MonkeyPatch) -> None:
    async with ground.opened() as views:
        await projector_of(log, views).catch_up()
    monkeypatch.setattr("liveorder.infrastructure.readmodels.place.fingerprint", lambda models: "of another version")
    async with ground.opened() as views:
        assert await views.position() == 0


async def test_read_models_beyond_the_head_of_the_log_are_emptied(ground: Ground, log: MemoryLog) -> None:
    async with ground.opened() as views:
        await projector_of(log, views).catch_up()
        await projector_of(MemoryLog(), views).catch_up()
        assert await views.position() == 0


async def test_waiting_for_a_position_ends_when_it_is_reached_or_the_time_is_up(ground: Ground) -> None:
    async with ground.opened() as views:
        await views.apply(0, 5, lambda prior: [])
        assert await views.wait_for(5, timeout_seconds=0)
        assert not await views.wait_for(6, timeout_seconds=0)


async def test_a_long_list_of_orders_of_a_position_keeps_the_newest(ground: Ground) -> None:
    log = MemoryLog()
    for number in range(103):
        log.add(number, requested(number, quantity=Decimal(1)), SENT, fill(f"e{number}", 1), cancelled())
    async with ground.opened() as views:
        await projector_of(log, views).catch_up()
        (position,) = await views.positions()
        assert position.order_ids == tuple(order_id(number) for number in range(3, 103))


async def test_a_reader_is_not_kept_waiting_by_another_process_that_writes(ground: Ground) -> None:
    async with ground.opened() as writer:
        engine = create_engine(ground.url.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)
        seen: list[int] = []

        def look_meanwhile(_prior: object) -> list[Any]:
            with engine.connect() as connection:
                table = "checkpoint" if ground.url.startswith("sqlite") else "liveorder_views.checkpoint"
                seen.append(connection.exec_driver_sql(f"SELECT position FROM {table}").scalar_one())  # noqa: S608 -- no input
            return []

        await writer.apply(0, 5, look_meanwhile)
        assert (seen, await writer.position()) == ([0], 5)


def test_what_an_address_asks_of_the_server_holds_for_read_models_too() -> None:
    require_postgres()
    ground = postgres_ground()
    engine = engine_for(database_url(f"{ground.url}?options=-cwork_mem%3D12345kB%20-c%20synchronous_commit%3Don"))
    with engine.connect() as connection:
        found = [connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in ("work_mem", "synchronous_commit")]
    engine.dispose()
    remove(ground)
    assert found == ["12345kB", "off"]


async def test_a_database_that_cannot_be_reached_is_an_error_of_its_own(tmp_path: Path) -> None:
    broken = tmp_path / "views.sqlite"
    broken.write_text("this is no database, and long enough to be taken for one by its size")
    views = views_at(f"sqlite:///{broken}", clock=WallClock())
    with pytest.raises(ViewsUnavailable, match="not a database"):
        await views.open(STORE)
    await views.close()


def test_other_databases_hold_no_read_models() -> None:
    with pytest.raises(SettingsError, match="not a database URL"):
        views_at("mysql://server/database", clock=WallClock())


async def test_inline_read_models_use_no_thread(tmp_path: Path, log: MemoryLog) -> None:
    views = views_at(f"sqlite:///{tmp_path / 'views.sqlite'}", clock=WallClock(), is_inline=True)
    await views.open(STORE)
    await projector_of(log, views).catch_up()
    assert (await projector_of(log, views).verify()).is_equal
    await views.close()


@pytest.mark.parametrize("table", ["stored_events", "checkpoint"])
async def test_what_is_no_read_model_is_never_touched(ground: Ground, table: str) -> None:
    """An order store, of which somebody named the place by mistake; a table of our checkpoint's name may be somebody's too."""
    schema = "" if ground.url.startswith("sqlite") else "liveorder_views."
    if not schema:
        Path(ground.url.removeprefix("sqlite:///")).parent.mkdir()
    engine = create_engine(ground.url.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
    with engine.begin() as connection:
        if schema:
            connection.exec_driver_sql("CREATE SCHEMA liveorder_views")
        connection.exec_driver_sql(f"CREATE TABLE {schema}{table} (name text)")
        connection.exec_driver_sql(f"INSERT INTO {schema}{table} VALUES ('an order')")  # noqa: S608 -- no input
    views = ground.views()
    with pytest.raises(ViewsUnavailable, match=f"read_model.*{table}|{table}"):
        await views.open(STORE)
    await views.close()
    with engine.connect() as connection:
        assert connection.exec_driver_sql(f"SELECT name FROM {schema}{table}").scalar_one() == "an order"  # noqa: S608 -- no input


async def test_a_twin_never_drops_what_is_no_read_model() -> None:
    require_postgres()
    ground = postgres_ground()
    try:
        engine = create_engine(ground.url.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE SCHEMA liveorder_views_twin")
            connection.exec_driver_sql("CREATE TABLE liveorder_views_twin.stored_events (name text)")
        async with ground.opened() as views:
            with pytest.raises(ViewsUnavailable):
                await views.twin()
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM liveorder_views_twin.stored_events").scalar_one() == 0
    finally:
        remove(ground)
