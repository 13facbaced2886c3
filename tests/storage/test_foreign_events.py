"""Events of other programs in a store of ours: which are taken, and that nothing of ours trips over them."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import (
    IntegrityError,
    InterfaceError,
    Notification,
    OperationalError,
    PersistenceError,
    ProgrammingError,
    StoredEvent,
    Tracking,
)
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

from liveorder.application.outbox.outbox import Outbox
from liveorder.application.ports.order_store import Commit
from liveorder.application.reporting.projections.known_orders import OrderChange
from liveorder.bootstrap.service import _newest_moment
from liveorder.domain.default_account import STORE_STREAM
from liveorder.domain.errors import StoreRefused
from liveorder.domain.events import Event, RecordedEvent
from liveorder.domain.trading_halt import HALT_STREAM, HaltReason, TradingHalted
from liveorder.infrastructure.eventstore.event_recorder import EventRecorder
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.infrastructure.eventstore.shapes import FOREIGN_SHAPE
from liveorder.infrastructure.eventstore.sqlite import Placement
from tests.contract.event_stores import (
    MAPPER,
    PostgresSite,
    Site,
    SQLiteSite,
    WallClock,
    commit,
    create,
    recorded,
    require_postgres,
)
from tests.contract.test_order_store import opened


@pytest.fixture(params=["inline", "thread", "postgres"])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    if request.param == "postgres":
        require_postgres()
    made: Site = PostgresSite() if request.param == "postgres" else SQLiteSite(tmp_path, Placement(request.param))
    await create(made)
    yield made
    await made.remove()


def event(stream_id: UUID | str, version: int = 1, topic: str = "notes:Noted", state: bytes = b"{}") -> StoredEvent:
    return StoredEvent(stream_id, version, topic, state)


async def put(recorder: EventRecorder, *events: StoredEvent, **more: Any) -> list[int]:
    return await asyncio.to_thread(recorder.insert_events, events, **more)


async def tracked(store: DatabaseOrderStore) -> int | None:
    return await asyncio.to_thread(store.recorder().max_tracking_id, "app")


async def positions_of(store: DatabaseOrderStore) -> list[int]:
    return [item.position async for page in store.log() for item in page]


# --- what is refused -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refused", "said"),
    [
        ([event(uuid4(), topic="liveorder.Filled@1")], "'liveorder.Filled@1'.*give it a topic of your own"),
        ([event(uuid4(), topic="liveorder.application:Anything")], "does not begin with 'liveorder.'"),
        ([event(uuid4(), topic="")], "topic: .*has none"),
        ([event(HALT_STREAM)], f"stream {HALT_STREAM} is liveorder's; append to a stream of your own"),
        ([event(STORE_STREAM)], f"stream {STORE_STREAM} is liveorder's"),
        ([event("customers/7")], "'customers/7' is not a UUID"),
        ([event(uuid4(), 0)], "count from 1"),
        ([event(uuid4(), state=MAPPER.to_stored_event(recorded(uuid4(), 1)).state)], "your own encoding"),
        ([event(uuid4(), state="{}")], "encode it to bytes"),  # type: ignore[arg-type]  # as a program without types may
        ([event(stream, version) for stream in [uuid4()] for version in range(1, 514)], "insert 512 at most"),
        ([event(uuid4(), state=b"x" * (1 << 20)), event(uuid4())], "bytes at once, and orders wait"),
    ],
)
async def test_what_is_liveorders_or_would_keep_orders_waiting_is_refused(
    site: Site, refused: Sequence[StoredEvent], said: str
) -> None:
    async with opened(site.store()) as store:
        with pytest.raises(ProgrammingError, match=said):
            await put(store.recorder(), *refused)
        assert await store.head() == 0


async def test_a_stream_of_an_order_is_refused_also_in_company(site: Site) -> None:
    order_id, own = uuid4(), uuid4()
    async with opened(site.store()) as store:
        await store.append(commit(order_id, 1, 2))
        for version in (1, 2, 3, 9):
            with pytest.raises(ProgrammingError, match=f"stream {order_id} is liveorder's; append to a stream of your own"):
                await put(store.recorder(), event(own), event(order_id, version))
        assert (await store.head(), await store.stream(own)) == (2, [])


async def test_gaps_and_taken_versions_are_conflicts(site: Site) -> None:
    stream = uuid4()
    async with opened(site.store()) as store:
        recorder = store.recorder()
        with pytest.raises(IntegrityError, match="leaves a gap behind version 0"):
            await put(recorder, event(stream, 2))
        await put(recorder, event(stream, 1))
        for versions in ((1,), (3,), (2, 4), (2, 2)):
            with pytest.raises(IntegrityError):
                await put(recorder, *(event(stream, version) for version in versions))
        assert await store.head() == 1


async def test_of_two_equal_events_at_once_one_is_a_conflict(site: Site) -> None:
    """They bear nothing that tells one writer's from another's; by each other's bytes both would think theirs stored."""
    stream = uuid4()
    async with opened(site.store()) as store:
        recorder = store.recorder()
        found = await asyncio.gather(*(put(recorder, event(stream)) for _ in range(4)), return_exceptions=True)
        assert sorted(type(each).__name__ for each in found) == ["IntegrityError"] * 3 + ["list"]
        with pytest.raises(IntegrityError):
            await put(recorder, event(stream))
        assert await store.head() == 1


