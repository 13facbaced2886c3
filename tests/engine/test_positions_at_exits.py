"""What reduces is asked about first: an exit takes no more than its broker says, after our last fill, that the account has."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.application.outbox.messages import Notices
from liveorder.application.outbox.notifier import Notice
from liveorder.application.reporting.projections.known_orders import KnownOrders, streams_of
from liveorder.application.reporting.views import order_view
from liveorder.domain.errors import BrokerConnectionError
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import Approved, Refused
from liveorder.domain.signal import Signal
from liveorder.domain.values import PositionEffect, Side
from liveorder.testing.venue.capabilities import capabilities_of
from liveorder.testing.venue.control import VenueControl
from liveorder.testing.venue.faults import Fault, FaultKind, Point
from liveorder.testing.venue.in_process import InProcess
from liveorder.testing.venue.settings import Fills
from tests.engine.scenes import ACCOUNT, LAX, SPY, STILL, Scene, a_limit, a_scene, a_signal, until
from tests.harness.crash_points import Crashed, CrashPoint, abandon
from tests.harness.worlds import a_world

D = Decimal
SHORTS = LAX.model_copy(update={"allow_short_selling": True})
RARELY: dict[str, Any] = {"terms": {"reconcile_seconds": 3600.0}}
"""What a person did at the broker is found by nothing but the question of an exit."""
LAGGING = STILL.model_copy(update={"positions_lag_seconds": 1.0})


def an_exit(signal_id: str = "out", **fields: Any) -> Signal:
    return a_signal(signal_id, **({"side": "SELL", "quantity": None, "position_effect": "CLOSE"} | fields))


async def bought(engine: Engine, quantity: int = 20, strategy: str = "default", **fields: Any) -> LiveOrder:
    order = await engine.execute.execute(
        a_signal(f"in-{strategy}-{quantity}", quantity=D(quantity), strategy_name=strategy, **fields)
    )
    return await filled(engine, order)


async def filled(engine: Engine, order: LiveOrder) -> LiveOrder:
    async with asyncio.timeout(60):
        while not (now := await engine.orders.get(order.order_id)).status.is_closed:  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.05)
    return now


async def by_hand(scene: Scene, side: Side, quantity: int) -> None:
    """A person trades at the broker, in SPY."""
    await scene.control.place(ACCOUNT, SPY, side, D(quantity))


def at_venue(scene: Scene) -> Decimal:
    listed = scene.floors[ACCOUNT].gateway.venue.questions.positions(ACCOUNT)["positions"]
    return sum((D(each["quantity"]) for each in listed), D(0))


def count_questions(scene: Scene) -> list[float]:
    """When positions are asked for, from now on."""
    asked: list[float] = []
    positions = scene.witness._broker.positions

    async def counted() -> Any:
        asked.append(scene.clock.monotonic())
        return await positions()

    scene.witness.answers["positions"] = counted
    return asked


async def notices_of(scene: Scene) -> list[tuple[str, str]]:
    """Every alert that the log makes, as kind and text."""
    told: list[Notice] = []

    class Remembering:
        name = "test"

        async def notify(self, notices: Sequence[Notice]) -> None:
            told.extend(notices)

    notices, known = Notices(Remembering()), KnownOrders()

    async def read(store: Any) -> None:
        async for page in store.log():
            for item in page:
                changes = known.advance(streams_of([item]))
                if notices.concerns(item.event):
                    notices.consider(item, changes[0] if changes else None)
        await notices.deliver()

    await scene.reading(read)
    return [(each.event.value, each.sentence) for each in told if each.event is not None and each.event.is_alert]


async def refusal(scene: Scene, order: LiveOrder) -> Refused:
    (refused,) = [event for event in await scene.events(order) if isinstance(event, Refused)]
    return refused


# --- what a person sold --------------------------------------------------------------------------------------------------------

AT_LEAST = pytest.mark.parametrize("limits", [LAX, SHORTS], ids=["long only", "shorts allowed"])


@AT_LEAST
async def test_of_20_of_which_a_person_sold_10_an_exit_sells_10_and_says_why(tmp_path: Path, limits: Any) -> None:
    async with a_scene(tmp_path, limits=limits, **RARELY) as scene, scene.living() as engine:
        await bought(engine)
        await by_hand(scene, Side.SELL, 10)
        exit_ = await filled(engine, await engine.execute.execute(an_exit()))
        assert (exit_.status, exit_.quantity, exit_.filled_quantity) == (OrderStatus.FILLED, D(10), D(10))
        (approved,) = [event for event in await scene.events(exit_) if isinstance(event, Approved)]
        assert (approved.figures["held"], approved.figures["at_broker"], approved.figures["stays"]) == ("20", "10", "10")
        assert any("10" in line and "20" in line for line in scene.log.of("WARNING"))
        assert at_venue(scene) == 0


@AT_LEAST
@pytest.mark.parametrize(
    "signal",
    [
        {"quantity": D(20)},
        {"quantity": D(20), "position_effect": None},
        {"quantity": D(20), "position_effect": None, "role": "EXIT"},
        {"position_effect": None},
        {"quantity": None, "percent": D(100)},
        {"side": None, "position_effect": None, "target_quantity": D(0)},
        {"side": None, "position_effect": None, "target_percent": D("0.0001")},
        {"quantity": D(20), "order_type": "LIMIT", "limit_price": D(500)},
        {"quantity": D(20), "position_effect": None, "order_type": "LIMIT", "limit_price": D(500)},
    ],
    ids=["sized", "no effect", "role", "no size", "percent", "target", "part of the equity", "limit", "limit without effect"],
)
async def test_no_kind_of_exit_opens_what_a_person_closed(tmp_path: Path, limits: Any, signal: dict[str, Any]) -> None:
    async with a_scene(tmp_path, limits=limits, **RARELY) as scene, scene.living() as engine:
        await bought(engine)
        await by_hand(scene, Side.SELL, 13)
        exit_ = await filled(engine, await engine.execute.execute(an_exit(**signal)))
        assert exit_.filled_quantity == 7
        assert exit_.terms.reduces_only
        assert at_venue(scene) == 0


@AT_LEAST
@pytest.mark.parametrize("by_person", [20, 25], ids=["all", "more than all"])
@pytest.mark.parametrize(
    "signal",
    [{}, {"quantity": D(20), "position_effect": None}, {"position_effect": None, "side": None, "target_quantity": D(0)}],
    ids=["close", "sized without effect", "target"],
)
async def test_of_what_a_person_sold_all_nothing_is_to_close_and_there_is_an_alert(
    tmp_path: Path, limits: Any, by_person: int, signal: dict[str, Any]
) -> None:
    async with a_scene(tmp_path, limits=limits, **RARELY) as scene, scene.living() as engine:
        await bought(engine)
        await by_hand(scene, Side.SELL, by_person)
        exit_ = await engine.execute.execute(an_exit(**signal))
        assert exit_.status == "REJECTED"
        refused = await refusal(scene, exit_)
        assert refused.code == "nothing_to_close"
        assert "holds none" in refused.message
        assert ("exit_refused", True) in [(kind, "nothing_to_close" in text) for kind, text in await notices_of(scene)]
        assert scene.venue_orders(exit_) == []


async def test_a_short_that_a_person_bought_back_in_part_is_bought_back_no_further(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=SHORTS, **RARELY) as scene, scene.living() as engine:
        await filled(engine, await engine.execute.execute(a_signal("in", side="SELL", quantity=D(20))))
        await by_hand(scene, Side.BUY, 15)
        exit_ = await filled(engine, await engine.execute.execute(an_exit(side="BUY")))
        assert (exit_.filled_quantity, at_venue(scene)) == (D(5), D(0))
        again = await engine.execute.execute(an_exit("sized", side="BUY", quantity=D(15), position_effect=None))
        assert again.reject_reason is not None


async def test_what_the_broker_has_again_since_it_was_compared_is_closed_whole(tmp_path: Path) -> None:
    async with a_scene(tmp_path, **RARELY) as scene, scene.living() as engine:
        await bought(engine)
        await by_hand(scene, Side.SELL, 10)
        await engine.reconcile.reconcile(ACCOUNT)
        await by_hand(scene, Side.BUY, 10)
        await asyncio.sleep(5)
        exit_ = await filled(engine, await engine.execute.execute(an_exit()))
        assert (exit_.filled_quantity, at_venue(scene)) == (D(20), D(0))


async def test_neither_of_two_strategies_that_share_a_shortfall_is_kept_from_its_exit(tmp_path: Path) -> None:
    async with a_scene(tmp_path, **RARELY) as scene, scene.living() as engine:
        await bought(engine, 10, "a")
        await bought(engine, 10, "b")
        await by_hand(scene, Side.SELL, 5)
        first = await filled(engine, await engine.execute.execute(an_exit("a", strategy_name="a")))
        second = await filled(engine, await engine.execute.execute(an_exit("b", strategy_name="b")))
        assert (first.filled_quantity, second.filled_quantity, at_venue(scene)) == (D(10), D(5), D(0))


async def test_two_exits_at_once_take_no_more_together_than_the_broker_has(tmp_path: Path) -> None:
    venue = STILL.model_copy(update={"fills": Fills(delay_seconds=3.0)})
    async with a_scene(tmp_path, venue, limits=SHORTS, **RARELY) as scene, scene.living() as engine:
        await bought(engine, 10, "a")
        await bought(engine, 10, "b")
        await by_hand(scene, Side.SELL, 5)
        await asyncio.sleep(5)
        exits = [an_exit(name, strategy_name=name) for name in ("a", "b")]
        sent = await asyncio.gather(*(engine.execute.execute(each) for each in exits))
        closed = [await filled(engine, each) for each in sent]
        assert [each.filled_quantity for each in closed] == [10, 5]
        assert at_venue(scene) == 0


@pytest.mark.parametrize(
    "fields", [{}, {"quantity": D(10)}, {"position_effect": None}, {"target_quantity": D(0), "position_effect": None}]
)
async def test_an_exit_waits_for_the_fill_of_another_strategys_that_its_broker_has_counted_already(
    tmp_path: Path, fields: dict[str, Any]
) -> None:
    """Both leave at once. The broker has taken the first's off before it reports that fill: the second may close no less for it."""
    async with a_scene(tmp_path, STILL) as scene, scene.living(reconcile_seconds=3600.0, poll_seconds=3600.0) as engine:
        for strategy in ("a", "b"):
            await bought(engine, 10, strategy)
        await scene.control.lay(Fault(kind=FaultKind.REPORT_LATE, on=Point.REPORT, seconds=3.0))
        asked = count_questions(scene)
        first = await engine.execute.execute(an_exit("a", strategy_name="a"))
        await asyncio.sleep(1.5)
        assert at_venue(scene) == 10
        second = await engine.execute.execute(an_exit("b", strategy_name="b", **fields))
        assert second.error_message is None
        assert [(await filled(engine, order)).filled_quantity for order in (first, second)] == [D(10), D(10)]
        assert at_venue(scene) == 0
        assert len(asked) <= 4


