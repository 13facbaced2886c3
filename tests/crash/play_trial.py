"""One trial of a play: a service is killed at a boundary, others take its store over, every step comes again, all settles."""

from __future__ import annotations

import asyncio
import time

from tests.crash.cases import Case
from tests.crash.play import Stage
from tests.crash.play_verdict import Played, violations
from tests.crash.plays import PLAYS
from tests.crash.processes import POLL_SECONDS, Process
from tests.crash.scene import Scene
from tests.crash.stored import stored_at
from tests.crash.trial_of_lives import TrialOfLives
from tests.crash.verdict import Verdict, outlived_recovery

PLAY_SECONDS = 180.0
"""Longer than all steps of a play take on a slow machine: who waits for so long waits for ever."""


async def played(scene: Scene, case: Case, account: str) -> Verdict:
    """The case, on a store and an account of its own."""
    stores = scene.stores[case.engine]
    url = await stores.new_store(account)
    trial = PlayTrial(scene, case, account, url)
    fault = case.fault(trial.befallen_key)
    if fault is not None:
        await scene.venues[case.key_class].control.lay(fault)
    verdict = await trial.run()
    if not verdict.violations:
        stores.drop(url)
    return verdict


class PlayTrial(TrialOfLives[Stage, Played]):
    def __init__(self, scene: Scene, case: Case, account: str, url: str) -> None:
        play = PLAYS[case.operation]
        terms = {"has_views": True, "may_be_short": play.may_be_short, "is_market_closed": play.is_market_closed}
        super().__init__(scene, case, account, url, play.befallen_key(case, account), terms)
        self._play = play
        self._shown = dict[str, int]()
        """By key, the latest version of each order that any life has shown."""

    async def _settle(self, service: Process, since: float) -> Stage:
        stage = Stage(service, self._control, self._case, self._account, self._lives.problems, self._shown)
        async with asyncio.timeout(PLAY_SECONDS):
            for step in self._play.steps:
                while not (await step(stage) or stage.has_doubts_left):
                    await self._look_again(stage)
            while not stage.is_at_rest:
                await self._look_again(stage)
        stage.settled_at = time.monotonic()
        return stage

    async def _look_again(self, stage: Stage) -> None:
        await asyncio.sleep(POLL_SECONDS)
        await stage.look()

    async def _witnessed(self, service: Process, spawned_at: float, settled: Stage, last: Stage) -> Played:
        await last.look()
        return Played(
            service,
            last.doubts,
            await service.ask("held"),
            await service.ask("books"),
            await service.ask("reconcile"),
            await service.ask("replays"),
            self._shown,
            settled.settled_at - spawned_at,
        )

    async def _found(self, evidence: Played) -> Verdict:
        theirs, stored = await self._control.orders(self._account), await stored_at(self._url)
        found = [*violations(self._play, self._case, self._account, theirs, stored, evidence, self._lives.processes)]
        return Verdict(
            self._case,
            found,
            is_in_doubt=any(order.is_in_doubt for orders in stored.orders.values() for order in orders),
            settling_seconds=evidence.settling_seconds,
            outlived_recovery=outlived_recovery(self._case, self._befallen(), self._lives.processes),
            venue_orders=len(theirs),
            anomalies=stored.anomalies,
            orders=len(stored.orders),
        )
