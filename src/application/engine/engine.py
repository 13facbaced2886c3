"""The use cases of one store, and their life cycle: acquire the lease, recover, trade, shut down cleanly."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from liveorder.application.engine.assembly import assemble
from liveorder.application.engine.choose_position_owner import choose_position_owner
from liveorder.application.engine.control_flow import Reactions, background
from liveorder.application.engine.ownership import Ownership
from liveorder.application.engine.rooms import EngineConfig, Rooms
from liveorder.application.gateway.gateway import Gateway
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.broker import Broker
from liveorder.application.ports.calendar import TradingCalendar
from liveorder.application.ports.clock import Clock, Randomness
from liveorder.application.ports.emergency_journal import EmergencyJournal
from liveorder.application.ports.instruments import Instruments
from liveorder.application.ports.market_data import MarketData
from liveorder.application.ports.order_store import Lease, OrderStore, StoreIdentity
from liveorder.application.recording import ENGINE, Recorder
from liveorder.application.recovery.recover import RecoveryReport
from liveorder.application.risk.book import AccountLedger
from liveorder.application.runtime.background import BackgroundTasks
from liveorder.application.runtime.dispatcher import Dispatcher
from liveorder.application.runtime.foundation import Foundation
from liveorder.application.runtime.sparing_log import SparingLog
from liveorder.domain.account_config import AccountConfig
from liveorder.domain.broker_account import BrokerAccount
from liveorder.domain.errors import BrokerConnectionError, LiveOrderError, OutcomeUnknown, SettingsError
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import STOPPED
from liveorder.domain.reconciliation import DifferenceKind, ReconciliationReport
from liveorder.domain.trading_halt import HaltReason, account_scope


@dataclass(frozen=True, slots=True)
class AccountConnection:
    """One account's adapters and configuration."""

    terms: AccountConfig
    broker: Broker
    market_data: MarketData
    instruments: Instruments


