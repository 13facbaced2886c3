"""Fills, by every way in which they are reported."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from liveorder.domain.execution_report import BrokerStatus, Execution, ExecutionBusted, ExecutionCorrected, OrderSnapshot
from liveorder.domain.values import total
from liveorder.testing.case import case, require
from liveorder.testing.stage import Placed, Stage
from liveorder.testing.venue.faults import Fault, FaultKind, Point

A_WHILE = timedelta(hours=1)


@case
async def partial_fills_add_up_on_every_path(stage: Stage) -> None:
    """Three fills are reported as three executions with different ids, which are the same by push and by backfill."""
    placed, since = await stage.rest(), datetime.now(UTC) - A_WHILE
    for quantity in (3, 3, 4):
        await stage.fill(placed, quantity)
    found = await stage.found(placed, lambda order: order.filled_quantity == 10, "filled")
    require(found.status is BrokerStatus.FILLED, f"a completely filled order is reported as {found.status}")
    fills = await _backfilled(stage, placed, since, Decimal(10))
    require(len({each.execution_id for each in fills}) == len(fills), "a backfill reports one execution id twice")
    strange = {each.execution_id for each in stage.pushed_of(placed, Execution)} - {each.execution_id for each in fills}
    require(not strange, f"pushed executions {strange} have other ids in the backfill")
    listed = {each.execution_id for each in found.executions} - {each.execution_id for each in fills}
    require(not listed, f"find() lists executions {listed} that have other ids in the backfill")


@case
async def a_part_fill_leaves_the_order_open(stage: Stage) -> None:
    """The filled quantity and its average price are reported, and the order is still open."""
    placed = await stage.rest()
    await stage.fill(placed, 4, stage.below("0.8"))
    found = await stage.found(placed, lambda order: order.filled_quantity == 4, "part-filled")
    require(found.status in (BrokerStatus.WORKING, BrokerStatus.PENDING), f"it is reported as {found.status}")
    require(found.average_price == stage.below("0.8"), f"its average price is reported as {found.average_price}")


@case
async def a_fill_that_is_pushed_twice_has_one_id(stage: Stage) -> None:
    """A duplicate report of a fill carries the same execution id."""
    await stage.venue.lay(Fault(kind=FaultKind.REPORT_DUPLICATED, on=Point.FILL_REPORT))
    await _all_fills_are_reported(stage)


@case
async def fills_that_are_pushed_out_of_order_are_all_there(stage: Stage) -> None:
    """A fill that overtakes another changes neither's id nor quantity."""
    await stage.venue.lay(Fault(kind=FaultKind.REPORT_OUT_OF_ORDER, on=Point.FILL_REPORT, nth=1))
    await _all_fills_are_reported(stage)


@case
async def a_fill_that_was_never_pushed_is_backfilled(stage: Stage) -> None:
    """The stream is only a hint: fills that it lost are in `executions_since` and in `find`."""
    await stage.venue.lay(Fault(kind=FaultKind.REPORT_LOST, on=Point.FILL_REPORT, nth=1))
    await _all_fills_are_reported(stage)


async def _all_fills_are_reported(stage: Stage) -> None:
    """Two fills of an order: all paths together report each execution once."""
    placed, since = await stage.rest(), datetime.now(UTC) - A_WHILE
    await stage.fill(placed, 6)
    await stage.fill(placed, 4)
    await stage.found(placed, lambda order: order.filled_quantity == 10, "filled")
    fills = await _backfilled(stage, placed, since, Decimal(10))
    by_id = {each.execution_id: each.quantity for each in (*stage.pushed_of(placed, Execution), *fills)}
    require(total(by_id.values()) == 10, f"together they report {by_id}")


async def _backfilled(stage: Stage, placed: Placed, since: datetime, quantity: Decimal) -> list[Execution]:
    async def look() -> list[Execution] | None:
        fills = await stage.executions(placed, since)
        return fills if total(each.quantity for each in fills) >= quantity else None

    fills = await stage.within(look)
    require(total(each.quantity for each in fills) == quantity, f"a backfill reports {fills}")
    return fills


@case
async def fills_during_a_disconnection_are_found_after_it(stage: Stage) -> None:
    """The stream is down, the order fills, the stream comes back: the fill is reported."""
    placed, since = await stage.rest(), datetime.now(UTC) - A_WHILE
    await stage.venue.drop_streams(seconds=0.2)
    await stage.fill(placed, 10)
    await stage.found(placed, lambda order: order.filled_quantity == 10, "filled")
    await _backfilled(stage, placed, since, Decimal(10))


@case
async def after_a_disconnection_reports_are_pushed_again(stage: Stage) -> None:
    """`reports()` ends when the stream is lost. A new connection pushes what happens from then on."""
    placed = await stage.rest()
    await stage.venue.drop_streams()

    async def is_reported() -> bool | None:
        await stage.fill(placed, 1)
        return bool([each for each in stage.pushed if stage.concerns(placed, each) and _reports_a_fill(each)]) or None

    await stage.within(is_reported)


def _reports_a_fill(report: object) -> bool:
    return isinstance(report, Execution) or (isinstance(report, OrderSnapshot) and report.filled_quantity > 0)


@case
async def a_bust_takes_the_fill_back(stage: Stage) -> None:
    """It is reported with the fill's id, as a bust or a correction to zero, by push or backfill. `find` no longer counts it."""
    placed, since = await stage.rest(), datetime.now(UTC) - A_WHILE
    execution_id = await stage.fill(placed, 4)
    (fill,) = await _backfilled(stage, placed, since, Decimal(4))
    await stage.venue.bust(execution_id)
    await stage.found(placed, lambda order: not order.filled_quantity, "without the fill")

    async def is_reported() -> bool | None:
        reports = (*stage.pushed, *await stage.broker.executions_since(since))
        return any(_takes_back(each, fill.execution_id) for each in reports) or None

    await stage.within(is_reported)


def _takes_back(report: object, execution_id: str) -> bool:
    if isinstance(report, ExecutionCorrected):
        return report.corrects == execution_id and not report.quantity
    return isinstance(report, ExecutionBusted) and report.execution_id == execution_id


@case
async def a_correction_stands_in_place_of_the_fill(stage: Stage) -> None:
    """It names the execution that it corrects, by push or backfill. `find` counts it instead."""
    placed, since = await stage.rest(), datetime.now(UTC) - A_WHILE
    execution_id = await stage.fill(placed, 4)
    (fill,) = await _backfilled(stage, placed, since, Decimal(4))
    await stage.venue.correct(execution_id, Decimal(3), stage.below())
    await stage.found(placed, lambda order: order.filled_quantity == 3, "corrected")

    async def is_reported() -> bool | None:
        reports = (*stage.pushed, *await stage.broker.executions_since(since))
        return any(isinstance(each, ExecutionCorrected) and each.corrects == fill.execution_id for each in reports) or None

    await stage.within(is_reported)


@case
async def positions_follow_fills(stage: Stage) -> None:
    """A bought instrument is held as a position of that instrument."""
    placed = await stage.rest()
    await stage.fill(placed, 10)

    async def held() -> bool | None:
        positions = await stage.broker.positions()
        return any(each.instrument.key == stage.instrument.key and each.quantity == 10 for each in positions) or None

    await stage.within(held)
