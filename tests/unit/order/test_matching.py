"""Which order a report speaks of where the broker's own id names it, and has named another before."""

from datetime import timedelta
from decimal import Decimal

import pytest

from liveorder.domain import execution_report as r
from liveorder.domain.order import LiveOrder
from liveorder.domain.order import events as ev
from liveorder.domain.order.matching import came_before, matching, may_concern, surely_matching, unlisted, was_waiting_for
from liveorder.domain.values import Side
from tests.builders import ACKNOWLEDGED, KEY, SENT, fill, intent, order_of, seconds

APPROVED = ev.Approved(figures={})
OLDER = order_of(intent(client_order_id="OLDER"), SENT, ACKNOWLEDGED, fill("a", 100))
NEWER = order_of(intent(client_order_id="NEWER"), APPROVED, APPROVED, APPROVED, SENT, ACKNOWLEDGED)
"""Sent three seconds later."""
NAMED = (NEWER, OLDER)
ADOPTED = order_of(intent(client_order_id="ADOPTED"), ACKNOWLEDGED)


def execution(execution_id: str, at: float | None = None, client_order_id: str | None = None) -> r.Execution:
    occurred_at = None if at is None else seconds(at)
    return r.Execution(
        execution_id=execution_id,
        quantity=Decimal(1),
        price=Decimal(10),
        occurred_at=occurred_at,
        client_order_id=client_order_id,
    )


def snapshot(**fields: object) -> r.OrderSnapshot:
    return r.OrderSnapshot(status=r.BrokerStatus.WORKING, **fields)  # type: ignore[arg-type]  # as each test needs


@pytest.mark.parametrize(
    ("report", "found"),
    [
        (execution("new"), NEWER),
        (execution("new", at=10), NEWER),
        (execution("new", at=2), OLDER),
        (execution("new", at=0), NEWER),
        (execution("a", at=10), OLDER),
        (r.ExecutionBusted(execution_id="a"), OLDER),
        (r.ExecutionCorrected(execution_id="c", corrects="a", quantity=Decimal(1), price=Decimal(10)), OLDER),
        (snapshot(executions=(execution("a"),)), OLDER),
        (snapshot(executions=(execution("new"),)), NEWER),
        (execution("new", client_order_id="OLDER"), OLDER),
        (snapshot(client_order_id="OLDER"), OLDER),
    ],
)
def test_a_report_goes_to_the_order_that_it_shows_to_know_else_to_the_newest_that_was_sent_by_then(
    report: r.ExecutionReport, found: object
) -> None:
    assert matching(NAMED, report) is found


@pytest.mark.parametrize(
    "report",
    [
        execution("new", client_order_id="of somebody else"),
        snapshot(client_order_id="of somebody else"),
        snapshot(side=Side.SELL),
        snapshot(symbol="AAPL"),
    ],
)
def test_a_report_of_another_key_side_or_symbol_is_of_none_of_them(report: r.ExecutionReport) -> None:
    assert matching(NAMED, report) is None


def test_where_our_key_is_told_what_else_is_told_does_not_matter() -> None:
    assert may_concern(order_of(SENT), snapshot(client_order_id=KEY, side=Side.SELL, symbol="SPY US"))


def test_an_order_that_others_sent_answers_to_a_key_that_we_never_learned() -> None:
    assert may_concern(ADOPTED, execution("new", client_order_id="of whoever sent it"))
    assert not may_concern(ADOPTED, snapshot(client_order_id="of whoever sent it", symbol="AAPL"))


def test_what_happened_before_an_order_was_sent_came_before_it_by_more_than_the_clocks_differ() -> None:
    report = execution("new", at=2)
    assert came_before(NEWER, report)
    assert not came_before(NEWER, report, timedelta(seconds=2))
    assert not came_before(NEWER, execution("new"))
    assert not came_before(ADOPTED, execution("new", at=0))


SKEW = timedelta(seconds=2)


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (execution("new", at=10), True),
        (execution("new"), True),
        (execution("new", at=2), True),
        (execution("new", at=1), False),
        (snapshot(occurred_at=seconds(1)), True),
        (execution("new", at=10, client_order_id="OLDER"), False),
        (snapshot(side=Side.SELL), False),
    ],
    ids=["since", "at no time", "within the skew", "before it was sent", "listed now", "of another key", "of the other side"],
)
def test_what_waited_under_a_brokers_id_is_of_the_order_that_has_it_now_unless_it_is_older(
    report: r.ExecutionReport, expected: bool
) -> None:
    assert was_waiting_for(NEWER, report, SKEW) is expected


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ([], True),
        ([snapshot(client_order_id="NEWER")], False),
        ([snapshot(broker_order_id="B-1")], False),
        ([snapshot(broker_order_id="B-1", symbol="AAPL")], True),
        ([snapshot(broker_order_id="B-1", client_order_id="OLDER")], True),
        ([snapshot(broker_order_id="B-2")], True),
    ],
    ids=["nothing", "by our key", "by its id", "its id on another symbol", "its id under another key", "another order"],
)
def test_an_order_is_unlisted_where_neither_its_key_nor_its_id_is_listed(listed: list[r.OrderSnapshot], expected: bool) -> None:
    assert unlisted([NEWER], listed) == [NEWER] * expected


def test_an_order_that_the_broker_never_had_is_not_missing_from_its_list() -> None:
    assert unlisted([order_of(SENT)], []) == []


@pytest.mark.parametrize(
    ("live", "finished", "report", "expected"),
    [
        (NEWER, [OLDER], execution("a"), OLDER),
        (NEWER, [OLDER], execution("new"), None),
        (NEWER, [OLDER], snapshot(), NEWER),
        (OLDER, [NEWER], execution("a"), OLDER),
        (None, [OLDER, NEWER], snapshot(), None),
        (NEWER, [OLDER], snapshot(client_order_id="OLDER"), None),
        (NEWER, [OLDER], execution("a", client_order_id="NEWER"), None),
    ],
    ids=[
        "it knows it",
        "nobody knows it",
        "none is named",
        "the open one knows it",
        "none is open",
        "another key",
        "none of its key",
    ],
)
def test_without_the_store_only_an_order_that_leaves_no_doubt_is_meant(
    live: LiveOrder | None, finished: list[LiveOrder], report: r.ExecutionReport, expected: LiveOrder | None
) -> None:
    assert surely_matching(live, finished, report) is expected
