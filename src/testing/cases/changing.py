"""Cancels and replaces, and events that overtake them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from liveorder.domain.errors import BrokerRefusal, OrderValidationError
from liveorder.domain.execution_report import (
    BrokerStatus,
    CancelRejected,
    CloseCause,
    OrderClosed,
    OrderReplaced,
    ReplaceRejected,
)
from liveorder.testing.case import case, require
from liveorder.testing.stage import Placed, Stage


@case
async def a_cancel_ends_the_order(stage: Stage) -> None:
    """The order is reported as cancelled, with its earlier fills."""
    placed = await stage.rest()
    await stage.fill(placed, 4)
    await stage.cancel(placed)
    found = await stage.found(placed, lambda order: order.status is BrokerStatus.CANCELLED, "cancelled")
    require(found.filled_quantity == 4, f"{found.filled_quantity} of 4 filled are reported")


@case
async def a_cancel_is_possible_without_the_brokers_order_id(stage: Stage) -> None:
    """An order whose acknowledgement was lost can be cancelled once it is found."""
    placed = replace(await stage.rest(), broker_order_id=None)
    found = await stage.found(placed)
    await stage.cancel(replace(placed, broker_order_id=found.broker_order_id))
    await stage.found(placed, lambda order: order.status is BrokerStatus.CANCELLED, "cancelled")


@case
async def a_cancel_that_comes_too_late_is_refused(stage: Stage) -> None:
    """The order was filled first: a `CancelRejected` or a refusal, and never a report that it was cancelled."""
    placed = await stage.rest()
    await stage.fill(placed, 10)
    try:
        answer = await stage.cancel(placed)
    except BrokerRefusal:
        answer = []
    require(
        not any(isinstance(each, OrderClosed) for each in (*answer, *stage.pushed_of(placed, OrderClosed))), f"reported {answer}"
    )
    await stage.found(placed, lambda order: order.status is BrokerStatus.FILLED, "filled")


@case
async def a_cancel_of_an_order_that_never_was_closes_nothing(stage: Stage) -> None:
    """An unknown order leads to a refused cancel or to a failure, and never to a cancelled order."""
    placed = stage.ready()
    unknown = replace(placed, broker_order_id=(await stage.rest()).broker_order_id)
    other = _changed(unknown)
    try:
        answer = await stage.cancel(other)
    except Exception:  # noqa: BLE001 - any failure is an answer here; only a false closure is not
        return
    require(all(isinstance(each, CancelRejected) for each in answer), f"the cancel of an unknown order was answered with {answer}")


def _changed(placed: Placed) -> Placed:
    """The same order with a broker order id that has the right form and belongs to no order."""
    known = placed.broker_order_id or "1"
    digit = "1" if known[-1] != "1" else "2"
    return replace(placed, broker_order_id=known[:-5] + digit * min(len(known), 5))


@case
async def an_order_that_the_venue_ends_is_told_as_ended(stage: Stage) -> None:
    """The venue cancels the order on its own. It is reported as closed, with its earlier fills."""
    placed = await stage.rest()
    await stage.fill(placed, 4)
    await stage.venue.close_order(await stage.venue_id(placed), CloseCause.BY_BROKER.value, "closed by hand")
    ended = (BrokerStatus.CANCELLED, BrokerStatus.EXPIRED)
    found = await stage.found(placed, lambda order: order.status in ended, "ended")
    require(found.filled_quantity == 4, f"{found.filled_quantity} of 4 filled are reported")


@case
async def a_replace_changes_the_terms_under_the_same_key(stage: Stage) -> None:
    """The new quantity and limit apply. `find` reports them under the order's own key, and counts earlier fills once."""
    placed = await stage.rest()
    await stage.fill(placed, 4)
    await stage.found(placed, lambda order: order.filled_quantity == 4, "part-filled")
    wanted = stage.below("0.95")
    await stage.replace(placed, quantity=Decimal(20), limit_price=wanted)
    found = await stage.found(placed, lambda order: order.limit_price == wanted, "at its new limit")
    reported = (found.client_order_id, found.quantity, found.filled_quantity)
    require(reported == (placed.key, Decimal(20), Decimal(4)), f"find() reports {reported}")
    require(len(await stage.taken(placed)) == 1, "the venue has two orders under the key")


@case
async def a_replaced_order_can_be_replaced_filled_and_cancelled(stage: Stage) -> None:
    """Further requests use the newest broker order id, if a replace changes it."""
    placed = await stage.rest()
    for number, share in ((1, "0.95"), (2, "0.93")):
        wanted = stage.below(share)
        await stage.replace(placed, number, limit_price=wanted)
        found = await stage.found(placed, _at(wanted), "at its new limit")
        placed = replace(placed, broker_order_id=found.broker_order_id)
    await stage.fill(placed, 4)
    await stage.found(placed, lambda order: order.filled_quantity == 4, "part-filled")
    await stage.cancel(placed)
    found = await stage.found(placed, lambda order: order.status is BrokerStatus.CANCELLED, "cancelled")
    require(found.filled_quantity == 4, f"{found.filled_quantity} of 4 filled are reported")


def _at(limit: Decimal):  # type: ignore[no-untyped-def]  # a predicate of snapshots
    return lambda order: order.limit_price == limit


@case
async def a_replace_that_comes_too_late_is_refused(stage: Stage) -> None:
    """The order was filled first: a `ReplaceRejected` or a refusal, and the order stays as it was."""
    placed = await stage.rest()
    await stage.fill(placed, 10)
    try:
        answer = await stage.replace(placed, limit_price=stage.below("0.95"))
    except BrokerRefusal:
        answer = []
    require(not any(isinstance(each, OrderReplaced) for each in answer), f"reported {answer}")
    require(not stage.pushed_of(placed, OrderReplaced), "an OrderReplaced was pushed")
    found = await stage.found(placed, lambda order: order.status is BrokerStatus.FILLED, "filled")
    require(found.limit_price in (placed.request.limit_price, None), f"its limit is reported as {found.limit_price}")


@case
async def a_replace_that_the_venue_refuses_leaves_the_order_as_it_was(stage: Stage) -> None:
    """A price off the venue's grid is refused by `prepare`, or leads to a `ReplaceRejected` or a refusal."""
    placed = await stage.rest()
    off_grid = stage.below("0.95") + stage.instrument.tick_at(stage.below("0.95")) / 3
    try:
        answer = await stage.replace(placed, limit_price=off_grid)
    except (OrderValidationError, BrokerRefusal):
        answer = [ReplaceRejected()]
    require(not any(isinstance(each, OrderReplaced) for each in answer), f"reported {answer}")
    await stage.found(placed, _at(placed.request.limit_price or Decimal(0)), "at its old limit")
