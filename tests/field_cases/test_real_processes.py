"""What only processes can show: one that is killed, and two on one store. The venue is a process of its own and counts."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from liveorder.domain.execution_report import BrokerStatus
from tests.crash.cases import BELOW_THE_MARKET, a_signal, key_of
from tests.crash.processes import Process, Refused, eventually
from tests.crash.scene import Scene, staged

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux: pidfd and PR_SET_PDEATHSIG")

ACCOUNT = "A0"
FOURTEEN = [f"working-{number}" for number in range(14)]


def resting(name: str) -> str:
    return a_signal(name, limit_price=BELOW_THE_MARKET)


def sent(service: Process) -> list[str]:
    return [event["key"] for event in service.events if event["event"] == "sent"]


async def at_venue(scene: Scene, name: str) -> list[BrokerStatus]:
    """Of every order that was ever taken under this signal's key."""
    return [order.status for order in await scene.venues["unique"].control.orders_by_key(key_of(ACCOUNT, name))]


async def test_fourteen_orders_of_a_killed_process_are_all_tracked_and_none_is_sent_again(tmp_path: Path) -> None:
    """Case 15 (nautilus#5000): SIGKILL with fourteen orders working; reconciliation dropped them, and they filled unseen."""
    async with staged(tmp_path, ["sqlite"], ["unique"], (ACCOUNT,)) as scene:
        store = await scene.stores["sqlite"].new_store(ACCOUNT)
        async with scene.service(store, ACCOUNT, "unique", "first") as first:
            await first.wait_for("started")
            await asyncio.gather(*(first.ask("execute", raw=resting(name)) for name in FOURTEEN))
            first.strike(signal.SIGKILL)
            await first.ended()
        async with scene.service(store, ACCOUNT, "unique", "second") as second:
            assert (await second.wait_for("started"))["recovery"]["unfinished"] == 14
            orders: dict[str, Any] = (await second.ask("state"))["orders"]
            assert orders.keys() == {key_of(ACCOUNT, name) for name in FOURTEEN}
            assert {order["status"] for order in orders.values()} == {"SUBMITTED"}
            assert [await at_venue(scene, name) for name in FOURTEEN] == [[BrokerStatus.WORKING]] * 14
            assert sent(second) == []
            await asyncio.gather(*(second.ask("cancel", order_id=order["order_id"]) for order in orders.values()))

            async def all_cancelled() -> bool:
                return bool((await second.ask("state"))["is_quiet"])

            await eventually(all_cancelled, "fourteen orders cancelled by the process that did not place them")
            assert [await at_venue(scene, name) for name in FOURTEEN] == [[BrokerStatus.CANCELLED]] * 14
            assert (await second.ask("reconcile"))["is_clean"]


async def test_a_second_instance_on_the_same_store_cannot_send_the_same_order(tmp_path: Path) -> None:
    """Case 28 (openalgo#932): two engines ran on one set of orders, and each executed all of them."""
    async with staged(tmp_path, ["sqlite"], ["unique"], (ACCOUNT,)) as scene:
        store = await scene.stores["sqlite"].new_store(ACCOUNT)
        async with (
            scene.service(store, ACCOUNT, "unique", "first", lease_seconds=30.0) as first,
            scene.service(store, ACCOUNT, "unique", "second", lease_seconds=30.0) as second,
        ):
            owner, other = await decided(first, second)
            placed = await owner.ask("execute", raw=resting("both were told"))
            assert (await other.ask("execute", raw=resting("both were told")))["order_id"] == placed["order_id"]
            with pytest.raises(Refused, match="LeaseLost"):
                await other.ask("execute", raw=resting("only one was told"))
            assert await at_venue(scene, "both were told") == [BrokerStatus.WORKING]
            assert await at_venue(scene, "only one was told") == []
            assert sent(other) == []
            await owner.ask("cancel", order_id=placed["order_id"])


async def decided(first: Process, second: Process) -> tuple[Process, Process]:
    """Who trades, and who stands by."""

    async def is_decided() -> bool:
        return any(each.emitted("started") for each in (first, second)) and any(
            each.emitted("log", sentence="Standing by") for each in (first, second)
        )

    await eventually(is_decided, "one trades and one stands by")
    return (first, second) if first.emitted("started") else (second, first)
