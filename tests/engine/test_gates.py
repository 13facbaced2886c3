"""What keeps a signal, or an approved order that had to wait, from going out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from liveorder.application.ports.broker import Prepared, SubmitRequest
from liveorder.domain.account_config import RetryPolicy
from liveorder.domain.errors import BrokerConnectionError, InvalidInput, OrderValidationError
from liveorder.domain.instrument import Instrument
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order.events import CancelReason, RejectReason
from liveorder.domain.signal import UnusableSignal
from liveorder.domain.trading_halt import EVERYTHING, HaltReason
from liveorder.domain.values import AssetClass, OrderType, Side, TimeInForce, TradingHours
from liveorder.infrastructure.brokers.simulated.broker import SIMULATED_CAPABILITIES
from liveorder.infrastructure.calendars import ExchangeCalendars
from tests.engine.scenes import ACCOUNT, CALENDAR, LAX, NOON, SPY, STILL, Scene, a_limit, a_scene, a_signal, until

REFUSED = BrokerConnectionError("connection refused")
SATURDAY = datetime(2025, 3, 8, 16, 0, tzinfo=UTC)
AT_THE_BELL = datetime(2025, 3, 10, 19, 59, 30, tzinfo=UTC)
STRICT = LAX.model_copy(update={"max_signal_age_seconds": 60.0})


# --- halts ----------------------------------------------------------------------------------------------------------------------


async def test_a_halt_between_the_commit_and_the_call_keeps_the_order_from_being_sent(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:

        def halts(*step: object) -> None:
            engine.halts.halt_now(EVERYTHING, HaltReason.KILL_SWITCH, "now")

        stop_listening = engine.orders.listen(halts)
        order = await engine.execute.execute(a_signal())
        stop_listening()
        assert scene.witness.calls == []
        assert (order.status, order.reason) == (OrderStatus.CANCELLED, "HALTED")
        assert await scene.event_names(order) == ["Requested", "Approved", "SubmissionStarted", "SubmissionFailed", "Cancelled"]


async def test_a_halt_that_another_process_put_in_place_refuses_the_very_commit(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await _halt_from_outside(scene)
        order = await engine.execute.execute(a_signal())
        assert (order.status, order.reason) == (OrderStatus.REJECTED, "RISK")
        assert scene.witness.calls == []


async def test_a_halt_while_a_failed_order_waits_ends_it(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        scene.witness.will_raise("submit", REFUSED)
        executing = asyncio.create_task(engine.execute.execute(a_signal()))
        await asyncio.sleep(0.5)
        await engine.halts.halt(EVERYTHING, HaltReason.KILL_SWITCH, "enough", "person:ann")
        order = await executing
        assert (order.status, order.reason) == (OrderStatus.CANCELLED, "HALTED")
        assert len(scene.witness.of("submit")) == 1


async def test_a_halt_from_outside_while_a_failed_order_waits_refuses_its_next_commit(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        scene.witness.will_raise("submit", REFUSED)
        executing = asyncio.create_task(engine.execute.execute(a_signal()))
        await asyncio.sleep(0.99)
        await _halt_from_outside(scene)
        order = await executing
        assert (order.status, order.reason) == (OrderStatus.CANCELLED, "HALTED")
        assert len(scene.witness.of("submit")) == 1


async def _halt_from_outside(scene: Scene) -> None:
    store = scene.store()
    await store.open()
    await store.insert_halt(EVERYTHING, HaltReason.KILL_SWITCH, scene.clock.now())
    await store.close()


# --- age and session ------------------------------------------------------------------------------------------------------------


async def test_a_signal_that_is_too_old_is_refused(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=STRICT) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_signal(timestamp=NOON - timedelta(seconds=61)))
        assert "61 s old" in (order.error_message or "")
        fresh = await engine.execute.execute(a_signal("sig-2"), published_at=NOON - timedelta(seconds=61))
        assert fresh.reason == "RISK"
        assert scene.witness.calls == []


async def test_an_order_that_grew_old_while_it_waited_is_cancelled_as_stale(tmp_path: Path) -> None:
    many = {"retry": RetryPolicy(8), "breaker_failures": 99}
    async with a_scene(tmp_path, limits=STRICT, account_terms=many) as scene, scene.living() as engine:
        scene.witness.will_raise("submit", *[REFUSED] * 8)
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        assert (order.status, order.reason) == (OrderStatus.CANCELLED, "STALE")
        assert len(scene.witness.of("submit")) == 6


async def test_a_signal_is_not_sent_after_the_end_that_its_sender_gave_it(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        scene.witness.will_raise("submit", REFUSED, REFUSED)
        order = await engine.execute.execute(a_signal(valid_until=NOON + timedelta(seconds=2)))
        assert (order.status, order.reason) == (OrderStatus.CANCELLED, "STALE")
        assert len(scene.witness.of("submit")) == 2


async def test_a_late_exit_that_only_reduces_is_tried_again_however_old_it_is(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=STRICT) as scene, scene.living() as engine:
        await engine.execute.execute(a_signal())
        await until(lambda: engine.is_quiet)
        scene.witness.will_raise("submit", REFUSED)
        order = await engine.execute.execute(a_signal("out", side="SELL", timestamp=NOON - timedelta(minutes=30)))
        await until(lambda: engine.is_quiet)
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.FILLED


async def test_a_closed_market_takes_no_orders_unless_that_is_allowed(tmp_path: Path) -> None:
    async with a_scene(tmp_path, start=SATURDAY) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_signal())
        assert "is closed" in (order.error_message or "")
        assert scene.witness.calls == []
    (tmp_path / "b").mkdir()
    allowing = LAX.model_copy(update={"allow_closed_market": True, "max_price_age_seconds": 1e9})
    async with a_scene(tmp_path / "b", start=SATURDAY, limits=allowing) as scene, scene.living() as engine:
        assert (await engine.execute.execute(a_limit())).is_sent


async def test_an_order_that_waits_over_the_close_is_cancelled_as_stale(tmp_path: Path) -> None:
    many = {"retry": RetryPolicy(8), "breaker_failures": 99}
    async with a_scene(tmp_path, start=AT_THE_BELL, account_terms=many) as scene, scene.living() as engine:
        scene.witness.will_raise("submit", *[REFUSED] * 8)
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        assert (order.status, order.reason) == (OrderStatus.CANCELLED, "STALE")
        assert "closed" in (order.error_message or "")


# --- switches -------------------------------------------------------------------------------------------------------------------


async def test_with_auto_trading_off_signals_are_refused_and_a_persons_order_passes(tmp_path: Path) -> None:
    async with a_scene(tmp_path, terms={"auto_trading_default": False}) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_signal())
        assert "auto-trading is off" in (order.error_message or "")
        own = await engine.execute.execute(a_signal("own"), operator="ann")
        await until(lambda: engine.is_quiet)
        assert (await engine.orders.get(own.order_id)).status is OrderStatus.FILLED
        await engine.halts.switch_auto_trading(True, "market is calm", "person:ann")
        assert (await engine.execute.execute(a_signal("sig-2"))).is_sent
    async with scene.living() as engine:
        assert engine.halts.now.auto_trading


@pytest.mark.parametrize("asked_by", [None, "ann"])
async def test_auto_trading_switched_off_keeps_what_waits_for_its_turn_from_going_out_but_a_persons_order(
    tmp_path: Path, asked_by: str | None
) -> None:
    once_a_second = replace(SIMULATED_CAPABILITIES, requests_per_second=1.0)
    async with a_scene(tmp_path, capabilities=once_a_second) as scene, scene.living() as engine:
        orders = [asyncio.create_task(engine.execute.execute(a_limit(f"s{n}"), operator=asked_by)) for n in range(3)]
        await asyncio.sleep(0.5)
        await engine.halts.switch_auto_trading(False, "enough", "person:ann")
        _, waited, _ = [await order for order in orders]
        assert (waited.status, waited.reason) == (
            (OrderStatus.CANCELLED, "HALTED") if asked_by is None else (OrderStatus.SUBMITTED, None)
        )
        assert len(scene.witness.of("submit")) == (1 if asked_by is None else 3)


async def test_a_persons_order_that_failed_is_tried_again_while_auto_trading_is_off(tmp_path: Path) -> None:
    async with a_scene(tmp_path, terms={"auto_trading_default": False}) as scene, scene.living() as engine:
        scene.witness.will_raise("submit", REFUSED)
        order = await engine.execute.execute(a_limit(), operator="ann")
        assert (order.status, order.attempts) == (OrderStatus.SUBMITTED, 2)


async def test_a_shadow_run_approves_and_sends_nothing(tmp_path: Path) -> None:
    async with a_scene(tmp_path, is_shadow=True) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_signal())
        assert (order.status, order.terms.is_shadow) == (OrderStatus.CANCELLED, True)
        assert await scene.event_names(order) == ["Requested", "Approved", "Cancelled"]
        assert scene.witness.calls == []


async def test_a_shadow_run_leaves_the_orders_of_the_run_before_it_alone(tmp_path: Path) -> None:
    async with a_scene(tmp_path, account_terms={"call_timeout_seconds": 1.0}) as scene:
        engine = scene.engine()
        await engine.start()
        resting = await engine.execute.execute(a_limit())
        scene.witness.will_raise("submit", REFUSED)
        waiting = asyncio.create_task(engine.execute.execute(a_signal("waits")))
        await asyncio.sleep(0.5)
        await scene.dies(engine)
        waiting.cancel()
        calls = len(scene.witness.calls)
        scene.is_shadow = True
        async with scene.living() as shadow:
            await asyncio.sleep(400)
            assert len(scene.witness.calls) == calls
            assert (await shadow.orders.get(resting.order_id)).status is OrderStatus.SUBMITTED


async def test_a_persons_cancel_in_a_shadow_run_reaches_nobody_and_halts_nothing(tmp_path: Path) -> None:
    async with a_scene(tmp_path, account_terms={"breaker_failures": 1}) as scene:
        async with scene.living() as engine:
            order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        scene.is_shadow = True
        async with scene.living() as shadow:
            cancelled = await shadow.cancel.cancel(order.order_id)
            assert (cancelled.status, cancelled.cancel_requested) == (OrderStatus.SUBMITTED, False)
            assert "a shadow run sends nothing" in (cancelled.error_message or "")
            assert shadow.halts.standing() == []
            assert scene.witness.of("cancel") == []


# --- form -----------------------------------------------------------------------------------------------------------------------


async def test_validating_tells_everything_that_stands_in_the_way_and_changes_nothing(tmp_path: Path) -> None:
    limits = LAX.model_copy(update={"max_order_quantity": Decimal(5), "allowed_symbols": frozenset({"AAPL"})})
    async with a_scene(tmp_path, limits=limits) as scene, scene.living() as engine:
        _, refused = await engine.execute.validate(a_signal())
        assert {refusal.code for refusal in refused} == {"order_quantity", "allowed_symbols"}
        assert await scene.count("Requested") == 0
        assert scene.witness.calls == []


@contextmanager
def counted(scene: Scene) -> Iterator[list[str]]:
    """The keys of orders that are made ready: at some brokers each uses up a number."""
    keys = list[str]()

    def prepare(request: SubmitRequest) -> Prepared:
        keys.append(request.client_order_id)
        return scene.witness._broker.prepare(request)

    scene.witness.answers["prepare"] = prepare
    yield keys
    del scene.witness.answers["prepare"]


async def test_validating_makes_nothing_ready_and_tells_what_the_broker_cannot_take(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        with counted(scene) as made:
            assert (await engine.execute.validate(a_signal()))[1] == []
            _, refused = await engine.execute.validate(a_signal("another", time_in_force="OPG"))
        assert [(each.reason, each.code) for each in refused] == [("INVALID", "OrderValidationError")]
        assert made == []


async def test_an_order_that_waits_for_room_is_made_ready_once(tmp_path: Path) -> None:
    slow = replace(SIMULATED_CAPABILITIES, requests_per_second=1, requests_per_minute=60)
    async with a_scene(tmp_path, capabilities=slow) as scene, scene.living() as engine:
        with counted(scene) as made:
            signals = [a_signal(f"s{number}") for number in range(3)]
            orders = await asyncio.gather(*(engine.execute.execute(signal) for signal in signals))
        assert sorted(made) == sorted(order.client_order_id for order in orders)


async def test_what_the_broker_cannot_take_is_refused_without_waiting_for_room(tmp_path: Path) -> None:
    slow = replace(SIMULATED_CAPABILITIES, requests_per_second=0.01)
    async with a_scene(tmp_path, capabilities=slow) as scene, scene.living() as engine:
        await engine.execute.execute(a_signal("first"))
        before = engine.clock.monotonic()
        refused = await engine.execute.execute(a_signal("second", time_in_force="OPG"))
        assert (refused.status, engine.clock.monotonic() - before) == (OrderStatus.REJECTED, 0)


async def test_an_unknown_account_or_symbol_is_no_signal(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        for field, signal in {
            "account_id": a_signal(account_id="elsewhere"),
            "symbol": a_signal(symbol="NONE"),
            "NSE": a_signal(exchange="NSE"),
        }.items():
            with pytest.raises(UnusableSignal, match=field):
                await engine.execute.execute(signal)
        assert await scene.count("Requested") == 0


async def test_an_order_that_its_broker_cannot_do_any_more_after_a_restart_ends_as_invalid(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        engine = scene.engine()
        await engine.start()
        engine.gateways["SIM"].limit.has_room = lambda **_: False  # type: ignore[method-assign]  # a fault of our own making
        engine.gateways["SIM"].limit.take = lambda **_: asyncio.sleep(3600)  # type: ignore[method-assign]  # a fault of our own making
        waiting = asyncio.create_task(engine.execute.execute(a_signal()))
        await asyncio.sleep(1)
        (order,) = engine.orders.unfinished()
        assert await scene.event_names(order) == ["Requested", "Approved"]
        await scene.dies(engine)
        waiting.cancel()
        again = scene.engine()
        scene.witness.answers["prepare"] = _no_market_orders
        await again.start(wait_for_lease=True)
        await until(lambda: again.is_quiet)
        order = await again.orders.get(order.order_id)
        assert (order.status, order.reject_reason) == (OrderStatus.REJECTED, RejectReason.INVALID)
        await again.stop()


def _no_market_orders(request: SubmitRequest) -> None:
    raise OrderValidationError("order_type: no MARKET orders today")


async def test_a_cancel_while_the_order_waits_for_its_next_attempt_ends_it(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        scene.witness.will_raise("submit", REFUSED)
        executing = asyncio.create_task(engine.execute.execute(a_signal()))
        await asyncio.sleep(0.5)
        (waiting,) = engine.orders.unfinished()
        cancelled = await engine.cancel.cancel(waiting.order_id)
        assert (cancelled.status, cancelled.cancel_reason) == (OrderStatus.CANCELLED, CancelReason.REQUESTED)
        assert (await executing).status is OrderStatus.CANCELLED
        assert [call.verb for call in scene.witness.calls] == ["submit"]


# --- rate limit -----------------------------------------------------------------------------------------------------------------


async def test_orders_beyond_the_brokers_limit_queue_and_a_cancel_goes_past_them(tmp_path: Path) -> None:
    narrow = replace(SIMULATED_CAPABILITIES, requests_per_second=5.0, requests_per_minute=1000.0)
    async with a_scene(tmp_path, STILL, capabilities=narrow) as scene, scene.living() as engine:
        first = await engine.execute.execute(a_limit("first"))
        await asyncio.sleep(2)
        scene.witness.calls.clear()
        executing = [asyncio.create_task(engine.execute.execute(a_limit(f"s{n}"))) for n in range(20)]
        await asyncio.sleep(0)
        await engine.cancel.cancel(first.order_id)
        orders = await asyncio.gather(*executing)
        assert all(order.is_acknowledged for order in orders)
        calls = scene.witness.calls
        assert [call.verb for call in calls].index("cancel") <= 4
        for call in calls:
            assert sum(call.at <= other.at < call.at + 1.0 for other in calls) <= 5
        assert max(call.at for call in calls) - min(call.at for call in calls) < 6


# --- hours ----------------------------------------------------------------------------------------------------------------------

AFTER_HOURS = datetime(2025, 3, 10, 21, 0, tzinfo=UTC)
AT_NIGHT = datetime(2025, 3, 11, 2, 0, tzinfo=UTC)


async def test_an_order_for_extended_hours_goes_out_in_them_and_no_other(tmp_path: Path) -> None:
    async with a_scene(tmp_path, start=AFTER_HOURS) as scene, scene.living() as engine:
        assert "is closed" in ((await engine.execute.execute(a_limit())).error_message or "")
        order = await engine.execute.execute(a_limit("late", hours="extended"))
        assert (order.is_sent, order.terms.hours) == (True, TradingHours.EXTENDED)
    (tmp_path / "b").mkdir()
    async with a_scene(tmp_path / "b", start=AT_NIGHT) as scene, scene.living() as engine:
        assert "is closed" in ((await engine.execute.execute(a_limit(hours="extended"))).error_message or "")


async def test_an_order_for_extended_hours_is_refused_where_the_broker_has_none(tmp_path: Path) -> None:
    regular = replace(SIMULATED_CAPABILITIES, hours=frozenset({TradingHours.REGULAR}))
    async with a_scene(tmp_path, capabilities=regular) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit(hours="extended"))
        assert (order.reason, order.error_message) == ("INVALID", "hours: simulated has no extended hours; leave it out")
        assert scene.witness.calls == []


async def test_hours_are_those_that_are_usual_unless_the_signal_names_some(tmp_path: Path) -> None:
    usually = replace(SIMULATED_CAPABILITIES, usual_hours={OrderType.LIMIT: TradingHours.EXTENDED})
    async with a_scene(tmp_path, capabilities=usually) as scene, scene.living() as engine:
        usual = await engine.execute.execute(a_limit())
        named = await engine.execute.execute(a_limit("named", hours="regular"))
        auction = await engine.execute.execute(a_limit("auction", time_in_force="CLS"))
        found = (usual.intent.terms.hours, named.intent.terms.hours, auction.intent.terms.hours)
        assert found == (TradingHours.EXTENDED, TradingHours.REGULAR, TradingHours.REGULAR)


class OnlyPrepared(ExchangeCalendars):
    """Answers only for calendars that were prepared: building one takes as long as the loop must not be held up."""

    def __init__(self) -> None:
        super().__init__()
        self.prepared: set[str] = set()

    async def prepare(self, calendar_names: Iterable[str]) -> None:
        self.prepared |= set(calendar_names)

    def session_of(self, calendar_name: str, at: datetime) -> date:
        assert calendar_name in self.prepared
        return super().session_of(calendar_name, at)

    def is_open(self, calendar_name: str, at: datetime, hours: TradingHours = TradingHours.REGULAR) -> bool:
        assert calendar_name in self.prepared
        return super().is_open(calendar_name, at, hours)


async def test_a_calendar_is_prepared_before_it_is_asked_for_a_signal_and_for_a_known_order(tmp_path: Path) -> None:
    async with a_scene(tmp_path, calendar=OnlyPrepared()) as scene:
        async with scene.living() as engine:
            resting = await engine.execute.execute(a_limit())
            assert resting.is_sent
        scene.calendar = OnlyPrepared()
        async with scene.living() as engine:
            await engine.cancel.cancel(resting.order_id)
            await until(lambda: engine.is_quiet)
        assert scene.calendar.prepared == {"XNYS"}


BEFORE_THE_OPEN = datetime(2025, 3, 10, 13, 0, tzinfo=UTC)


class Ending(ExchangeCalendars):
    """Ends a minute after noon; open until then."""

    def session_of(self, calendar_name: str, at: datetime) -> date:
        return super().session_of(calendar_name, _known(at))

    def is_open(self, calendar_name: str, at: datetime, hours: TradingHours = TradingHours.REGULAR) -> bool:
        return super().is_open(calendar_name, _known(at), hours)

    def open_seconds_between(
        self, calendar_name: str, start: datetime, end: datetime, hours: TradingHours = TradingHours.REGULAR
    ) -> float:
        return super().open_seconds_between(calendar_name, start, _known(end), hours)


def _known(at: datetime) -> datetime:
    if at > NOON + timedelta(minutes=1):
        raise InvalidInput("calendar", "XNYS knows no session any more", "upgrade exchange_calendars and restart")
    return at


async def test_an_order_for_the_opening_auction_goes_out_before_it(tmp_path: Path) -> None:
    auctions = replace(SIMULATED_CAPABILITIES, times_in_force=frozenset(TimeInForce))
    async with a_scene(tmp_path, start=BEFORE_THE_OPEN, capabilities=auctions) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit(time_in_force="OPG"))
        assert order.is_sent


async def test_where_the_calendar_has_ended_only_exits_go_out(tmp_path: Path) -> None:
    async with a_scene(tmp_path, calendar=Ending()) as scene, scene.living() as engine:
        await engine.execute.execute(a_signal("in"))
        await asyncio.sleep(120)
        refused = await engine.execute.execute(a_signal("more"))
        assert "upgrade exchange_calendars" in (refused.error_message or "")
        out = await engine.execute.execute(a_signal("out", side="SELL"))
        await until(lambda: engine.is_quiet)
        assert (await engine.orders.get(out.order_id)).status is OrderStatus.FILLED


async def test_a_gtd_order_is_not_sent_after_its_end(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        scene.witness.will_raise("submit", REFUSED, REFUSED)
        order = await engine.execute.execute(a_limit(time_in_force="GTD", expires_at=NOON + timedelta(seconds=2)))
        assert (order.status, order.reason) == (OrderStatus.CANCELLED, "STALE")
        assert len(scene.witness.of("submit")) == 2


async def test_an_exit_that_had_to_wait_is_not_sent_when_nothing_is_left_to_close(tmp_path: Path) -> None:
    no_shorts = LAX.model_copy(update={"allow_short_selling": False})
    patient = {"retry": RetryPolicy(8), "breaker_failures": 99}
    async with a_scene(tmp_path, limits=no_shorts, account_terms=patient) as scene, scene.living() as engine:
        await engine.execute.execute(a_signal("in"))
        await until(lambda: engine.is_quiet)
        scene.witness.will_raise("submit", *[REFUSED] * 3)
        leaving = asyncio.create_task(engine.execute.execute(a_signal("out", side="SELL", role="EXIT")))
        await asyncio.sleep(0.5)
        await scene.control.place(ACCOUNT, SPY, Side.SELL, Decimal(10))
        await engine.reconcile.reconcile(ACCOUNT)
        order = await leaving
        assert order.status is OrderStatus.CANCELLED
        assert "our position in SPY is not the broker's" in (order.error_message or "")
        assert len(scene.witness.of("submit")) == 2


def test_only_shares_have_extended_hours() -> None:
    share = Instrument(symbol="AAPL", exchange="NASDAQ", calendar="XNYS")
    option = share.but(asset_class=AssetClass.OPTION)
    early = datetime(2025, 3, 10, 9, 0, tzinfo=UTC)
    assert [CALENDAR.is_open_for(each, early, TradingHours.EXTENDED) for each in (share, option)] == [True, False]
