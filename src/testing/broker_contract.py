"""The contract of the `Broker` port under pytest. Subclass it and provide a `stage`; every case becomes a test."""

from __future__ import annotations

import pytest

from liveorder.domain.errors import LiveOrderError
from liveorder.testing.case import ContractBroken, ContractCase
from liveorder.testing.cases import CASES
from liveorder.testing.stage import Stage


class BrokerContract:
    """A subclass has a function-scoped fixture `stage` that yields a `Stage` from `on_stage`. Needs pytest-asyncio.

    A case in the stage's `cannot` is run and must fail; pytest shows it as an expected failure with its reason.
    """

    @pytest.mark.parametrize("case", CASES, ids=str)
    async def test_the_port(self, stage: Stage, case: ContractCase) -> None:
        reason = stage.cannot.get(case.name)
        if reason is None:
            await case.play(stage)
            return
        stage.patience_seconds = min(stage.patience_seconds, 1.0)
        with pytest.raises((ContractBroken, LiveOrderError, TimeoutError)):
            await case.play(stage)
        pytest.xfail(reason)

    async def test_what_it_cannot_do_is_the_name_of_a_case(self, stage: Stage) -> None:
        unknown = set(stage.cannot) - {case.name for case in CASES}
        assert not unknown
