"""Signals in: each becomes an order or a dead letter, and only then may its source forget it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine.service import Service
from liveorder.application.outbox.messages import Notices
from liveorder.application.outbox.notifier import Notice
from liveorder.application.outbox.outbox import Outbox
from liveorder.application.ports.broker import Absence
from liveorder.application.ports.signal_source import SourceMessage
from liveorder.application.runtime.dispatcher import Dispatcher, Lane
from liveorder.domain.dead_letter import SignalDeadLettered
from liveorder.domain.errors import BrokerConnectionError, LiveOrderError
from liveorder.domain.signal import Signal
from liveorder.domain.trading_halt import HaltReason
from liveorder.domain.values import AssetClass
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.infrastructure.readmodels import views_at
from liveorder.infrastructure.signals.jsonl_file import JsonlFile
from liveorder.testing.venue.capabilities import capabilities_of
from liveorder.testing.venue.faults import FaultKind
from liveorder.testing.venue.settings import VenueCommission
from tests.engine.scenes import ACCOUNT, STILL, RememberedLog, Scene, a_limit, a_scene, a_signal, until


class Told:
    """A source of what it is given; remembers what was acknowledged."""

    finite = True
    name = "told"

    def __init__(self, *contents: bytes | Signal, pause_seconds: float = 0.0) -> None:
        self.contents, self.pause_seconds = contents, pause_seconds
        self.given = 0
        self.acknowledged: list[str] = []
        self.failure: Exception | None = None

    async def messages(self) -> AsyncIterator[SourceMessage]:
        for offset, content in enumerate(self.contents):
            self.given += 1
            yield SourceMessage(self.name, str(offset), content)
            await asyncio.sleep(self.pause_seconds)
        if self.failure is not None:
            raise self.failure

    async def acknowledge(self, message: SourceMessage) -> None:
        self.acknowledged.append(message.offset)


async def dead_letters(scene: Scene) -> list[SignalDeadLettered]:
    async def read(store: DatabaseOrderStore) -> list[SignalDeadLettered]:
        pages = [page async for page in store.log()]
        return [item.event for page in pages for item in page if isinstance(item.event, SignalDeadLettered)]

    return await scene.reading(read)


# --- orders and dead letters ----------------------------------------------------------------------------------------------------


async def test_messages_are_acknowledged_in_their_order_each_once_it_is_durable(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        scene.witness.will_raise("submit", BrokerConnectionError("down"))
        source = Told(a_limit("first"), b"nonsense", a_limit("third"), a_limit("third"))
        reading = asyncio.create_task(engine.intake.read(source))
        await asyncio.sleep(0.5)
        assert source.acknowledged == []
        await reading
        assert source.acknowledged == ["0", "1", "2", "3"]
        assert await scene.count("Requested") == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "JSON"),
        (b'{"signal_id": "a", "symbol": "SPY"}', "side"),
        (a_signal(account_id="elsewhere"), "account_id"),
        (a_signal(symbol="NONE"), "symbol"),
    ],
)
async def test_a_message_that_is_no_signal_is_a_dead_letter_with_its_reason_and_the_run_goes_on(
    tmp_path: Path, content: bytes | Signal, reason: str
) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        for _ in range(2):
            await engine.intake.read(Told(content, a_limit("fine")))
        (letter,) = await dead_letters(scene)
        assert reason in letter.reason
        assert (letter.source, letter.offset) == ("told", "0")
        assert await scene.count("Requested") == 1


async def test_a_known_signal_with_other_content_is_a_dead_letter_that_shows_both(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await engine.intake.read(Told(a_limit(), a_limit(price=401)))
        (letter,) = await dead_letters(scene)
        (order,) = engine.orders.unfinished()
        assert letter.known_order_id == str(order.order_id)
        assert letter.known_fingerprint == order.intent.signal_fingerprint
        assert letter.fingerprint == a_limit(price=401).fingerprint


async def test_a_signal_waits_for_the_store_and_nothing_behind_it_is_acknowledged(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        source = Told(a_limit("first"), b"nonsense")
        scene.lock_store()
        reading = asyncio.create_task(engine.intake.read(source))
        await asyncio.sleep(30)
        assert (source.acknowledged, scene.witness.calls) == ([], [])
        scene.unlock_store()
        await reading
        assert source.acknowledged == ["0", "1"]
        assert len(scene.witness.of("submit")) == 1


async def test_a_source_is_read_no_faster_than_its_signals_are_stored_and_sent(tmp_path: Path) -> None:
    slow = STILL.model_copy(update={"latency_seconds": 1.0})
    async with a_scene(tmp_path, slow) as scene, scene.living(signals_at_once=4) as engine:
        source = Told(*(a_limit(f"s{n}") for n in range(12)))
        reading = asyncio.create_task(engine.intake.read(source))
        await asyncio.sleep(0.9)
        assert source.given == 5
        await reading
        assert len(scene.witness.of("submit")) == 12


async def test_what_fails_in_a_way_nobody_foresaw_is_not_acknowledged_and_ends_nothing(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        scene.witness.answers["prepare"] = _bug
        source = Told(a_limit("first"), b"nonsense")
        await engine.intake.read(source)
        assert source.acknowledged == []
        assert any("ZeroDivisionError" in line for line in scene.log.of("ERROR"))
        assert len(await dead_letters(scene)) == 1


def _bug(request: object) -> None:
    raise ZeroDivisionError


async def test_progress_that_cannot_be_saved_is_told_and_does_no_harm(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:

        class Forgetful(Told):
            async def acknowledge(self, message: SourceMessage) -> None:
                raise ConnectionError("the queue went away")

        await engine.intake.read(Forgetful(a_limit("first"), a_limit("second")))
        assert scene.log.of("WARNING") == ["Progress of told not saved: ConnectionError: the queue went away"]
        assert len(scene.witness.of("submit")) == 2


async def test_intake_that_stopped_takes_nothing_more(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        source = Told(*(a_limit(f"s{n}") for n in range(10)), pause_seconds=1.0)
        reading = asyncio.create_task(engine.intake.read(source))
        await asyncio.sleep(2.5)
        engine.dispatcher.is_taking_signals = False
        await reading
        assert await scene.count("Requested") == 3


async def test_reading_that_is_cancelled_while_the_store_is_away_ends_at_once(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        scene.lock_store()
        reading = asyncio.create_task(engine.intake.read(Told(a_limit("first"))))
        await asyncio.sleep(2)
        reading.cancel()
        await asyncio.wait([reading], timeout=1)
        assert reading.done()
        scene.unlock_store()
        await asyncio.sleep(2)
        assert len(scene.witness.of("submit")) == 1


async def test_a_signal_that_is_under_way_when_its_reading_is_cancelled_goes_on_without_a_word(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await scene.lay(FaultKind.ACKNOWLEDGEMENT_LATE, seconds=3.0)
        reading = asyncio.create_task(engine.intake.read(Told(a_limit("first"))))
        await until(lambda: bool(scene.witness.calls))
        reading.cancel()
        await asyncio.sleep(5)
        assert scene.log.of("ERROR") == []


# --- a service ------------------------------------------------------------------------------------------------------------------


def a_service(scene: Scene, *sources: Any, told: list[Notice] | None = None, **terms: Any) -> Service:
    """`told`: where its notices go."""
    engine = scene.engine(**terms)
    store = engine.store
    assert isinstance(store, DatabaseOrderStore)
    views = views_at(f"sqlite:///{scene.folder / 'views.db'}", clock=scene.clock)
    outboxes = [] if told is None else [Outbox(store, Notices(People(told)), scene.clock, print)]
    return Service(engine, store.commands, views, Unprojected(), sources, outboxes)  # type: ignore[arg-type]  # as much of one as is needed


@dataclass
class People:
    """A `Notifier`."""

    told: list[Notice]
    name = "people"

    async def notify(self, notices: Sequence[Notice]) -> None:
        self.told += notices
        await asyncio.sleep(1)  # till they nod


class Unprojected:
    """Read models need threads, which virtual time has not."""

    def follow(self, store_id: object) -> None: ...

    async def look_before_trading(self) -> None: ...

    async def run(self) -> None:
        await asyncio.sleep(1e9)

    async def catch_up(self) -> int:
        return 0


async def test_a_service_ends_when_its_sources_ended_and_its_orders_are_closed_or_at_rest(tmp_path: Path) -> None:
    lines = [a_signal("bought"), a_limit("rests"), a_signal("doubted", symbol="AAPL")]
    (tmp_path / "signals.jsonl").write_text("".join(f"{signal.to_json()}\n" for signal in lines))
    async with a_scene(tmp_path) as scene:
        service = a_service(scene, JsonlFile(tmp_path / "signals.jsonl"))
        await service.start()
        await scene.lay(FaultKind.REQUEST_HELD, nth=3)
        scene.witness.answers["find"] = _nobody_knows
        progress: list[int] = []
        began = scene.clock.monotonic()
        summary = await service.run(until_idle=True, on_progress=progress.append)
        assert 5 <= scene.clock.monotonic() - began < 10
        by_id = {order.order_id: order.intent.signal_id for order in service.engine.orders.unfinished()}
        assert [by_id[order_id] for order_id in summary.resting] == ["rests"]
        assert [by_id[order_id] for order_id in summary.in_doubt] == ["doubted"]
        assert max(progress) >= 2
        assert not summary.lost_lease
        await service.stop()


BUYS_COINS = '{"signal_id": "in", "symbol": "ETH/USD", "side": "BUY", "quantity": 4}'
KEEPS_A_PART = STILL.model_copy(update={"commission": VenueCommission(in_kind=Decimal("0.0025"))})


@pytest.mark.parametrize("lag_seconds", [0.0, 5.0])
async def test_a_service_ends_when_the_fee_of_what_it_bought_is_settled(tmp_path: Path, lag_seconds: float) -> None:
    slow = replace(capabilities_of(KEEPS_A_PART), lookup_lag_seconds=lag_seconds)
    (tmp_path / "signals.jsonl").write_text(BUYS_COINS)
    async with a_scene(tmp_path, KEEPS_A_PART, capabilities=slow) as scene:
        service = a_service(scene, JsonlFile(tmp_path / "signals.jsonl"))
        await service.start()
        began = scene.clock.monotonic()
        await service.run(until_idle=True)
        assert scene.clock.monotonic() - began < lag_seconds + 3
        position = service.engine.risk.position(ACCOUNT, "CRYPTO:ETH/USD")
        assert position is not None
        assert position.quantity == Decimal("3.99")
        await service.stop()


async def test_a_service_does_not_wait_for_a_fee_that_is_taken_at_the_end_of_the_day(tmp_path: Path) -> None:
    later = replace(capabilities_of(STILL), fees_in_kind={AssetClass.CRYPTO: Decimal("0.0025")})
    (tmp_path / "signals.jsonl").write_text(BUYS_COINS)
    async with a_scene(tmp_path, capabilities=later) as scene:
        service = a_service(scene, JsonlFile(tmp_path / "signals.jsonl"))
        await service.start()
        began = scene.clock.monotonic()
        await service.run(until_idle=True)
        assert 1 <= scene.clock.monotonic() - began < 3
        await service.stop()


async def test_a_service_does_not_wait_for_ever_for_a_fee_that_cannot_be_settled(tmp_path: Path) -> None:
    """The store is away when it is to be booked."""
    (tmp_path / "signals.jsonl").write_text(BUYS_COINS)
    async with a_scene(tmp_path, KEEPS_A_PART) as scene:
        service = a_service(scene, JsonlFile(tmp_path / "signals.jsonl"), lease_seconds=1e6)
        await service.start()

        async def locks_the_store() -> object:
            if scene._lock is None:
                scene.lock_store()
            return await scene.witness._broker.positions()

        scene.witness.answers["positions"] = locks_the_store
        began = scene.clock.monotonic()
        await service.run(until_idle=True)
        assert 30 <= scene.clock.monotonic() - began < 45
        del scene.witness.answers["positions"]
        scene.unlock_store()
        await service.stop()


async def _nobody_knows(*asked: object) -> Absence:
    return Absence.INCONCLUSIVE


async def test_running_the_same_signals_again_places_nothing_new(tmp_path: Path) -> None:
    (tmp_path / "signals.jsonl").write_text("".join(f"{a_signal(f's{n}').to_json()}\n" for n in range(3)) + "nonsense\n")
    async with a_scene(tmp_path) as scene:
        for _ in range(3):
            service = a_service(scene, JsonlFile(tmp_path / "signals.jsonl"))
            await service.start()
            summary = await service.run(until_idle=True)
            assert (summary.resting, summary.in_doubt) == ((), ())
            await service.stop()
        assert len(scene.witness.of("submit")) == 3
        assert len(await dead_letters(scene)) == 1


async def test_a_service_runs_until_it_is_told_to_stop_even_while_the_store_is_away(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        service = a_service(scene, Told(a_limit("first")))
        await service.start()
        stop = asyncio.Event()
        running = asyncio.create_task(service.run(stop=stop))
        await asyncio.sleep(60)
        assert not running.done()
        scene.lock_store()
        stop.set()
        summary = await asyncio.wait_for(running, 5)
        assert len(summary.resting) == 1
        await asyncio.wait_for(service.stop(), 30)
        scene.unlock_store()


async def test_a_service_that_lost_its_store_ends_and_says_so(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        service = a_service(scene)
        await service.start()
        running = asyncio.create_task(service.run())
        service.engine.ownership.lose("another process took it")
        assert (await running).lost_lease
        await service.stop()


async def test_what_a_stop_itself_stores_is_told_before_it_ends(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        told: list[Notice] = []
        service = a_service(scene, told=told, drain_seconds=3.0)
        await service.start()
        scene.witness.answers["submit"] = lambda prepared: asyncio.sleep(1e6)
        service.engine.dispatcher.post(Lane.OPERATOR, lambda: service.engine.execute.execute(a_limit()))
        await asyncio.sleep(1)
        await service.stop()
        (notice,) = told
        assert "stopped before its outcome" in notice.sentence


async def test_what_is_being_told_when_a_stop_comes_is_told_once(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        told: list[Notice] = []
        service = a_service(scene, told=told)
        await service.start()
        await service.engine.halts.halt("*", HaltReason.KILL_SWITCH, "enough", "person:ann")
        await until(lambda: bool(told))
        await service.stop()
        (notice,) = told
        assert "enough" in notice.sentence


async def test_whoever_lost_the_store_leaves_it_to_the_next_owner_to_tell_the_rest(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        told: list[Notice] = []
        service = a_service(scene, told=told)
        await service.start()
        await service.engine.halts.halt("*", HaltReason.KILL_SWITCH, "enough", "person:ann")
        await until(lambda: bool(told))
        await service.engine.halts.resume("*", "again", "person:ann")
        service.engine.ownership.lose("another process took it")
        await service.stop()
        assert len(told) == 1


async def test_a_source_that_fails_is_told_and_is_no_quiet_end(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        broken = Told(a_limit("first"))
        broken.failure = OSError("the disk went away")
        service = a_service(scene, broken)
        await service.start()
        with pytest.raises(OSError, match="went away"):
            await service.run(until_idle=True)
        assert any("No more signals from told" in line for line in scene.log.of("ERROR"))
        assert len(scene.witness.of("submit")) == 1
        await service.stop()


# --- the desk -------------------------------------------------------------------------------------------------------------------


async def test_an_operator_goes_before_reports_and_reports_before_signals() -> None:
    dispatcher, begun = Dispatcher(RememberedLog()), list[str]()

    def work(name: str) -> Any:
        async def done() -> None:
            begun.append(name)

        return done

    for lane in (Lane.SIGNALS, Lane.REPORTS, Lane.OPERATOR) * 2:
        dispatcher.post(lane, work(lane.name))
    dispatching = asyncio.create_task(dispatcher.dispatch_for_ever())
    await asyncio.sleep(1)
    assert begun == [lane.name for lane in Lane for _ in range(2)]
    assert dispatcher.is_idle
    dispatching.cancel()


async def test_work_that_fails_is_logged_and_the_rest_goes_on() -> None:
    log = RememberedLog()
    dispatcher = Dispatcher(log)

    async def refused() -> None:
        raise LiveOrderError("not now")

    async def broken() -> None:
        raise ZeroDivisionError("oops")

    for work in [refused, broken] * 50:
        dispatcher.post(Lane.REPORTS, work)
    dispatching = asyncio.create_task(dispatcher.dispatch_for_ever())
    await asyncio.sleep(1)
    assert set(log.of("ERROR")) == {"not now", "Unexpected ZeroDivisionError: oops"}
    assert len(log.of("ERROR")) == 100
    dispatching.cancel()


async def test_signals_that_wait_when_the_desk_stops_taking_them_are_not_begun() -> None:
    dispatcher, begun = Dispatcher(RememberedLog()), list[str]()

    async def signal() -> None:
        begun.append("signal")

    async def operator() -> None:
        begun.append("operator")

    dispatcher.is_taking_signals = False
    dispatcher.post(Lane.SIGNALS, signal)
    dispatcher.post(Lane.OPERATOR, operator)
    dispatching = asyncio.create_task(dispatcher.dispatch_for_ever())
    await asyncio.sleep(1)
    assert begun == ["operator"]
    dispatching.cancel()


async def test_draining_waits_for_what_was_begun_and_tells_what_was_not_done() -> None:
    dispatcher = Dispatcher(RememberedLog())
    dispatcher.post(Lane.OPERATOR, lambda: asyncio.sleep(3))
    dispatcher.post(Lane.OPERATOR, lambda: asyncio.sleep(30))
    dispatching = asyncio.create_task(dispatcher.dispatch_for_ever())
    await asyncio.sleep(0.1)
    assert await dispatcher.drain(10) == 1
    assert await dispatcher.drain(60) == 0
    assert await dispatcher.drain(60) == 0
    dispatching.cancel()
