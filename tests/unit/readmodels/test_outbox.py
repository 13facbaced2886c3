"""What leaves: every message at least once, under an id that stays, and nothing because of a replay."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from liveorder.application.outbox.messages import ALERTS, Confirmations, Notices
from liveorder.application.outbox.notifier import Manner, Notice
from liveorder.application.outbox.outbox import GATHERING_SECONDS, MOST_UNSAVED, Outbox
from liveorder.application.outbox.publisher import Confirmation
from liveorder.application.recording import domain_events
from liveorder.application.reporting.order_log import OrderLog
from liveorder.domain.dead_letter import SignalDeadLettered
from liveorder.domain.events import Event
from liveorder.domain.identifiers import stream_id
from liveorder.domain.notice_event import NoticeEvent
from liveorder.domain.order import LiveOrder
from liveorder.domain.order import events as ev
from liveorder.domain.reversal import incomplete
from liveorder.domain.trading_halt import HaltReason, TradingHalted
from liveorder.domain.values import OrderRole, PositionEffect
from tests.builders import ACKNOWLEDGED, REFUSED, REJECTED, SENT, bust, cancelled, fill, seconds, submission
from tests.harness.worlds import RememberedLog
from tests.unit.readmodels.logs import MemoryLog, StillClock, order_id, requested

BOOKMARK = "outbox:wall"


class Wall:
    """Publisher and notifier: keeps what it is told, unless it is told to fail."""

    name = "wall"

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.failures = 0

    async def publish(self, confirmations: Sequence[Confirmation]) -> None:
        self._take(confirmations)

    async def notify(self, notices: Sequence[Notice]) -> None:
        self._take(notices)

    def _take(self, messages: Sequence[Any]) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the wall is down")
        self.told += messages


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


async def opened(log: MemoryLog, outlet: Confirmations | Notices) -> Outbox:
    outbox = Outbox(log, outlet, StillClock(), lambda error: None)  # type: ignore[arg-type]  # the part of a store that it uses
    await outbox.open()
    return outbox


def outcomes(wall: Wall) -> list[tuple[str, str, str]]:
    return [(each.message_id[-1], each.view.status, f"{each.view.filled_quantity:f}") for each in wall.told]


async def test_each_change_of_an_outcome_is_confirmed_as_it_was_then(log: MemoryLog, wall: Wall) -> None:
    outbox = await opened(log, Confirmations(wall, RememberedLog()))
    log.add(1, requested(1), SENT, ACKNOWLEDGED, fill("e1", 40), fill("e2", 60), bust("e1"), cancelled())
    await outbox.flush()
    assert outcomes(wall) == [
        ("4", "PARTIAL", "40"),
        ("5", "FILLED", "100"),
        ("6", "PARTIAL", "60"),
        ("7", "CANCELLED", "60"),
    ]
    assert wall.told[0].message_id == f"{order_id(1)}:4"


async def test_a_refused_order_is_confirmed_too_and_a_working_one_is_not(log: MemoryLog, wall: Wall) -> None:
    outbox = await opened(log, Confirmations(wall, RememberedLog()))
    log.add(1, requested(1), SENT, ACKNOWLEDGED)
    log.add(2, requested(2), REFUSED)
    await outbox.flush()
    assert outcomes(wall) == [("2", "REJECTED", "0")]


async def test_a_new_destination_is_told_nothing_of_the_past(log: MemoryLog, wall: Wall) -> None:
    log.add(1, requested(1), REFUSED)
    outbox = await opened(log, Confirmations(wall, RememberedLog()))
    await outbox.flush()
    assert (wall.told, log.bookmarks) == ([], {BOOKMARK: "2"})


async def test_what_was_told_before_a_restart_is_not_told_again(log: MemoryLog, wall: Wall) -> None:
    first = await opened(log, Confirmations(wall, RememberedLog()))
    log.add(1, requested(1), SENT, fill("e1", 40))
    await first.flush()
    log.add(1, fill("e2", 60))
    await (await opened(log, Confirmations(wall, RememberedLog()))).flush()
    assert outcomes(wall) == [("3", "PARTIAL", "40"), ("4", "FILLED", "100")]


async def test_what_could_not_be_told_is_told_later_in_order_and_once(log: MemoryLog, wall: Wall) -> None:
    outbox = await opened(log, Confirmations(wall, RememberedLog()))
    log.add(1, requested(1), SENT, fill("e1", 40))
    wall.failures = 1
    with pytest.raises(ConnectionError):
        await outbox.flush()
    log.add(1, fill("e2", 60))
    await outbox.flush()
    assert outcomes(wall) == [("3", "PARTIAL", "40"), ("4", "FILLED", "100")]


async def test_a_flush_while_another_one_is_under_way_tells_nothing_twice(log: MemoryLog) -> None:
    class SlowWall(Wall):
        async def publish(self, confirmations: Sequence[Confirmation]) -> None:
            for _ in range(10):
                await asyncio.sleep(0)
            await super().publish(confirmations)

    wall = SlowWall()
    outbox = await opened(log, Confirmations(wall, RememberedLog()))
    log.add(1, requested(1), SENT, ACKNOWLEDGED, fill("e1", 40))
    following = asyncio.create_task(outbox.flush())
    await asyncio.sleep(0)
    log.add(1, fill("e2", 60))
    await asyncio.gather(following, outbox.flush())
    assert [quantity for _, _, quantity in outcomes(wall)] == ["40", "100"]


async def test_a_death_between_telling_and_noting_it_tells_again_with_the_same_ids(log: MemoryLog, wall: Wall) -> None:
    await opened(log, Confirmations(wall, RememberedLog()))
    log.add(1, requested(1), REFUSED)
    for _ in range(2):
        log.bookmarks = {BOOKMARK: "0"}
        await (await opened(log, Confirmations(wall, RememberedLog()))).flush()
    assert wall.told[0] == wall.told[1]


async def test_events_that_make_no_message_cost_no_disk_sync_each(log: MemoryLog, wall: Wall) -> None:
    outbox = await opened(log, Confirmations(wall, RememberedLog()))
    log.add(1, requested(1), SENT)
    await outbox.flush()
    log.add(1, ACKNOWLEDGED)
    await outbox.flush()
    assert log.bookmarks == {BOOKMARK: "0"}
    log.add(1, *[submission(attempt) for attempt in range(2, 2 + MOST_UNSAVED)])
    await outbox.flush()
    assert int(log.bookmarks[BOOKMARK]) >= MOST_UNSAVED


async def test_a_destination_that_is_down_is_told_of_and_tried_again_after_growing_waits(log: MemoryLog, wall: Wall) -> None:
    errors, clock = list[Exception](), StillClock()
    outbox = Outbox(log, Notices(wall), clock, errors.append)  # type: ignore[arg-type]  # the part of a store that it uses
    await outbox.open()
    log.add(1, requested(1), REFUSED)
    wall.failures = 3
    run = asyncio.create_task(outbox.run())
    await log.is_read.wait()
    run.cancel()
    assert [str(error) for error in errors] == ["the wall is down"] * 3
    assert clock.slept == [1.0, 2.0, 4.0]
    assert len(wall.told) == 1


async def test_messages_of_one_moment_cost_one_bookmark(log: MemoryLog, wall: Wall) -> None:
    clock, saved = StillClock(), list[str]()
    outbox = Outbox(log, Notices(wall, {NoticeEvent.PARTIAL: Manner.ON}), clock, [].append)  # type: ignore[arg-type]  # as above
    await outbox.open()
    wait, sleep, save = log.wait_beyond, clock.sleep, log.save_checkpoint

    async def wait_beyond(position: int, timeout_seconds: float) -> int:
        if position == 0 and not log.events:
            log.add(1, requested(1), SENT, fill("woke it", 40))
        return log.events[-1].position if position < len(log.events) else await wait(position, timeout_seconds)

    async def sleep_while_more_is_stored(seconds: float) -> None:
        log.add(1, fill("meanwhile", 10))
        await sleep(seconds)

    async def note_and_save(name: str, value: str) -> None:
        saved.append(value)
        await save(name, value)

    log.wait_beyond, log.save_checkpoint = wait_beyond, note_and_save  # type: ignore[method-assign]  # to see and time its calls
    clock.sleep = sleep_while_more_is_stored  # type: ignore[method-assign]  # as above
    run = asyncio.create_task(outbox.run())
    await log.is_read.wait()
    run.cancel()
    assert (len(wall.told), saved, clock.slept) == (2, ["4"], [GATHERING_SECONDS])


async def test_a_notice_says_what_happened_and_to_which_order(log: MemoryLog, wall: Wall) -> None:
    outbox = await opened(log, Notices(wall))
    log.add(1, requested(1), SENT, fill("e1", 40, "9.5"))
    await outbox.flush()
    assert wall.told == [
        Notice(
            f"{order_id(1)}:3",
            "EXECUTION",
            "Order filled: 40 @ 9.5",
            seconds(3),
            str(order_id(1)),
            "signal-1",
            "U1",
            "trend",
            "SPY",
            NoticeEvent.PARTIAL,
        )
    ]


async def test_a_notice_has_the_name_that_people_have_for_the_instrument(log: MemoryLog, wall: Wall) -> None:
    outbox = await opened(log, Notices(wall))
    log.add(1, requested(1, symbol_name="SPDR S&P 500"), SENT, fill("e1", 40, "9.5"))
    await outbox.flush()
    assert [(each.symbol, each.symbol_name) for each in wall.told] == [("SPY", "SPDR S&P 500")]


async def test_each_event_is_told_as_it_is_wanted(log: MemoryLog, wall: Wall) -> None:
    outbox = await opened(log, Notices(wall, {NoticeEvent.PARTIAL: Manner.SILENT, NoticeEvent.CORRECTED: Manner.ON}))
    log.add(1, requested(1), SENT, ACKNOWLEDGED, fill("e1", 40), fill("e2", 60), bust("e2"))
    await outbox.flush()
    assert [(each.event, each.is_silent) for each in wall.told] == [(NoticeEvent.PARTIAL, True), (NoticeEvent.CORRECTED, False)]


async def test_an_outlet_of_alerts_reads_orders_for_alerts_alone(log: MemoryLog, wall: Wall) -> None:
    outbox = await opened(log, Notices(wall, ALERTS))
    log.add(1, requested(1), SENT, ACKNOWLEDGED, fill("e1", 40), bust("e1"), fill("e2", 60), bust("e2"))
    log.add(2, requested(2), SENT, fill("e3", 40))
    await outbox.flush()
    assert [(each.notice_id, each.signal_id) for each in wall.told] == [
        (f"{order_id(1)}:5", "signal-1"),
        (f"{order_id(1)}:7", "signal-1"),
    ]


async def test_what_is_of_no_order_makes_notices_too(log: MemoryLog, wall: Wall) -> None:
    outbox = await opened(log, Notices(wall))
    log.add_to(stream_id("halt"), TradingHalted(scope="*", reason=HaltReason.KILL_SWITCH))
    log.add_to(stream_id("letter"), SignalDeadLettered(source="s", offset="1", line="{", reason="not JSON", signal_id="sig"))
    await outbox.flush()
    assert [(each.category, each.order_id, each.signal_id) for each in wall.told] == [
        ("WARNING", None, None),
        ("WARNING", None, "sig"),
    ]


def test_a_step_that_goes_as_it_should_makes_no_notice() -> None:
    quiet = (ev.OrderRequested, ev.Approved, ev.SubmissionStarted, ev.Acknowledged, ev.CancelRequested, ev.ReplaceRequested)
    assert not [kind for kind in quiet if kind.notice is not None]


def test_every_notice_that_people_may_want_is_that_of_an_event() -> None:
    """A part of a fill is told from a whole one by its order, and so is an exit that is refused; a second leg's end by its code."""
    told_by_the_order = {NoticeEvent.PARTIAL, NoticeEvent.EXIT_REFUSED, NoticeEvent.REVERSAL_INCOMPLETE}
    assert {kind.notice for kind in domain_events()} == {*NoticeEvent, None} - told_by_the_order


