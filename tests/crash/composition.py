"""The real engine, store, outbox and broker, put together so that they can be killed, watched, and made defective."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from liveorder.application.engine.engine import AccountConnection, Engine
from liveorder.application.engine.rooms import EngineConfig
from liveorder.application.outbox.messages import Notices
from liveorder.application.outbox.notifier import Notice
from liveorder.application.outbox.outbox import Outbox
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.brokerage import Brokerage
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.order_store import Lease
from liveorder.application.recording import domain_events
from liveorder.application.reporting.projector import Projector
from liveorder.application.trading.execute_order import ExecutionConfig
from liveorder.domain.account_config import AccountConfig, RetryPolicy
from liveorder.domain.values import TradingMode
from liveorder.infrastructure.brokers.simulated.broker import SimulatedBroker
from liveorder.infrastructure.brokers.simulated.catalogue import BUILT_IN
from liveorder.infrastructure.brokers.simulated.instruments import SimulatedInstruments
from liveorder.infrastructure.brokers.simulated.market_data import SimulatedMarketData
from liveorder.infrastructure.brokers.simulated.tcp import Tcp
from liveorder.infrastructure.clock import SystemClock
from liveorder.infrastructure.emergency_journal import FileEmergencyJournal
from liveorder.infrastructure.eventstore.mapper import DomainEventMapper
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.infrastructure.eventstore.store_by_url import database_at, store_at
from liveorder.infrastructure.readmodels import views_at
from liveorder.testing.venue.control import VenueControl
from tests.crash.defects import defect_named
from tests.crash.key_classes import COINS_FILE, capabilities
from tests.crash.plans import ServicePlan
from tests.crash.process_crash_point import LEASE, NOTIFIER, QUESTIONS, REQUESTS, STORE, Emit, ProcessCrashPoint
from tests.crash.sent_requests import SentRequests
from tests.crash.settable_market import SettableMarket
from tests.crash.severable import SeverableBroker
from tests.crash.slow_store import SlowDatabase
from tests.crash.wires import HOST, WIRES
from tests.harness.crash_points import CrashingPort
from tests.harness.defects import Defect
from tests.harness.worlds import LAX

MAPPER = DomainEventMapper(domain_events())
"""Made once, before any process is forked: it takes as long as the rest of a short life."""
LISTED = BUILT_IN.with_file(COINS_FILE)


class _EmittingLog:
    """An `ActivityLog` that the test hears."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit

    def write(self, category: str, sentence: str, **fields: object) -> None:
        self._emit(event="log", category=category, sentence=sentence)


class _EmittingNotifier:
    """A `Notifier` that the test hears."""

    name = "test"

    def __init__(self, emit: Emit) -> None:
        self._emit = emit

    async def notify(self, notices: Sequence[Notice]) -> None:
        for notice in notices:
            self._emit(event="notice", notice_id=notice.notice_id, category=notice.category, order_id=notice.order_id)


class _InterruptibleTcp(Tcp):
    """Can be struck with a submission in hand and a connection to the venue open: nothing of ours stands between them any more."""

    def __init__(self, port: int, clock: Clock, crash_point: ProcessCrashPoint) -> None:
        super().__init__(HOST, port, clock)
        self._crash_point = crash_point

    async def _exchange(self, line: str) -> bytes:
        if json.loads(line)["verb"] == "submit":
            self._idle.append(await self._connection())
            await self._crash_point.inside("submit")
        return await super()._exchange(line)


class _EmittingLease:
    """A `Lease` that the test hears: each try to take it, and what it was by the store's own clock."""

    def __init__(self, lease: Lease, emit: Emit) -> None:
        self._lease, self._emit = lease, emit

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lease, name)

    async def acquire(self, owner: str, duration_seconds: float) -> int | None:
        epoch = await self._lease.acquire(owner, duration_seconds)
        state = await self._lease.state()
        assert state is not None
        self._emit(event="acquire", epoch=epoch, holder=state.owner, is_held=state.is_held, expires_at=state.expires_at.isoformat())
        return epoch


@dataclass(frozen=True, slots=True)
class Composed:
    engine: Engine
    outbox: Outbox
    projector: Projector | None
    """Where the plan wants read models."""
    connection: SeverableBroker
    market: SettableMarket


