"""A replacement is another order to Alpaca and the same order here: whichever way Alpaca counts, each fill counts once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from liveorder.domain.execution_report import (
    Accepted,
    BrokerStatus,
    Execution,
    OrderReplaced,
    ReplaceIsPending,
    ReplaceRejected,
)
from liveorder.domain.values import total
from tests.unit.alpaca.stage import KEY, PATIENCE_SECONDS, Live, live, order_json

D = Decimal
FIRST, SECOND, THIRD = "11111111-0000-4000-8000-000000000000", "22222222-0000-4000-8000-000000000000", "33333333"


def replaced(order_id: str, by: str, **fields: Any) -> dict[str, Any]:
    return order_json(id=order_id, status="replaced", replaced_by=by, **fields)


def row(order_id: str, quantity: str, cumulative: str, price: str = "150") -> dict[str, Any]:
    at = "2021-03-16T18:38:05Z"
    return {"order_id": order_id, "qty": quantity, "cum_qty": cumulative, "price": price, "transaction_time": at, "id": cumulative}


def tell(here: Live, *chain: dict[str, Any], fills: list[dict[str, Any]] | None = None) -> None:
    here.twin.say("GET", "/v2/orders:by_client_order_id", 200, chain[0])
    for order in chain:
        here.twin.say("GET", f"/v2/orders/{order['id']}", 200, order)
    here.twin.say("GET", "/v2/account/activities/FILL", 200, fills or [])


async def test_the_live_order_is_told_under_the_key_of_the_first() -> None:
    async with live() as here:
        tell(
            here,
            replaced(FIRST, SECOND),
            replaced(SECOND, THIRD, replaces=FIRST, client_order_id=f"{KEY}-r1"),
            order_json(id=THIRD, replaces=SECOND, client_order_id=f"{KEY}-r2", limit_price="152"),
        )
        for known in (None, FIRST, THIRD):
            snapshot = await here.found(known)
            assert (snapshot.client_order_id, snapshot.broker_order_id, snapshot.limit_price) == (KEY, THIRD, D(152))
            assert (snapshot.filled_quantity, snapshot.quantity) == (D(0), D(10))


@pytest.mark.parametrize(
    ("last", "quantity", "filled"),
    [
        ({"qty": "10", "filled_qty": "0"}, D(14), D(4)),
        ({"qty": "10", "filled_qty": "4"}, D(10), D(4)),
        ({"qty": "20", "filled_qty": "4"}, D(20), D(4)),
    ],
)
async def test_fills_of_the_replaced_order_count_once_whichever_way_alpaca_counts(
    last: dict[str, str], quantity: Decimal, filled: Decimal
) -> None:
    """Four were filled before the replacement, none after it: it counts them, or it will trade its quantity once more."""
    async with live() as here:
        tell(
            here,
            replaced(FIRST, SECOND, filled_qty="4", filled_avg_price="150"),
            order_json(id=SECOND, replaces=FIRST, client_order_id=f"{KEY}-r1", **last),
            fills=[row(FIRST, "4", "4"), row("of another order", "9", "9")],
        )
        snapshot = await here.found()
        assert (snapshot.quantity, snapshot.filled_quantity, snapshot.average_price) == (quantity, filled, D(150))
        assert [each.execution_id for each in snapshot.executions] == [f"{FIRST}:4"]


@pytest.mark.parametrize(("own", "cumulative"), [("3", "3"), ("7", "7")])
async def test_fills_before_and_after_add_up(own: str, cumulative: str) -> None:
    async with live() as here:
        tell(
            here,
            replaced(FIRST, SECOND, filled_qty="4", filled_avg_price="150"),
            order_json(id=SECOND, replaces=FIRST, client_order_id=f"{KEY}-r1", qty="10", filled_qty=own, filled_avg_price="151"),
            fills=[row(FIRST, "4", "4", "150"), row(SECOND, "3", cumulative, "157")],
        )
        snapshot = await here.found()
        assert snapshot.filled_quantity == 7
        assert snapshot.average_price == D(153)
        assert total(each.quantity for each in snapshot.executions) == 7
        assert {each.client_order_id for each in snapshot.executions} == {KEY}


async def test_rows_that_lag_behind_make_nothing_up() -> None:
    async with live() as here:
        tell(
            here,
            replaced(FIRST, SECOND, filled_qty="4", filled_avg_price="150"),
            order_json(id=SECOND, replaces=FIRST, client_order_id=f"{KEY}-r1", filled_qty="0"),
        )
        snapshot = await here.found()
        assert (snapshot.filled_quantity, snapshot.quantity, snapshot.executions) == (D(4), D(10), ())


async def test_an_order_that_waits_to_be_replaced_still_stands() -> None:
    waiting = order_json(id=FIRST, status="pending_replace", replaced_by=SECOND)
    coming = order_json(id=SECOND, status="pending_new", replaces=FIRST, client_order_id=f"{KEY}-r1", limit_price="152")
    async with live() as here:
        tell(here, waiting, coming)
        here.twin.say("GET", "/v2/orders", 200, [waiting, coming])
        for snapshot in (await here.found(), *await here.broker.open_orders()):
            assert (snapshot.broker_order_id, snapshot.limit_price, snapshot.replace_pending) == (FIRST, D(150), True)
        assert len(await here.broker.open_orders()) == 1


async def test_a_replacement_by_hand_is_told_under_our_key() -> None:
    async with live() as here:
        byhand = order_json(id=SECOND, replaces=FIRST, client_order_id="4642fd68-d59a-47d7-a9ac-e22f536828d1")
        tell(here, replaced(FIRST, SECOND), byhand)
        here.twin.say("GET", "/v2/orders", 200, [byhand])
        for snapshot in (await here.found(), *await here.broker.open_orders()):
            assert (snapshot.client_order_id, snapshot.broker_order_id) == (KEY, SECOND)


async def test_an_order_that_others_placed_is_found_by_its_id_under_a_key_of_theirs() -> None:
    async with live() as here:
        here.twin.say("GET", f"/v2/orders/{FIRST}", 200, order_json(id=FIRST, client_order_id="theirs"))
        snapshot = await here.found(FIRST)
        assert (snapshot.client_order_id, snapshot.broker_order_id) == ("theirs", FIRST)


# --- on the twin ---------------------------------------------------------------------------------------------------------------


async def test_a_replace_is_answered_with_nothing_and_told_by_the_stream() -> None:
    async with live() as here:
        (accepted,) = await here.submit()
        old = accepted.broker_order_id
        assert await here.replace(old, limit_price=D(151)) == []
        new, replaced_, again = await here.next_reports(3)
        assert isinstance(new, Accepted)
        assert isinstance(replaced_, OrderReplaced)
        assert isinstance(again, Accepted)
        assert {each.client_order_id for each in (new, replaced_, again)} == {KEY}
        assert (new.broker_order_id, replaced_.broker_order_id) == (old, again.broker_order_id)
        found = await here.found()
        assert (found.broker_order_id, found.limit_price) == (replaced_.broker_order_id, D(151))


@pytest.mark.parametrize("carries", [True, False])
async def test_a_part_filled_order_is_not_replaced_while_nobody_knows_how_alpaca_counts(carries: bool) -> None:
    async with live(carries_fills=carries) as here:
        (accepted,) = await here.submit()
        (order,) = await here.venue.orders()
        await here.venue.fill(order.broker_order_id or "", D(4), D(150))
        (refused,) = await here.replace(accepted.broker_order_id, limit_price=D(151))
        assert isinstance(refused, ReplaceRejected)
        assert "replacement_counts_fills" in refused.reason
        assert not [path for method, path, _ in here.twin.requests if method == "PATCH"]


@pytest.mark.parametrize("carries", [True, False])
async def test_a_fill_while_the_replace_was_under_way_counts_once(carries: bool) -> None:
    """The replace takes its time at the exchange, and the order trades meanwhile: nobody can prevent that."""
    async with live(carries_fills=carries, replace_delay_seconds=1.5) as here:
        (accepted,) = await here.submit()
        await here.replace(accepted.broker_order_id, limit_price=D(151))
        assert (await here.found()).replace_pending
        (order,) = await here.venue.orders()
        await here.venue.fill(order.broker_order_id or "", D(4), D(150))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await here.found()).limit_price != 151:
                assert (await here.found()).filled_quantity == 4
        await here.venue.fill(order.broker_order_id or "", D(1), D(151))
        found = await here.found()
        assert (found.filled_quantity, found.average_price) == (D(5), D("150.2"))
        told = list(await here.broker.executions_since(datetime.now(UTC) - timedelta(hours=1)))
        assert [each.quantity for each in told if isinstance(each, Execution)] == [D(4), D(1)]
        assert {each.execution_id for each in found.executions} == {
            each.execution_id for each in told if isinstance(each, Execution)
        }
        assert [each.filled_quantity for each in await here.broker.open_orders()] == [D(5)]


async def test_a_replacement_that_the_order_overtook_is_refused_and_the_order_is_filled() -> None:
    async with live(replace_delay_seconds=30) as here:
        (accepted,) = await here.submit()
        await here.replace(accepted.broker_order_id, limit_price=D(151))
        (order,) = await here.venue.orders()
        await here.venue.fill(order.broker_order_id or "", D(10), D(150))
        found = await here.found()
        assert (found.status, found.broker_order_id) == (BrokerStatus.FILLED, accepted.broker_order_id)
        kinds = {type(each) for each in await here.next_reports(4)}
        assert kinds == {Accepted, ReplaceIsPending, ReplaceRejected, Execution}
