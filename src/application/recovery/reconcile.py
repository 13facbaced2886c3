"""Reconciliation: asking the broker for everything and comparing it with ours. Runs at start, on every reconnect, at an interval,
and on demand.

The broker's reports are booked the ordinary way first; remaining differences are reported. A failed question is no answer: an
account whose positions could not be fetched is not flat, and nothing is concluded from it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from liveorder.application.gateway.gateway import Gateway
from liveorder.application.orders.apply_reports import LOOK_BACK, ApplyReports, UnmatchedReports
from liveorder.application.orders.fees_in_kind import FeesInKind
from liveorder.application.orders.order_register import OrderRegister
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.broker import BrokerPosition
from liveorder.application.ports.clock import Clock
from liveorder.application.reporting.views.fields import plain
from liveorder.application.risk.account_figures import AccountFigures
from liveorder.application.risk.book import RiskBook
from liveorder.application.risk.position_figures import PositionFigures, held, held_by_product
from liveorder.application.runtime.concurrently import concurrently
from liveorder.application.runtime.sparing_log import SparingLog
from liveorder.domain.errors import BrokerError
from liveorder.domain.reconciliation import (
    Difference,
    DifferenceKind,
    ReconciliationReport,
    may_be_fills,
    position_differences,
    product_differences,
    product_lines,
)
from liveorder.domain.values import EXACT, ZERO, Product

LOOK_AGAIN_SECONDS = 1.0
"""Wait between two questions for positions that differ. The broker's executions include a fill well within it."""
MOST_LOOKS = 5


@dataclass(frozen=True, slots=True)
class _Answers:
    """The broker's answers to one round of questions. `positions` is None if that question failed."""

    positions: Mapping[str, Decimal] | None
    parts: Mapping[str, Mapping[Product | None, Decimal]]
    """The same by product; under None what the broker names none of."""
    ours_before: Mapping[str, Decimal]
    """Ours by instrument, just before the question for positions."""
    asked_at: float
    """By the monotonic clock, just before positions were asked for."""
    missing: tuple[str, ...]
    """The questions that failed."""


