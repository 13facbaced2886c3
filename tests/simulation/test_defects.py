"""A simulation that finds nothing proves nothing: it finds defects at the broker and in the engine, and shrinks their histories."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import Any

import pytest
from msgspec import structs

from liveorder.application.ports.broker import Absence, Prepared
from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.errors import BrokerConnectionError, OutcomeUnknown
from liveorder.domain.execution_report import Execution, ExecutionReport, OrderSnapshot
from liveorder.testing.venue.faults import FaultKind, Point
from tests.harness.defects import (
    Altered,
    Defect,
    asks_for_one_of_the_missing,
    believes_what_was_heard_before_the_last_fill,
    books_what_sales_bring_as_paid,
    forgets_what_is_closing,
    forgets_what_may_have_moved,
    forgets_what_waits,
    opens_before_it_has_closed,
    prepares_each_attempt,
    sends_after_the_deadline,
)
from tests.simulation.generator import generate
from tests.simulation.history import History, simulate
from tests.simulation.scenario import (
    Commanded,
    CommitFails,
    Delivered,
    DeliveredTogether,
    Killed,
    Laid,
    Scenario,
    Stopped,
    StoreSlow,
    TradedByHand,
)
from tests.simulation.shrinking import report, shrunk
from tests.simulation.targeted_faults import TARGET

MOST_SEEDS = 60


# --- between the service and its broker ---


class CountsFillsTwice(Altered):
    """Each fill that is pushed bears an id of its own, another than the one by which it is asked for."""

    async def reports(self) -> AsyncIterator[ExecutionReport]:
        async for each in self._port.reports():
            yield structs.replace(each, execution_id=f"pushed-{each.execution_id}") if isinstance(each, Execution) else each


class TakesSilenceForFailure(Altered):
    """A request without an answer is called surely not received: it is sent again."""

    async def submit(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        try:
            answer: Sequence[ExecutionReport] = await self._port.submit(prepared)
        except OutcomeUnknown as error:
            raise BrokerConnectionError(str(error)) from error
        return answer


class BelievesTheFirstAbsence(Altered):
    """Says that nothing is ever under way or hidden: what is not found is sent again at once."""

    @property
    def capabilities(self) -> BrokerCapabilities:
        declared: BrokerCapabilities = self._port.capabilities
        return replace(declared, delivery_bound_seconds=0.0, lookup_lag_seconds=0.0, clock_skew_seconds=-3.0, trusts_absence=True)


class ForgetsHowMuchIsFilled(Altered):
    """Lists orders without their fills, and pushes none."""

    async def reports(self) -> AsyncIterator[ExecutionReport]:
        async for each in self._port.reports():
            if not isinstance(each, Execution):
                yield each

    async def open_orders(self) -> Sequence[OrderSnapshot]:
        return [_emptied(snapshot) for snapshot in await self._port.open_orders()]

    async def find(self, *asked: Any) -> OrderSnapshot | Absence:
        found: OrderSnapshot | Absence = await self._port.find(*asked)
        return _emptied(found) if isinstance(found, OrderSnapshot) else found

    async def executions_since(self, since: object) -> Sequence[ExecutionReport]:
        return []


def _emptied(snapshot: OrderSnapshot) -> OrderSnapshot:
    return structs.replace(snapshot, filled_quantity=snapshot.filled_quantity * 0, executions=())


# --- which histories show them ---


@dataclass(frozen=True)
class Exposed:
    """By which of its codes a history shows the defect, and in which histories it can: the others need not be simulated."""

    defect: Defect
    codes: set[str]
    is_suspect: Callable[[Scenario], bool] = lambda scenario: True


def _is_crowded(scenario: Scenario) -> bool:
    return any(isinstance(step, DeliveredTogether) for _, step in scenario.steps)


def _has_a_slow_store_and_short_calls(scenario: Scenario) -> bool:
    slow = (step for _, step in scenario.steps if isinstance(step, StoreSlow))
    return any(each.seconds > scenario.call_timeout_seconds for each in slow) and TARGET in repr(scenario.steps)


def _holds_a_submission(scenario: Scenario) -> bool:
    laid = (step.fault for _, step in scenario.steps if isinstance(step, Laid))
    is_held = any((fault.kind, fault.on) == (FaultKind.REQUEST_HELD, Point.SUBMIT) for fault in laid)
    return is_held and scenario.key_class.startswith("searchable")


def _closes_twice(scenario: Scenario) -> bool:
    exits = [step.text for _, step in scenario.steps if isinstance(step, Delivered) and '"x0-' in step.text]
    return len(exits) > 2 and any('"opens"' in step.text for _, step in scenario.steps if isinstance(step, Delivered))


def _turns_in_two_legs(scenario: Scenario) -> bool:
    is_apart = scenario.may_be_short and not scenario.capabilities.crosses_zero
    sized = [step for _, step in scenario.steps if isinstance(step, Delivered) and _is_to_turn(step.text)]
    return is_apart and bool(sized) and any('"opens"' in step.text for _, step in scenario.steps if isinstance(step, Delivered))


def _is_to_turn(text: str) -> bool:
    return '"x0-' in text and any(f'"quantity": {units}}}' in text for units in (13, 15, 25))


def _restarts_before_the_open(scenario: Scenario) -> bool:
    opens_after, is_patient = scenario.opens_after or 0.0, scenario.max_signal_age_seconds is None
    return is_patient and any(isinstance(step, Killed | Stopped) and 2.0 < step.at < opens_after for _, step in scenario.steps)


def _is_traded_by_hand(scenario: Scenario) -> bool:
    """Beside one strategy alone, and with few exits: the shortest histories."""
    entries = [step for _, step in scenario.steps if isinstance(step, Delivered) and '"in-' in step.text]
    return len(entries) == 1 and len(scenario.steps) <= 6 and any(isinstance(step, TradedByHand) for _, step in scenario.steps)


def _transfers_while_commits_fail(scenario: Scenario) -> bool:
    steps = [step for _, step in scenario.steps]
    transfers = [each.at for each in steps if isinstance(each, Commanded) and each.kind == "transfer"]
    return any(isinstance(each, CommitFails) and at - each.at < 0.1 for each in steps for at in transfers if each.at < at)


WRONG_FILLS = {"fills differ", "positions differ", "not reconciled"}
WRONGLY_SENT = {"sent what must not be sent"}
DEFECTS = {
    "fills count twice": Exposed(Defect(CountsFillsTwice), WRONG_FILLS),
    "silence is failure": Exposed(Defect(TakesSilenceForFailure), {"sent twice"}),
    "absence is believed at once": Exposed(Defect(BelievesTheFirstAbsence), {"sent twice"}, is_suspect=_holds_a_submission),
    "fills are forgotten": Exposed(Defect(ForgetsHowMuchIsFilled), WRONG_FILLS),
    "one of the missing is asked for": Exposed(
        Defect(engine=asks_for_one_of_the_missing), {"an order was not asked for"}, is_suspect=_is_crowded
    ),
    "a call leaves after its deadline": Exposed(
        Defect(engine=sends_after_the_deadline), WRONGLY_SENT, is_suspect=_has_a_slow_store_and_short_calls
    ),
    "a sign error in the risk ledger": Exposed(Defect(engine=books_what_sales_bring_as_paid), {"two books"}),
    "what is closing is forgotten": Exposed(Defect(engine=forgets_what_is_closing), {"beyond zero"}, is_suspect=_closes_twice),
    "the second leg of a reversal leaves before the first has closed": Exposed(
        Defect(engine=opens_before_it_has_closed), {"a leg too early"}, is_suspect=_turns_in_two_legs
    ),
    "an order that waited is forgotten by the next life": Exposed(
        Defect(engine=forgets_what_waits), {"does not settle"}, is_suspect=_restarts_before_the_open
    ),
    "what may have moved is forgotten": Exposed(
        Defect(engine=forgets_what_may_have_moved),
        {"an exit was refused for nothing", "beyond its target"},
        is_suspect=_transfers_while_commits_fail,
    ),
    "a figure from before the last fill is believed": Exposed(
        Defect(engine=believes_what_was_heard_before_the_last_fill),
        {"an exit opened a position", "an exit was refused for nothing"},
        is_suspect=_is_traded_by_hand,
    ),
    "each attempt has bytes of its own": Exposed(Defect(engine=prepares_each_attempt), WRONGLY_SENT),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_found_and_told_in_a_short_history(name: str) -> None:
    exposed = DEFECTS[name]
    history = _first_failure(exposed)
    short = shrunk(history, exposed.defect)
    assert len(short.scenario.steps) <= 4, report(short)
    assert f"--seed {history.scenario.seed} --only " in report(short)
    assert short.code == history.code


def _first_failure(exposed: Exposed) -> History:
    for scenario in islice(filter(exposed.is_suspect, map(generate, count())), MOST_SEEDS):
        history = simulate(scenario, exposed.defect)
        if history.code in exposed.codes:
            return history
    raise AssertionError(f"none of {MOST_SEEDS} histories shows {exposed.codes}")
