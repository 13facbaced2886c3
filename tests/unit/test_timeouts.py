"""How long an order may stand, in what time, and when its cancel is tried again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from liveorder.domain.order import LiveOrder, OpenRequest
from liveorder.domain.order.events import CancelReason, RequestKind
from liveorder.domain.timeouts import LONGEST_WAIT_SECONDS, LateCancel, TimeAllowed, is_late, time_allowed, why_to_cancel
from liveorder.domain.values import OrderRole, OrderType, TimeInForce
from tests.builders import ACKNOWLEDGED, SENT, START, intent, order_of, seconds, unknown

MARKET, DAY_LIMIT = 60.0, 300.0
LIMIT = {"order_type": OrderType.LIMIT, "limit_price": Decimal(9)}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, TimeAllowed(MARKET, in_session=True)),
        (LIMIT, TimeAllowed(DAY_LIMIT, in_session=True)),
        (LIMIT | {"role": OrderRole.EXIT}, TimeAllowed(DAY_LIMIT, in_session=True)),
        (LIMIT | {"time_in_force": TimeInForce.GTC}, None),
        (LIMIT | {"time_in_force": TimeInForce.GTC, "timeout_seconds": 5.0}, TimeAllowed(5, in_session=False)),
        (LIMIT | {"role": OrderRole.TAKE_PROFIT}, None),
        ({"role": OrderRole.STOP_LOSS}, None),
        ({"role": OrderRole.STOP_LOSS, "timeout_seconds": 5.0}, TimeAllowed(5, in_session=False)),
        ({"time_in_force": TimeInForce.OPG}, None),
        ({"order_type": OrderType.STOP, "stop_price": Decimal(9)}, None),
    ],
)
def test_how_long_an_order_may_stand(changes: dict[str, Any], expected: TimeAllowed | None) -> None:
    assert time_allowed(intent(**changes), MARKET, DAY_LIMIT) == expected


STANDING = order_of(SENT, ACKNOWLEDGED)
"""Submitted a second after the start."""
IN_SESSION, IN_ALL = TimeAllowed(60, in_session=True), TimeAllowed(60, in_session=False)
CANCEL_IN_DOUBT = OpenRequest("KEY-c1", RequestKind.CANCEL, START, None, unknown_since=START)


def open_for(share: float) -> Callable[[datetime, datetime], float]:
    """An exchange that trades in such a share of the time."""
    return lambda since, until: (until - since).total_seconds() * share


@pytest.mark.parametrize(
    ("order", "allowed", "after", "share", "expected"),
    [
        (STANDING, IN_SESSION, 60.9, 1.0, False),
        (STANDING, IN_SESSION, 61, 1.0, True),
        (STANDING, IN_SESSION, 61, 0.5, False),
        (STANDING, IN_SESSION, 121, 0.5, True),
        (STANDING, IN_ALL, 61, 0.0, True),
        (STANDING, None, 1e6, 1.0, False),
        (order_of(), IN_ALL, 1e6, 1.0, False),
        (order_of(SENT), IN_ALL, 1e6, 1.0, False),
        (order_of(SENT, unknown(SENT.request_id)), IN_ALL, 1e6, 1.0, False),
        (replace(STANDING, requests={"KEY-c1": CANCEL_IN_DOUBT}), IN_ALL, 1e6, 1.0, False),
    ],
)
def test_what_stands_longer_than_it_may_is_late_unless_it_is_in_doubt(
    order: LiveOrder, allowed: TimeAllowed | None, after: float, share: float, expected: bool
) -> None:
    assert is_late(order, allowed, seconds(after), open_for(share)) is expected


def test_a_cancel_that_was_wished_for_is_asked_once_the_order_is_at_the_broker() -> None:
    wished = replace(STANDING, cancel_wish=CancelReason.HALTED)
    assert why_to_cancel(wished, None, seconds(2), open_for(1)) is CancelReason.HALTED
    assert why_to_cancel(replace(wished, is_at_broker=False), None, seconds(2), open_for(1)) is None
    assert why_to_cancel(STANDING, IN_SESSION, seconds(61), open_for(1)) is CancelReason.TIMED_OUT


@given(st.lists(st.floats(0, 3000), max_size=60))
def test_the_next_cancel_waits_twice_as_long_as_the_last_up_to_half_an_hour(gaps: list[float]) -> None:
    now, last, tried = 0.0, None, list[tuple[float, LateCancel]]()
    for gap in gaps:
        now += gap
        if (due := LateCancel.due_after(last, now)) is not None:
            tried.append((now, last := due))
    assert [each.wait_seconds for _, each in tried] == [min(30.0 * 2**n, LONGEST_WAIT_SECONDS) for n in range(len(tried))]
    assert all(after[0] >= before[0] + before[1].wait_seconds for before, after in pairwise(tried))