class Engine:
    """Everything that trades. One engine owns one store."""

    def __init__(
        self,
        terms: EngineConfig,
        store: OrderStore,
        lease: Lease,
        connections: Mapping[str, AccountConnection],
        calendar: TradingCalendar,
        journal: EmergencyJournal,
        clock: Clock,
        randomness: Randomness,
        log: ActivityLog,
        on_error: Callable[[LiveOrder, LiveOrderError], None] = lambda order, error: None,
    ) -> None:
        self.terms, self.store, self.clock, self.log = terms, store, clock, log
        self.identity: StoreIdentity | None = None
        then, sparing_log = Reactions(), SparingLog(log, clock)
        self.ownership = Ownership(lease, terms.owner, terms.lease_seconds, clock, log, then.store_is_lost)
        self.tasks = BackgroundTasks(clock, sparing_log, self.ownership.lose)
        self.dispatcher = Dispatcher(log, signals_at_once=terms.signals_at_once)
        gateways = {account_id: _gateway(terms, each, calendar, clock, then) for account_id, each in connections.items()}
        on = Foundation(store, Recorder(store, clock, randomness), gateways, calendar, journal, clock, log, sparing_log)
        self._rooms = assemble(terms, on, self.dispatcher, then, self.ownership.lost.is_set, on_error)
        self._furnish(self._rooms)

    def _furnish(self, rooms: Rooms) -> None:
        """Expose the use cases under the names by which commands and the runner call them."""
        self.gateways, self.recorder = rooms.on.gateways, rooms.on.recorder
        self.risk, self.figures, self.halts = rooms.risk.book, rooms.risk.figures, rooms.risk.halts
        self.orders, self.track, self.unmatched = rooms.orders.register, rooms.orders.track, rooms.orders.unmatched
        self.execute, self.submit = rooms.trading.execute, rooms.trading.submit
        self.adopt, self.transfer = rooms.trading.adopt, rooms.trading.transfer
        self.close_positions = rooms.trading.close
        self.cancel, self.replace, self.timeouts = rooms.trading.cancel, rooms.trading.replace, rooms.trading.timeouts
        self.waiting = rooms.trading.waiting
        self.recover, self.doubts, self.reconcile = rooms.recovery.recover, rooms.recovery.doubts, rooms.recovery.reconcile
        self.kill_all, self.replay_journal = rooms.emergency.kill_all, rooms.emergency.replay_journal
        self.intake, self.dead_letters = rooms.intake.read, rooms.intake.dead_letters

    async def start(
        self, *, wait_for_lease: bool = False, before_trading: Callable[[], Awaitable[None]] | None = None
    ) -> RecoveryReport:
        """Acquire the store, run `before_trading`, connect, recover. Only then may a signal be taken.

        Raises `LeaseLost` if another process owns the store (with `wait_for_lease`, stands by instead). Raises `StoreRefused` and
        `SettingsError` if the store or the settings must not be traded with.
        """
        ledger = AccountLedger()
        self.identity = await self.store.open(ledger)
        self.orders.identity = self.identity
        self.recorder.epoch = await self.ownership.acquire(wait=wait_for_lease)
        self.begin("lease", self.ownership.keep, lasting=True)
        is_empty = await self.store.head() == 0
        identity = await self.store.identify()
        self.identity = await choose_position_owner(self.store, self.recorder, self.log, identity, self.terms.positions)
        self.orders.identity = self.identity
        self.risk.judge_by(self.identity.positions)
        await self._rooms.recovery.rebook.after_a_migration(ledger)
        self.risk.absorb(ledger.rows())
        unfinished = await self.orders.load()
        await self._rooms.on.calendar.prepare({order.intent.instrument.calendar for order in unfinished})
        for order in unfinished:
            self._refuse_unknown_account(order)
            self.risk.track(order)
        if before_trading is not None:
            await before_trading()
        await self.recover.mark_second_orders(await self.store.superseded())
        await self.halts.load()
        await self.replay_journal.book()
        self.begin("dispatcher", self.dispatcher.dispatch_for_ever)
        for gateway in self.gateways.values():
            await self._connect(gateway, patiently=wait_for_lease)
        report = await self.recover.recover()
        reconciled = await self.reconcile.reconcile_all()
        if is_empty:
            await self._distrust(reconciled)
        for connected in self._rooms.recovery.connected.values():
            await connected.lift()
        for name, work in background(self._rooms):
            self.begin(name, work)
        return report

    async def _distrust(self, reports: Sequence[ReconciliationReport]) -> None:
        """Halt accounts with live orders if the store is empty. The store may have been lost, and its orders could be sent
        twice.
        """
        for report in reports:
            if any(difference.kind is DifferenceKind.UNKNOWN_ORDER for difference in report.differences):
                detail = "the store is empty and the broker has live orders: adopt or cancel them, then resume"
                await self.halts.halt(account_scope(report.account_id), HaltReason.RESTORED_STORE, detail, ENGINE)

    def _refuse_unknown_account(self, order: LiveOrder) -> None:
        account_id = order.intent.account_id
        if account_id not in self.gateways:
            raise SettingsError(f"account {account_id} has unfinished orders in this store; it cannot be closed until they end")

    async def stop(self, *, before_closing: Callable[[], Awaitable[object]] | None = None) -> int:
        """Come to rest, flush, release the store.

        `before_closing` runs after the last event is stored, while the store is still ours; it is skipped if the store was lost.
        Lasting tasks, such as the projector and the lease, end after it. Returns how many calls had no outcome.
        """
        unfinished = await self.come_to_rest()
        if self.ownership.is_ours and before_closing is not None:
            await self._at_the_end(before_closing())
        await self.tasks.end_lasting()
        for gateway in self.gateways.values():
            await self._at_the_end(gateway.broker.close())
        if self.ownership.is_ours:
            await self._at_the_end(self.ownership.release())
        await self.store.close()
        return unfinished

    def send_no_more(self) -> None:
        """From here on no signal is taken and no order sent, but for those that a halt does not stop. What is stored and not sent
        is taken up at the next start.
        """
        self.dispatcher.is_taking_signals = False
        self.submit.is_stopped = True

    async def come_to_rest(self) -> int:
        """Stop taking signals, wait up to `drain_seconds` for calls in flight; the rest is in doubt. Returns how many had no
        outcome. What is stored by then is how it ends; asked again, nothing is left to do.
        """
        self.dispatcher.is_taking_signals = False
        unfinished = await self.dispatcher.drain(self.terms.drain_seconds)
        await self.tasks.end(lambda: [*self.dispatcher.running])
        if self.ownership.is_ours:
            await self._at_the_end(self.orders.look_again())
            await self._doubt_what_is_left()
        return unfinished

    async def _doubt_what_is_left(self) -> None:
        for order in self.orders.unfinished():
            for request in order.requests.values():
                if not request.is_in_doubt:
                    await self._at_the_end(self.doubts.doubt(order, request.request_id, STOPPED, "stopped before its outcome"))

    async def _at_the_end(self, step: Awaitable[object]) -> None:
        """Run a shutdown step. A failure is found again at the next start, and must not prevent the other steps."""
        try:
            await step
        except Exception as error:  # noqa: BLE001 - a broker's adapter may raise anything
            self.log.write("ERROR", f"While stopping: {type(error).__name__}: {error}")

    def begin(self, name: str, work: Callable[[], Awaitable[None]], *, lasting: bool = False) -> None:
        """Run a background task until the engine stops. A `lasting` one goes on until the last event is stored and delivered."""
        self.tasks.begin(name, work, lasting=lasting)

    async def _connect(self, gateway: Gateway, *, patiently: bool) -> None:
        """Connect for the first time. The broker must report the account and trading mode that the settings name.

        `patiently`: a standby waits for the connection, since the previous owner may still be connected: paused, or dying.
        """
        if patiently:
            account = await self._rooms.recovery.connected[gateway.account_id].connect()
        else:
            account = await self._asked(gateway)
        if account.mode is not gateway.terms.mode:
            raise SettingsError(
                f"TRADING_MODE: {gateway.account_id} is set to {gateway.terms.mode}, but {gateway.broker.name} reports "
                f"{account.mode}; correct the credentials or the mode"
            )

    async def _asked(self, gateway: Gateway) -> BrokerAccount:
        """The first answer of its broker. Without one, nothing was sent: it is the connection that failed."""
        try:
            return await self.figures.hear(gateway.account_id, gateway.broker.connect())
        except OutcomeUnknown as error:
            raise BrokerConnectionError(f"{gateway.account_id}: no answer while connecting, nothing was sent: {error}") from error

    @property
    def is_quiet(self) -> bool:
        """True if no work runs or waits and no order is unfinished."""
        return self.dispatcher.is_idle and not self.orders.unfinished()


def _gateway(
    terms: EngineConfig, connection: AccountConnection, calendar: TradingCalendar, clock: Clock, then: Reactions
) -> Gateway:
    return Gateway(
        connection.terms,
        connection.broker,
        connection.market_data,
        connection.instruments,
        calendar,
        clock,
        then.broker_fails,
        is_shadow=terms.execution.is_shadow,
    )
