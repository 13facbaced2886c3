"""Whether fills on their way explain that a position differs from the broker's."""

from __future__ import annotations

from decimal import Decimal

import pytest

from liveorder.domain.order import LiveOrder
from liveorder.domain.reconciliation import may_be_fills
from tests.builders import ACKNOWLEDGED, FAILED, SENT, fill, intent, order_of

WORKING = order_of(SENT, ACKNOWLEDGED)
"""Buys 100."""
PARTLY = order_of(SENT, ACKNOWLEDGED, fill("a", 40))
SELLING = order_of(intent(side="SELL"), SENT, ACKNOWLEDGED)
NEVER_RECEIVED = order_of(SENT, FAILED)
ON_ITS_WAY = order_of(SENT)


@pytest.mark.parametrize(
    ("theirs", "before", "ours", "orders", "expected"),
    [
        (100, 0, 0, [WORKING], True),
        (101, 0, 0, [WORKING], False),
        (-1, 0, 0, [WORKING], False),
        (100, 0, 0, [ON_ITS_WAY], True),
        (100, 40, 40, [PARTLY], True),
        (101, 40, 40, [PARTLY], False),
        (1, 0, 0, [NEVER_RECEIVED], False),
        (-100, 0, 0, [SELLING], True),
        (1, 0, 0, [SELLING], False),
        (0, 0, 100, [], True),
        (50, 0, 100, [], True),
        (-1, 0, 100, [], False),
        (101, 0, 100, [], False),
        (150, 100, 0, [], False),
        (-50, 0, 100, [SELLING], True),
    ],
)
def test_fills_explain_so_much(theirs: int, before: int, ours: int, orders: list[LiveOrder], expected: bool) -> None:
    assert may_be_fills(Decimal(theirs), Decimal(before), Decimal(ours), orders) is expected
