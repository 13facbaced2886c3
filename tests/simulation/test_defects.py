"""A simulation that finds nothing proves nothing: defects put between the service and its broker are found, and told briefly."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from liveorder.application.ports.broker import Absence, Broker, BrokerCapabilities, Prepared
from liveorder.domain.errors import BrokerConnectionError, OutcomeUnknown
from liveorder.domain.execution_report import Execution, ExecutionReport, OrderSnapshot
from tests.simulation.drawing import draw
from tests.simulation.history import History, live
from tests.simulation.shrinking import report, shrunk
from tests.simulation.world import Wrap

MOST_SEEDS = 60


class Altered:
    """A broker of which something is not as it should be."""

    def __init__(self, broker: Broker) -> None:
        self._broker: Any = broker

    def __getattr__(self, name: str) -> Any:
        return getattr(self._broker, name)


class CountsFillsTwice(Altered):
    """Each fill that is pushed bears an id of its own, another than the one by which it is asked for."""

    async def reports(self) -> AsyncIterator[ExecutionReport]:
        async for told in self._broker.reports():
            yield replace(told, execution_id=f"pushed-{told.execution_id}") if isinstance(told, Execution) else told


class TakesSilenceForFailure(Altered):
    """A request without an answer is called surely not received: it is sent again."""

    async def submit(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        try:
            answer: Sequence[ExecutionReport] = await self._broker.submit(prepared)
        except OutcomeUnknown as error:
            raise BrokerConnectionError(str(error)) from error
        return answer


class BelievesTheFirstAbsence(Altered):
    """Says that nothing is ever under way or hidden: what is not found is sent again at once."""

    @property
    def capabilities(self) -> BrokerCapabilities:
        declared: BrokerCapabilities = self._broker.capabilities
        return replace(declared, delivery_bound_seconds=0.0, lookup_lag_seconds=0.0, clock_skew_seconds=-3.0, trusts_absence=True)


class ForgetsHowMuchIsFilled(Altered):
    """Lists orders without their fills, and pushes none."""

    async def reports(self) -> AsyncIterator[ExecutionReport]:
        async for told in self._broker.reports():
            if not isinstance(told, Execution):
                yield told

    async def open_orders(self) -> Sequence[OrderSnapshot]:
        return [_emptied(snapshot) for snapshot in await self._broker.open_orders()]

    async def find(self, *asked: Any) -> OrderSnapshot | Absence:
        found: OrderSnapshot | Absence = await self._broker.find(*asked)
        return _emptied(found) if isinstance(found, OrderSnapshot) else found

    async def executions_since(self, since: object) -> Sequence[ExecutionReport]:
        return []


def _emptied(snapshot: OrderSnapshot) -> OrderSnapshot:
    return replace(snapshot, filled_quantity=snapshot.filled_quantity * 0, executions=())


DEFECTS: dict[str, tuple[Wrap, set[str]]] = {
    "fills count twice": (CountsFillsTwice, {"fills differ", "positions differ", "not reconciled"}),
    "silence is failure": (TakesSilenceForFailure, {"sent twice"}),
    "absence is believed at once": (BelievesTheFirstAbsence, {"sent twice"}),
    "fills are forgotten": (ForgetsHowMuchIsFilled, {"fills differ", "positions differ", "not reconciled"}),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_found_and_told_in_a_short_history(name: str) -> None:
    wrap, codes = DEFECTS[name]
    history = _first_failure(wrap, codes)
    short = shrunk(history, wrap)
    assert len(short.scenario.happenings) <= 4, report(short)
    assert f"--seed {history.scenario.seed} --only " in report(short)
    assert short.code == history.code


def _first_failure(wrap: Wrap, codes: set[str]) -> History:
    for seed in range(MOST_SEEDS):
        history = live(draw(seed), wrap)
        if history.code in codes:
            return history
    raise AssertionError(f"none of {MOST_SEEDS} histories shows {codes}")