async def test_events_of_several_streams_are_stored_together_or_not_at_all(site: Site) -> None:
    one, other, order_id = uuid4(), uuid4(), uuid4()
    async with opened(site.store()) as store:
        recorder = store.recorder()
        assert await put(recorder, event(one), event(other), event(one, 2)) == [1, 2, 3]
        refused, appended = await asyncio.gather(
            put(recorder, event(one, 3), event(other, 1)), store.append(commit(order_id, 1)), return_exceptions=True
        )
        assert isinstance(refused, IntegrityError)
        assert not isinstance(appended, BaseException)
        assert [each.originator_version for each in recorder.select_events(one)] == [1, 2]
        assert await put(recorder, event(one, 3), event(other, 2)) == [5, 6]


async def test_an_append_on_the_event_loop_itself_is_refused_and_not_waited_for(site: Site) -> None:
    async with opened(site.store()) as store:
        recorder = store.recorder()
        with pytest.raises(ProgrammingError, match=r"use asyncio.to_thread"):
            recorder.insert_events([event(uuid4())])
        with pytest.raises(ProgrammingError, match=r"use asyncio.to_thread"):
            recorder.max_tracking_id("app")
        assert await store.head() == 0


async def test_who_lost_the_store_appends_nothing_and_tracks_nothing(site: Site) -> None:
    stream = uuid4()
    async with opened(site.store()) as before, opened(site.store()) as after:
        assert await before.lease.acquire("before", 0.0)
        await put(before.recorder(), event(stream), tracking=Tracking("app", 1))
        assert await after.lease.acquire("after", 60.0)
        with pytest.raises(OperationalError, match="epoch"):
            await put(before.recorder(), event(stream, 2))
        with pytest.raises(OperationalError, match="epoch"):
            await put(before.recorder(), event(stream, 2), tracking=Tracking("app", 2))
        with pytest.raises(OperationalError, match="another process owns this store"):
            await put(before.recorder(), tracking=Tracking("app", 2))
        assert (await after.head(), await tracked(after)) == (1, 1)
        assert await put(after.recorder(), event(stream, 2), tracking=Tracking("app", 2)) == [2]


async def test_a_closed_store_says_so(site: Site) -> None:
    async with opened(site.store()) as store:
        recorder = store.recorder()
    with pytest.raises(OperationalError, match="not open"):
        await put(recorder, event(uuid4()))


def test_a_recorder_whose_event_loop_is_gone_says_so(tmp_path: Path) -> None:
    made = SQLiteSite(tmp_path, Placement.THREAD)

    async def use() -> EventRecorder:
        await create(made)
        async with opened(made.store()) as store:
            return store.recorder()

    recorder = asyncio.run(use())
    with pytest.raises(InterfaceError, match="closed"):
        recorder.insert_events([event(uuid4())])


# --- replies that are lost -----------------------------------------------------------------------------------------------------


async def test_a_lost_reply_is_settled_and_the_event_stored_once(site: Site) -> None:
    stream = uuid4()
    async with opened(await site.fragile_store()) as store:
        recorder = store.recorder()
        await put(recorder, event(stream), tracking=Tracking("app", 1))
        await site.lose_next_reply()
        assert await put(recorder, event(stream, 2)) == [2]
        await site.lose_next_reply()
        with pytest.raises((IntegrityError, OperationalError)):  # on SQLite the lost reply is that to a refusal
            await put(recorder, event(stream, 2))
        assert (await store.head(), await tracked(store)) == (2, 1)


async def test_a_store_that_cannot_be_written_is_an_operational_error(site: Site) -> None:
    async with opened(await site.fragile_store()) as store:
        recorder = store.recorder()
        await site.break_down()
        with pytest.raises(OperationalError):
            await put(recorder, event(uuid4()))
        with pytest.raises(OperationalError):
            await put(recorder, tracking=Tracking("app", 1))
        await site.mend()
        assert await put(recorder, event(uuid4())) == [1]


