"""A service of several accounts at venues of their own, on a real SQLite store that can be hurt, with a witness at each broker."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from liveorder.application.engine.engine import AccountConnection, Engine
from liveorder.application.engine.operator_commands import OperatorCommands
from liveorder.application.engine.rooms import EngineConfig
from liveorder.application.ports.broker import Broker, Prepared
from liveorder.application.ports.calendar import TradingCalendar
from liveorder.application.ports.instruments import Instruments
from liveorder.application.ports.market_data import MarketData
from liveorder.application.recording import domain_events
from liveorder.application.trading.execute_order import ExecutionConfig
from liveorder.domain.account_config import AccountConfig
from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.errors import LiveOrderError
from liveorder.domain.events import Event
from liveorder.domain.order import LiveOrder
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.signal import Signal
from liveorder.infrastructure.brokers.simulated.broker import SimulatedBroker
from liveorder.infrastructure.brokers.simulated.instruments import SimulatedInstruments
from liveorder.infrastructure.brokers.simulated.market_data import SimulatedMarketData
from liveorder.infrastructure.calendars import ExchangeCalendars
from liveorder.infrastructure.clock import LoopClock
from liveorder.infrastructure.emergency_journal import FileEmergencyJournal
from liveorder.infrastructure.eventstore import sqlite_writer
from liveorder.infrastructure.eventstore.mapper import DomainEventMapper
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.infrastructure.eventstore.sqlite import Placement, SQLiteDatabase
from liveorder.infrastructure.eventstore.sqlite_recorder import uri_of
from liveorder.infrastructure.eventstore.store_by_url import create_store
from liveorder.testing.venue.capabilities import capabilities_of
from liveorder.testing.venue.control import VenueControl
from liveorder.testing.venue.faults import Fault, FaultKind, Point
from liveorder.testing.venue.floor import Floor
from liveorder.testing.venue.in_process import InProcess
from liveorder.testing.venue.opening import open_venue
from liveorder.testing.venue.settings import VenueSettings
from tests.harness.crash_points import abandon
from tests.harness.worlds import ACCOUNT, LAX, NOON, STILL, RememberedLog, a_signal, until

__all__ = [
    "ACCOUNT",
    "LAX",
    "NOON",
    "SPY",
    "STILL",
    "Call",
    "RememberedLog",
    "Scene",
    "Witness",
    "a_limit",
    "a_scene",
    "a_signal",
    "until",
]

T = TypeVar("T")
SPY = "ARCA:SPY"
MAPPER = DomainEventMapper(domain_events())
CALENDAR = ExchangeCalendars()


@dataclass(frozen=True)
class Call:
    """One request as it left: when, in seconds since the scene began, its bytes, and what the store held at that moment."""

    verb: str
    at: float
    payload: str
    stored: tuple[str, ...]


class Witness:
    """A `Broker` that writes down what leaves, and fails where it is told to, before or after the broker it wraps is called."""

    def __init__(self, broker: Broker, stored: Callable[[str], Awaitable[tuple[str, ...]]], clock: LoopClock) -> None:
        self._broker, self._stored, self._clock = broker, stored, clock
        self.calls: list[Call] = []
        self.errors: dict[str, list[Exception]] = {}
        self.at_call: Callable[[str], Awaitable[None]] | None = None
        self.answers: dict[str, Callable[..., Any]] = {}

    def __getattr__(self, name: str) -> Any:
        return self.answers.get(name) or getattr(self._broker, name)

    def will_raise(self, verb: str, *errors: Exception) -> None:
        """The next calls of `verb` fail so, and reach nobody."""
        self.errors.setdefault(verb, []).extend(errors)

    def of(self, verb: str) -> list[Call]:
        return [call for call in self.calls if call.verb == verb]

    async def connect(self) -> Any:
        if errors := self.errors.get("connect"):
            raise errors.pop(0)
        return await (self.answers.get("connect") or self._broker.connect)()

    async def submit(self, prepared: Prepared) -> Any:
        return await self._witnessed("submit", prepared)

    async def cancel(self, prepared: Prepared) -> Any:
        return await self._witnessed("cancel", prepared)

    async def replace(self, prepared: Prepared) -> Any:
        return await self._witnessed("replace", prepared)

    async def _witnessed(self, verb: str, prepared: Prepared) -> Any:
        self.calls.append(Call(verb, self._clock.monotonic(), prepared.payload, await self._stored(prepared.payload)))
        if self.at_call is not None:
            await self.at_call(verb)
        if errors := self.errors.get(verb):
            raise errors.pop(0)
        return await (self.answers.get(verb) or getattr(self._broker, verb))(prepared)


@dataclass
class Scene:
    """Venues by account; `a_scene` makes one."""

    folder: Path
    clock: LoopClock
    floors: Mapping[str, Floor]
    venue: VenueSettings
    limits: RiskLimits = LAX
    capabilities: BrokerCapabilities | None = None
    """None: what may be believed of a venue with these settings."""
    terms: dict[str, Any] = field(default_factory=dict)
    """Of the engine."""
    account_terms: dict[str, Any] = field(default_factory=dict)
    is_shadow: bool = False
    mapper: DomainEventMapper = MAPPER
    """Another one makes it another version of the package."""
    log: RememberedLog = field(default_factory=RememberedLog)
    witnesses: dict[str, Witness] = field(default_factory=dict)
    errors: list[tuple[LiveOrder, LiveOrderError]] = field(default_factory=list)
    """What `on_error` was told."""
    instruments: Instruments = field(default_factory=SimulatedInstruments)
    market_data: MarketData | None = None
    calendar: TradingCalendar = CALENDAR
    lives: int = 0
    is_read_only: bool = False
    """Whether the file can only be read from the next connection on."""
    _lock: sqlite3.Connection | None = None

    @property
    def path(self) -> Path:
        return self.folder / "orders.db"

    @property
    def witness(self) -> Witness:
        return self.witnesses[ACCOUNT]

    @property
    def control(self) -> VenueControl:
        return self.control_of(ACCOUNT)

    def control_of(self, account_id: str) -> VenueControl:
        return VenueControl(InProcess(self.floors[account_id], self.clock))

    # --- the store -------------------------------------------------------------------------------------------------------------

    def store(self) -> DatabaseOrderStore:
        database = SQLiteDatabase(self.path, self.clock, Placement.INLINE, 0, self._connect)
        return DatabaseOrderStore(database, self.mapper, self.clock)

    def _connect(self, path: Path, busy_timeout_seconds: float) -> sqlite3.Connection:
        connection = sqlite_writer.connect(path, busy_timeout_seconds)
        if self.is_read_only:
            connection.execute("PRAGMA query_only=1")
        return connection

    def lock_store(self) -> None:
        """Another program holds the write lock."""
        self._lock = sqlite3.connect(uri_of(self.path), uri=True, isolation_level=None)
        self._lock.execute("BEGIN IMMEDIATE")

    def unlock_store(self) -> None:
        assert self._lock is not None
        self._lock.rollback()
        self._lock.close()
        self._lock = None

    async def events(self, order: LiveOrder | UUID) -> list[Event]:
        """As another process reads them."""
        order_id = order if isinstance(order, UUID) else order.order_id
        return [item.event for item in await self.reading(lambda store: store.stream(order_id))]

    async def event_names(self, order: LiveOrder | UUID) -> list[str]:
        return [event.shown_name for event in await self.events(order)]

    async def count(self, *names: str) -> int:
        """Events of these kinds in the whole log."""

        async def counted(store: DatabaseOrderStore) -> int:
            return sum([sum(item.event.shown_name in names for item in page) async for page in store.log()])

        return await self.reading(counted)

    async def reading(self, question: Callable[[DatabaseOrderStore], Awaitable[T]]) -> T:
        store = DatabaseOrderStore(SQLiteDatabase(self.path, self.clock, Placement.INLINE), self.mapper, self.clock)
        await store.open()
        try:
            return await question(store)
        finally:
            await store.close()

    async def _stored_for(self, payload: str) -> tuple[str, ...]:
        with closing(sqlite3.connect(uri_of(self.path), uri=True)) as connection:
            claims = connection.execute("SELECT client_order_id, order_id FROM signal_claims").fetchall()
            order_id = next((UUID(order_id) for key, order_id in claims if key in payload), None)
            if order_id is None:
                return ()
            statement = "SELECT topic FROM stored_events WHERE originator_id=? ORDER BY originator_version"
            rows = connection.execute(statement, (order_id.hex,)).fetchall()
        return tuple(topic.removeprefix("liveorder.").split("@")[0] for (topic,) in rows)

    # --- the service -----------------------------------------------------------------------------------------------------------

    def engine(self, **terms: Any) -> Engine:
        """The next life, not started yet."""
        self.lives += 1
        store = self.store()
        settled = EngineConfig(
            ExecutionConfig(f"session-{self.lives}", self.is_shadow),
            owner=f"life-{self.lives}",
            auto_trading_default=True,
            reconcile_seconds=60.0,
            lease_seconds=3.0,
        )
        return Engine(
            replace(settled, **(self.terms | terms)),
            store,
            store.lease,
            {account_id: self._connection(account_id) for account_id in self.floors},
            self.calendar,
            FileEmergencyJournal(self.folder / "emergency.jsonl"),
            self.clock,
            random.Random(self.lives),
            self.log,
            lambda order, error: self.errors.append((order, error)),
        )

    def _connection(self, account_id: str) -> AccountConnection:
        transport = InProcess(self.floors[account_id], self.clock)
        capabilities = self.capabilities or capabilities_of(self.venue)
        broker = SimulatedBroker(transport, account_id=account_id, capabilities=capabilities)
        before = self.witnesses.get(account_id)
        witness = self.witnesses[account_id] = Witness(broker, self._stored_for, self.clock)
        if before is not None:
            witness.calls, witness.errors, witness.answers = before.calls, before.errors, before.answers
        terms = AccountConfig(account_id=account_id, limits=self.limits, **self.account_terms)
        return AccountConnection(terms, witness, self.market_data or SimulatedMarketData(transport), self.instruments)

    @asynccontextmanager
    async def living(self, **terms: Any) -> AsyncIterator[Engine]:
        """One life from start to an orderly stop, commands served."""
        engine = self.engine(**terms)
        await engine.start(wait_for_lease=True)
        store = engine.store
        assert isinstance(store, DatabaseOrderStore)
        engine.begin(
            "commands", OperatorCommands(engine, store.commands, engine.dispatcher, engine.clock, engine.log).serve_for_ever
        )
        try:
            yield engine
        finally:
            await engine.stop()

    async def dies(self, engine: Engine) -> None:
        """As by SIGKILL: nothing of it acts any more, and its lease runs out by itself."""
        await abandon(engine)

    def venue_orders(self, order: LiveOrder | str, account_id: str = ACCOUNT) -> list[Any]:
        """What the venue has under this order's key: more than one is a broken promise."""
        key = order if isinstance(order, str) else order.client_order_id
        return list(self.floors[account_id].gateway.venue.questions.orders_by_key(key, self.clock.now()))

    async def lay(self, kind: FaultKind, on: Point = Point.SUBMIT, nth: int | None = 1, **more: Any) -> None:
        await self.control.lay(Fault(kind=kind, on=on, nth=nth, **more))


