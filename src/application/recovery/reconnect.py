"""Following what a broker pushes, and connecting again when it ends."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from liveorder.application.gateway.gateway import Gateway
from liveorder.application.orders.apply_reports import ApplyReports
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.clock import Clock
from liveorder.application.recording import ENGINE
from liveorder.application.recovery.reconcile import Reconcile
from liveorder.application.recovery.resolve_unknown_outcomes import ResolveUnknownOutcomes
from liveorder.application.risk.account_figures import AccountFigures
from liveorder.application.risk.trading_halts import TradingHalts
from liveorder.application.runtime.dispatcher import Dispatcher, Lane
from liveorder.domain.account_config import RetryPolicy
from liveorder.domain.broker_account import BrokerAccount
from liveorder.domain.errors import BrokerAuthenticationError, BrokerError, LeaseLost, StoreError
from liveorder.domain.trading_halt import HaltReason, connection_scope

ATTEMPTS = 3
"""Failed attempts to connect again, in a row, that halt the account until one succeeds."""
STEADY_SECONDS = 60.0
"""A stream that lasted so long was no trouble: after its end the first wait is short again."""


class Reconnect:
    """One account's connection. Attempts go on for ever, at growing intervals; what is halted for it resumes by itself, since what
    halted it can be seen to be over.
    """

    def __init__(
        self,
        gateway: Gateway,
        dispatcher: Dispatcher,
        track: ApplyReports,
        doubts: ResolveUnknownOutcomes,
        reconcile: Reconcile,
        figures: AccountFigures,
        halts: TradingHalts,
        clock: Clock,
        log: ActivityLog,
        on_refused: Callable[[str, int, BrokerError], None],
        is_over: Callable[[], bool],
        *,
        first_wait_seconds: float,
    ) -> None:
        """`on_refused(account, failures, error)` hears of credentials that the broker refuses; `is_over`: the store was lost."""
        self._gateway, self._dispatcher, self._track = gateway, dispatcher, track
        self._doubts, self._reconcile, self._figures, self._halts = doubts, reconcile, figures, halts
        self._clock, self._log, self._on_refused, self._is_over = clock, log, on_refused, is_over
        self._waits = RetryPolicy(ATTEMPTS, first_wait_seconds)
        self._scope = connection_scope(gateway.account_id)

    async def follow_for_ever(self) -> None:
        """Take in what is pushed; when that ends, connect and ask about everything before following again."""
        lost = 0
        while True:
            began = self._clock.monotonic()
            await self._follow()
            lost = 1 if self._clock.monotonic() - began >= STEADY_SECONDS else lost + 1
            await self._clock.sleep(self._waits.wait_after(lost))
            await self.connect()
            self._doubts.wake(self._gateway.account_id)
            await self._reconcile.reconcile(self._gateway.account_id)
            await self.lift()

    async def _follow(self) -> None:
        self._gateway.is_followed = True
        try:
            async for report in self._gateway.broker.reports():
                self._dispatcher.post(Lane.REPORTS, partial(self._track.book, self._gateway.account_id, report))
        finally:
            self._gateway.is_followed = False

    async def lift(self) -> None:
        """It is connected: what stopped it for not being so ends. Nothing happens where nothing stands."""
        try:
            await self._halts.resume(self._scope, "connected again", ENGINE)
        except StoreError as error:
            self._log.write("HALT", f"The halt stands until it can be stored that it ended: {error}", scope=self._scope)
            raise

    async def connect(self) -> BrokerAccount:
        """As often as it takes. Raises `LeaseLost` once the store is another process's: its broker is that one's too."""
        failed = 0
        while not self._is_over():
            try:
                return await self._figures.hear(self._gateway.account_id, self._gateway.broker.connect())
            except BrokerError as error:
                failed += 1
                await self._take_note(failed, error)
            await self._clock.sleep(self._waits.wait_after(failed))
        raise LeaseLost("another process took this store over before its broker was reached")

    async def _take_note(self, failed: int, error: BrokerError) -> None:
        self._log.write("BROKER", f"Not connected: {error}", account_id=self._gateway.account_id)
        if isinstance(error, BrokerAuthenticationError):
            self._on_refused(self._gateway.account_id, failed, error)
        if failed == ATTEMPTS:
            detail = f"not reached in {ATTEMPTS} attempts, the last: {error}; attempts go on"
            await self._halts.halt(self._scope, HaltReason.CONNECTION_LOST, detail, ENGINE)
