"""The simulated broker keeps the contract of the port, with each kind of key."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from liveorder.domain.broker_capabilities import KeySupport
from liveorder.testing.broker_contract import BrokerContract
from liveorder.testing.stage import Stage
from tests.contract.brokers.simulated_stage import simulated_stage


class TestSimulated(BrokerContract):
    @pytest.fixture
    async def stage(self) -> AsyncIterator[Stage]:
        async with simulated_stage() as stage:
            yield stage


class TestSimulatedWithSearchableKeys(BrokerContract):
    @pytest.fixture
    async def stage(self) -> AsyncIterator[Stage]:
        async with simulated_stage(support=KeySupport.SEARCHABLE) as stage:
            stage.cannot = {"a_second_order_with_the_same_key_is_refused": "this venue takes any number of orders with one key"}
            yield stage
