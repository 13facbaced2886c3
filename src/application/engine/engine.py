"""The use cases of one store, put together, and their life: take the lease, recover, trade, and stop in good order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from liveorder.application.emergency.flatten import Flatten
from liveorder.application.emergency.kill import StopTrading
from liveorder.application.emergency.replay_journal import BookJournal
from liveorder.application.engine.ownership import Ownership
from liveorder.application.gateway.gateway import AccountTerms, Gateway
from liveorder.application.intake.dead_letters import DeadLetters
from liveorder.application.intake.intake import Intake
from liveorder.application.orders.apply_reports import TrackOrders
from liveorder.application.orders.fees_in_kind import FeesInKind
from liveorder.application.orders.order_register import Orders
from liveorder.application.orders.unmatched_reports import UnmatchedReports
from liveorder.application.ports.broker import Broker
from liveorder.application.ports.calendar import TradingCalendar
from liveorder.application.ports.clock import Clock, Randomness
from liveorder.application.ports.emergency_journal import EmergencyJournal
from liveorder.application.ports.event_log import EventLog
from liveorder.application.ports.instruments import Instruments
from liveorder.application.ports.market_data import MarketData
from liveorder.application.ports.order_store import Lease, OrderStore, StoreIdentity
from liveorder.application.ports.sessions import Sessions
from liveorder.application.recording import ENGINE, Recorder
from liveorder.application.recovery.reconcile import Reconcile
from liveorder.application.recovery.reconnect import StayConnected
from liveorder.application.recovery.recover import Recover, RecoveryReport
from liveorder.application.recovery.resolve_unknown_outcomes import Doubts
from liveorder.application.risk.account_figures import AccountFigures
from liveorder.application.risk.book import AccountLedger, RiskBook
from liveorder.application.risk.risk_gate import RiskGate
from liveorder.application.risk.trading_halts import KillSwitch
from liveorder.application.runtime.dispatcher import Desk, Lane
from liveorder.application.runtime.sparing_log import SparingLog
from liveorder.application.trading.adopt import Adopt
from liveorder.application.trading.cancel_order import CancelOrder
from liveorder.application.trading.execute_order import ExecuteOrder, ExecutionTerms
from liveorder.application.trading.order_timeouts import OrderTimeouts
from liveorder.application.trading.replace_order import ReplaceOrder
from liveorder.application.trading.submit_order import SubmitOrder
from liveorder.domain.errors import (
    BrokerAuthenticationError,
    BrokerError,
    LeaseLost,
    LiveOrderError,
    SettingsError,
)
from liveorder.domain.execution_report import ExecutionReport
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.facts import STOPPED, CancelReason
from liveorder.domain.reconciliation import DifferenceKind, ReconciliationReport
from liveorder.domain.trading_halt import HaltReason, account_scope

RESTART_SECONDS = 1.0
"""A background task that failed is begun again after this."""
CANCEL_AGAIN_SECONDS = 0.5
"""A background task that has not ended when told to is told again after this."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One account's adapters and terms."""

    terms: AccountTerms
    broker: Broker
    market_data: MarketData
    instruments: Instruments


@dataclass(frozen=True, slots=True)
class EngineTerms:
    """Settled for a run. Times in seconds."""

    execution: ExecutionTerms
    owner: str
    auto_trading_default: bool = False
    poll_seconds: float = 0.5
    reconcile_seconds: float = 300.0
    lease_seconds: float = 15.0
    drain_seconds: float = 10.0
    reconnect_seconds: float = 1.0
    signals_at_once: int = 256
    cancels_strays: bool = True
    """Whether an order that turns up live after it was closed here is cancelled, or left for a person."""


