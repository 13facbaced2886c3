"""A stop without the store reaches every broker that can be reached, whatever the others do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine.engine import AccountConnection
from liveorder.bootstrap import EmergencyReport, Settings, brokerages, emergency, emergency_kill
from liveorder.domain.errors import BrokerConnectionError
from tests.engine.scenes import ACCOUNT, Scene, a_limit, a_scene

OTHER = "B"
BOTH = (ACCOUNT, OTHER)
UNTOLD = "Sw0rdf1sh"


async def hangs(*_: Any) -> None:
    await asyncio.Event().wait()


async def surprises(*_: Any) -> None:
    raise KeyError(UNTOLD)


async def is_away(*_: Any) -> None:
    raise BrokerConnectionError("no route to host")


def cannot_prepare(*_: Any) -> None:
    raise KeyError(UNTOLD)


FAULTS: dict[str, Callable[..., Any]] = {"KeyError in the adapter": surprises, "no answer in time": hangs, "no route": is_away}


def settings_of(scene: Scene, **more: Any) -> Settings:
    return Settings.load(store=f"sqlite:///{scene.path}", logs={"console": False, "directory": scene.folder}, **more)


@contextmanager
def unstarted(scene: Scene) -> Iterator[dict[str, AccountConnection]]:
    gateways = scene.engine().gateways
    yield {name: AccountConnection(each.terms, each.broker, each.market_data, each.instruments) for name, each in gateways.items()}


async def leave_an_order_at_each(scene: Scene) -> None:
    async with scene.living() as engine:
        for account_id in BOTH:
            await engine.execute.execute(a_limit(f"at {account_id}", account_id=account_id, time_in_force="GTC"))


async def killed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> EmergencyReport:
    with unstarted(scene) as connections:
        for account_id in BOTH:
            scene.witnesses[account_id].calls.clear()

        @contextmanager
        def these(*_: Any, **__: Any) -> Iterator[dict[str, AccountConnection]]:
            yield connections

        monkeypatch.setattr(emergency, "connections_of", these)
        settings = settings_of(scene)
        report = await emergency_kill(settings, "fire", "person:ann")
    assert UNTOLD not in str(report)
    return report


def cancels(scene: Scene, account_id: str) -> int:
    return len(scene.witnesses[account_id].of("cancel"))


@pytest.mark.parametrize("says", FAULTS)
@pytest.mark.parametrize("verb", ["connect", "open_orders", "cancel", "positions", "close"])
async def test_whatever_one_broker_does_the_other_accounts_orders_are_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, says: str
) -> None:
    async with a_scene(tmp_path, accounts=BOTH) as scene:
        await leave_an_order_at_each(scene)
        scene.witness.answers[verb] = FAULTS[says]
        began = asyncio.get_running_loop().time()
        report = await killed(scene, monkeypatch)
        assert asyncio.get_running_loop().time() - began < 30
        assert cancels(scene, OTHER) == 1
        assert cancels(scene, ACCOUNT) == (verb not in ("connect", "open_orders"))
        of_it = [line for line in report.not_cancelled if line.startswith(f"{ACCOUNT}: ")]
        assert report.not_cancelled == tuple(of_it)
        assert [says in line for line in of_it] == ([] if verb == "close" else [True])


async def test_an_order_that_cannot_be_cancelled_keeps_none_behind_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_scene(tmp_path, accounts=BOTH) as scene:
        await leave_an_order_at_each(scene)
        scene.witness.answers["prepare"] = cannot_prepare
        report = await killed(scene, monkeypatch)
        assert len(report.not_cancelled) == len(report.cancelled) == 1


async def test_a_broker_whose_adapter_cannot_be_made_keeps_no_other_from_being_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_one(settings: Settings, account: Any, *_: Any) -> Any:
        if account.id == ACCOUNT:
            raise KeyError(UNTOLD)
        return connections[account.id]

    async with a_scene(tmp_path, accounts=BOTH) as scene:
        await leave_an_order_at_each(scene)
        with unstarted(scene) as connections:
            monkeypatch.setattr(brokerages, "brokerage_of", of_one)
            settings = settings_of(scene, trading_mode="PAPER", accounts=[{"id": name, "broker": "alpaca"} for name in BOTH])
            report = await emergency_kill(settings, "fire", "person:ann")
        assert report.not_cancelled == (f"{ACCOUNT}: KeyError in the adapter",)
        assert cancels(scene, OTHER) == 1
