"""Real SIGKILL of a real service, with the venue in a process of its own: a slice of `make killmatrix`."""

from __future__ import annotations

import os
from asyncio import gather
from dataclasses import replace
from pathlib import Path

import pytest

from liveorder.testing.venue.faults import Point
from tests.contract.event_stores import require_postgres
from tests.crash.campaign import Campaign
from tests.crash.cases import ENGINES, HELD, Case
from tests.crash.defect_cases import EXPOSING
from tests.crash.matrix import KINDS, Matrix
from tests.crash.scene import Scene, staged
from tests.crash.summary import summary
from tests.crash.trial import tried

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux: pidfd and PR_SET_PDEATHSIG")

KILLS = 15
"""Of each database, amid single orders and amid exits."""
SEED = 20


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_service_killed_at_any_boundary_leaves_one_order_a_signal_and_loses_none(
    kind: str, engine: str, tmp_path: Path
) -> None:
    if engine == "postgres":
        require_postgres()
    matrix = Matrix((engine,), counted_with=("searchable",), counted_for=("prompt",), rows=KINDS[kind])
    campaign = Campaign(KILLS, SEED, matrix)
    verdicts = await campaign.run(tmp_path)
    assert not any(campaign.results.broken()), summary(verdicts)
    assert sum(verdict.deaths for verdict in verdicts) >= KILLS, summary(verdicts)


ATTEMPTS = 3
"""On a machine that is very busy, a trial can miss the instant at which a defect does harm."""


async def test_a_service_with_a_defect_is_found_out_and_a_sound_one_is_not(tmp_path: Path) -> None:
    accounts = tuple(f"{defect} {attempt}" for defect in EXPOSING for attempt in range(ATTEMPTS + 1))
    key_classes = {case.key_class for case in EXPOSING.values()}
    async with staged(tmp_path, {"sqlite"}, key_classes, accounts) as scene:
        reported = dict(zip(EXPOSING, await gather(*(_is_reported(scene, defect) for defect in EXPOSING)), strict=True))
        sound = await gather(*(tried(scene, case, f"{defect} {ATTEMPTS}") for defect, case in EXPOSING.items()))
    assert reported == dict.fromkeys(EXPOSING, True)
    assert [verdict for verdict in sound if verdict.violations] == []


async def _is_reported(scene: Scene, defect: str) -> bool:
    for attempt in range(ATTEMPTS):
        if (await tried(scene, replace(EXPOSING[defect], defect=defect), f"{defect} {attempt}")).violations:
            return True
    return False


async def test_a_trial_reports_a_second_order_where_a_request_outlives_the_declared_bound(tmp_path: Path) -> None:
    """Keys that can only be searched for, and a request that arrives long after the broker said that it never would."""
    case = Case("new order", "sqlite", "searchable", HELD, Point.SUBMIT, hold_seconds=6.0, bound_seconds=1.5)
    async with staged(tmp_path, {case.engine}, {case.key_class}, ("A0",)) as scene:
        verdict = await tried(scene, case, "A0")
    assert "2 orders at the venue for one signal" in verdict.violations, verdict
