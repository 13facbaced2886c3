"""Recovery at start: list unfinished orders, ask the broker, and book its answers the ordinary way.

Recovery sends nothing that could already be at the broker. A request without an outcome is in doubt from here on. An order that
certainly never left is sent if it is still wanted. If it had an attempt, the broker is asked first, so that its adapter learns the
stored reference and uses it for no other order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from liveorder.application.gateway.gateway import Gateway
from liveorder.application.orders.apply_reports import ApplyReports, UnmatchedReports
from liveorder.application.orders.order_register import OrderRegister
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.recording import Cause
from liveorder.application.recovery.resolve_unknown_outcomes import ResolveUnknownOutcomes
from liveorder.application.runtime.concurrently import QUESTIONS_AT_ONCE, concurrently
from liveorder.domain.claim import IdempotencyClaim
from liveorder.domain.order import LiveOrder, requests
from liveorder.domain.order.events import RESTARTED, AnomalyNoted

SECOND_ORDER = "second_order_of_its_signal"
"""Code of the anomaly and the review of an order whose claim is superseded."""


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """What recovery found, and what it did."""

    unfinished: int
    in_doubt: int
    taken_up: int
    unreachable: tuple[str, ...]
    """Accounts whose broker did not answer. Their orders are asked about as soon as it does."""


class Recover:
    """Runs once, before any signal is taken. `resubmit_unsent` also runs later."""

    def __init__(
        self,
        orders: OrderRegister,
        gateways: Mapping[str, Gateway],
        track: ApplyReports,
        unmatched: UnmatchedReports,
        doubts: ResolveUnknownOutcomes,
        log: ActivityLog,
        resubmit: Callable[[LiveOrder], None],
    ) -> None:
        self._orders, self._gateways, self._track, self._doubts = orders, gateways, track, doubts
        self._unmatched = unmatched
        self._log, self._resubmit = log, resubmit

    async def recover(self) -> RecoveryReport:
        left = self._orders.unfinished()
        self._unmatched.left_by_an_earlier_run(left)
        for order in left:
            if order.broker_order_id is not None:
                await self._unmatched.resolve_left(order, order.broker_order_id, order.executions.reported)
        await concurrently(self._doubt_what_was_under_way, left)
        gateways = [self._gateways[account_id] for account_id in self._accounts(left)]
        answered = await concurrently(self._track.poll, gateways)
        unreachable = [gateway.account_id for gateway, was in zip(gateways, answered, strict=True) if not was]
        await self._doubts.ask_all_due()
        await concurrently(self._ask_before_sending_again, self._orders.unfinished(), limit=QUESTIONS_AT_ONCE)
        taken_up = self.resubmit_unsent()
        report = RecoveryReport(len(left), len(self._doubts.standing()), taken_up, tuple(unreachable))
        if left:
            self._log.write("RECOVERY", _summary(report))
        return report

    async def mark_second_orders(self, superseded: Sequence[IdempotencyClaim]) -> None:
        """Flag orders that an earlier release made from signals that already had one. A person must look at each, once."""
        for claim in superseded:
            async with self._orders.hold(claim.order_id) as order:
                if SECOND_ORDER not in order.anomalies:
                    message = f"signal {claim.signal_id} became an order on {claim.account_id} before this one"
                    events = [
                        AnomalyNoted(code=SECOND_ORDER, message=message),
                        *requests.request_review(order, SECOND_ORDER, message),
                    ]
                    await self._orders.record(order, events, Cause(correlation_id=claim.signal_id))

    async def _doubt_what_was_under_way(self, order: LiveOrder) -> None:
        for request in self._doubts.unattended(order):
            await self._doubts.doubt(order, request.request_id, RESTARTED, "the last run ended before its outcome")

    async def _ask_before_sending_again(self, order: LiveOrder) -> None:
        if order.is_sent and requests.is_surely_unsent(order):
            await self._track.ask(self._gateways[order.intent.account_id], order)

    def resubmit_unsent(self, submitting: Collection[UUID] = ()) -> int:
        """Send every order that certainly never left and that nobody is submitting. Returns how many there were.

        Also runs later: if the store was unavailable when an attempt was due, the task that was to make it has ended.
        """
        unsent = [
            order for order in self._orders.unfinished() if requests.is_surely_unsent(order) and order.order_id not in submitting
        ]
        for order in unsent:
            self._resubmit(order)
        return len(unsent)

    def _accounts(self, orders: Sequence[LiveOrder]) -> Sequence[str]:
        return sorted({order.intent.account_id for order in orders})


def _summary(report: RecoveryReport) -> str:
    text = f"Recovered {report.unfinished} unfinished orders: {report.in_doubt} in doubt, {report.taken_up} taken up again"
    return text + (f"; no answer from {', '.join(report.unreachable)}" if report.unreachable else "")