async def test_what_is_never_told_keeps_an_exit_waiting_once_and_no_longer_than_a_question_may_take(tmp_path: Path) -> None:
    async with a_scene(tmp_path, STILL) as scene, scene.living(reconcile_seconds=3600.0, poll_seconds=3600.0) as engine:
        for strategy in ("a", "b"):
            await bought(engine, 10, strategy)
        await scene.control.lay(Fault(kind=FaultKind.REPORT_LOST, on=Point.REPORT))
        await engine.execute.execute(an_exit("a", strategy_name="a"))
        await asyncio.sleep(1.5)
        assert at_venue(scene) == 10
        for name, seconds in (("b", 2.0), ("again", 0.0)):
            begun = scene.clock.monotonic()
            order = await engine.execute.execute(an_exit(name, strategy_name="b"))
            assert (await refusal(scene, order)).code == "already_closing"
            assert "send it again once they have ended" in (order.error_message or "")
            assert scene.clock.monotonic() - begun == pytest.approx(seconds, abs=0.2)


async def test_what_open_exits_can_take_of_what_the_broker_has_left_is_named(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=SHORTS, **RARELY) as scene, scene.living() as engine:
        await bought(engine, 10, "a")
        await bought(engine, 10, "b")
        await by_hand(scene, Side.SELL, 10)
        resting = {"order_type": "LIMIT", "limit_price": D(600)}
        await engine.execute.execute(an_exit("a", strategy_name="a", **resting))
        second = await engine.execute.execute(an_exit("b", strategy_name="b", **resting))
        refused = await refusal(scene, second)
        assert refused.code == "already_closing"
        assert "10" in refused.message


