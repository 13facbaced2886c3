"""The projector: nothing is lost, whatever fails; what fails is told; and nobody is kept waiting but it."""

import asyncio
from collections.abc import Callable
from uuid import UUID

import pytest

from liveorder.application.reporting.projections.draft import Changes, RowReader
from liveorder.application.reporting.projections.orders import ORDERS
from liveorder.application.reporting.projector import GATHERING_SECONDS, Projector
from liveorder.application.reporting.read_models import ViewsUnavailable
from tests.builders import ACKNOWLEDGED, SENT, correction, fill, submission
from tests.unit.readmodels.logs import MemoryLog, MemoryViews, StillClock, requested

STORE = UUID(int=7)


@pytest.fixture
def log() -> MemoryLog:
    log = MemoryLog()
    for number in range(3):
        log.add(number, requested(number), SENT, ACKNOWLEDGED, fill(f"e{number}", 40))
    return log


@pytest.fixture
def views() -> MemoryViews:
    return MemoryViews()


class Desk:
    """A projector with what it was given and what it told."""

    def __init__(self, log: MemoryLog, views: MemoryViews, patience: int = 100) -> None:
        self.errors: list[Exception] = []
        self.clock = StillClock(patience)
        self.projector = Projector(log, views, self.clock, self.errors.append)  # type: ignore[arg-type]  # the part of a store it uses
        self.projector.follow(STORE)


async def test_catching_up_brings_everything_in_and_says_how_far(log: MemoryLog, views: MemoryViews) -> None:
    assert await Desk(log, views).projector.catch_up() == 12
    assert [row.status for row in views.dump()["orders"]] == ["PARTIAL"] * 3


async def test_a_log_longer_than_a_batch_is_taken_in_several(views: MemoryViews, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("liveorder.application.reporting.projector.BATCH", 500)
    log, told = MemoryLog(), list[tuple[int, int]]()
    log.add(1, requested(1), *[submission(attempt) for attempt in range(1, 1300)])
    await Desk(log, views).projector.rebuild(lambda position, goal: told.append((position, goal)))
    assert told == [(500, 1300), (700, 1300), (1200, 1300), (1300, 1300)]


async def test_a_failed_batch_is_told_and_tried_again_after_growing_waits(log: MemoryLog, views: MemoryViews) -> None:
    views.faults = ["before", "before", "after"]
    dispatcher = Desk(log, views)
    run = asyncio.create_task(dispatcher.projector.run())
    await log.is_read.wait()
    run.cancel()
    assert [str(error) for error in dispatcher.errors] == ["disk full", "disk full", "no answer"]
    assert dispatcher.clock.slept == [1.0, 2.0, 4.0]
    assert len(views.dump()["orders"]) == 3


async def test_a_store_that_cannot_be_read_stops_nothing(log: MemoryLog, views: MemoryViews) -> None:
    log.broken = RuntimeError("no connection")
    dispatcher = Desk(log, views, patience=6)
    with pytest.raises(asyncio.CancelledError):
        await dispatcher.projector.run()
    assert dispatcher.clock.slept == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0]


async def test_new_events_are_projected_as_they_come(log: MemoryLog, views: MemoryViews) -> None:
    dispatcher = Desk(log, views)
    run = asyncio.create_task(dispatcher.projector.run())
    await log.is_read.wait()
    log.add(0, fill("late", 60))
    run.cancel()
    assert await dispatcher.projector.catch_up() == 13
    assert views.dump()["orders"][0].status == "FILLED"


async def test_what_is_stored_within_a_moment_is_one_batch(log: MemoryLog, views: MemoryViews) -> None:
    desk, ends = Desk(log, views), list[int]()
    wait, apply, sleep = log.wait_beyond, views.apply, desk.clock.sleep

    async def wait_beyond(position: int, timeout_seconds: float) -> int:
        if position > 12:
            return await wait(position, timeout_seconds)
        return log.add(0, fill("woke it", 10))[0].position

    async def sleep_while_more_is_stored(seconds: float) -> None:
        log.add(1, fill("meanwhile", 10))
        await sleep(seconds)

    async def note_and_apply(after: int, upto: int, project: Callable[[RowReader], Changes]) -> None:
        ends.append(upto)
        await apply(after, upto, project)

    log.wait_beyond, views.apply = wait_beyond, note_and_apply  # type: ignore[method-assign]  # to see and time its calls
    desk.clock.sleep = sleep_while_more_is_stored  # type: ignore[method-assign]  # as above
    run = asyncio.create_task(desk.projector.run())
    await log.is_read.wait()
    run.cancel()
    assert ends == [12, 14]
    assert desk.clock.slept == [GATHERING_SECONDS]


