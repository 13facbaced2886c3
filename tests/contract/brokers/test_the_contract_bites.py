"""Adapters that break a promise fail the case that is about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from msgspec import structs

from liveorder.application.ports.broker import Absence, BrokerPosition, BrokerRequest, Prepared, SubmitRequest
from liveorder.domain.broker_account import BrokerAccount
from liveorder.domain.broker_capabilities import BrokerCapabilities, KeySupport
from liveorder.domain.errors import BrokerConnectionError, BrokerError, LiveOrderError, OrderValidationError, OutcomeUnknown
from liveorder.domain.execution_report import (
    CancelRejected,
    CloseCause,
    Execution,
    ExecutionReport,
    OrderClosed,
    OrderReplaced,
    OrderSnapshot,
    ReplaceRejected,
)
from liveorder.domain.values import TradingHours
from liveorder.infrastructure.brokers.simulated.broker import SimulatedBroker
from liveorder.testing.case import ContractBroken
from liveorder.testing.cases import CASES
from tests.contract.brokers.simulated_stage import simulated_stage


class SendsAgain(SimulatedBroker):
    """What many clients do by themselves."""

    async def submit(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        with suppress(OutcomeUnknown):
            return await super().submit(prepared)
        return await super().submit(prepared)


class TakesSilenceForNo(SimulatedBroker):
    async def submit(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        try:
            return await super().submit(prepared)
        except OutcomeUnknown as error:
            raise BrokerConnectionError(str(error)) from error


class TakesFailureForAbsence(SimulatedBroker):
    async def find(
        self, client_order_id: str, broker_order_id: str | None, reference: Mapping[str, str]
    ) -> OrderSnapshot | Absence:
        found = await super().find(client_order_id, broker_order_id, reference)
        return Absence.ABSENT if found is Absence.INCONCLUSIVE else found


class TakesFailureForFlat(SimulatedBroker):
    async def positions(self) -> Sequence[BrokerPosition]:
        with suppress(BrokerError):
            return await super().positions()
        return []


class NamesFillsByPath(SimulatedBroker):
    async def executions_since(self, since: datetime) -> Sequence[ExecutionReport]:
        told = await super().executions_since(since)
        return [
            structs.replace(each, execution_id=f"P{each.execution_id}") if isinstance(each, Execution) else each for each in told
        ]


class TellsFillsWithoutBackfill(SimulatedBroker):
    async def executions_since(self, since: datetime) -> Sequence[ExecutionReport]:
        return []


class TakesARefusedCancelForDone(SimulatedBroker):
    async def cancel(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        return [_done(each) for each in await super().cancel(prepared)]


def _done(report: ExecutionReport) -> ExecutionReport:
    if not isinstance(report, CancelRejected):
        return report
    return OrderClosed(client_order_id=report.client_order_id, broker_order_id=report.broker_order_id, cause=CloseCause.REQUESTED)


class TakesARefusedReplaceForDone(SimulatedBroker):
    async def replace(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        told = await super().replace(prepared)
        return [OrderReplaced(client_order_id=each.client_order_id) if isinstance(each, ReplaceRejected) else each for each in told]


class ForgetsToLook(SimulatedBroker):
    """Prepares what it has not declared."""

    @property
    def capabilities(self) -> BrokerCapabilities:
        return replace(super().capabilities, notional=False, fractional=False, order_types=frozenset())


class NamesNobody(SimulatedBroker):
    async def find(
        self, client_order_id: str, broker_order_id: str | None, reference: Mapping[str, str]
    ) -> OrderSnapshot | Absence:
        found = await super().find(client_order_id, broker_order_id, reference)
        return found if isinstance(found, Absence) else structs.replace(found, client_order_id=None)


class CountsTwice(SimulatedBroker):
    """A replacement's fills, and those of the order before it."""

    async def find(
        self, client_order_id: str, broker_order_id: str | None, reference: Mapping[str, str]
    ) -> OrderSnapshot | Absence:
        found = await super().find(client_order_id, broker_order_id, reference)
        return found if isinstance(found, Absence) else structs.replace(found, filled_quantity=found.filled_quantity * 2)


class ConnectsWithAnything(SimulatedBroker):
    async def connect(self) -> BrokerAccount:
        with suppress(BrokerError):
            return await super().connect()
        return None  # type: ignore[return-value]  # the defect


class RemembersTheMoney(SimulatedBroker):
    """Asks once, and tells what it heard then for ever."""

    heard: BrokerAccount | None = None

    async def account(self) -> BrokerAccount:
        self.heard = self.heard or await super().account()
        return self.heard


class DatesTheMoneyAnew(RemembersTheMoney):
    async def account(self) -> BrokerAccount:
        told = await super().account()
        return replace(told, figures=tuple(replace(each, at=datetime.now(UTC)) for each in told.figures))


class ListsOnlyItsOwn(SimulatedBroker):
    async def open_orders(self) -> Sequence[OrderSnapshot]:
        return [each for each in await super().open_orders() if each.client_order_id]


class PreparesSomethingElse(SimulatedBroker):
    def prepare(self, request: BrokerRequest) -> Prepared:
        return structs.replace(super().prepare(request), payload="{}")


class ChecksNothing(SimulatedBroker):
    def check(self, request: SubmitRequest) -> None:
        """Takes all, though `prepare` refuses some."""


