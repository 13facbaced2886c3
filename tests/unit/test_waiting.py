"""How long an order waits for orders of its strategy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from liveorder.domain.order.terms import OrderTerms
from liveorder.domain.values import OrderType, PositionEffect, Side
from liveorder.domain.waiting import Obstacles, wait_for

NOW = datetime(2025, 3, 10, 16, tzinfo=UTC)
SENT = NOW - timedelta(seconds=10)
ENTRY = UUID(int=1)


@pytest.mark.parametrize(
    ("effect", "oldest", "valid_for", "expected"),
    [
        (None, 60.0, None, SENT + timedelta(seconds=60)),
        (None, None, None, SENT + timedelta(days=1)),
        (None, 60.0, 20, SENT + timedelta(seconds=20)),
        (PositionEffect.CLOSE, 60.0, None, None),
        (PositionEffect.CLOSE, 60.0, 20, SENT + timedelta(seconds=20)),
    ],
)
def test_a_plain_sale_waits_for_entries_no_longer_than_it_may_be_old_and_an_exit_for_as_long_as_it_takes(
    effect: PositionEffect | None, oldest: float | None, valid_for: int | None, expected: datetime | None
) -> None:
    until = None if valid_for is None else SENT + timedelta(seconds=valid_for)
    terms = OrderTerms(
        side=Side.SELL,
        order_type=OrderType.MARKET,
        quantity=Decimal(10),
        position_effect=effect,
        signal_at=SENT,
        valid_until=until,
    )
    wait = wait_for(Obstacles(NOW, entries=(ENTRY,)), "{}", terms, oldest)
    assert wait is not None
    assert (wait.orders, wait.until) == ((ENTRY,), expected)