# --- which figure counts -------------------------------------------------------------------------------------------------------


async def test_a_figure_from_before_our_last_fill_does_not_count(tmp_path: Path) -> None:
    """The broker's positions lag: asked at once, they would lack what was just bought."""
    async with a_scene(tmp_path, LAGGING, limits=SHORTS, **RARELY) as scene, scene.living() as engine:
        await bought(engine)
        asked, at = count_questions(scene), scene.clock.monotonic()
        exit_ = await filled(engine, await engine.execute.execute(an_exit()))
        assert (exit_.filled_quantity, at_venue(scene)) == (D(20), D(0))
        assert not exit_.position_unconfirmed
        assert len(asked) == 1
        assert asked[0] - at >= 0.9


async def test_a_fill_while_the_broker_is_asked_makes_it_be_asked_again(tmp_path: Path) -> None:
    async with a_scene(tmp_path, **RARELY) as scene, scene.living() as engine:
        await bought(engine)
        resting = await engine.execute.execute(an_exit("rests", quantity=D(5), order_type="LIMIT", limit_price=D(600)))
        await asyncio.sleep(5)
        positions, asked = scene.witness._broker.positions, []

        async def fills_meanwhile() -> Any:
            asked.append(scene.clock.monotonic())
            answer = await positions()
            if len(asked) == 1:
                await scene.control.fill(resting.broker_order_id or "", D(5), D(600))
                await asyncio.sleep(0.5)
            return answer

        scene.witness.answers["positions"] = fills_meanwhile
        exit_ = await filled(engine, await engine.execute.execute(an_exit()))
        assert (len(asked), exit_.filled_quantity, at_venue(scene)) == (2, D(15), D(0))
        assert not exit_.position_unconfirmed