class ChecksTooMuch(SimulatedBroker):
    def check(self, request: SubmitRequest) -> None:
        raise OrderValidationError("quantity: nothing is good enough; give up")


class ForgetsTheHours(SimulatedBroker):
    def prepare(self, request: BrokerRequest) -> Prepared:
        return super().prepare(request.but(hours=TradingHours.REGULAR) if isinstance(request, SubmitRequest) else request)


class TradesAtAllHours(SimulatedBroker):
    def prepare(self, request: BrokerRequest) -> Prepared:
        return super().prepare(request.but(hours=TradingHours.EXTENDED) if isinstance(request, SubmitRequest) else request)


class TellsOtherHours(SimulatedBroker):
    async def find(
        self, client_order_id: str, broker_order_id: str | None, reference: Mapping[str, str]
    ) -> OrderSnapshot | Absence:
        found = await super().find(client_order_id, broker_order_id, reference)
        return found if isinstance(found, Absence) else structs.replace(found, hours=TradingHours.REGULAR)


class RoundsAveragePrices(SimulatedBroker):
    async def find(
        self, client_order_id: str, broker_order_id: str | None, reference: Mapping[str, str]
    ) -> OrderSnapshot | Absence:
        found = await super().find(client_order_id, broker_order_id, reference)
        return found if isinstance(found, Absence) else structs.replace(found, average_price=Decimal(1))


UNIQUE, SEARCHABLE = KeySupport.UNIQUE, KeySupport.SEARCHABLE
DEFECTS: list[tuple[type[SimulatedBroker], KeySupport, str]] = [
    (SendsAgain, SEARCHABLE, "a_lost_acknowledgement_is_not_known"),
    (TakesSilenceForNo, UNIQUE, "a_lost_request_is_not_known"),
    (TakesSilenceForNo, UNIQUE, "a_server_error_after_acceptance_is_not_known"),
    (TakesFailureForAbsence, UNIQUE, "a_question_that_fails_is_inconclusive"),
    (TakesFailureForAbsence, UNIQUE, "a_refused_login_says_nothing_about_an_order"),
    (TakesFailureForFlat, UNIQUE, "a_question_that_fails_is_inconclusive"),
    (NamesFillsByPath, UNIQUE, "partial_fills_add_up_on_every_path"),
    (NamesFillsByPath, UNIQUE, "a_fill_that_is_pushed_twice_has_one_id"),
    (TellsFillsWithoutBackfill, UNIQUE, "a_fill_that_was_never_pushed_is_backfilled"),
    (TellsFillsWithoutBackfill, UNIQUE, "fills_during_a_disconnection_are_found_after_it"),
    (TakesARefusedCancelForDone, UNIQUE, "a_cancel_that_comes_too_late_is_refused"),
    (TakesARefusedReplaceForDone, UNIQUE, "a_replace_that_comes_too_late_is_refused"),
    (ForgetsToLook, UNIQUE, "every_declared_order_type_is_taken"),
    (ForgetsToLook, UNIQUE, "an_order_for_an_amount_is_taken_or_refused_by_prepare"),
    (ForgetsToLook, UNIQUE, "a_part_of_a_unit_is_refused_by_prepare_unless_declared"),
    (NamesNobody, UNIQUE, "a_new_order_is_taken_and_found_as_it_was_sent"),
    (NamesNobody, UNIQUE, "another_life_finds_what_the_last_one_sent"),
    (CountsTwice, UNIQUE, "a_replaced_order_can_be_replaced_filled_and_cancelled"),
    (ConnectsWithAnything, UNIQUE, "refused_credentials_keep_it_from_connecting"),
    (RemembersTheMoney, UNIQUE, "the_accounts_money_is_told_with_its_time"),
    (DatesTheMoneyAnew, UNIQUE, "the_accounts_money_is_told_with_its_time"),
    (ListsOnlyItsOwn, UNIQUE, "open_orders_are_listed_ours_and_others"),
    (PreparesSomethingElse, UNIQUE, "what_is_prepared_stays_the_same_and_holds_no_secret"),
    (ChecksNothing, UNIQUE, "every_declared_time_in_force_is_taken"),
    (ChecksTooMuch, UNIQUE, "a_new_order_is_taken_and_found_as_it_was_sent"),
    (ForgetsTheHours, UNIQUE, "declared_extended_hours_are_taken"),
    (TradesAtAllHours, UNIQUE, "declared_extended_hours_are_taken"),
    (TellsOtherHours, UNIQUE, "declared_extended_hours_are_taken"),
    (RoundsAveragePrices, UNIQUE, "a_part_fill_leaves_the_order_open"),
    (SimulatedBroker, SEARCHABLE, "a_second_order_with_the_same_key_is_refused"),
]
_CASES: dict[str, Any] = {case.name: case for case in CASES}


@pytest.mark.parametrize(("kind", "support", "case"), DEFECTS, ids=[f"{kind.__name__}-{case}" for kind, _, case in DEFECTS])
async def test_a_defect_is_found(kind: type[SimulatedBroker], support: KeySupport, case: str) -> None:
    async with simulated_stage(kind, support) as stage:
        stage.patience_seconds = 0.5
        with pytest.raises((ContractBroken, LiveOrderError, TimeoutError)):
            await _CASES[case].play(stage)
