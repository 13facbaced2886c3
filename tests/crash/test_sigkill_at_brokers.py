"""Real services with a broker's adapter and the vendor's client in them, killed with SIGKILL; a twin is in the venue's process.

`make killmatrix BROKER=alpaca` tries thousands.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from liveorder.testing.venue.faults import Point
from tests.crash.cases import HELD, Case
from tests.crash.scene import staged
from tests.crash.trial import tried
from tests.crash.verdict import Verdict
from tests.crash.wires import WIRES

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux: pidfd and PR_SET_PDEATHSIG")

LOST = "lost"
WITHOUT_A_BLOW = 2
"""Where the broker's push overtakes the end of a call, its outcome is known by then, and the chosen boundary is not passed."""


def cases_at(broker: str) -> list[Case]:
    return [
        Case("new order", "sqlite", broker, "prompt", Point.SUBMIT, "after submit #1"),
        Case("new order", "sqlite", broker, "acknowledgement lost", Point.SUBMIT, "after append OutcomeUnknown #1"),
        Case("new order", "sqlite", broker, HELD, Point.SUBMIT, "after append OutcomeUnknown #1", recoverers=2),
        Case("cancel", "sqlite", broker, LOST, Point.SUBMIT, "after append OutcomeUnknown #1"),
        Case("cancel", "sqlite", broker, "acknowledgement lost", Point.CANCEL, "after append CancelRequested #1"),
        Case("replace", "sqlite", broker, "prompt", Point.REPLACE, "after replace #1"),
        Case("partial fills under way", "sqlite", broker, "prompt", Point.SUBMIT, "after append Filled #1"),
    ]


@pytest.mark.parametrize("broker", WIRES)
async def test_a_service_that_is_killed_leaves_one_order_at_the_broker_and_loses_none(broker: str, tmp_path: Path) -> None:
    cases = cases_at(broker)
    accounts = tuple(f"D{number}" for number in range(len(cases)))
    async with staged(tmp_path, {"sqlite"}, {broker}, accounts) as scene:

        async def played(case: Case, account: str) -> Verdict:
            async with at_once:
                return await tried(scene, case, account)

        at_once = asyncio.Semaphore(3)
        verdicts = await asyncio.gather(*(played(case, account) for case, account in zip(cases, accounts, strict=True)))
    assert [f"{verdict.case}: {violation}" for verdict in verdicts for violation in verdict.violations] == []
    assert sum(verdict.deaths for verdict in verdicts) >= len(cases) - WITHOUT_A_BLOW
    left = [verdict.case.delivery for verdict in verdicts if verdict.is_in_doubt]
    assert left == ([] if WIRES[broker].trusts_absence else [LOST])
