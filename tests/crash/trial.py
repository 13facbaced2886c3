"""One trial: a service is killed at a boundary, another one takes its store over, the signal comes again, and everything settles."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from liveorder.infrastructure.brokers.simulated.control import VenueControl
from liveorder.infrastructure.brokers.simulated.tcp import Tcp
from liveorder.infrastructure.clock import SystemClock

from tests.crash.cases import ABOVE_THE_MARKET, OPERATIONS, Case, key_of
from tests.crash.nursery import Nursery
from tests.crash.places import Place
from tests.crash.plans import ServicePlan, VenuePlan
from tests.crash.processes import POLL_SECONDS, Died, Process, Refused, process
from tests.crash.service_process import HOST
from tests.crash.verdict import Evidence, violations

DOUBT_SECONDS = {"unique": 20.0, "searchable": 20.0, "searchable with lag": 20.0, "none": 3.5}
"""How long a doubt is waited for: where keys cannot be asked for it may stand for ever."""
PATIENCE_SECONDS = 60.0


@dataclass(slots=True)
class Verdict:
    """What became of a trial."""

    case: Case
    violations: list[str]
    deaths: int
    is_in_doubt: bool
    settling_seconds: float
    """From the last birth until nothing was open, or the doubt was left to a person."""
    boundaries: list[str] = field(default_factory=list)
    """Of the first life, where it ended by itself."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Where trials take place."""

    nursery: Nursery
    places: Mapping[str, Place]
    venues: Mapping[str, int]
    """Ports by key class."""
    folder: Path

    def control(self, key_class: str) -> VenueControl:
        return VenueControl(Tcp(HOST, self.venues[key_class], SystemClock()), request_timeout_seconds=PATIENCE_SECONDS)


@asynccontextmanager
async def venues(nursery: Nursery, key_classes: set[str], accounts: tuple[str, ...], folder: Path) -> AsyncIterator[dict[str, int]]:
    async with AsyncExitStack() as stack:
        born = {
            name: await stack.enter_async_context(process(nursery, VenuePlan(name, accounts, str(folder / f"venue {name}.db"))))
            for name in sorted(key_classes)
        }
        yield {name: (await venue.heard("started"))["port"] for name, venue in born.items()}


async def tried(scene: Scene, case: Case, account: str) -> Verdict:
    """The case, on a store and an account of its own."""
    place = scene.places[case.engine]
    url = await place.new_store(account)
    fault = case.fault(account)
    if fault is not None:
        await scene.control(case.key_class).lay(fault)
    trial = _Trial(scene, case, account, url)
    verdict = await trial.run()
    if not verdict.violations:
        place.drop(url)
    return verdict


class _Trial:
    def __init__(self, scene: Scene, case: Case, account: str, url: str) -> None:
        self._scene, self._case, self._account, self._url = scene, case, account, url
        self._operation, self._key = OPERATIONS[case.operation], key_of(account)
        self._deaths, self._lives = 0, list[Process]()

    async def run(self) -> Verdict:
        boundaries = await self._first_life()
        began = time.monotonic()
        for fatal in [self._case.second, None] if self._case.second else [None]:
            async with AsyncExitStack() as stack:
                recovering = [await self._life(stack, fatal) for _ in range(self._case.recoverers)]
                evidence = await self._settled_by(recovering)
                if evidence is None:
                    continue
                settling = time.monotonic() - began
                for each in recovering:
                    await each.stop()
            found = await violations(self._scene.control(self._case.key_class), self._case, self._account, self._url, evidence)
            return Verdict(self._case, found, self._deaths, evidence.is_in_doubt, settling, boundaries)
        return Verdict(self._case, ["no life settled it"], self._deaths, False, time.monotonic() - began)

    async def _first_life(self) -> list[str]:
        async with AsyncExitStack() as stack:
            service = await self._life(stack, self._case.boundary)
            try:
                await service.heard("started")
                await self._settle(service)
                state = await service.ask("state")
                await service.stop()
            except Died:
                self._deaths += 1
                return []
            if (await_lost := service.told("lost the store")) is not None:
                raise AssertionError(f"{self._case}: {await_lost}")
            return list(state["boundaries"])

    async def _life(self, stack: AsyncExitStack, fatal: str | None) -> Process:
        plan = ServicePlan(
            store=self._url,
            venue_port=self._scene.venues[self._case.key_class],
            account=self._account,
            key_class=self._case.key_class,
            owner=f"life {len(self._lives) + 1}",
            journal=str(self._scene.folder / f"{self._account}.emergency.jsonl"),
            fatal=fatal,
        )
        born = await stack.enter_async_context(process(self._scene.nursery, plan))
        self._lives.append(born)
        return born

    async def _settled_by(self, recovering: list[Process]) -> Evidence | None:
        """What the one found that got the store and lived; None when all died."""
        waiting = {asyncio.create_task(self._settled(each)) for each in recovering}
        evidence = None
        while waiting and evidence is None:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            evidence = next((found for task in done if (found := task.result()) is not None), None)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        return evidence

    async def _settled(self, service: Process) -> Evidence | None:
        try:
            await service.heard("started")
            await self._settle(service)
            state, report = await service.ask("state"), await service.ask("reconcile")
        except Died:
            self._deaths += service.told("lost the store") is None
            return None
        sent = [event for life in self._lives for event in life.events if event["event"] == "sent"]
        return Evidence(state["orders"].get(self._key), state["doubts"], report, sent)

    # --- one life --------------------------------------------------------------------------------------------------------------

    async def _settle(self, service: Process) -> None:
        """The signal, and what was wanted of its order, as often as it takes; until nothing is open, or only a doubt."""
        order = await service.ask("execute", raw=self._operation.signal)
        doubt_until = time.monotonic() + DOUBT_SECONDS[self._case.key_class]
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                state = await service.ask("state")
                order = state["orders"].get(self._key, order)
                if state["is_quiet"] or (order["is_in_doubt"] and time.monotonic() > doubt_until):
                    return
                if self._operation.then is not None and not order["requests"]:
                    await self._ask_for_the_rest(service, order)
                await asyncio.sleep(POLL_SECONDS)

    async def _ask_for_the_rest(self, service: Process, order: dict[str, Any]) -> None:
        with suppress(Refused):
            if self._operation.then == "cancel":
                await service.ask("cancel", order_id=order["order_id"])
            elif order["limit_price"] != ABOVE_THE_MARKET:
                await service.ask("replace", order_id=order["order_id"], limit_price=ABOVE_THE_MARKET)


def counting(case: Case) -> Case:
    """The same without a death: its verdict names the boundaries."""
    return replace(case, boundary=None, second=None, recoverers=1)
