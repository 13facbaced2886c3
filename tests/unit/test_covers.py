"""What of the open buys only takes off what is short: whatever came and went, as if it were divided anew."""

from __future__ import annotations

import random
from decimal import Decimal
from uuid import UUID

import pytest

from liveorder.domain.risk import NO_COVER, Cover, Covers

ZERO = Decimal(0)
Open = dict[UUID, tuple[Decimal, Decimal]]
"""Units and value of each open buy, in the order in which they were opened."""


def divided_anew(buys: Open, short: Decimal) -> dict[UUID, Decimal]:
    shares: dict[UUID, Decimal] = {}
    for order_id in sorted((each for each in buys if buys[each][0]), key=lambda each: buys[each][1] / buys[each][0]):
        shares[order_id] = min(buys[order_id][0], max(short, ZERO))
        short -= shares[order_id]
    return shares


def expected(buys: Open, short: Decimal, sold: Decimal) -> dict[UUID, Cover]:
    now, once_sold = divided_anew(buys, short), divided_anew(buys, short + sold)
    covers = {order_id: Cover(now[order_id], once_sold[order_id]) for order_id in now}
    return {order_id: cover for order_id, cover in covers.items() if cover != NO_COVER}


@pytest.mark.parametrize("seed", range(40))
def test_covers_are_what_dividing_anew_gives(seed: int) -> None:
    chance = random.Random(seed)
    covers, buys, known = Covers(), Open(), dict[UUID, Cover]()
    short, sold = ZERO, ZERO
    for number in range(300):
        for _ in range(chance.randint(1, 3)):
            if buys and chance.random() < 0.45:
                order_id = chance.choice([*buys])
                del buys[order_id]
                covers.close(order_id)
            else:
                order_id, units = UUID(int=chance.randint(1, 40)), Decimal(chance.randint(0, 9)) / 2
                if order_id in buys:
                    del buys[order_id]
                    covers.close(order_id)
                buys[order_id] = units, units * chance.randint(1, 4)
                covers.open(order_id, *buys[order_id])
        if chance.random() < 0.5:
            short, sold = Decimal(chance.randint(-10, 40)) / 2, Decimal(chance.randint(0, 20)) / 2
        changed = covers.divide(short, sold)
        assert all(cover != known.get(order_id, NO_COVER) for order_id, cover in changed.items()), number
        known = {order_id: cover for order_id, cover in (known | changed).items() if cover != NO_COVER}
        assert known == expected(buys, short, sold), number


def test_a_change_at_the_edge_moves_the_shares_next_to_it_alone() -> None:
    covers = Covers()
    for number in range(1, 1001):
        covers.open(UUID(int=number), Decimal(1), Decimal(number))
    assert len(covers.divide(Decimal(500), ZERO)) == 500
    assert covers.divide(Decimal("500.5"), ZERO) == {UUID(int=501): Cover(Decimal("0.5"), Decimal("0.5"))}
    covers.close(UUID(int=1))
    assert set(covers.divide(Decimal("500.5"), ZERO)) == {UUID(int=number) for number in (1, 501, 502)}


def test_nothing_is_left_to_do_once_the_last_buy_is_gone() -> None:
    covers = Covers()
    covers.open(UUID(int=1), Decimal(2), Decimal(20))
    assert covers.divide(Decimal(5), ZERO) == {UUID(int=1): Cover(Decimal(2), Decimal(2))}
    covers.close(UUID(int=1))
    assert not covers.is_idle
    assert covers.divide(Decimal(5), ZERO) == {UUID(int=1): NO_COVER}
    assert covers.is_idle
