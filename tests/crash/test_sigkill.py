"""Real SIGKILL of a real service, with the venue in a process of its own: one trial for each of a seeded choice of cells.

More of them: `LIVEORDER_KILLS=600`, or `python -m tests.crash.campaign`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from liveorder.infrastructure.brokers.simulated.venue.faults import Point
from tests.contract.event_stores import require_postgres
from tests.crash.campaign import Campaign
from tests.crash.cases import ENGINES, Case
from tests.crash.scene import staged
from tests.crash.table import table
from tests.crash.trial import tried

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux: pidfd and PR_SET_PDEATHSIG")

KILLS = int(os.environ.get("LIVEORDER_KILLS", "52")) // len(ENGINES)
SEED = int(os.environ.get("LIVEORDER_SEED", "20"))


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_service_killed_at_any_boundary_leaves_one_order_a_signal_and_loses_none(engine: str, tmp_path: Path) -> None:
    if engine == "postgres":
        require_postgres()
    verdicts = await Campaign(KILLS, SEED, (engine,), counted_with=("unique",)).run(tmp_path)
    violated = [verdict for verdict in verdicts if verdict.violations]
    assert not violated, table(verdicts)
    assert sum(verdict.deaths for verdict in verdicts) >= KILLS * 0.7, table(verdicts)


async def test_a_trial_reports_a_second_order_where_a_request_outlives_the_declared_bound(tmp_path: Path) -> None:
    """Keys that can only be searched for, and a request that arrives long after the broker said that it never would."""
    case = Case("buy in parts", "sqlite", "searchable", "held past recovery", Point.SUBMIT, hold_seconds=6.0)
    async with staged(tmp_path, {case.engine}, {case.key_class}, ("A0",)) as scene:
        verdict = await tried(scene, case, "A0")
    assert "2 orders at the venue for one signal" in verdict.violations, verdict