async def test_a_tracking_record_is_stored_with_its_events_or_they_are_not(site: Site) -> None:
    one, other = uuid4(), uuid4()
    async with opened(site.store()) as store:
        recorder = store.recorder()
        found = await asyncio.gather(
            put(recorder, event(one), tracking=Tracking("app", 7)),
            put(recorder, event(other), tracking=Tracking("app", 7)),
            store.append(commit(uuid4(), 1)),
            return_exceptions=True,
        )
        assert sorted(type(each).__name__ for each in found) == ["Committed", "IntegrityError", "list"]
        with pytest.raises(IntegrityError, match="app has already processed position 7"):
            await put(recorder, event(uuid4()), tracking=Tracking("app", 6))
        assert (await store.head(), await tracked(store)) == (2, 7)


# --- our own readers -----------------------------------------------------------------------------------------------------------


async def test_positions_have_no_gaps_while_orders_and_others_append(site: Site) -> None:
    streams, orders = [uuid4() for _ in range(8)], [uuid4() for _ in range(8)]
    async with opened(site.store()) as store:
        recorder = store.recorder()
        for version in range(1, 6):
            await asyncio.gather(
                *(put(recorder, event(stream, version)) for stream in streams),
                *(store.append(commit(order_id, version)) for order_id in orders),
            )
        assert await positions_of(store) == list(range(1, 81))
        notified = recorder.select_notifications(None, 100)
        assert [each.id for each in notified] == list(range(1, 81))
        assert recorder.max_notification_id() == await store.head() == 80
        assert (await store.check()).problems == ()


async def test_a_stream_of_another_program_is_none_of_ours(site: Site) -> None:
    stream, order_id = uuid4(), uuid4()
    async with opened(site.store()) as store:
        await store.append(commit(order_id, 1, is_open=True))
        await put(store.recorder(), event(stream))
        assert await store.stream(stream) == []
        assert [item.version for item in await store.stream(order_id)] == [1]
        assert list(await store.unfinished()) == [order_id]


async def test_a_store_that_ends_with_such_events_opens_and_is_whole_and_so_is_its_backup(site: Site) -> None:
    async with opened(site.store()) as store:
        await store.append(commit(uuid4(), 1, 2))
        await put(store.recorder(), *(event(stream, version) for stream in [uuid4()] for version in range(1, 121)))
    async with opened(site.store()) as store:
        report = await store.check()
        assert (report.problems, report.events, report.streams) == ((), 122, 2)
        await store.backup(site.backup_target())


async def test_a_process_that_opened_before_the_first_of_them_passes_over_it(site: Site) -> None:
    stream, order_id = uuid4(), uuid4()
    early = [site.store() for _ in range(3)]
    for each in early:
        await each.open()
    async with opened(site.store()) as store:
        await store.append(commit(order_id, 1))
        await put(store.recorder(), event(stream))
    assert await positions_of(early[0]) == [1, 2]
    assert await early[1].stream(stream) == []
    assert (await early[2].check()).problems == ()
    for each in early:
        await each.close()


async def test_an_outbox_passes_over_them_and_keeps_its_place(site: Site) -> None:
    seen: list[int] = []

    class Everything:
        name = "everything"

        def concerns(self, fact: Event) -> bool:
            return bool(fact.topic)

        def consider(self, item: RecordedEvent, change: OrderChange | None) -> None:
            seen.append(item.position)

        async def deliver(self) -> bool:
            return False

        def drop(self) -> None:
            raise AssertionError("nothing fails here")

    async with opened(site.store()) as store:
        outbox = Outbox(store, Everything(), WallClock(), lambda error: None)
        await outbox.open()
        await put(store.recorder(), event(uuid4()))
        await store.append(Commit((recorded(HALT_STREAM, 1, TradingHalted(scope="*", reason=HaltReason.KILL_SWITCH, detail="")),)))
        await put(store.recorder(), event(uuid4()))
        assert await outbox.flush() == 3
        assert seen == [2]


async def test_the_newest_moment_is_that_of_the_newest_event_of_ours(site: Site) -> None:
    async with opened(site.store()) as store:
        assert await _newest_moment(store) is None
        await put(store.recorder(), event(uuid4()))
        assert await _newest_moment(store) is None
        ours = commit(uuid4(), 1)
        await store.append(ours)
        for _ in range(2):
            await put(store.recorder(), *(event(stream, version) for stream in [uuid4()] for version in range(1, 400)))
        assert await _newest_moment(store) == ours.events[0].envelope.recorded_at


# --- what is damage all the same -----------------------------------------------------------------------------------------------


async def test_a_topic_that_is_not_ours_is_damage_in_a_store_without_foreign_events(site: Site) -> None:
    async with opened(site.store()) as store:
        await store.append(commit(uuid4(), 1))
    site.tamper("UPDATE stored_events SET topic = 'notes:Noted'")
    with pytest.raises(StoreRefused):
        await site.store().open()