async def test_an_answer_serves_every_exit_until_it_is_too_old(tmp_path: Path) -> None:
    kept = replace(capabilities_of(STILL), max_position_age_seconds=5.0)
    async with a_scene(tmp_path, capabilities=kept, limits=SHORTS, **RARELY) as scene, scene.living() as engine:
        await bought(engine)
        asked = count_questions(scene)
        resting = {"order_type": "LIMIT", "limit_price": D(600), "quantity": D(1)}
        for number, seconds in enumerate([0.0, 3.0, 1.5, 3.0]):
            await asyncio.sleep(seconds)
            await engine.execute.execute(an_exit(f"out-{number}", **resting))
        assert len(asked) == 2


async def test_exits_that_come_together_share_one_question(tmp_path: Path) -> None:
    venue = STILL.model_copy(update={"latency_seconds": 0.2})
    async with a_scene(tmp_path, venue, limits=SHORTS, **RARELY) as scene, scene.living() as engine:
        for symbol in ("SPY", "AAPL", "MSFT"):
            await bought(engine, 20, symbol, symbol=symbol)
        await asyncio.sleep(5)
        asked = count_questions(scene)
        exits = [an_exit(symbol, symbol=symbol, strategy_name=symbol) for symbol in ("SPY", "AAPL", "MSFT")]
        sent = await asyncio.gather(*(engine.execute.execute(each) for each in exits))
        assert [each.quantity for each in sent] == [20, 20, 20]
        assert len(asked) == 1


# --- no answer -----------------------------------------------------------------------------------------------------------------


def never_answered(scene: Scene) -> list[float]:
    asked: list[float] = []

    async def silent() -> Any:
        asked.append(scene.clock.monotonic())
        await asyncio.sleep(3600)

    scene.witness.answers["positions"] = silent
    return asked


@pytest.mark.parametrize("seconds", [2.0, 0.5])
async def test_without_an_answer_our_book_decides_in_time_and_the_order_says_so(tmp_path: Path, seconds: float) -> None:
    limits = LAX.model_copy(update={"exit_question_seconds": seconds})
    async with a_scene(tmp_path, limits=limits, **RARELY) as scene, scene.living() as engine:
        await bought(engine)
        await asyncio.sleep(5)
        never_answered(scene)
        at = scene.clock.monotonic()
        exit_ = await filled(engine, await engine.execute.execute(an_exit()))
        assert exit_.submitted_at is not None
        (call,) = [call for call in scene.witness.of("submit") if exit_.client_order_id in call.payload]
        assert call.at - at == pytest.approx(seconds, abs=0.01)
        assert exit_.filled_quantity == 20
        assert exit_.position_unconfirmed
        assert "position_unconfirmed" in order_view(exit_).flags
        assert "PositionUnconfirmed" in await scene.event_names(exit_)
        assert [kind for kind, _ in await notices_of(scene)] == ["position_unconfirmed"]


