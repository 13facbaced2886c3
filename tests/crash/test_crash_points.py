"""Death just before and just after every commit and every broker call of an order's life; then a new life, and the signal again.

Whatever the instant: at most one order at the venue, none lost, positions equal to the venue's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import TypeAlias

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.domain.errors import DecisionRefused, LiveOrderError
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import OrderRequested
from liveorder.domain.position_adjustment import PositionAdjusted
from liveorder.domain.signal import Signal
from liveorder.domain.unmatched_event import UnmatchedReportNoted, UnmatchedReportResolved
from liveorder.domain.values import Side
from liveorder.testing.venue.capabilities import capabilities_of
from liveorder.testing.venue.control import VenueControl
from liveorder.testing.venue.faults import Fault, FaultKind, FaultPlan, Point
from liveorder.testing.venue.in_process import InProcess
from liveorder.testing.venue.settings import Fills, VenueAccount, VenueCommission
from tests.harness.crash_points import Crashed, CrashPoint, abandon
from tests.harness.virtual_time import run_virtually
from tests.harness.worlds import ACCOUNT, STILL, World, a_signal, a_world, until
from tests.memory import folder_in_memory

Life: TypeAlias = Callable[[Engine], Awaitable[None]]

SLOW_PARTS = STILL.model_copy(update={"fills": Fills(delay_seconds=1.0, max_quantity=Decimal(4))})


async def buys(engine: Engine) -> None:
    """A market order, filled in three parts."""
    await engine.execute.execute(a_signal())
    await until(lambda: engine.is_quiet)


async def cancels(engine: Engine) -> None:
    """A limit order that rests, cancelled."""
    order = await engine.execute.execute(a_signal(order_type="LIMIT", limit_price=Decimal(400)))
    with suppress(DecisionRefused):
        await engine.cancel.cancel(order.order_id)
    await until(lambda: engine.is_quiet)


async def replaces(engine: Engine) -> None:
    """A limit order that rests, replaced to where it fills."""
    order = await engine.execute.execute(a_signal(order_type="LIMIT", limit_price=Decimal(400)))
    with suppress(DecisionRefused):
        await engine.replace.replace(order.order_id, limit_price=Decimal(600))
    await until(lambda: engine.is_quiet)


LIVES = {"buys": buys, "cancels": cancels, "replaces": replaces}
WAYS = {
    "prompt": None,
    "held past recovery": FaultKind.REQUEST_HELD,
    "lost": FaultKind.REQUEST_LOST,
    "acknowledgement lost": FaultKind.ACKNOWLEDGEMENT_LOST,
}


async def lived(world: World, life: Life, crash_point: CrashPoint) -> bool:
    """Whether it lived to its end."""
    engine = world.engine(crash_point)
    try:
        await engine.start(wait_for_lease=True)
        async with asyncio.timeout(120):
            await life(engine)
        await engine.stop()  # a task in the background may have died before
    except (Crashed, TimeoutError):
        await abandon(engine)
        return False
    return True


async def boundaries(folder: Path, life: Life) -> list[str]:
    crash_point = CrashPoint()
    async with a_world(folder, SLOW_PARTS) as world:
        assert await lived(world, life, crash_point)
    return crash_point.names


async def after_death_at(folder: Path, life: Life, crash_at: int, way: FaultKind | None) -> None:
    venue = SLOW_PARTS
    if way is not None:
        held = 4.0 if way is FaultKind.REQUEST_HELD else None
        venue = venue.model_copy(update={"faults": FaultPlan(faults=(Fault(kind=way, on=Point.SUBMIT, nth=1, seconds=held),))})
    async with a_world(folder, venue) as world:
        await lived(world, life, CrashPoint(crash_at))
        async with world.living() as engine:
            order = await engine.execute.execute(a_signal_of(life))
            with suppress(TimeoutError):
                await until(lambda: engine.is_quiet, seconds=120)
            await check(world, engine, await engine.orders.get(order.order_id))


def a_signal_of(life: Life) -> Signal:
    return a_signal() if life is buys else a_signal(order_type="LIMIT", limit_price=Decimal(400))


async def check(world: World, engine: Engine, order: LiveOrder) -> None:
    orders = world.venue_orders(order)
    assert len(orders) <= 1, f"{len(orders)} venue orders for one signal"
    assert order.status.is_closed or orders or order.is_in_doubt, f"lost: {order.status}"
    report = await engine.reconcile.reconcile(ACCOUNT)
    assert report.is_clean, report
    if orders:
        assert Decimal(orders[0].get("filled_quantity", "0")) == order.filled_quantity


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", LIVES)
def test_an_order_survives_death_at_every_boundary_of_its_life(name: str, way: str) -> None:
    with folder_in_memory() as folder:
        _survives_every_death(folder, LIVES[name], WAYS[way])


def _survives_every_death(tmp_path: Path, life: Life, way: FaultKind | None) -> None:
    (tmp_path / "count").mkdir()
    names = run_virtually(boundaries(tmp_path / "count", life))
    assert len(names) > 8
    for crash_at, boundary in enumerate(names):
        folder = tmp_path / str(crash_at)
        folder.mkdir()
        try:
            run_virtually(after_death_at(folder, life, crash_at, way))
        except (AssertionError, LiveOrderError) as failure:
            raise AssertionError(f"death at {crash_at} ({boundary}): {failure}") from failure


# --- fees in kind ----------------------------------------------------------------------------------------------------------------

ETH = "CRYPTO:ETH/USD"
KEEPS = SLOW_PARTS.model_copy(
    update={"commission": VenueCommission(in_kind=Decimal("0.0025")), "accounts": (VenueAccount(allows_short=False),)}
)


async def buys_and_sells_coins(engine: Engine) -> None:
    """All that was bought, as soon as it was, and some again; then the fees are settled."""
    for name, side, quantity in (("in", "BUY", 8), ("out", "SELL", 8), ("again", "BUY", 4)):
        await engine.execute.execute(a_signal(name, symbol="ETH/USD", side=side, quantity=Decimal(quantity)))
        await until(lambda: engine.is_quiet)
    await asyncio.sleep(10)


async def dies_with_fees_open(folder: Path, crash_at: int | None) -> list[str]:
    """The boundaries that were passed. Whatever the instant: each order once, and the position the venue's, without a person."""
    async with a_world(folder, KEEPS, capabilities=capabilities_of(KEEPS)) as world:
        crash_point = CrashPoint(crash_at)
        await lived(world, buys_and_sells_coins, crash_point)
        async with world.living() as engine:
            await buys_and_sells_coins(engine)
            report = await engine.reconcile.reconcile(ACCOUNT)
            assert report.is_clean, report
            position = engine.risk.position(ACCOUNT, ETH)
            assert position is not None
            assert position.quantity == Decimal("3.99")
            assert position.commission == 90, "0.02 and 0.01 coins at 3000"
            events = [item.event async for page in engine.store.log() for item in page]
            assert sum(event.quantity for event in events if isinstance(event, PositionAdjusted)) == Decimal("-0.03")
            assert sum(isinstance(event, OrderRequested) for event in events) == 3
        return crash_point.names


