"""While the store cannot be written nothing new leaves: no order, no replace. What makes things safer does, and is booked later."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from liveorder.bootstrap import Settings, emergency_kill
from liveorder.domain.execution_report import BrokerStatus
from tests.crash.cases import ABOVE_THE_MARKET, BELOW_THE_MARKET, a_signal, key_of
from tests.crash.processes import Process, Refused, eventually
from tests.crash.scene import Scene, staged
from tests.crash.store_factories import create
from tests.crash.store_faults import STORE_FAULTS, BrokenConnection, StoreFault, remount, small_disk

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux: pidfd and PR_SET_PDEATHSIG")

ACCOUNT = "A0"


@dataclass
class Stage:
    """A service whose store can be made to fail; it has two orders resting at the venue."""

    scene: Scene
    fault: StoreFault
    service: Process
    to_cancel: dict[str, Any]
    to_keep: dict[str, Any]

    async def at_the_venue(self, signal_id: str) -> list[tuple[BrokerStatus, str]]:
        found = await self.scene.venues["unique"].control.orders_by_key(key_of(ACCOUNT, signal_id))
        return [(order.status, f"{order.limit_price or 0:f}") for order in found]

    async def becomes(self, signal_id: str, status: BrokerStatus) -> None:
        """At the venue, where it is once."""

        async def has_become() -> bool:
            return [found for found, _ in await self.at_the_venue(signal_id)] == [status]

        await eventually(has_become, f"{signal_id} {status} at the venue")

    async def is_booked(self, signal_id: str, status: str) -> None:
        async def is_so() -> bool:
            order = (await self.service.ask("state"))["orders"].get(key_of(ACCOUNT, signal_id), {})
            return order.get("status") == status and not order["requests"] and await self.service.ask("replays")

        await eventually(is_so, f"{signal_id} booked as {status}")

    async def journal_is_booked(self) -> None:
        async def is_gone() -> bool:
            return not self.scene.journal(ACCOUNT).exists()

        await eventually(is_gone, "the emergency journal is booked")


@pytest.fixture(params=STORE_FAULTS)
async def stage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        fault = await stack.enter_async_context(STORE_FAULTS[request.param](tmp_path, ACCOUNT))
        scene = await stack.enter_async_context(staged(tmp_path / "scene", (), ["unique"], (ACCOUNT,)))
        service = await stack.enter_async_context(scene.service(fault.url, ACCOUNT, "unique", "service", lease_seconds=15.0))
        await service.wait_for("started")
        orders = [
            await service.ask("execute", raw=a_signal(name, limit_price=BELOW_THE_MARKET)) for name in ("to cancel", "to keep")
        ]
        yield Stage(scene, fault, service, *orders)


async def test_nothing_new_is_sent_while_the_store_cannot_be_written_and_each_waiting_signal_once_when_it_can(stage: Stage) -> None:
    service = stage.service
    await stage.fault.inject(service)
    asked = service.begin("execute", raw=a_signal("asked"))
    replaced = service.begin("replace", order_id=stage.to_keep["order_id"], limit_price=ABOVE_THE_MARKET)
    for name in ("first", "second", "third"):
        await service.ask("feed", raw=a_signal(name))
    with pytest.raises(Refused, match=rf"StoreUnavailable: .*{stage.fault.says}.*"):
        await asked
    with pytest.raises(Refused, match="StoreUnavailable"):
        await replaced
    await service.wait_for("log", category="ERROR", sentence="A signal waits for the store")
    assert [await stage.at_the_venue(name) for name in ("asked", "first", "second", "third")] == [[], [], [], []]
    assert await stage.at_the_venue("to keep") == [(BrokerStatus.WORKING, BELOW_THE_MARKET)]
    await stage.fault.clear(service)
    for name in ("first", "second", "third"):
        await stage.becomes(name, BrokerStatus.FILLED)
        await stage.is_booked(name, "FILLED")
    assert await stage.at_the_venue("asked") == []
    await service.ask("execute", raw=a_signal("asked"))
    await stage.is_booked("asked", "FILLED")
    assert (await service.ask("reconcile"))["is_clean"]
    sent = [event["key"] for event in service.events if event["event"] == "sent"]
    assert sorted(sent) == sorted(key_of(ACCOUNT, name) for name in ("to cancel", "to keep", "first", "second", "third", "asked"))


async def test_a_cancel_goes_out_without_the_store_and_is_booked_when_it_is_back(stage: Stage) -> None:
    await stage.fault.inject(stage.service)
    cancelling = stage.service.begin("cancel", order_id=stage.to_cancel["order_id"])
    await stage.becomes("to cancel", BrokerStatus.CANCELLED)
    assert stage.to_cancel["order_id"] in stage.scene.journal(ACCOUNT).read_text()
    await cancelling
    await stage.fault.clear(stage.service)
    await stage.is_booked("to cancel", "CANCELLED")
    await stage.journal_is_booked()
    assert await stage.at_the_venue("to keep") == [(BrokerStatus.WORKING, BELOW_THE_MARKET)]
    assert (await stage.service.ask("reconcile"))["is_clean"]


async def test_a_kill_without_the_store_cancels_at_once_and_still_stands_when_the_store_is_back(stage: Stage) -> None:
    await stage.fault.inject(stage.service)
    killing = stage.service.begin("kill")
    for name in ("to cancel", "to keep"):
        await stage.becomes(name, BrokerStatus.CANCELLED)
    assert (await killing)["is_durable"], "beside the store, that is"
    await stage.service.ask("feed", raw=a_signal("too late"))
    await stage.fault.clear(stage.service)
    await stage.is_booked("too late", "REJECTED")
    assert await stage.at_the_venue("too late") == []
    for name in ("to cancel", "to keep"):
        await stage.is_booked(name, "CANCELLED")


async def test_an_emergency_stop_from_another_process_needs_no_store(stage: Stage) -> None:
    await stage.fault.inject(stage.service)
    settings = Settings.model_validate(
        {
            "store": f"sqlite:///{str(stage.scene.journal(ACCOUNT)).removesuffix('-emergency.jsonl')}",
            "accounts": [{"id": ACCOUNT}],
            "simulation": {"venue": f"127.0.0.1:{stage.scene.venues['unique'].port}"},
        }
    )
    report = await emergency_kill(settings, "test", "person:test")
    assert (report.is_durable, len(report.cancelled), report.not_cancelled) == (True, 2, ())
    for name in ("to cancel", "to keep"):
        await stage.becomes(name, BrokerStatus.CANCELLED)
    await stage.service.wait_for("log", category="HALT", sentence="Trading halted (*)")
    await stage.service.ask("feed", raw=a_signal("too late"))
    await stage.fault.clear(stage.service)
    await stage.is_booked("too late", "REJECTED")
    assert await stage.at_the_venue("too late") == []
    for name in ("to cancel", "to keep"):
        await stage.is_booked(name, "CANCELLED")
    await stage.journal_is_booked()


async def test_an_order_whose_commit_broke_on_the_way_back_is_found_stored_and_sent_once(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        fault = await stack.enter_async_context(STORE_FAULTS["postgres: connection broken"](tmp_path, ACCOUNT))
        assert isinstance(fault, BrokenConnection)
        scene = await stack.enter_async_context(staged(tmp_path / "scene", (), ["unique"], (ACCOUNT,)))
        service = await stack.enter_async_context(scene.service(fault.url, ACCOUNT, "unique", "service", lease_seconds=15.0))
        await service.wait_for("started")
        fault.lose_next_reply()
        order = await service.ask("execute", raw=a_signal("bought", limit_price=BELOW_THE_MARKET))
        assert (order["status"], fault.has_lost_it) == ("SUBMITTED", True)
        assert len(await scene.venues["unique"].control.orders_by_key(key_of(ACCOUNT, "bought"))) == 1


async def test_a_service_on_a_read_only_disk_says_so_and_one_on_a_writable_disk_goes_on(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk:
        url = f"sqlite:///{disk / 'orders.db'}"
        await create(url, ACCOUNT)
        async with staged(tmp_path / "scene", (), ["unique"], (ACCOUNT,)) as scene:
            control = scene.venues["unique"].control
            remount(disk, "ro")
            async with scene.service(url, ACCOUNT, "unique", "service", wait_for_lease=False) as service:
                failed = await service.wait_for("failed")
                assert (failed["error"], await control.orders()) == ("StoreUnavailable", [])
                assert "orders.db" in failed["message"] or "cannot be written" in failed["message"]
            remount(disk, "rw")
            async with scene.service(url, ACCOUNT, "unique", "service") as service:
                await service.wait_for("started")
                await service.ask("execute", raw=a_signal("bought"))
                assert len(await control.orders_by_key(key_of(ACCOUNT, "bought"))) == 1
