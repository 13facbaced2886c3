"""Finding an order by its tag: what Kite's list of the day says, and how much its silence is worth."""

from __future__ import annotations

import asyncio
import json
import threading
from datetime import timedelta
from typing import Any

import pytest

from liveorder.application.ports.broker import Absence
from liveorder.domain.broker_capabilities import KeySupport
from liveorder.domain.execution_report import BrokerStatus, OrderSnapshot
from liveorder.testing.venue.faults import Fault, FaultKind
from tests.unit.kite.canned import MORNING, Answer, Canned, broker_on, error, success
from tests.unit.kite.stage import KEY, order, order_row, scene

ORDER_ID = "1912345678901234567"
TODAY = {"day": "2026-11-20"}


def listed(*rows: dict[str, Any]) -> Canned:
    """A broker whose list of the day has these orders, and no trades of them."""
    return broker_on({"/orders": success(json.dumps(list(rows), default=str)), "/trades": success("[]")})


def row(order_id: str, status: str, filled: int = 0) -> dict[str, Any]:
    return order_row(order_id=order_id, status=status, filled_quantity=filled, average_price="1400.05")


def test_the_declaration_is_the_pessimistic_one() -> None:
    declared = listed().broker.capabilities
    assert (declared.key_support, declared.trusts_absence) == (KeySupport.SEARCHABLE, False)
    assert (declared.atomic_replace, declared.notional, declared.fractional) == (True, False, False)


async def test_an_order_is_found_by_its_tag_and_by_its_id() -> None:
    canned = listed(row(ORDER_ID, "OPEN"), order_row(order_id="1912345678901234568", tag="another", tags=[]))
    for order_id in (None, ORDER_ID):
        found = await canned.broker.find(KEY, order_id, TODAY)
        assert isinstance(found, OrderSnapshot)
        assert (found.client_order_id, found.broker_order_id) == (KEY, ORDER_ID)


async def test_a_whole_list_of_today_without_it_means_absent() -> None:
    assert await listed().broker.find(KEY, None, TODAY) is Absence.ABSENT


@pytest.mark.parametrize(("order_id", "reference"), [(None, {"day": "2026-11-19"}), (ORDER_ID, {}), (None, {})])
async def test_a_list_says_nothing_of_an_order_that_may_be_of_another_day(order_id: str | None, reference: dict[str, str]) -> None:
    assert await listed().broker.find(KEY, order_id, reference) is Absence.INCONCLUSIVE


async def test_indias_day_ends_at_half_past_six_in_the_evening_of_london_winter() -> None:
    canned = listed()
    reference = canned.broker.prepare(order()).reference
    canned.clock.at = MORNING + timedelta(hours=14, minutes=29)
    assert await canned.broker.find(KEY, None, reference) is Absence.ABSENT
    canned.clock.at = MORNING + timedelta(hours=14, minutes=30)
    assert await canned.broker.find(KEY, None, reference) is Absence.INCONCLUSIVE


async def test_an_order_of_yesterday_that_is_still_listed_is_found() -> None:
    found = await listed(row(ORDER_ID, "AMO REQ RECEIVED")).broker.find(KEY, None, {"day": "2026-11-19"})
    assert isinstance(found, OrderSnapshot)


async def test_questions_that_come_together_are_answered_by_one_list() -> None:
    """Kite may take a caller who fetches the whole day again and again for an attack."""
    canned = listed(row(ORDER_ID, "OPEN"))
    finding = [canned.broker.find(key, None, TODAY) for key in (KEY, "another", "third") * 4]
    found, listing = await asyncio.gather(asyncio.gather(*finding), canned.broker.open_orders())
    assert [isinstance(each, OrderSnapshot) for each in found] == [True, False, False] * 4
    assert len(listing) == 1
    assert canned.wire.count("/orders") == 1


async def test_a_list_that_was_asked_for_before_answers_no_later_question() -> None:
    canned = listed()
    canned.wire.until = threading.Event()
    before = asyncio.create_task(canned.broker.find(KEY, None, TODAY))
    await canned.wire.is_asked()
    canned.wire.answers["/orders"] = success(json.dumps([row(ORDER_ID, "OPEN")], default=str))
    after = asyncio.create_task(canned.broker.find(KEY, None, TODAY))
    await asyncio.sleep(0)
    canned.wire.until.set()
    assert await before is Absence.ABSENT
    assert isinstance(await after, OrderSnapshot)