async def test_a_batch_that_another_projector_wrote_is_not_written_twice(log: MemoryLog, views: MemoryViews) -> None:
    ours, theirs = Desk(log, views), Desk(log, views)
    await ours.projector.catch_up()
    log.add(0, fill("e9", 10))
    await theirs.projector.catch_up()
    log.add(0, fill("e10", 10))
    assert await ours.projector.catch_up() == 14
    assert (await ours.projector.verify()).is_equal


async def test_read_models_ahead_of_the_log_show_that_it_lost_its_end_so_trading_halts_and_they_are_emptied(
    log: MemoryLog, views: MemoryViews
) -> None:
    views.at = 99
    dispatcher = Desk(log, views)
    assert await dispatcher.projector.catch_up() == 12
    assert (views.opened_for, len(views.dump()["orders"])) == (STORE, 3)
    assert [(halt.scope, halt.stands) for halt in log.halts] == [("*", True)]
    assert "have seen 99 events and the log holds 12" in log.halts[0].reason


async def test_a_rebuild_begins_with_nothing(log: MemoryLog, views: MemoryViews) -> None:
    dispatcher = Desk(log, views)
    await dispatcher.projector.catch_up()
    before = views.dump()
    views.tables["orders"][99,] = views.tables["orders"][1,]
    assert await dispatcher.projector.rebuild() == 12
    assert views.dump() == before


async def test_verifying_tells_each_row_that_is_not_as_it_would_be_rebuilt(log: MemoryLog, views: MemoryViews) -> None:
    dispatcher = Desk(log, views)
    await dispatcher.projector.catch_up()
    orders = views.tables["orders"]
    whole, lost = orders[1,], orders.pop((5,))
    orders[1,] = whole._replace(status="FILLED")
    orders[99,] = whole._replace(began=99)
    found = await dispatcher.projector.verify()
    assert [(each.table, each.key, each.live, each.rebuilt) for each in found.differences] == [
        ("orders", (1,), orders[1,], whole),
        ("orders", (5,), None, lost),
        ("orders", (99,), orders[99,], None),
    ]
    assert (found.position, found.rows["orders"], found.is_equal) == (12, 4, False)
    assert views.twins[0].is_closed


async def test_verifying_starts_over_when_the_read_models_move_on_meanwhile(log: MemoryLog, views: MemoryViews) -> None:
    dispatcher, other = Desk(log, views), Desk(log, views)
    await dispatcher.projector.catch_up()
    moved = False

    async def rows_and_move_on(*asked: object) -> object:
        nonlocal moved
        if not moved:
            moved = True
            log.add(0, fill("e9", 10))
            await other.projector.catch_up()
        return await MemoryViews.rows(views, *asked)  # type: ignore[arg-type]  # handed on as they came

    views.rows = rows_and_move_on  # type: ignore[method-assign,assignment]  # another process at the worst moment
    found = await dispatcher.projector.verify()
    assert (found.position, found.is_equal) == (13, True)


async def test_a_table_of_many_differences_is_told_in_part() -> None:
    log, views = MemoryLog(), MemoryViews()
    for number in range(150):
        log.add(number, requested(number))
    dispatcher = Desk(log, views)
    await dispatcher.projector.catch_up()
    views.tables[ORDERS.name].clear()
    assert len((await dispatcher.projector.verify()).differences) == 100


async def test_a_cancelled_batch_is_projected_again_from_what_was_written(log: MemoryLog, views: MemoryViews) -> None:
    dispatcher = Desk(log, views)
    await dispatcher.projector.catch_up()
    log.add(0, fill("e9", 10))
    views.faults = ["after"]
    with pytest.raises(ViewsUnavailable):
        await dispatcher.projector.catch_up()
    log.add(0, fill("e10", 10))
    await dispatcher.projector.catch_up()
    assert (await dispatcher.projector.verify()).is_equal


async def test_a_fill_that_moves_to_the_place_of_what_it_turns_out_to_correct_is_booked_there_alone(views: MemoryViews) -> None:
    """`c2` corrects `c1`, which was not told yet; once it is, `c2` stands where `e1` stood."""
    log, chain = MemoryLog(), (fill("e1", 40), correction("c2", "c1", 30), correction("c1", "e1", 20))
    dispatcher = Desk(log, views)
    log.add(1, requested(1), SENT, ACKNOWLEDGED)
    for event in chain:
        log.add(1, event)
        await dispatcher.projector.catch_up()
    assert [(row.execution_id, row.quantity, row.booked) for row in views.dump()["fills"]] == [("c2", "30", 4)]
    assert (await dispatcher.projector.verify()).is_equal