NOT_SENT = ev.Cancelled(reason=ev.CancelReason.STALE)
EXITS: list[dict[str, Any]] = [
    {"role": OrderRole.STOP_LOSS},
    {"role": OrderRole.EXIT},
    {"reduces_only": True},
    {"position_effect": PositionEffect.CLOSE},
]


@pytest.mark.parametrize("refusal", [(REFUSED,), (SENT, REJECTED), (NOT_SENT,)])
@pytest.mark.parametrize("exit_", EXITS)
async def test_a_refused_exit_is_an_alert(log: MemoryLog, wall: Wall, refusal: tuple[Event, ...], exit_: dict[str, Any]) -> None:
    """The position stays, and nobody looks after it; that an entry is refused is everyday."""
    outbox = await opened(log, Notices(wall, ALERTS))
    log.add(1, requested(1), *refusal)
    log.add(2, requested(2).with_terms(**exit_), *refusal)
    await outbox.flush()
    assert [(each.event, each.category, each.order_id) for each in wall.told] == [
        (NoticeEvent.EXIT_REFUSED, "WARNING", str(order_id(2)))
    ]
    lines = RememberedLog()
    OrderLog(lines)(None, LiveOrder.replay(log.events[-len(refusal) - 1 :]), log.events[-1:])
    assert [category for category, _ in lines.lines] == ["WARNING"]


async def test_a_reversal_whose_second_leg_is_not_sent_is_an_alert(log: MemoryLog, wall: Wall) -> None:
    outbox = await opened(log, Notices(wall, ALERTS))
    log.add(1, requested(1).with_terms(position_effect=PositionEffect.OPEN), incomplete("order 7 is CANCELLED"))
    await outbox.flush()
    assert [(each.event, each.category) for each in wall.told] == [(NoticeEvent.REVERSAL_INCOMPLETE, "WARNING")]


@pytest.mark.parametrize("end", [(ev.Cancelled(reason=ev.CancelReason.REQUESTED),), (SENT, ACKNOWLEDGED, NOT_SENT)])
async def test_an_exit_that_somebody_cancels_or_that_was_there_is_none(log: MemoryLog, wall: Wall, end: tuple[Event, ...]) -> None:
    outbox = await opened(log, Notices(wall, ALERTS))
    log.add(1, requested(1).with_terms(position_effect=PositionEffect.CLOSE), *end)
    await outbox.flush()
    assert wall.told == []