def composed(plan: ServicePlan, crash_point: ProcessCrashPoint, emit: Emit) -> Composed:
    """Whatever stores or sends can be the `crash_point`. Between it and the engine stands the defect, if there is one."""
    clock, defect = SystemClock(), defect_named(plan.defect)
    whole = _store(plan, clock)
    row: Any = defect.lease(whole.lease)
    emitting: Any = _EmittingLease(row, emit)
    lease: Any = CrashingPort(emitting, crash_point, LEASE)
    row.renew = crash_point.undisturbed(row.renew)
    store = defect.store(CrashingPort(whole, crash_point, STORE))
    log, market = _EmittingLog(emit), SettableMarket(is_closed=plan.is_market_closed)
    account = _connection(plan, crash_point, emit, defect, clock)
    engine = Engine(
        _terms(plan),
        store,
        lease,
        {plan.account: account},
        market,
        FileEmergencyJournal(Path(plan.journal)),
        clock,
        random.SystemRandom(),
        log,
    )
    defect.engine(engine)
    notifier: Any = CrashingPort(_EmittingNotifier(emit), crash_point, NOTIFIER)
    outbox = Outbox(store, Notices(notifier), clock, lambda error: log.write("ERROR", f"Notices: {type(error).__name__}"))
    projector = _projector(plan, whole, clock, log) if plan.has_views else None
    severable: Any = account.broker
    return Composed(engine, outbox, projector, severable, market)


def _store(plan: ServicePlan, clock: Clock) -> DatabaseOrderStore:
    if not plan.commit_seconds:
        return store_at(plan.store, clock=clock, mapper=MAPPER)
    slow: Any = SlowDatabase(database_at(plan.store, clock), plan.commit_seconds)
    return DatabaseOrderStore(slow, MAPPER, clock)


def _projector(plan: ServicePlan, store: DatabaseOrderStore, clock: Clock, log: ActivityLog) -> Projector:
    beside = f"{plan.store}.views" if plan.store.startswith("sqlite") else plan.store
    views = views_at(beside, clock=clock)
    return Projector(store, views, clock, lambda error: log.write("ERROR", f"Read models: {type(error).__name__}: {error}"))


def _connection(plan: ServicePlan, crash_point: ProcessCrashPoint, emit: Emit, defect: Defect, clock: Clock) -> AccountConnection:
    wire = WIRES.get(plan.key_class)
    parts = wire.brokerage(plan, clock, _EmittingLog(emit)) if wire else _simulated(plan, crash_point, defect, clock)
    control = VenueControl(Tcp(HOST, plan.venue_port, clock))
    recorded: Any = SentRequests(parts.broker, control, emit, wire.key_field if wire else None)
    broker: Any = SeverableBroker(defect.broker(CrashingPort(recorded, crash_point, (*REQUESTS, *QUESTIONS))))
    account = AccountConfig(
        account_id=plan.account,
        currency=wire.currency if wire else "USD",
        mode=TradingMode.PAPER if wire else TradingMode.SIMULATION,
        limits=LAX.model_copy(update={"allow_closed_market": True, "allow_short_selling": plan.may_be_short}),
        retry=RetryPolicy(attempts=20, first_wait_seconds=0.05, longest_wait_seconds=0.2),
        call_timeout_seconds=plan.call_timeout_seconds,
        own_delay_seconds=plan.call_timeout_seconds,
        breaker_failures=1000,
        market_timeout_seconds=600.0,  # of a machine with so much beside it, that is none
    )
    return AccountConnection(account, broker, parts.market_data, parts.instruments)


def _simulated(plan: ServicePlan, crash_point: ProcessCrashPoint, defect: Defect, clock: Clock) -> Brokerage:
    transport = _InterruptibleTcp(plan.venue_port, clock, crash_point)
    declared = defect.capabilities(capabilities(plan.key_class, plan.delivery_bound_seconds))
    broker = SimulatedBroker(transport, account_id=plan.account, capabilities=declared)
    return Brokerage(broker, SimulatedMarketData(transport), SimulatedInstruments(LISTED))


def _terms(plan: ServicePlan) -> EngineConfig:
    return EngineConfig(
        ExecutionConfig(plan.owner),
        owner=plan.owner,
        auto_trading_default=True,
        poll_seconds=0.1,
        reconcile_seconds=60.0,
        lease_seconds=plan.lease_seconds,
        drain_seconds=1.0,
        reconnect_seconds=0.05,
    )