async def test_exits_that_hear_nothing_together_ask_once_and_wait_no_longer_than_one(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=SHORTS, **RARELY) as scene, scene.living() as engine:
        await bought(engine)
        await asyncio.sleep(5)
        asked, at = never_answered(scene), scene.clock.monotonic()
        sized = [an_exit(f"out-{number}", quantity=D(2)) for number in range(5)]
        sent = await asyncio.gather(*(engine.execute.execute(each) for each in sized))
        assert all(order.position_unconfirmed for order in sent)
        assert len(asked) == 1
        assert scene.clock.monotonic() - at == pytest.approx(2.0, abs=0.01)


async def test_a_broker_that_cannot_be_asked_keeps_no_exit_waiting(tmp_path: Path) -> None:
    async with a_scene(tmp_path, **RARELY) as scene, scene.living() as engine:
        await bought(engine)
        await asyncio.sleep(5)

        async def fails() -> Any:
            raise BrokerConnectionError("no route")

        scene.witness.answers["positions"] = fails
        at = scene.clock.monotonic()
        exit_ = await engine.execute.execute(an_exit())
        assert (exit_.quantity, exit_.position_unconfirmed, scene.clock.monotonic()) == (D(20), True, at)


async def test_a_lag_that_outlasts_the_wait_keeps_no_exit_waiting(tmp_path: Path) -> None:
    slow = STILL.model_copy(update={"positions_lag_seconds": 30.0})
    async with a_scene(tmp_path, slow, **RARELY) as scene, scene.living() as engine:
        await bought(engine)
        asked, at = count_questions(scene), scene.clock.monotonic()
        exit_ = await engine.execute.execute(an_exit())
        assert (exit_.quantity, exit_.position_unconfirmed, asked, scene.clock.monotonic()) == (D(20), True, [], at)


async def test_what_was_compared_before_still_counts_where_nothing_is_heard_at_the_exit(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=SHORTS, **RARELY) as scene, scene.living() as engine:
        await bought(engine)
        await by_hand(scene, Side.SELL, 12)
        await engine.reconcile.reconcile(ACCOUNT)
        await asyncio.sleep(5)
        never_answered(scene)
        exit_ = await filled(engine, await engine.execute.execute(an_exit()))
        assert (exit_.filled_quantity, at_venue(scene)) == (D(8), D(0))


async def test_validate_shows_what_the_broker_has_and_whether_it_said_so(tmp_path: Path) -> None:
    async with a_scene(tmp_path, **RARELY) as scene, scene.living() as engine:
        await bought(engine)
        await by_hand(scene, Side.SELL, 10)
        shown = await engine.execute.appraise(an_exit())
        assert (shown.intent.terms.quantity, shown.figures["at_broker"], shown.notes) == (D(10), "10", ())
        sized = await engine.execute.appraise(an_exit(quantity=D(20), position_effect=None))
        assert (sized.intent.terms.quantity, sized.refusals) == (D(10), [])
        await asyncio.sleep(5)
        never_answered(scene)
        unknown = await engine.execute.appraise(an_exit())
        assert unknown.intent.terms.quantity == 20
        assert any("position_unconfirmed" in note for note in unknown.notes)


# --- who is not asked about ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "signals",
    [
        ({}, {}),
        ({"quantity": None}, {"quantity": None}),
        ({"position_effect": "OPEN"}, {"position_effect": "OPEN"}),
        ({"quantity": None, "side": None, "target_quantity": D(50)}, {"quantity": None, "side": None, "target_quantity": D(90)}),
    ],
    ids=["sized", "no size", "open", "target"],
)
async def test_what_opens_or_enlarges_asks_nothing(tmp_path: Path, signals: tuple[dict[str, Any], ...]) -> None:
    async with a_scene(tmp_path, limits=SHORTS, **RARELY) as scene, scene.living() as engine:
        asked = count_questions(scene)
        await bought(engine)
        for number, signal in enumerate(signals):
            await filled(engine, await engine.execute.execute(a_signal(f"s{number}", **signal)))
        await engine.execute.execute(a_signal("short", side="SELL", symbol="AAPL", quantity=D(3)))
        assert len(scene.witness.of("submit")) == 4
        assert asked == []


