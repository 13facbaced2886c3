"""Following a broker's stream, and reconnecting when it ends."""

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
"""After this many failed attempts in a row to reconnect, the account is halted until one succeeds."""
STEADY_SECONDS = 60.0
"""A stream that lasted this long resets the backoff: the first wait after its end is short again."""


class Reconnect:
    """One account's connection. Attempts go on forever, at growing intervals. A halt for a lost connection is lifted automatically,
    since its end can be observed.
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
        """`on_refused(account, failures, error)` is called if the broker refuses our credentials. `is_over`: whether the store was
        lost.
        """
        self._gateway, self._dispatcher, self._track = gateway, dispatcher, track
        self._doubts, self._reconcile, self._figures, self._halts = doubts, reconcile, figures, halts
        self._clock, self._log, self._on_refused, self._is_over = clock, log, on_refused, is_over
        self._waits = RetryPolicy(ATTEMPTS, first_wait_seconds)
        self._scope = connection_scope(gateway.account_id)

    async def follow_for_ever(self) -> None:
        """Follow the stream. When it ends, reconnect and ask about everything before following again."""
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
                self._dispatcher.post(Lane.REPORTS, partial(self._track.book_streamed, self._gateway.account_id, report))
        finally:
            self._gateway.is_followed = False

    async def lift(self) -> None:
        """Connected: lift the halt for the lost connection, if there is one."""
        try:
            await self._halts.resume(self._scope, "connected again", ENGINE)
        except StoreError as error:
            self._log.write("HALT", f"The halt stands until its end can be stored: {error}", scope=self._scope)
            raise

    async def connect(self) -> BrokerAccount:
        """Try to connect until it succeeds. Raises `LeaseLost` once another process owns the store, and so the broker
        connection.
        """
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
