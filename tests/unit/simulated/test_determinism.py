"""The same seed, moments and requests give the same reports."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from liveorder.domain.execution_report import ExecutionReport
from liveorder.domain.values import ZERO, Side
from liveorder.infrastructure.brokers.simulated.refusal import VenueRefusal
from liveorder.infrastructure.brokers.simulated.wire import Message
from liveorder.testing.venue.faults import Fault, FaultKind, FaultPlan, Point
from liveorder.testing.venue.orders import ReplacedTerms
from liveorder.testing.venue.settings import Fills, PriceSource, VenueSettings
from liveorder.testing.venue.venue import Venue
from tests.unit.simulated.stage import later, limit_order, market_order, placed, stage, venue_of

D = Decimal
Step = tuple[str, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(["buy", "sell", "rest", "cancel", "replace", "bust", "wait"]), st.integers(1, 9)), max_size=25
)


def lived(seed: int, steps: list[Step]) -> tuple[Venue, list[Message]]:
    """A venue in which everything that has a chance to happen does, after these steps."""
    venue = venue_of(
        prices=PriceSource(volatility=0.001),
        seed=seed,
        rejection_probability=0.2,
        fills=Fills(delay_seconds=1, max_fraction=D("0.5")),
        cancel_delay_seconds=1,
        replace_delay_seconds=1,
    )
    reports: list[Message] = []
    for number, (what, how_much) in enumerate(steps):
        try:
            ACTIONS[what](venue, number, how_much)
        except VenueRefusal:
            reports.append({"refused": number})
        reports += venue.take_reports()
    return venue, reports


ACTIONS: dict[str, Callable[[Venue, int, int], object]] = {
    "buy": lambda venue, number, size: venue.submit(placed(f"K{number}", str(size))),
    "sell": lambda venue, number, size: venue.submit(placed(f"K{number}", str(size), side="SELL")),
    "rest": lambda venue, number, size: venue.submit(
        placed(f"K{number}", str(size), order_type="LIMIT", limit_price=f"199.{size}")
    ),
    "cancel": lambda venue, number, back: venue.cancel("SIM", f"K{number - back}", None),
    "replace": lambda venue, number, back: venue.replace("SIM", f"K{number - back}", None, ReplacedTerms(quantity=D(back))),
    "bust": lambda venue, number, which: venue.staff.bust(f"X{which}", venue.now),
    "wait": lambda venue, number, seconds: later(venue, seconds),
}


@settings(max_examples=60)
@given(seed=st.integers(0, 3), steps=STEPS)
def test_two_venues_with_the_same_life_tell_the_same(seed: int, steps: list[Step]) -> None:
    assert lived(seed, steps)[1] == lived(seed, steps)[1]


@settings(max_examples=60)
@given(steps=STEPS)
def test_positions_cash_and_filled_quantities_are_sums_over_effective_trades(steps: list[Step]) -> None:
    venue, _ = lived(1, steps)
    later(venue, 60)
    orders = venue.questions.orders(venue.now)
    signed = [
        (D(fill["quantity"]) * Side(order["side"]).sign, D(fill["price"])) for order in orders for fill in order["executions"]
    ]
    held = sum((quantity for quantity, _ in signed), ZERO)
    positions = venue.questions.positions("SIM")["positions"]
    assert [D(position["quantity"]) for position in positions] == ([held] if held else [])
    paid = sum((quantity * price for quantity, price in signed), ZERO)
    assert D(venue.questions.account("SIM", venue.now)["cash"]) == 1_000_000 - paid
    for order in orders:
        assert D(order["filled_quantity"]) == sum((D(fill["quantity"]) for fill in order["executions"]), ZERO)
        assert D(order["filled_quantity"]) <= D(order["quantity"])


async def told_through_faults(seed: int) -> list[ExecutionReport]:
    faults = (
        Fault(kind=FaultKind.REPORT_LATE, on=Point.REPORT, probability=0.3, seconds=2),
        Fault(kind=FaultKind.REPORT_DUPLICATED, on=Point.REPORT, probability=0.2),
        Fault(kind=FaultKind.ACKNOWLEDGEMENT_LOST, probability=0.3),
        Fault(kind=FaultKind.BUST, on=Point.FILL, probability=0.2, seconds=1),
    )
    plan = VenueSettings(seed=seed, faults=FaultPlan(faults=faults), prices=PriceSource(volatility=0.001))
    async with stage("in_process", plan) as live:
        orders = [market_order(f"K{number}") for number in range(20)] + [limit_order(f"L{number}") for number in range(5)]
        await asyncio.gather(*(live.submit(order) for order in orders), return_exceptions=True)
        await live.clock.pass_time(10)
        await live.broker.close()
        return await live.rest_of_reports()


async def test_faults_by_chance_are_the_same_with_the_same_seed() -> None:
    once, again, other = await told_through_faults(1), await told_through_faults(1), await told_through_faults(2)
    assert once == again
    assert once != other