async def test_a_list_that_cannot_be_had_is_inconclusive_for_all_who_wait_for_it() -> None:
    canned = broker_on({"/orders": error(503, "NetworkException")})
    assert {*await asyncio.gather(*(canned.broker.find(KEY, None, TODAY) for _ in range(5)))} == {Absence.INCONCLUSIVE}
    assert canned.wire.count("/orders") == 1


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ((("OPEN", 0), ("OPEN", 0)), None),
        ((("COMPLETE", 10), ("OPEN", 0)), None),
        ((("CANCELLED", 4), ("COMPLETE", 10)), None),
        ((("REJECTED", 0), ("CANCELLED", 0)), None),
        ((("SOMETHING NEW", 0), ("OPEN", 0)), None),
        ((("REJECTED", 0), ("OPEN", 0)), "1912345678901234501"),
        ((("CANCELLED", 4), ("REJECTED", 0)), "1912345678901234500"),
    ],
)
async def test_of_several_orders_with_one_tag_only_the_one_that_matters_is_found(states: Any, expected: str | None) -> None:
    canned = listed(*(row(f"191234567890123450{n}", *state) for n, state in enumerate(states)))
    found = await canned.broker.find(KEY, None, TODAY)
    if expected is not None:
        assert isinstance(found, OrderSnapshot)
        assert found.broker_order_id == expected
        return
    assert found is Absence.INCONCLUSIVE
    (told,) = canned.log.of("ANOMALY")
    assert KEY in told


async def test_an_order_that_lost_its_id_but_not_its_tag_is_not_absent() -> None:
    assert await listed(row(ORDER_ID, "OPEN")).broker.find(KEY, "1912345678901234999", TODAY) is Absence.INCONCLUSIVE


@pytest.mark.parametrize(
    "answer",
    [success("{}"), success("[1]"), success('[{"status": "OPEN"}]'), success('[{"order_id": "1", "filled_quantity": "many"}]')],
)
async def test_a_list_that_is_not_whole_says_nothing(answer: Answer) -> None:
    assert await broker_on({"/orders": answer}).broker.find(KEY, None, TODAY) is Absence.INCONCLUSIVE


async def test_an_order_whose_trades_could_not_be_had_is_not_told_by_halves() -> None:
    canned = listed(row(ORDER_ID, "COMPLETE", 10))
    canned.wire.answers["/trades"] = Answer("", 500)
    assert await canned.broker.find(KEY, None, TODAY) is Absence.INCONCLUSIVE


async def test_a_second_order_with_the_tag_is_seen_and_not_chosen() -> None:
    async with scene() as live:
        await live.submit()
        await live.submit()
        prepared = live.broker.prepare(order())
        assert await live.broker.find(KEY, None, prepared.reference) is Absence.INCONCLUSIVE
        assert [each.client_order_id for each in await live.broker.open_orders()] == [KEY, KEY]


async def test_a_lagging_list_is_absent_before_it_shows_the_order() -> None:
    """Which is why the engine waits out `lookup_lag_seconds` before it believes anything."""
    async with scene(lag_seconds=3600) as live:
        await live.submit()
        prepared = live.broker.prepare(order())
        assert await live.broker.find(KEY, None, prepared.reference) is Absence.ABSENT


async def test_after_the_day_its_orders_and_trades_are_forgotten() -> None:
    async with scene() as live:
        order_id = await live.submit()
        live.twin.end_the_day()
        assert await live.broker.open_orders() == []
        assert await live.broker.executions_since(MORNING) == []
        assert await live.broker.find(KEY, order_id, {"day": "2026-11-20"}) is Absence.INCONCLUSIVE


async def test_a_rejection_comes_later_than_the_answer() -> None:
    """Kite's 200 says that it has the order. What its risk checks say is in the list."""
    async with scene(rejection_probability=1.0) as live:
        order_id = await live.submit()
        found = await live.broker.find(KEY, order_id, live.broker.prepare(order()).reference)
        assert isinstance(found, OrderSnapshot)
        assert found.status is BrokerStatus.REJECTED
        assert found.reason


async def test_a_redirect_is_not_followed() -> None:
    async with scene() as live:
        live.twin.switches.redirects = True
        before = len(live.twin.questions)
        assert await live.broker.find(KEY, None, live.broker.prepare(order()).reference) is Absence.INCONCLUSIVE
        assert live.twin.questions[before:] == ["GET /orders"]


async def test_nothing_is_sent_twice_by_the_client_itself() -> None:
    async with scene() as live:
        await live.twin.exchange.control.lay(Fault(kind=FaultKind.RATE_LIMITED), Fault(kind=FaultKind.SERVER_ERROR))
        with pytest.raises(Exception, match="kite"):
            await live.submit()
        assert len(live.twin.placed) == 1


async def test_the_pace_of_questions_is_kept() -> None:
    canned = broker_on({"/orders": success("[]")}, capabilities={"requests_per_second": 10.0})
    for _ in range(11):
        await canned.broker.find(KEY, None, TODAY)
    assert canned.clock.at == MORNING + timedelta(seconds=1)