class Reconcile:
    """Reconciles accounts, and keeps the latest report of each."""

    def __init__(
        self,
        orders: OrderRegister,
        gateways: Mapping[str, Gateway],
        track: ApplyReports,
        unmatched: UnmatchedReports,
        fees: FeesInKind,
        risk: RiskBook,
        figures: AccountFigures,
        heard: PositionFigures,
        clock: Clock,
        log: ActivityLog,
    ) -> None:
        self._orders, self._gateways, self._track, self._unmatched = orders, gateways, track, unmatched
        self._fees, self._risk, self._figures, self._heard = fees, risk, figures, heard
        self._clock, self._log = clock, log
        self._sparing_log = SparingLog(log, clock)
        self.latest: dict[str, ReconciliationReport] = {}

    async def reconcile_for_ever(self, account_id: str, interval_seconds: float) -> None:
        while True:
            await self._clock.sleep(interval_seconds)
            await self.reconcile(account_id)

    async def reconcile_after_fills_for_ever(self, account_id: str) -> None:
        """For a broker that keeps a fee of bought coins: reconcile soon after each fill."""
        while True:
            await self._fees.wait_for_fills(self._gateways[account_id])
            await self.reconcile(account_id)
            self._fees.looked(account_id)

    @property
    def is_settling(self) -> bool:
        """Whether a fee in kind may still have to be settled."""
        return self._fees.is_settling

    async def reconcile_all(self) -> list[ReconciliationReport]:
        return await concurrently(self.reconcile, self._gateways)

    async def reconcile(self, account_id: str) -> ReconciliationReport:
        """Book the broker's reports, then compare. The account's money is fetched too, but not compared.

        A position that differs takes no new risk until a comparison finds no difference. While it newly differs, and fills on their
        way can explain that, everything is asked again every `LOOK_AGAIN_SECONDS`, until the same difference is seen twice or it
        was looked at `MOST_LOOKS` times.
        """
        gateway, seen = self._gateways[account_id], dict[str, Decimal]()
        answers = await self._ask(gateway)
        for _ in range(MOST_LOOKS - 1):
            differs = self._differs_by_fills(account_id, answers)
            if differs.items() <= seen.items():
                break
            seen = differs
            await self._clock.sleep(LOOK_AGAIN_SECONDS)
            again = await self._ask_again(gateway, answers.positions or {}, differs)
            answers = again if again.positions is not None else replace(answers, missing=again.missing)
        differences = [*self._order_differences(account_id)]
        if answers.positions is not None:
            differences += self._compare_positions(account_id, answers.positions, answers.parts)
            if not answers.missing:
                await self._settle_fees(gateway, answers.positions, answers.asked_at)
        report = ReconciliationReport(account_id, self._clock.now(), tuple(differences), answers.missing)
        self._log_changes(report)
        self.latest[account_id] = report
        await self._figures.at_most(account_id, 0.0)
        return report

    async def _ask(self, gateway: Gateway) -> _Answers:
        executions = await self._track.catch_up(gateway, self._clock.now() - LOOK_BACK)
        open_orders = await self._track.poll(gateway)
        ours, asked_at = self._ours(gateway.account_id), self._clock.monotonic()
        positions = await self._positions(gateway)
        answered = {"executions": executions, "open orders": open_orders, "positions": positions is not None}
        quantities = None if positions is None else held(positions)
        return _Answers(
            quantities,
            held_by_product(positions or ()),
            ours,
            asked_at,
            tuple(name for name, is_answered in answered.items() if not is_answered),
        )

    async def _ask_again(self, gateway: Gateway, theirs: Mapping[str, Decimal], differs: Collection[str]) -> _Answers:
        """As `_ask`. If the broker takes its time, what differs takes no new risk meanwhile."""
        asking = asyncio.ensure_future(self._ask(gateway))
        try:
            await asyncio.wait({asking}, timeout=LOOK_AGAIN_SECONDS)
            if not asking.done():
                for key in differs:
                    self._risk.set_unreconciled(gateway.account_id, key, theirs.get(key, ZERO))
            return await asking
        finally:
            asking.cancel()

    async def _positions(self, gateway: Gateway) -> Sequence[BrokerPosition] | None:
        try:
            return await self._heard.hear(gateway)
        except BrokerError as error:
            self._sparing_log.write("BROKER", f"Positions could not be asked for: {error}", account_id=gateway.account_id)
            return None

    def _differs_by_fills(self, account_id: str, answers: _Answers) -> dict[str, Decimal]:
        """New differences that fills on their way can explain, by key: theirs less ours. Others stop new risk at once."""
        if answers.positions is None:
            return {}
        explained, now, known = dict[str, Decimal](), self._ours(account_id), self._risk.unreconciled(account_id)
        for key in {each.key for each in self._position_differences(account_id, answers.positions)} - known:
            theirs, ours = answers.positions.get(key, ZERO), now.get(key, ZERO)
            orders = (order for order in self._orders.unfinished(account_id) if order.intent.instrument.key == key)
            if may_be_fills(theirs, answers.ours_before.get(key, ZERO), ours, orders):
                explained[key] = EXACT.subtract(theirs, ours)
            else:
                self._risk.set_unreconciled(account_id, key, theirs)
        return explained

    def _ours(self, account_id: str) -> dict[str, Decimal]:
        return {key: position.quantity for key, position in self._risk.positions(account_id).items()}

    def _position_differences(self, account_id: str, theirs: Mapping[str, Decimal]) -> list[Difference]:
        """The differences in positions, without those that a fee in kind can explain."""
        differences = position_differences(self._ours(account_id), theirs)
        return [each for each in differences if not self._is_fee(account_id, each.key, theirs)]

    def _compare_positions(
        self, account_id: str, theirs: Mapping[str, Decimal], parts: Mapping[str, Mapping[Product | None, Decimal]]
    ) -> list[Difference]:
        """The differences. Each one's symbol takes no new risk until it is gone."""
        found = [self._noted(account_id, each) for each in self._position_differences(account_id, theirs)]
        keys, shown = {difference.key for difference in found}, [*found]
        for key in sorted({*theirs, *self._ours(account_id), *self._risk.unreconciled(account_id)}):
            self._risk.place(account_id, key, parts.get(key, {}))
            ours = self._risk.account_by_product(account_id, key)
            by_product = product_differences(ours, parts.get(key, {}))
            if by_product or key in keys:
                self._risk.set_unreconciled(account_id, key, theirs.get(key, ZERO), by_product)
            elif key in self._risk.unreconciled(account_id):
                self._risk.clear_unreconciled(account_id, key)
            if key not in keys:
                shown += product_lines(key, ours, by_product)
        return shown

    def _is_fee(self, account_id: str, key: str, theirs: Mapping[str, Decimal]) -> bool:
        return self._fees.explain(account_id, key, theirs.get(key, ZERO))

    def _noted(self, account_id: str, difference: Difference) -> Difference:
        if not (largest := self._fees.largest(account_id, difference.key)):
            return difference
        return replace(difference, note=f"no fee explains it: a fee would be at most {plain(largest):f} less at the broker")

    async def _settle_fees(self, gateway: Gateway, theirs: Mapping[str, Decimal], asked_at: float) -> None:
        for key in self._risk.positions(gateway.account_id):
            if self._is_fee(gateway.account_id, key, theirs):
                await self._fees.settle(gateway, key, theirs.get(key, ZERO), asked_at)

    def _order_differences(self, account_id: str) -> list[Difference]:
        unknown = [
            Difference(DifferenceKind.UNKNOWN_ORDER, snapshot.broker_order_id or "", "none", snapshot.status.value)
            for snapshot in self._unmatched.live(account_id)
        ]
        doubtful = [
            Difference(DifferenceKind.MISSING_ORDER, str(order.order_id), order.status.value, "in doubt")
            for order in self._orders.unfinished(account_id)
            if order.is_in_doubt
        ]
        absent = [
            Difference(DifferenceKind.MISSING_ORDER, str(order.order_id), order.status.value, "not found")
            for order in self._track.absent(account_id)
            if not order.is_in_doubt
        ]
        return unknown + doubtful + absent

    def _log_changes(self, report: ReconciliationReport) -> None:
        before = self.latest.get(report.account_id)
        same = before is not None and (before.differences, before.unanswered) == (report.differences, report.unanswered)
        if same or (before is None and report.is_clean):
            return
        if report.is_clean:
            self._log.write("RECONCILE", f"{report.account_id} agrees with the broker", account_id=report.account_id)
        for difference in report.differences:
            note = f"; {difference.note}" if difference.note else ""
            text = f"{difference.kind} {difference.key}: {difference.ours} here, {difference.theirs} at the broker{note}"
            self._log.write("RECONCILE", text, account_id=report.account_id)
