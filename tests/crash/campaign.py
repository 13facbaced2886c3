"""Kills by the thousand, one promise after another: see `docs/reliability.md`.

Lives that nobody ends find the boundaries; each trial then crashes at one of them. One seed draws the same trials.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from liveorder.domain.errors import BrokerTimeoutError, LeaseLost, StoreUnavailable
from tests.crash.cases import Case
from tests.crash.defect_cases import cases_of_defects
from tests.crash.matrix import Boundaries, Matrix, aimed, drawn
from tests.crash.processes import Refused
from tests.crash.results import BEYOND, COUNTING, DEFECTS, MATRIX, TrialResults
from tests.crash.scene import Scene, staged
from tests.crash.scope import Scope
from tests.crash.trial import tried
from tests.crash.verdict import Verdict

AT_ONCE = 8 * (os.cpu_count() or 1)
"""Trials side by side: they mostly wait."""
BATCH = 240
"""Trials at one set of venues."""
OF_THE_MACHINE = (StoreUnavailable.__name__, BrokerTimeoutError.__name__, LeaseLost.__name__)
"""What a service refuses with when its database server went away, the venue's process did not get the processor, or itself did not:
a first life shares its store with nobody, so that it can lose its lease of 0.6 s only so.
"""
BEYOND_SHARE = 50
"""For so many kills, one trial beyond the declared bound."""

AIMED_ATTEMPTS, AIMED_AT_ONCE, AIMED_FROM = 6, 6, 1_000_000
"""Rounds, each of twice as many trials for what is still missing; the least at a boundary; and the number of the first trial."""


@dataclass
class Campaign:
    """So many kills, drawn by a seed from everything that can be combined."""

    kills: int
    seed: int
    matrix: Matrix = field(default_factory=Matrix)
    at_once: int = AT_ONCE
    results: TrialResults = field(default_factory=TrialResults)
    scope: Scope = field(default_factory=Scope)
    on_result: Callable[[], None] = lambda: None

    async def run(self, folder: Path) -> list[Verdict]:
        """The trials of the matrix, those of earlier runs included."""
        boundaries = await self.boundaries(folder)
        cases = enumerate(drawn(self.matrix.cells(), boundaries, self.seed, self.matrix.crowds()))
        while not self._is_enough():
            await self._try_all(MATRIX, islice(cases, BATCH), folder, until=self._is_enough)
        return self.results.of(MATRIX)

    async def run_aimed(self, folder: Path) -> None:
        """At boundaries that chance left out, or struck too seldom."""
        boundaries = await self.boundaries(folder)
        for attempt in range(AIMED_ATTEMPTS):
            chance = random.Random(f"{self.seed} {attempt}")
            cases = [
                case
                for kind in self.scope.kinds
                for place, times in self.results.seldom_struck(kind, self.scope.at_least(kind))
                for case in _some_of([*aimed(boundaries, kind, place)], (self.scope.at_least(kind) - times) << attempt, chance)
            ]
            numbered = enumerate(cases, self.results.next_number(MATRIX, AIMED_FROM))
            while batch := [*islice(numbered, BATCH)]:
                await self._try_all(MATRIX, batch, folder)

    async def boundaries(self, folder: Path) -> Mapping[Case, Boundaries]:
        """As lives that nobody ends pass them."""
        await self._try_all(COUNTING, enumerate(self.matrix.counting()), folder)
        lives = [(each.case, each.boundaries, each.later_boundaries) for each in self.results.of(COUNTING)]
        return self.matrix.found(lives)

    async def run_beyond(self, folder: Path) -> None:
        """Deaths as anywhere, and requests that arrive later than the broker declared possible."""
        if not (cells := self.matrix.cells_beyond_the_bound()):
            return
        cases = drawn(cells, await self.boundaries(folder), self.seed)
        await self._try_all(BEYOND, enumerate(islice(cases, max(self.kills // BEYOND_SHARE, len(cells)))), folder)

    async def run_defects(self, folder: Path) -> None:
        """Each with the same trials of a sound service beside it."""
        await self._try_all(DEFECTS, enumerate(cases_of_defects(self.matrix.engines, self.scope.defects)), folder)

    def _is_enough(self) -> bool:
        return self.results.kills(MATRIX) >= self.kills

    async def _try_all(
        self, section: str, cases: Iterable[tuple[int, Case]], folder: Path, until: Callable[[], bool] = lambda: False
    ) -> None:
        """Side by side, each on accounts of its own, named as paper accounts are where names matter."""
        missing = [(number, case) for number, case in cases if not self.results.has(section, number, case)]
        if not missing:
            return
        places = asyncio.Semaphore(self.at_once)
        engines, key_classes = {case.engine for _, case in missing}, {case.key_class for _, case in missing}
        accounts = {number: (f"D{number}", f"D{number}-again") for number, _ in missing}
        all_accounts = tuple(account for pair in accounts.values() for account in pair)
        home = folder / f"{section.replace(' ', '-')}-{missing[0][0]}"
        async with staged(home, engines, key_classes, all_accounts) as scene:

            async def in_turn(number: int, case: Case) -> None:
                async with places:
                    if not until():
                        self.results.add(section, number, await _tried_safely(scene, case, accounts[number]))
                        self.on_result()

            await asyncio.gather(*(in_turn(number, case) for number, case in missing))


def _some_of(cases: Sequence[Case], missing: int, chance: random.Random) -> list[Case]:
    """Different ones, as far as there are; more than are missing, since some lives do not come by."""
    wanted = min(max(AIMED_AT_ONCE, missing + missing // 4), BATCH)
    rounds = math.ceil(wanted / len(cases)) if cases else 0
    return [case for _ in range(rounds) for case in chance.sample(cases, len(cases))][:wanted]


async def _tried_safely(scene: Scene, case: Case, accounts: tuple[str, str]) -> Verdict:
    """A trial that cannot be carried out is a violation too. What the machine may have caused is tried once more."""
    first, second = accounts
    try:
        try:
            return await tried(scene, case, first)
        except (TimeoutError, StoreUnavailable, Refused) as error:
            if isinstance(error, Refused) and error.name not in OF_THE_MACHINE:
                raise
            return replace(await tried(scene, case, second), repeated_for=_described(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, the campaign goes on and reports it
        return Verdict(case, [f"the trial failed: {_described(error)}"])


def _described(error: Exception) -> str:
    """With the functions of the harness that it came through."""
    way = [frame.name for frame in traceback.extract_tb(error.__traceback__) if "tests" in frame.filename]
    return f"{type(error).__name__}: {error} in {' > '.join(way[-4:])}"
