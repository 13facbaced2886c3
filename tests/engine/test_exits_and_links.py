"""`stop_loss`, `take_profit`, `oco_group`, `parent_order_id`: what a signal may ask for while nothing acts on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.application.reporting.views import verdict_view
from liveorder.application.trading.execute_order import ExecuteOrder
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.values import TradingMode
from tests.engine.scenes import ACCOUNT, Scene, a_scene, a_signal

PRICES: dict[str, Any] = {"stop_loss": Decimal(450), "take_profit": Decimal(550)}
LINKS: dict[str, Any] = {"oco_group": "pair-1", "parent_order_id": UUID(int=7)}
FIELDS = PRICES | LINKS
REAL = [TradingMode.PAPER, TradingMode.LIVE]
REFUSED = [(mode, name) for mode in REAL for name in FIELDS] + [(TradingMode.SIMULATION, name) for name in LINKS]


@asynccontextmanager
async def living(scene: Scene, mode: TradingMode) -> AsyncIterator[Engine]:
    """One life whose account is of this mode; the exchange is the simulated one all the same."""
    async with scene.living() as engine:
        gateway = engine.gateways[ACCOUNT]
        gateway.terms = replace(gateway.terms, mode=mode)
        yield engine


@pytest.mark.parametrize(("mode", "name"), REFUSED)
async def test_a_field_that_nothing_acts_on_is_refused_by_name_with_a_remedy(tmp_path: Path, mode: TradingMode, name: str) -> None:
    async with a_scene(tmp_path) as scene, living(scene, mode) as engine:
        order = await engine.execute.execute(a_signal(**{name: FIELDS[name]}))
        assert (order.status, order.is_sent) == (OrderStatus.REJECTED, False)
        assert order.error_message is not None
        assert name in order.error_message
        assert '"protection": "external"' in order.error_message
        _, refused = await engine.execute.validate(a_signal("another", **{name: FIELDS[name]}))
        assert [refusal.code for refusal in refused] == ["unprotected"]


@pytest.mark.parametrize("mode", TradingMode)
async def test_somebody_else_may_guard_and_link(tmp_path: Path, mode: TradingMode) -> None:
    async with a_scene(tmp_path) as scene, living(scene, mode) as engine:
        order = await engine.execute.execute(a_signal(**FIELDS, protection="external"))
        assert order.is_sent
        assert {name: getattr(order.terms, name) for name in FIELDS} == FIELDS
        assert scene.log.of("WARNING") == []


@pytest.mark.parametrize("name", PRICES)
async def test_a_simulation_takes_protective_prices_and_says_that_nothing_places_them(tmp_path: Path, name: str) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        signal = a_signal(**{name: PRICES[name]})
        intent, refused = await engine.execute.validate(signal)
        assert (refused, verdict_view(intent, refused).notes) == ([], (f"nothing places {name} yet",))
        order = await engine.execute.execute(signal)
        assert order.is_sent
        assert order.intent.sentence().endswith(f"; nothing places {name} yet")
        assert f"nothing places {name} yet" in scene.log.of("WARNING")


async def test_a_signal_without_them_is_told_nothing_of_them(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        intent, refused = await engine.execute.validate(a_signal())
        assert verdict_view(intent, refused).notes == ()
        assert "nothing places" not in intent.sentence()
        assert scene.log.of("WARNING") == []


@pytest.mark.parametrize(("mode", "name"), REFUSED)
async def test_a_signal_that_is_known_is_answered_first(
    tmp_path: Path, mode: TradingMode, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    signal = a_signal(**{name: FIELDS[name]})
    async with a_scene(tmp_path) as scene:
        with monkeypatch.context() as earlier_version:
            earlier_version.setattr(ExecuteOrder, "_refusal_of_form", lambda *_: None)
            async with living(scene, mode) as engine:
                order = await engine.execute.execute(signal)
        async with living(scene, mode) as engine:
            again = await engine.execute.execute(signal)
            assert (again.order_id, again.is_sent) == (order.order_id, True)
            assert len(scene.witness.of("submit")) == 1
            assert await scene.count("Requested") == 1