# --- every attempt, every life -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signal", [{}, {"quantity": D(20), "position_effect": None}], ids=["close", "sized"])
async def test_an_exit_that_is_sent_again_is_asked_about_again(tmp_path: Path, signal: dict[str, Any]) -> None:
    """Its bytes stand: what a person sold meanwhile makes it go nowhere, and not beyond zero."""
    async with a_scene(tmp_path, limits=SHORTS, **RARELY) as scene, scene.living() as engine:
        await bought(engine)
        await scene.lay(FaultKind.UNAVAILABLE, nth=None)
        sending = asyncio.create_task(engine.execute.execute(an_exit(**signal)))
        await until(lambda: len(scene.witness.of("submit")) == 3)
        await scene.control.clear_faults()
        await by_hand(scene, Side.SELL, 10)
        exit_ = await sending
        assert (exit_.status, scene.venue_orders(exit_), at_venue(scene)) == (OrderStatus.CANCELLED, [], D(10))
        assert "exit_refused" in [kind for kind, _ in await notices_of(scene)]


@pytest.mark.parametrize("sold", [0, 10])
@pytest.mark.parametrize("signal", [{}, {"quantity": D(20), "position_effect": None}], ids=["close", "sized"])
async def test_a_life_after_a_crash_at_any_boundary_derives_the_same_exit_or_a_smaller_one(
    tmp_path: Path, sold: int, signal: dict[str, Any]
) -> None:
    """A person sells between the lives, or nobody does; the signal comes again to the next life."""
    at, was_reached = 0, True
    while was_reached:
        (tmp_path / str(at)).mkdir()
        was_reached = await _closed_over_a_crash(tmp_path / str(at), at, sold, an_exit(**signal))
        at += 1
    assert at > 6


async def _closed_over_a_crash(folder: Path, at: int, sold: int, signal: Signal) -> bool:
    """Whether it crashed; each promise is looked at."""
    async with a_world(folder, limits=SHORTS) as world:
        control = VenueControl(InProcess(world.floor, world.clock))
        async with world.living() as engine:
            await bought(engine)
        crash_point = CrashPoint(at)
        engine = world.engine(crash_point)
        await engine.start(wait_for_lease=True)
        with suppress(Crashed):
            await engine.execute.execute(signal)
        await abandon(engine)
        before = world.floor.gateway.venue.questions.positions(ACCOUNT)["positions"]
        if sold and before:
            await control.place(ACCOUNT, SPY, Side.SELL, D(sold))
        async with world.living() as engine:
            order = await engine.execute.execute(signal)
            order = await filled(engine, order)
            left = world.floor.gateway.venue.questions.positions(ACCOUNT)["positions"]
            units = sum((D(each["quantity"]) for each in left), D(0))
            assert units >= 0, f"crashed {crash_point.names[-1:]}: {units} at the venue, {order}"
            assert len(world.venue_orders(order)) <= 1
            if not sold:
                assert (order.filled_quantity, units) == (D(20), D(0))
        return crash_point.is_reached


async def test_an_exit_that_waited_for_its_entry_is_asked_about(tmp_path: Path) -> None:
    by_staff = STILL.model_copy(update={"fills": Fills(automatic=False)})
    async with a_scene(tmp_path, by_staff, limits=SHORTS, **RARELY) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=D(10)))
        exit_ = await engine.execute.execute(an_exit())
        assert exit_.is_waiting
        await scene.control.fill(entry.broker_order_id or "", D(8), D(400))
        hand = await scene.control.place(ACCOUNT, SPY, Side.SELL, D(5))
        await scene.control.fill(hand, D(5), D(400))
        await until(lambda: scene.venue_orders(exit_) != [])
        sent = await engine.orders.get(exit_.order_id)
        assert (sent.quantity, sent.terms.position_effect) == (D(3), PositionEffect.CLOSE)


async def test_a_kill_asks_no_second_time_for_what_it_has_just_heard(tmp_path: Path) -> None:
    async with a_scene(tmp_path, **RARELY) as scene, scene.living() as engine:
        await bought(engine)
        await asyncio.sleep(5)
        asked = count_questions(scene)
        closing = await engine.kill_all._flatten.close_all("person:test", wait_seconds=1.0)
        assert closing.failures == []
        (order,) = closing.orders
        assert not order.position_unconfirmed
        assert len(asked) == 1