async def test_a_damaged_topic_is_found_by_the_checksum_of_its_event(site: Site) -> None:
    order_id = uuid4()
    async with opened(site.store()) as store:
        await store.append(commit(order_id, 1, 2))
        await put(store.recorder(), event(uuid4()))
        site.tamper("UPDATE stored_events SET topic = 'miveorder.Filled@1' WHERE originator_version = 2")
        with pytest.raises(StoreRefused, match="miveorder"):
            await store.stream(order_id)
        assert "miveorder" in (await store.check()).problems[0]


async def test_a_stream_that_is_ours_and_not_ours_is_damage(site: Site) -> None:
    order_id = uuid4()
    async with opened(site.store()) as store:
        await store.append(commit(order_id, 1, 2))
        await put(store.recorder(), event(uuid4()))
        empty = "X'00'" if isinstance(site, SQLiteSite) else "''"
        site.tamper(f"UPDATE stored_events SET topic = 'x', state = {empty} WHERE originator_version = 2")  # noqa: S608 -- no input
        with pytest.raises(StoreRefused, match=f"stream {order_id} has events of liveorder and of another program"):
            await store.stream(order_id)
        assert [problem for problem in (await store.check()).problems if str(order_id) in problem]


async def test_a_release_that_knows_no_such_events_is_told_that_a_newer_one_wrote_the_store(site: Site) -> None:
    """It compares the stamps with the topics that it knows, before it reads an event."""
    async with opened(site.store()) as store:
        await store.append(commit(uuid4(), 1))
        assert not await store._database.fetch("SELECT 1 FROM event_shapes WHERE shape=:shape", {"shape": FOREIGN_SHAPE})
        await put(store.recorder(), event(uuid4()))
        await put(store.recorder(), event(uuid4()))
        assert len(await store._database.fetch("SELECT 1 FROM event_shapes WHERE shape=:shape", {"shape": FOREIGN_SHAPE})) == 1
    assert FOREIGN_SHAPE.split(" ")[0] not in MAPPER.topics


# --- what the library reads ----------------------------------------------------------------------------------------------------


async def test_the_library_reads_the_very_rows_that_orders_are(site: Site) -> None:
    order_id = uuid4()
    async with opened(site.store()) as store:
        await store.append(commit(order_id, 1))
        recorder = store.recorder()
        (only,) = recorder.select_events(str(order_id))
        assert only == StoredEvent(order_id, 1, "liveorder.Filled@1", only.state)
        assert json.loads(only.state)["fact"]["price"] == "100.05"
        assert recorder.select_notifications(1, 5, topics=("liveorder.Filled@1",)) == [
            Notification(order_id, 1, only.topic, only.state, id=1)
        ]
        with pytest.raises(ProgrammingError, match="not a UUID"):
            recorder.select_events("nonsense")


async def test_its_connections_cannot_write(site: Site) -> None:
    async with opened(site.store()) as store:
        recorder = store.recorder()
        with pytest.raises(PersistenceError):
            recorder._reader.insert_events([event(uuid4())])
        assert await store.head() == 0


def test_what_the_librarys_own_recorder_writes_is_found_at_the_next_start(tmp_path: Path) -> None:
    made = SQLiteSite(tmp_path, Placement.INLINE)
    asyncio.run(create(made))
    past = SQLiteApplicationRecorder(SQLiteDatastore(str(made.path)))
    assert past.insert_events([event(uuid4())]) == [1]
    past.datastore.close()
    with pytest.raises(StoreRefused):
        asyncio.run(made.store().open())


async def test_a_store_closes_behind_reads_that_are_under_way(site: Site) -> None:
    """SQLite ends the process where a connection is closed under a statement."""

    def read_on(recorder: EventRecorder) -> int:
        for count in itertools.count():
            try:
                recorder.select_notifications(1, 2000)
            except InterfaceError:
                return count
        raise AssertionError("it counts for ever")

    async with opened(site.store()) as store:
        await put(store.recorder(), *(event(stream, version) for stream in [uuid4()] for version in range(1, 513)))
        reading = [asyncio.create_task(asyncio.to_thread(read_on, store.recorder())) for _ in range(4)]
        await put(store.recorder(), event(uuid4()))
    await asyncio.gather(*reading)


async def test_a_subscription_ends_with_the_store(site: Site) -> None:
    async with opened(site.store()) as store:
        subscription = store.recorder().subscribe()
        waiting = asyncio.create_task(asyncio.to_thread(next, subscription))
        await put(store.recorder(), event(uuid4()))
        assert (await waiting).id == 1
        waiting = asyncio.create_task(asyncio.to_thread(next, subscription))
        await asyncio.sleep(0)
    with pytest.raises(OperationalError, match="the store was closed"):
        await waiting
