"""What trials of few orders have in common: one life that is struck, others that settle what it left, and one that takes over."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar

from liveorder.testing.venue.control import VenueControl
from tests.crash.cases import HELD, Case
from tests.crash.lives import Lives, first_settled, is_without_store
from tests.crash.processes import Process, ProcessEnded, Refused, eventually
from tests.crash.scene import Scene
from tests.crash.verdict import Verdict

LIVES_TO_SETTLE_IN = 3


class Owned(Protocol):
    """What a life found that settled everything."""

    @property
    def owner(self) -> Process: ...


S = TypeVar("S")
E = TypeVar("E", bound=Owned)


class TrialOfLives(ABC, Generic[S, E]):
    def __init__(self, scene: Scene, case: Case, account: str, url: str, befallen_key: str, terms: Mapping[str, Any]) -> None:
        """`befallen_key`: of the order whose request meets the fault. `terms`: of every service's plan."""
        self._scene, self._case, self._account, self._url = scene, case, account, url
        self._control = scene.venues[case.key_class].control
        self.befallen_key = befallen_key
        self._terms = {"delivery_bound_seconds": case.bound_seconds, "defect": case.defect, **terms}
        self._lives = Lives()
        self._boundaries, self._later_boundaries = list[str](), list[str]()

    async def run(self) -> Verdict:
        await self._first_life()
        verdict = await self._settled_in_some_life() or Verdict(self._case, ["no life settled it"])
        struck = [event["boundary"] for event in self._lives.emitted("struck")]
        return replace(
            verdict,
            violations=verdict.violations + self._lives.problems,
            struck=struck,
            boundaries=self._boundaries,
            later_boundaries=self._later_boundaries,
        )

    @abstractmethod
    async def _settle(self, service: Process, since: float) -> S:
        """What is tried, from its beginning, in a service that has started; until nothing is open, or only a doubt.

        Raises `ProcessEnded`, and `Refused` where the service is without its store.
        """

    @abstractmethod
    async def _witnessed(self, service: Process, spawned_at: float, settled: S, last: S) -> E:
        """What the service says of itself, once all has `settled`; `last`: once what was held has arrived, too."""

    @abstractmethod
    async def _found(self, evidence: E) -> Verdict: ...

    async def _first_life(self) -> None:
        async with AsyncExitStack() as stack:
            service = await self._life(stack, self._case.boundary)
            try:
                await service.wait_for("started")
                await self._settle(service, time.monotonic())
                await service.stop()
                self._boundaries = (await service.wait_for("stopped"))["boundaries"]
            except ProcessEnded:
                self._lives.note_end_of(service)

    async def _settled_in_some_life(self) -> Verdict | None:
        for crash_at in (self._case.second, *[None] * (LIVES_TO_SETTLE_IN - 1)):
            async with AsyncExitStack() as stack:
                recovering = [await self._life(stack, crash_at) for _ in range(self._case.recoverers)]
                evidence = await first_settled(recovering, self._settled)
                if evidence is not None:
                    return await self._judged(stack, recovering, evidence)
        return None

    async def _settled(self, service: Process) -> E | None:
        """None where it was struck, or lost its store."""
        spawned_at = time.monotonic()
        try:
            await service.wait_for("started")
            settled = last = await self._settle(service, spawned_at)
            if await self._until_nothing_is_under_way():
                await service.ask("reconcile")
                last = await self._settle(service, time.monotonic())
            return await self._witnessed(service, spawned_at, settled, last)
        except ProcessEnded:
            self._lives.note_end_of(service)
            return None
        except Refused as refused:
            if not is_without_store(service, refused):
                raise
            return None

    async def _judged(self, stack: AsyncExitStack, recovering: list[Process], evidence: E) -> Verdict:
        sent = len(self._sent())
        await self._take_over(stack, recovering, evidence.owner)
        verdict = await self._found(evidence)
        if len(self._sent()) > sent:
            verdict.violations.append("a service that took over a settled store sent something")
        return verdict

    async def _take_over(self, stack: AsyncExitStack, recovering: list[Process], owner: Process) -> None:
        """The owner ends in good order; whoever stood by, or comes then, recovers what is settled already, and ends too."""
        await owner.stop()
        self._later_boundaries = (owner.emitted("stopped") or {}).get("boundaries", [])
        standbys = [each for each in recovering if each is not owner] or [await self._life(stack, None)]
        for standby in standbys:
            with suppress(ProcessEnded):
                await standby.wait_for("started")
            await standby.stop()

    async def _life(self, stack: AsyncExitStack, crash_at: str | None) -> Process:
        owner = self._lives.next_name
        service = self._scene.service(self._url, self._account, self._case.key_class, owner, crash_at=crash_at, **self._terms)
        return await self._lives.begin(stack, service)

    async def _until_nothing_is_under_way(self) -> bool:
        """What was held has arrived, so that the venue's books are the last word. False where nothing was held."""
        sent = [event["at"] for event in self._befallen()]
        if self._case.delivery != HELD or not sent:
            return False
        arrived = datetime.fromisoformat(min(sent)) + timedelta(seconds=self._case.hold_seconds + 0.2)
        await eventually(lambda: _has_passed(self._control, arrived), "the held request's arrival")
        return True

    def _befallen(self) -> list[dict[str, Any]]:
        """The requests of which the fault befalls the first. Not every broker's cancel names our key."""
        sent = [event for event in self._sent() if event["kind"] == self._case.point]
        return [event for event in sent if event["kind"] != "submit" or event["key"] == self.befallen_key]

    def _sent(self) -> list[dict[str, Any]]:
        return self._lives.emitted("sent")


async def _has_passed(control: VenueControl, moment: datetime) -> bool:
    return await control.now() > moment