class Engine:
    """Everything that trades. One engine owns one store."""

    def __init__(
        self,
        terms: EngineTerms,
        store: OrderStore,
        lease: Lease,
        connections: Mapping[str, Connection],
        calendar: TradingCalendar,
        journal: EmergencyJournal,
        clock: Clock,
        randomness: Randomness,
        log: EventLog,
        on_error: Callable[[LiveOrder, LiveOrderError], None] = lambda order, error: None,
    ) -> None:
        self.terms, self.store, self.clock, self.log = terms, store, clock, log
        self._sparing_log = sparing_log = SparingLog(log, clock)
        self.ownership = Ownership(lease, terms.owner, terms.lease_seconds, clock, log, self._take_no_more)
        self.risk = RiskBook()
        self.sessions = Sessions(calendar)
        self.desk = Desk(log, signals_at_once=terms.signals_at_once)
        fees_in_kind = {account_id: each.broker.capabilities.fees_in_kind for account_id, each in connections.items()}
        recorder = Recorder(store, clock, randomness)
        self.orders = Orders(store, recorder, clock, self.risk, self.sessions, fees_in_kind)
        self.kill_switch = KillSwitch(store, recorder, clock, log, auto_trading_default=terms.auto_trading_default)
        is_shadow = terms.execution.is_shadow
        self.gateways = {
            account_id: Gateway(c.terms, c.broker, c.market_data, c.instruments, clock, self._on_failures, is_shadow=is_shadow)
            for account_id, c in connections.items()
        }
        self.unmatched = UnmatchedReports(store, self.orders, log, self._on_forgotten)
        self.track = TrackOrders(
            self.orders,
            self.gateways,
            self.unmatched,
            clock,
            sparing_log,
            self._on_stray,
            poll_seconds=terms.poll_seconds,
        )
        fees = FeesInKind(store, self.orders, self.track, self.risk, self.sessions, clock, log)
        self.figures = AccountFigures(self.gateways, self.risk, clock, sparing_log)
        self.gate = RiskGate(self.risk, self.figures, self.kill_switch, self.sessions, clock)
        self.submit = SubmitOrder(
            self.orders, self.gateways, self.gate, self.kill_switch, self.sessions, self.track, clock, on_error
        )
        self.execute = ExecuteOrder(
            terms.execution, self.orders, self.gateways, self.risk, fees, self.gate, self.kill_switch, self.submit, clock, log
        )
        self.cancel = CancelOrder(self.orders, self.gateways, self.track, journal, clock, sparing_log)
        self.replace = ReplaceOrder(self.orders, self.gateways, self.risk, self.gate, self.kill_switch, self.track)
        self.doubts = Doubts(self.orders, self.gateways, self.track, clock, log, self._take_up)
        self.recover = Recover(self.orders, self.gateways, self.track, self.unmatched, self.doubts, log, self._take_up)
        self.reconcile = Reconcile(
            self.orders, self.gateways, self.track, self.unmatched, fees, self.risk, self.figures, clock, log
        )
        self.timeouts = OrderTimeouts(self.orders, self.gateways, self.sessions, self.track, self.cancel, clock, sparing_log)
        flatten = Flatten(self.orders, self.gateways, self.execute, self.risk, clock)
        self.stop_trading = StopTrading(
            self.orders, self.gateways, self.kill_switch, self.cancel, flatten, self.reconcile, journal, clock
        )
        self.book_journal = BookJournal(journal, self.kill_switch, self.cancel, sparing_log)
        self.adopt = Adopt(terms.execution, self.orders, self.gateways, self.track)
        self.dead_letters = DeadLetters(store, recorder, self.execute, log)
        self.intake = Intake(self.desk, self.execute, self.dead_letters, clock, sparing_log)
        self._connected = {account_id: self._staying_connected(gateway) for account_id, gateway in self.gateways.items()}
        self.identity: StoreIdentity | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._lasting: set[asyncio.Task[None]] = set()

    def _staying_connected(self, gateway: Gateway) -> StayConnected:
        return StayConnected(
            gateway,
            self.desk,
            self.track,
            self.doubts,
            self.reconcile,
            self.figures,
            self.kill_switch,
            self.clock,
            self._sparing_log,
            self._on_failures,
            self.ownership.lost.is_set,
            first_wait_seconds=self.terms.reconnect_seconds,
        )

    # --- life ------------------------------------------------------------------------------------------------------------------

    async def start(
        self, *, wait_for_lease: bool = False, before_trading: Callable[[], Awaitable[None]] | None = None
    ) -> RecoveryReport:
        """Own the store, do what must be done `before_trading`, connect, recover. Only then may a signal be taken.

        Raises `LeaseLost` when another process owns the store (with `wait_for_lease` it stands by instead), `StoreRefused` and
        `SettingsError` for what must not be traded on.
        """
        ledger = AccountLedger()
        self.identity = await self.store.open(ledger)
        self.orders.belong_to(self.identity)
        self.orders.recorder.epoch = await self.ownership.acquire(wait=wait_for_lease)
        self.begin("lease", self.ownership.keep, lasting=True)
        self.identity = await self.store.identify()
        self.orders.belong_to(self.identity)
        self.risk.absorb(ledger.rows())
        for order in await self.orders.load():
            self._refuse_unknown_account(order)
            self.risk.track(order)
        if before_trading is not None:
            await before_trading()
        is_empty = await self.store.head() == 0
        await self.recover.mark_second_orders(await self.store.superseded())
        await self.kill_switch.load()
        await self.book_journal.book()
        self.begin("desk", self.desk.dispatch_for_ever)
        for gateway in self.gateways.values():
            await self._connect(gateway, patiently=wait_for_lease)
        report = await self.recover.recover()
        reconciled = await self.reconcile.reconcile_all()
        if is_empty:
            await self._distrust(reconciled)
        for connected in self._connected.values():
            await connected.lift()
        self._begin_background()
        return report

    async def _distrust(self, reports: Sequence[ReconciliationReport]) -> None:
        """An empty store on an account that has live orders may be a lost one: what it sent before it could send again."""
        for report in reports:
            if any(difference.kind is DifferenceKind.UNKNOWN_ORDER for difference in report.differences):
                detail = "the store is empty and the broker has live orders: adopt or cancel them, then resume"
                await self.kill_switch.halt(account_scope(report.account_id), HaltReason.RESTORED_STORE, detail, ENGINE)

    def _refuse_unknown_account(self, order: LiveOrder) -> None:
        account_id = order.intent.account_id
        if account_id not in self.gateways:
            raise SettingsError(f"account {account_id} has unfinished orders in this store; it cannot be closed until they end")

    def _begin_background(self) -> None:
        for account_id, gateway in self.gateways.items():
            self.begin(f"stream {account_id}", self._connected[account_id].follow_for_ever)
            self.begin(f"poll {account_id}", partial(self.track.poll_for_ever, gateway))
            self.begin(f"doubts {account_id}", partial(self.doubts.ask_for_ever, account_id))
            if not self.terms.execution.is_shadow:
                self.begin(f"timeouts {account_id}", partial(self.timeouts.check_for_ever, account_id))
            reconcile = partial(self.reconcile.reconcile_for_ever, account_id, self.terms.reconcile_seconds)
            self.begin(f"reconcile {account_id}", reconcile)
            if gateway.broker.capabilities.fees_in_kind:
                self.begin(f"fees {account_id}", partial(self.reconcile.reconcile_after_fills_for_ever, account_id))
        self.begin("upkeep", self._upkeep)

    async def stop(self, *, before_closing: Callable[[], Awaitable[object]] | None = None) -> int:
        """Take no more signals, let the calls in flight end within `drain_seconds` (what is left is in doubt), flush, release.

        `before_closing` is done once the last fact is stored, while the store is still ours; not where it was lost. What follows
        the log, and what keeps the lease, ends after it. Returns how many calls had no outcome.
        """
        self._take_no_more()
        unfinished = await self.desk.drain(self.terms.drain_seconds)
        await self._end(lambda: [*self._tasks, *self.desk.running])
        if self.ownership.is_ours:
            await self._at_the_end(self.orders.look_again())
            await self._doubt_what_is_left()
            if before_closing is not None:
                await self._at_the_end(before_closing())
        await self._end(lambda: list(self._lasting))
        for gateway in self.gateways.values():
            await self._at_the_end(gateway.broker.close())
        if self.ownership.is_ours:
            await self._at_the_end(self.ownership.release())
        await self.store.close()
        return unfinished

    async def _end(self, running: Callable[[], Sequence[asyncio.Task[Any]]]) -> None:
        """Told until they do: a cancellation can be lost on its way (`asyncio.wait_for` of Python 3.11 loses it to a result)."""
        while tasks := running():
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=CANCEL_AGAIN_SECONDS)

    async def _doubt_what_is_left(self) -> None:
        for order in self.orders.unfinished():
            for request in order.requests.values():
                if not request.is_in_doubt:
                    await self._at_the_end(self.doubts.doubt(order, request.request_id, STOPPED, "stopped before its outcome"))

    async def _at_the_end(self, step: Awaitable[object]) -> None:
        """What fails now is found again at the next start, and must not keep the rest from being done."""
        try:
            await step
        except Exception as error:  # noqa: BLE001 - a broker's adapter may raise anything
            self.log.write("ERROR", f"While stopping: {type(error).__name__}: {error}")

    def begin(self, name: str, work: Callable[[], Awaitable[None]], *, lasting: bool = False) -> None:
        """Run a background task until the engine stops; a `lasting` one until the last fact is stored and told as well.

        One that fails is logged and begun again.
        """
        tasks = self._lasting if lasting else self._tasks
        task = asyncio.create_task(self._supervised(name, work), name=name)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _supervised(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await work()
            except LeaseLost as error:
                return self.ownership.lose(str(error))
            except Exception as error:  # noqa: BLE001 - one task's failure must not end the others; it is logged and begun again
                self._sparing_log.write("ERROR", f"{name} failed: {type(error).__name__}: {error}")
                await self.clock.sleep(RESTART_SECONDS)

    # --- brokers ---------------------------------------------------------------------------------------------------------------

    async def _connect(self, gateway: Gateway, *, patiently: bool) -> None:
        """The first connection must work and must be the account, and the kind of money, that the settings name.

        `patiently`: a standby waits for it. Who owned the store before may still be connected: paused, or dying.
        """
        if patiently:
            account = await self._connected[gateway.account_id].connect()
        else:
            account = await self.figures.hear(gateway.account_id, gateway.broker.connect())
        if account.mode is not gateway.terms.mode:
            raise SettingsError(
                f"TRADING_MODE: {gateway.account_id} is set to {gateway.terms.mode}, and {gateway.broker.name} says it is "
                f"{account.mode}; use the credentials or the mode that you mean"
            )

    def _on_failures(self, account_id: str, failures: int, error: BrokerError) -> None:
        is_about_us = isinstance(error, BrokerAuthenticationError)
        reason = HaltReason.BROKER_AUTH if is_about_us else HaltReason.CIRCUIT_BREAKER
        detail = f"credentials refused: {error}" if is_about_us else f"{failures} broker failures in a row, the last: {error}"
        self.kill_switch.halt_now(account_scope(account_id), reason, detail)
        self.desk.post(Lane.OPERATOR, self.kill_switch.retry_durable)

    # --- upkeep ----------------------------------------------------------------------------------------------------------------

    async def _upkeep(self) -> None:
        """What had to wait for the store: halts in memory only, journalled cancels, commits left open, attempts not made."""
        while True:
            await self.clock.sleep(1.0)
            await self.kill_switch.retry_durable()
            await self.book_journal.book()
            await self.orders.look_again()
            self.recover.take_up_unsent(self.submit.driven)

    async def _on_forgotten(self, account_id: str, report: ExecutionReport) -> None:
        """The store is restored, or emptied, or copied and the copy is in use: what it sends next may have been sent."""
        detail = (
            f"the broker has order {report.broker_order_id} with a key of ours ({report.client_order_id}) that this store does not "
            "know: see that no copy of the store is used, adopt or cancel what is live, then resume"
        )
        await self.kill_switch.halt(account_scope(account_id), HaltReason.RESTORED_STORE, detail, ENGINE)

    def _on_stray(self, order: LiveOrder) -> None:
        self.log.write("ANOMALY", "An order that is closed here is live at the broker", order_id=str(order.order_id))
        if self.terms.cancels_strays and not self.terms.execution.is_shadow:
            self.desk.post(Lane.OPERATOR, lambda: self.cancel.cancel(order.order_id, CancelReason.STALE))

    def _take_no_more(self) -> None:
        self.desk.is_taking_signals = False

    def _take_up(self, order: LiveOrder) -> None:
        """In a shadow run an order of an earlier run stays as it is, for the next real one."""
        if not self.terms.execution.is_shadow:
            self.desk.post(Lane.SIGNALS, lambda: self.submit.resume(order))

    @property
    def is_quiet(self) -> bool:
        """Nothing runs, nothing waits, no order is unfinished."""
        return self.desk.is_idle and not self.orders.unfinished()