@asynccontextmanager
async def a_scene(
    folder: Path,
    venue: VenueSettings = STILL,
    start: datetime = NOON,
    accounts: Sequence[str] = (ACCOUNT,),
    namespace: str = "test",
    **settled: Any,
) -> AsyncIterator[Scene]:
    clock = LoopClock(start)
    floors = {account_id: _floor(venue, account_id, clock) for account_id in accounts}
    scene = Scene(folder, clock, floors, venue, **settled)
    url = f"sqlite:///{scene.path}"
    await create_store(url, clock=clock, namespace=namespace, default_account=ACCOUNT, mode="SIMULATION", account_ids=[*accounts])
    try:
        yield scene
    finally:
        for floor in floors.values():
            floor.close()


def _floor(venue: VenueSettings, account_id: str, clock: LoopClock) -> Floor:
    accounts = (venue.accounts[0].model_copy(update={"account_id": account_id}),)
    settings = venue.model_copy(update={"accounts": accounts})
    return Floor(open_venue(settings, clock.now()), settings, clock)


def a_limit(signal_id: str = "sig-1", price: int = 400, **fields: Any) -> Signal:
    """A buy that rests: the price is 500."""
    return a_signal(signal_id, **({"order_type": "LIMIT", "limit_price": Decimal(price)} | fields))
