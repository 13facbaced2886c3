"""What outlives the service in one history: venue, store and everybody outside; and the lives of the service among them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path

from liveorder.application.engine.engine import AccountConnection, Engine
from liveorder.application.engine.rooms import EngineConfig
from liveorder.application.engine.service import Service
from liveorder.application.outbox.messages import Confirmations
from liveorder.application.outbox.outbox import Outbox
from liveorder.application.ports.broker import Broker
from liveorder.application.reporting.projector import Projector
from liveorder.application.trading.execute_order import ExecutionConfig
from liveorder.domain.account_config import AccountConfig
from liveorder.domain.errors import LiveOrderError, StoreRefused
from liveorder.domain.identifiers import SignalKey
from liveorder.domain.order import LiveOrder
from liveorder.infrastructure.brokers.simulated.broker import SimulatedBroker
from liveorder.infrastructure.brokers.simulated.instruments import SimulatedInstruments
from liveorder.infrastructure.brokers.simulated.market_data import SimulatedMarketData
from liveorder.infrastructure.calendars import ExchangeCalendars
from liveorder.infrastructure.clock import LoopClock
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.infrastructure.eventstore.sqlite import Placement, SQLiteDatabase
from liveorder.testing.venue.control import VenueControl
from liveorder.testing.venue.faults import Fault, Point
from liveorder.testing.venue.floor import Floor
from liveorder.testing.venue.in_process import InProcess
from liveorder.testing.venue.opening import open_venue
from tests.harness.defects import SOUND, Defect
from tests.harness.worlds import LAX, NOON
from tests.simulation import coverage as c
from tests.simulation.auditor import MAPPER, Auditor
from tests.simulation.clocks import JumpingClock
from tests.simulation.coverage import Coverage
from tests.simulation.faulty_store import FaultyDatabase, StoreFaults
from tests.simulation.outside import DetachedFloor, Failures, Receiver, SignalFeed, TracedBroker, TracedJournal
from tests.simulation.questions import Questions
from tests.simulation.scenario import ClockJumped, Scenario
from tests.simulation.simulated_processes import ProcessLoop, SimulatedProcess, current_process
from tests.simulation.trace import Trace
from tests.unit.readmodels.logs import MemoryViews

NAMESPACE = "simulation"
ACCOUNT = "SIM"
CALENDAR = ExchangeCalendars()
THE_OPEN = datetime(2025, 3, 10, 13, 30, tzinfo=UTC)
"""Of New York on the day of `NOON`."""
RETRY_START_SECONDS = 1.0


@dataclass(frozen=True)
class Violation:
    """A broken promise. `code` names the promise, so that two histories can be said to fail in the same way."""

    code: str
    text: str


class TracedLog:
    """An `ActivityLog` into the trace; what nobody foresaw is a violation."""

    def __init__(self, trace: Trace, violations: list[Violation]) -> None:
        self._trace, self._violations = trace, violations

    def write(self, category: str, sentence: str, **fields: object) -> None:
        if "event" in fields:
            return
        self._trace.note("log", f"{category} {sentence}")
        if category == "ERROR" and any(name in sentence for name in _UNFORESEEN):
            self._violations.append(Violation("unforeseen", sentence))


_UNFORESEEN = (
    "Unexpected ",
    "KeyError",
    "AttributeError",
    "TypeError",
    "AssertionError",
    "ValueError",
    "IndexError",
    "RuntimeError",
    "InvalidStateError",
    "StoreRefused",
)


class ServiceLife:
    """One life of the service: its process, the service once that has started, and a way to shut it down."""

    def __init__(self, process: SimulatedProcess) -> None:
        self.process, self.stopping = process, asyncio.Event()
        self.service: Service | None = None

    @property
    def owner(self) -> Service | None:
        """Its service, while it owns the store as far as it knows."""
        if self.service is None or self.process.ended.done() or self.process.is_paused:
            return None
        return None if self.service.engine.ownership.lost.is_set() else self.service

    def arm(self, callbacks: int, interrupt: Callable[[], None]) -> None:
        self.process.interrupt_at, self.process.interrupt = self.process.callbacks + callbacks, interrupt


class Environment:
    def __init__(self, scenario: Scenario, path: Path, loop: ProcessLoop, defect: Defect = SOUND) -> None:
        self.scenario, self.path, self.loop, self._defect = scenario, path, loop, defect
        begins = NOON if scenario.opens_after is None else THE_OPEN - timedelta(seconds=scenario.opens_after)
        self.clock, self.steady = JumpingClock(begins), LoopClock(begins)
        self.trace, self.coverage = Trace(self.steady.monotonic), Coverage()
        self.violations: list[Violation] = []
        self.auditor = Auditor(path, self.trace, timedelta(seconds=scenario.call_timeout_seconds))
        self.failures, self._payloads = Failures(scenario.call_timeout_seconds), count()
        self.floor = Floor(open_venue(scenario.venue, self.steady.now()), scenario.venue, self.steady)
        self.detached_floor = DetachedFloor(self.floor, loop.outside)
        self.control = VenueControl(InProcess(self.detached_floor, self.steady))
        self.store_faults = StoreFaults(self.steady.monotonic)
        self.feed, self.receiver = SignalFeed(self.clock, self.trace), Receiver(self.trace)
        self.journal, self.views = TracedJournal(self.trace), MemoryViews()
        self.log = TracedLog(self.trace, self.violations)
        self.outsiders: set[str] = set()
        self.sent_at: dict[str, datetime] = {}
        """By client order id, when an order was last sent; by the clock of the venue."""
        self.lives: list[ServiceLife] = []
        self.rest_seconds = 0.0
        self._another = asyncio.Event()
        self._is_over = False
        self._databases: list[SQLiteDatabase] = []
        self.person = self._database_of_a_person()
        self.floor.gateway.faults.on_strike = self._on_fault
        self.store_faults.on_strike = self._on_store_fault
        self.store_faults.kill = self._kill_current

    # --- lives -----------------------------------------------------------------------------------------------------------------

    @property
    def newest(self) -> ServiceLife:
        return self.lives[-1]

    @property
    def service(self) -> Service | None:
        """Of the life that owns the store now."""
        return next((owner for owner in (life.owner for life in reversed(self.lives)) if owner is not None), None)

    async def keep_alive(self) -> None:
        """One life after another, and another beside one that is paused, until it is over and all have ended."""
        while not self._is_over:
            self._another.clear()
            life = self._begin_life()
            life.process.ended.add_done_callback(lambda _: self._another.set())
            await self._another.wait()
            await asyncio.sleep(self.rest_seconds or RETRY_START_SECONDS)
            self.rest_seconds = 0.0
        for life in self.lives:
            await life.process.ended

    def _begin_life(self) -> ServiceLife:
        process = SimulatedProcess(f"life {len(self.lives) + 1}", self.loop)
        life = ServiceLife(process)
        self.lives.append(life)
        process.on_kill = partial(self._on_kill, process)
        self.trace.note("life", f"{process.name} begins")
        process.begin(self._live(life))
        return life

    async def _live(self, life: ServiceLife) -> None:
        try:
            service = self._compose(life)
        except Exception as error:  # noqa: BLE001 - as below
            self._violated("unforeseen", f"{type(error).__name__}: {error}")
            return
        try:
            await service.start(wait_for_lease=True)
            life.service = service
            await service.run(stop=life.stopping)
        except StoreRefused as error:
            self.violations.append(Violation("store refused", str(error)))
        except LiveOrderError as error:
            self.trace.note("life", f"{life.process.name} did not start: {type(error).__name__}: {error}")
        except Exception as error:  # noqa: BLE001 - what nobody foresaw is what is looked for
            self.violations.append(Violation("unforeseen", f"{type(error).__name__}: {error}"))
        with suppress(LiveOrderError):
            await service.stop()
        self.trace.note("life", f"{life.process.name} shut down")

    def pause(self, seconds: float) -> None:
        """The newest life; another one begins beside it."""
        self.trace.note(
            "life", f"{self.newest.process.name} is paused at its callback {self.newest.process.callbacks} for {seconds:g} s"
        )
        self.coverage.met(c.PAUSED, self.auditor.orders.values())
        self.newest.process.pause(seconds)
        self._another.set()

    def end(self) -> None:
        """Shut down every life that is left."""
        self._is_over = True
        for life in self.lives:
            life.stopping.set()

    def _on_kill(self, process: SimulatedProcess) -> None:
        self.coverage.met(c.KILLED, self.auditor.orders.values())
        self.trace.note("life", f"{process.name} is killed at its callback {process.callbacks}")

    def _kill_current(self) -> None:
        """Whoever takes the step that is now."""
        process = current_process()
        if process is not None:
            process.kill()

    # --- composition -----------------------------------------------------------------------------------------------------------

    def _compose(self, life: ServiceLife) -> Service:
        number = len(self.lives)
        chance = random.Random(f"{self.scenario.seed}/{number}")
        database = FaultyDatabase(self.path, self.clock, self.store_faults, self.auditor.look, chance, self.scenario.commit_seconds)
        self._databases.append(database)
        store = DatabaseOrderStore(database, MAPPER, self.clock, poll_seconds=10.0)
        engine = Engine(
            EngineConfig(
                ExecutionConfig(f"session-{number}"),
                owner=f"life-{number}",
                auto_trading_default=True,
                poll_seconds=1.0,
                reconcile_seconds=10.0,
                lease_seconds=3.0,
                drain_seconds=2.0,
            ),
            store,
            store.lease,
            {each.account_id: self._connection(each.account_id, life) for each in self.scenario.venue.accounts},
            CALENDAR,
            self.journal,
            self.clock,
            chance,
            self.log,
        )
        self._defect.engine(engine)
        projector = Projector(store, self.views, self.clock, partial(self._on_error, "Read models"))
        outbox = Outbox(store, Confirmations(self.receiver, self.log), self.clock, partial(self._on_error, "Confirmations"))
        return Service(engine, store.commands, self.views, projector, [self.feed], [outbox])  # type: ignore[arg-type]  # nobody reads lists here

    def _connection(self, account_id: str, life: ServiceLife) -> AccountConnection:
        transport = InProcess(self.detached_floor, self.clock)
        broker: Broker = SimulatedBroker(
            transport, account_id=account_id, capabilities=self.scenario.capabilities, request_timeout_seconds=2.0
        )
        questions = Questions(
            self.auditor, account_id, lambda: not self.store_faults.untold, partial(self._violated, "an order was not asked for")
        )
        on_sending = partial(self._on_sending, life, account_id)
        watched: Broker = TracedBroker(broker, account_id, self.trace, on_sending, questions, self.failures, self._payloads)
        limits = LAX.model_copy(
            update={
                "allow_short_selling": self.scenario.may_be_short,
                "max_signal_age_seconds": self.scenario.max_signal_age_seconds,
            }
        )
        terms = AccountConfig(
            account_id,
            limits=limits,
            call_timeout_seconds=self.scenario.call_timeout_seconds,
            breaker_failures=self.scenario.breaker_failures,
        )
        return AccountConnection(terms, self._defect.broker(watched), SimulatedMarketData(transport), SimulatedInstruments())

    def _database_of_a_person(self) -> SQLiteDatabase:
        database = SQLiteDatabase(self.path, self.clock, Placement.INLINE, 0)
        self._databases.append(database)
        return database

    async def close(self) -> None:
        for database in self._databases:
            await database.close()
        self.auditor.close()
        self.floor.close()

    # --- watching --------------------------------------------------------------------------------------------------------------

    def _on_error(self, what: str, error: Exception) -> None:
        self.log.write("ERROR", f"{what}: {type(error).__name__}: {error}")

    def _on_fault(self, fault: Fault, on: Point, client_order_id: str | None) -> None:
        order = self.auditor.order_of(client_order_id)
        self.trace.note("fault", f"{fault.kind} at {on}" + (f" of {order.intent.signal_id}" if order is not None else ""))
        self.coverage.met(fault.kind, [order] if order is not None else self.auditor.orders.values())

    def _on_store_fault(self, kind: str) -> None:
        self.trace.note("fault", kind)
        self.coverage.met(kind, self.auditor.orders.values())

    def _on_sending(self, life: ServiceLife, account_id: str, verb: str, client_order_id: str | None, payload: str) -> None:
        order = self.auditor.order_of(client_order_id)
        if verb == "submit" and client_order_id is not None:
            self.sent_at[client_order_id] = self.steady.now()
        journalled = order is not None and any(getattr(entry, "order_id", None) == order.order_id for entry in self.journal.ever)
        is_journalled = verb == "cancel" and journalled
        for objection in self.auditor.objections(verb, client_order_id, payload, self.clock.now(), is_journalled=is_journalled):
            self._violated("sent what must not be sent", objection)
        if verb == "cancel" or order is None or order.terms.passes_halt or life.service is None:
            return
        if self._is_before_the_open() and not order.terms.reduces_only:
            self._violated("sent before the open", f"{verb} of {order.intent.signal_id} at {self.clock.now()}")
        if (halt := life.service.engine.halts.now.stands_for(account_id)) is not None:
            self._violated("sent while halted", f"{verb} of {order.intent.signal_id}: {halt}")

    def _is_before_the_open(self) -> bool:
        """A clock that was set back since may say so though it was open when the order was judged."""
        has_jumped_back = any(isinstance(step, ClockJumped) and step.seconds < 0 for _, step in self.scenario.steps)
        return self.scenario.opens_after is not None and not has_jumped_back and self.clock.now() < THE_OPEN

    def _violated(self, code: str, text: str) -> None:
        self.violations.append(Violation(code, text))

    def order_of_signal(self, signal_id: str | None) -> LiveOrder | None:
        """Whichever account it is on."""
        if signal_id is None:
            return None
        keys = (SignalKey(NAMESPACE, each.account_id, signal_id).client_order_id for each in self.scenario.venue.accounts)
        return next((order for order in map(self.auditor.order_of, keys) if order is not None), None)