def test_fees_in_kind_are_settled_once_whatever_the_instant_of_a_death() -> None:
    with folder_in_memory() as folder:
        (folder / "count").mkdir()
        names = run_virtually(dies_with_fees_open(folder / "count", None))
        for crash_at, boundary in enumerate(names):
            (folder / str(crash_at)).mkdir()
            try:
                run_virtually(dies_with_fees_open(folder / str(crash_at), crash_at))
            except AssertionError as failure:
                raise AssertionError(f"death at {crash_at} ({boundary}): {failure}") from failure


# --- adoption -------------------------------------------------------------------------------------------------------------------


async def dies_adopting(folder: Path, crash_at: int | None) -> int:
    """How many boundaries were passed. What was told of the order before it was adopted belongs to it, whoever died in between."""
    async with a_world(folder, SLOW_PARTS) as world:
        control, crash_point = VenueControl(InProcess(world.floor, world.clock)), CrashPoint(crash_at)
        outside = await control.place(ACCOUNT, "ARCA:SPY", Side.BUY, Decimal(10), Decimal(400))
        await control.fill(outside, Decimal(3), Decimal(400))

        async def adopts(engine: Engine) -> None:
            await engine.adopt.adopt_order(ACCOUNT, outside, "by phone", "person:tester")

        await lived(world, adopts, crash_point)
        async with world.living() as engine:
            with suppress(DecisionRefused):
                await adopts(engine)
            events = [item.event async for page in engine.store.log() for item in page]
        noted, resolved = (
            sum(isinstance(event, kind) for event in events) for kind in (UnmatchedReportNoted, UnmatchedReportResolved)
        )
        assert noted == resolved > 0, f"death at {crash_at}: {noted} noted, {resolved} resolved"
        return crash_point.passed


def test_what_was_told_of_an_adopted_order_is_resolved_by_whatever_run_comes_after_a_death() -> None:
    with folder_in_memory() as folder:
        for crash_at in range(_lived_through(folder / "count")):
            (folder / str(crash_at)).mkdir()
            run_virtually(dies_adopting(folder / str(crash_at), crash_at))


def _lived_through(folder: Path) -> int:
    folder.mkdir()
    return run_virtually(dies_adopting(folder, None))


async def dies_adopting_and_recovering(folder: Path, first: int, second: int | None) -> int:
    """The adopted order fills while nobody lives, and the life that finds that out dies too; boundaries that one passed."""
    async with a_world(folder, SLOW_PARTS) as world:
        control, recovering = VenueControl(InProcess(world.floor, world.clock)), CrashPoint(second)
        outside = await control.place(ACCOUNT, "ARCA:SPY", Side.BUY, Decimal(10), Decimal(400))
        await control.fill(outside, Decimal(3), Decimal(400))

        async def adopts(engine: Engine) -> None:
            await engine.adopt.adopt_order(ACCOUNT, outside, "by phone", "person:tester")

        await lived(world, adopts, CrashPoint(first))
        await control.fill(outside, Decimal(7), Decimal(400))
        await lived(world, _rests, recovering)
        async with world.living() as engine:
            with suppress(DecisionRefused):
                await adopts(engine)
            events = [item.event async for page in engine.store.log() for item in page]
        if any(isinstance(event, OrderRequested) for event in events):
            noted, resolved = (
                sum(isinstance(event, kind) for event in events) for kind in (UnmatchedReportNoted, UnmatchedReportResolved)
            )
            assert noted == resolved > 0, f"deaths at {first} and {second}: {noted} noted, {resolved} resolved"
        return recovering.passed


async def _rests(engine: Engine) -> None:
    await asyncio.sleep(2)


def test_what_was_told_of_an_adopted_order_is_resolved_although_the_run_that_recovers_dies_as_well() -> None:
    with folder_in_memory() as folder:
        for first in range(_lived_through(folder / "count")):
            (folder / f"{first}").mkdir()
            for second in range(run_virtually(dies_adopting_and_recovering(folder / f"{first}", first, None))):
                (folder / f"{first} {second}").mkdir()
                run_virtually(dies_adopting_and_recovering(folder / f"{first} {second}", first, second))
