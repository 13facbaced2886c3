"""Everything that starts in a running engine is listed here.

Incoming events become work of the `Dispatcher`, which starts it in the order of its lanes and runs it concurrently:
- OPERATOR: commands of other processes (`operator_commands`), and what `Reactions` posts to stop something;
- REPORTS: reports of a broker's stream (`recovery.reconnect` posts them, `orders.apply_reports` books them);
- SIGNALS: messages of the sources (`intake.intake` posts them, `trading.execute_order` makes orders of them), and orders that are
  sent again. A call through `Runner` is work of its own.

The tasks of `background` run beside it until the engine stops. If an event of one room concerns another, it goes through
`Reactions`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial

from liveorder.application.engine.rooms import Rooms
from liveorder.application.recording import ENGINE
from liveorder.application.runtime.dispatcher import Lane
from liveorder.domain.errors import BrokerAuthenticationError, BrokerError
from liveorder.domain.events import RecordedEvent
from liveorder.domain.execution_report import ExecutionReport
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import CancelReason
from liveorder.domain.order.executions import Executions
from liveorder.domain.trading_halt import HaltReason, account_scope

UPKEEP_SECONDS = 1.0


def background(rooms: Rooms) -> Iterator[tuple[str, Callable[[], Awaitable[None]]]]:
    """Name and function of each task that begins once recovery has ended. The other tasks run already."""
    terms, track, recovery = rooms.terms, rooms.orders.track, rooms.recovery
    for account_id, gateway in rooms.on.gateways.items():
        yield f"stream {account_id}", recovery.connected[account_id].follow_for_ever
        yield f"poll {account_id}", partial(track.poll_for_ever, gateway)
        yield f"doubts {account_id}", partial(recovery.doubts.ask_for_ever, account_id)
        yield f"waiting {account_id}", partial(rooms.trading.waiting.check_for_ever, account_id)
        if not terms.execution.is_shadow:
            yield f"timeouts {account_id}", partial(rooms.trading.timeouts.check_for_ever, account_id)
        yield f"reconcile {account_id}", partial(recovery.reconcile.reconcile_for_ever, account_id, terms.reconcile_seconds)
        if gateway.broker.capabilities.fees_in_kind:
            yield f"fees {account_id}", partial(recovery.reconcile.reconcile_after_fills_for_ever, account_id)
    yield "rebook", recovery.rebook.rebook_for_ever
    yield "upkeep", partial(_upkeep, rooms)


async def _upkeep(rooms: Rooms) -> None:
    """Catch up on what had to wait for the store: halts in memory only, journalled cancels, open commits, attempts not made."""
    while True:
        await rooms.on.clock.sleep(UPKEEP_SECONDS)
        await rooms.risk.halts.retry_durable()
        await rooms.emergency.replay_journal.book()
        await rooms.orders.register.look_again()
        rooms.recovery.recover.resubmit_unsent(rooms.trading.submit.submitting)


class Reactions:
    """Reactions of one room to an event of another. `rooms` is set after assembly, before any event occurs."""

    rooms: Rooms

    def store_is_lost(self) -> None:
        """`Ownership` lost the lease: stop taking signals. The service ends."""
        self.rooms.dispatcher.is_taking_signals = False

    def broker_fails(self, account_id: str, failures: int, error: BrokerError) -> None:
        """`Gateway` counted too many failures in a row, or the broker refused our credentials: halt the account."""
        is_about_us = isinstance(error, BrokerAuthenticationError)
        reason = HaltReason.BROKER_AUTH if is_about_us else HaltReason.CIRCUIT_BREAKER
        detail = f"credentials refused: {error}" if is_about_us else f"{failures} broker failures in a row, the last: {error}"
        self.rooms.risk.halts.halt_now(account_scope(account_id), reason, detail)
        self.rooms.dispatcher.post(Lane.OPERATOR, self.rooms.risk.halts.retry_durable)

    async def order_is_unknown_here(self, account_id: str, report: ExecutionReport) -> None:
        """`UnmatchedReports` met a key of ours that no order has: the store was restored or emptied, or a copy of it is in use.
        Orders could be sent twice, so halt the account.
        """
        detail = (
            f"the broker has order {report.broker_order_id} with a key of ours ({report.client_order_id}) that this store does not "
            "know: make sure that no copy of the store is used, adopt or cancel live orders, then resume"
        )
        await self.rooms.risk.halts.halt(account_scope(account_id), HaltReason.RESTORED_STORE, detail, ENGINE)

    def order_changed(self, before: LiveOrder | None, after: LiveOrder, recorded: Sequence[RecordedEvent]) -> None:
        """`OrderRegister` stored a step of an order: another may wait for it. A fill makes older figures of the broker's void for
        exits, and of it the broker may keep a fee. What ends may have filled more than was told.
        """
        waiting, account_id = self.rooms.trading.waiting, after.intent.account_id
        if after.is_waiting or after.order_id in waiting.awaited[account_id]:
            waiting.wake(account_id)
        if after.executions is not (before.executions if before is not None else Executions.none()):
            self.rooms.risk.positions.note_fill(account_id, after.intent.instrument.key)
            self.rooms.orders.fees.note_fill(after)
        if after.status.is_closed and before is not None and not before.status.is_closed:
            self.rooms.orders.last_fills.note_end(after)

    def closed_order_is_live(self, order: LiveOrder) -> None:
        """`ApplyReports` found a closed order live at the broker: cancel it, unless the settings leave it to a person."""
        terms = self.rooms.terms
        self.rooms.on.log.write("ANOMALY", "An order that is closed here is live at the broker", order_id=str(order.order_id))
        if terms.cancels_strays and not terms.execution.is_shadow:
            cancel = self.rooms.trading.cancel
            self.rooms.dispatcher.post(Lane.OPERATOR, lambda: cancel.cancel(order.order_id, CancelReason.STALE))

    def order_surely_never_left(self, order: LiveOrder) -> None:
        """`Recover` or `ResolveUnknownOutcomes` established that an order never left: send it. A shadow run leaves it for the next
        real run.
        """
        if not self.rooms.terms.execution.is_shadow:
            self.rooms.dispatcher.post(Lane.SIGNALS, lambda: self.rooms.trading.submit.resume(order))
