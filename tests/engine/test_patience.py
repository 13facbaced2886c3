"""Bookings that are waited for only so long."""

from __future__ import annotations

import asyncio

import pytest

from liveorder.application.runtime.concurrently import STORE_TIMEOUT_SECONDS, within_store_timeout
from liveorder.domain.errors import StoreUnavailable
from tests.harness.virtual_time import run_virtually


async def booked_after(seconds: float, booked: list[str], error: Exception | None = None) -> str:
    await asyncio.sleep(seconds)
    if error is not None:
        raise error
    booked.append("booked")
    return "booked"


def test_a_booking_in_time_gives_its_result_or_its_own_error() -> None:
    async def story() -> str:
        with pytest.raises(StoreUnavailable, match="disk full"):
            await within_store_timeout(booked_after(STORE_TIMEOUT_SECONDS / 2, [], StoreUnavailable("disk full")))
        return await within_store_timeout(booked_after(STORE_TIMEOUT_SECONDS / 2, []))

    assert run_virtually(story()) == "booked"


@pytest.mark.parametrize(("error", "in_the_end"), [(None, ["booked"]), (StoreUnavailable("still away"), [])])
def test_a_late_booking_is_given_up_and_goes_on_by_itself(error: Exception | None, in_the_end: list[str]) -> None:
    async def story() -> list[str]:
        booked: list[str] = []
        with pytest.raises(StoreUnavailable, match="has not answered for 2 s"):
            await within_store_timeout(booked_after(STORE_TIMEOUT_SECONDS + 1, booked, error))
        assert booked == []
        await asyncio.sleep(2)
        return booked

    assert run_virtually(story()) == in_the_end


def test_a_caller_that_gives_up_ends_its_booking() -> None:
    async def story() -> list[str]:
        booked: list[str] = []
        caller = asyncio.create_task(within_store_timeout(booked_after(1, booked)))
        await asyncio.sleep(0.5)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        await asyncio.sleep(2)
        return booked

    assert run_virtually(story()) == []
