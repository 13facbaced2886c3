"""One trial: a service is killed at a boundary, another takes its store over, the signal comes again, and everything settles."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from liveorder.infrastructure.brokers.simulated.control import VenueControl
from tests.crash.cases import ABOVE_THE_MARKET, OPERATIONS, Case, key_of
from tests.crash.processes import POLL_SECONDS, Died, Process, Refused, eventually
from tests.crash.scene import Scene
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


async def tried(scene: Scene, case: Case, account: str) -> Verdict:
    """The case, on a store and an account of its own."""
    place = scene.places[case.engine]
    url = await place.new_store(account)
    fault = case.fault(account)
    if fault is not None:
        await scene.venues[case.key_class].control.lay(fault)
    trial = _Trial(scene, case, account, url)
    verdict = await trial.run()
    if not verdict.violations:
        place.drop(url)
    return verdict


class _Trial:
    def __init__(self, scene: Scene, case: Case, account: str, url: str) -> None:
        self._scene, self._case, self._account, self._url = scene, case, account, url
        self._venue = scene.venues[case.key_class]
        self._operation, self._key = OPERATIONS[case.operation], key_of(account)
        self._deaths, self._lives = 0, list[Process]()

    async def run(self) -> Verdict:
        boundaries = await self._first_life()
        began = time.monotonic()
        for fatal in (self._case.second, None, None):
            async with AsyncExitStack() as stack:
                recovering = [await self._life(stack, fatal) for _ in range(self._case.recoverers)]
                evidence = await self._settled_by(recovering)
                if evidence is None:
                    continue
                settling = time.monotonic() - began
                sent = len(self._sent())
                await self._take_over(evidence.owner, recovering)
            await self._until_nothing_is_under_way()
            found = await violations(self._venue.control, self._case, self._account, self._url, evidence)
            if not evidence.is_in_doubt and len(self._sent()) > sent:
                found.append("a service that took over a settled store sent something")
            return Verdict(self._case, found, self._deaths, evidence.is_in_doubt, settling, boundaries)
        return Verdict(self._case, ["no life settled it"], self._deaths, False, time.monotonic() - began)

    async def _take_over(self, owner: Process, recovering: list[Process]) -> None:
        """The owner ends in good order; whoever stood by then recovers what is settled already, and ends too."""
        await owner.stop()
        for standby in recovering:
            with suppress(Died):
                await standby.heard("started")
            await standby.stop()

    async def _until_nothing_is_under_way(self) -> None:
        """What was held has arrived, so that the venue's books are the last word."""
        if self._case.delivery != "held past recovery":
            return
        control = self._venue.control
        sent = [event["at"] for event in self._sent() if event["kind"] == self._case.point]
        if sent:
            arrived = datetime.fromisoformat(min(sent)) + timedelta(seconds=self._case.hold_seconds + 0.2)
            await eventually(lambda: _has_passed(control, arrived), "the held request's arrival")

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
            return list(state["boundaries"])

    async def _life(self, stack: AsyncExitStack, fatal: str | None) -> Process:
        case, owner = self._case, f"life {len(self._lives) + 1}"
        service = self._scene.service(self._url, self._account, case.key_class, owner, fatal=fatal)
        born: Process = await stack.enter_async_context(service)
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
        except Refused as refused:
            if refused.name != "LeaseLost":
                raise
            return None
        return Evidence(service, state["orders"].get(self._key), state["doubts"], report, self._sent())

    def _sent(self) -> list[dict[str, Any]]:
        return [event for life in self._lives for event in life.events if event["event"] == "sent"]

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


async def _has_passed(control: VenueControl, moment: datetime) -> bool:
    return await control.now() > moment
