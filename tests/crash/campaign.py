"""Kills by the thousand: ``python -m tests.crash.campaign --kills 1000 --seed 1``. Prints what became of them, cell by cell.

Which boundaries there are is found by lives that nobody ends; each trial then dies at one of them. One seed draws the same trials.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice, product
from pathlib import Path

from tests.crash.cases import DELIVERIES, ENGINES, OPERATIONS, Case
from tests.crash.key_classes import KEY_CLASSES
from tests.crash.scene import Scene, staged
from tests.crash.table import table
from tests.crash.trial import Verdict, tried

AT_ONCE = 14
"""Trials side by side: they mostly wait."""
BATCH = 200
"""Trials at one set of venues."""
SECOND_DEATHS = 6
"""One trial in so many kills the recovering service too."""
LATEST_SECOND = 8

Told = Callable[[Verdict], None]
Boundaries = Mapping[tuple[object, ...], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Campaign:
    """So many trials, drawn by a seed from everything that can be combined."""

    kills: int
    seed: int
    engines: Sequence[str] = ENGINES
    counted_with: Sequence[str] = tuple(KEY_CLASSES)
    """Key classes by which boundaries are found; the others take the first's."""
    at_once: int = AT_ONCE

    async def run(self, folder: Path, told: Told = lambda verdict: None) -> list[Verdict]:
        cells = list(self._cells())
        counted = sorted({self._counting(cell) for cell in cells}, key=str)
        boundaries = {
            _found_by(verdict.case): verdict.boundaries for verdict in await self._try_all(counted, folder / "counting", told)
        }
        cases = list(self._drawn(cells, boundaries))
        verdicts: list[Verdict] = []
        for first in range(0, len(cases), BATCH):
            verdicts += await self._try_all(cases[first : first + BATCH], folder / f"batch-{first}", told)
        return verdicts

    def _cells(self) -> Iterator[Case]:
        """Every combination but the boundary, in the order in which they are drawn."""
        every = [
            Case(operation.name, engine, key_class, delivery, point, recoverers=recoverers)
            for operation, engine, key_class, delivery, recoverers in product(
                OPERATIONS.values(), self.engines, KEY_CLASSES, DELIVERIES, (1, 2)
            )
            for point in (operation.points if DELIVERIES[delivery] else operation.points[:1])
        ]
        random.Random(self.seed).shuffle(every)
        return islice(cycle(every), self.kills)

    def _counting(self, cell: Case) -> Case:
        key_class = cell.key_class if cell.key_class in self.counted_with else self.counted_with[0]
        return replace(cell, key_class=key_class, engine=self.engines[0], recoverers=1)

    def _drawn(self, cells: Sequence[Case], boundaries: Boundaries) -> Iterator[Case]:
        chance = random.Random(self.seed)
        for cell in cells:
            boundary = chance.choice(boundaries[_found_by(self._counting(cell))])
            dies_again = chance.randrange(SECOND_DEATHS) == 0
            yield replace(cell, boundary=boundary, second=f"#{chance.randint(3, LATEST_SECOND)}" if dies_again else None)

    async def _try_all(self, cases: Sequence[Case], folder: Path, told: Told) -> list[Verdict]:
        """Side by side, each on an account of its own."""
        accounts = tuple(f"A{number}" for number in range(len(cases)))
        places = asyncio.Semaphore(self.at_once)
        engines, key_classes = {case.engine for case in cases}, {case.key_class for case in cases}
        async with staged(folder, engines, key_classes, accounts) as scene:

            async def in_turn(case: Case, account: str) -> Verdict:
                async with places:
                    verdict = await _tried_safely(scene, case, account)
                told(verdict)
                return verdict

            return list(await asyncio.gather(*map(in_turn, cases, accounts)))


def _found_by(case: Case) -> tuple[object, ...]:
    return case.operation, case.key_class, case.delivery, case.point


async def _tried_safely(scene: Scene, case: Case, account: str) -> Verdict:
    """A trial that cannot be carried out is a violation too: nothing may be lost in the count."""
    try:
        return await tried(scene, case, account)
    except Exception as error:  # noqa: BLE001 - whatever it is, the campaign goes on and tells of it
        return Verdict(case, [f"the trial failed: {type(error).__name__}: {error}"], 0, False, 0.0)


def main(arguments: Sequence[str] | None = None) -> int:
    """1 when anything was violated."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", choices=ENGINES, action="append", help="default: all")
    parser.add_argument("--at-once", type=int, default=AT_ONCE)
    given = parser.parse_args(arguments)
    campaign = Campaign(given.kills, given.seed, tuple(given.engine or ENGINES), at_once=given.at_once)
    began = time.monotonic()
    verdicts = asyncio.run(_told(campaign))
    sys.stdout.write(f"\n{table(verdicts)}\nseed {given.seed}, {time.monotonic() - began:.0f} s\n")
    return int(any(verdict.violations for verdict in verdicts))


async def _told(campaign: Campaign) -> list[Verdict]:
    def tell(verdict: Verdict) -> None:
        sys.stderr.write("!" if verdict.violations else "?" if verdict.is_in_doubt else "+" if verdict.deaths else ".")
        sys.stderr.flush()

    with tempfile.TemporaryDirectory(prefix="liveorder-campaign-") as folder:
        return await campaign.run(Path(folder), tell)


if __name__ == "__main__":
    sys.exit(main())
