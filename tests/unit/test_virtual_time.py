"""The clock that the tests live by."""

from __future__ import annotations

import asyncio

import pytest

from tests.harness import virtual_time
from tests.harness.virtual_time import run_virtually


def test_a_wait_takes_no_time_and_as_long_as_it_says() -> None:
    async def long() -> float:
        await asyncio.sleep(86_400)
        return asyncio.get_running_loop().time()

    assert run_virtually(long()) == 86_400


def test_who_waits_for_nothing_is_told() -> None:
    with pytest.raises(RuntimeError, match="waits for ever"):
        run_virtually(asyncio.Event().wait())


def test_what_goes_round_without_time_passing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual_time, "MOST_TURNS", 1000)

    async def spin() -> None:
        while True:  # noqa: ASYNC110 - this is what must be told
            await asyncio.sleep(1e-12)

    async def spinning() -> None:
        await asyncio.gather(spin(), spin())

    with pytest.raises(RuntimeError, match=r"time stands still at "):
        run_virtually(spinning())
