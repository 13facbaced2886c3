"""A broker or a store that is away for long does not fill the log, and is not hidden either."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from liveorder.domain.errors import BrokerConnectionError, StoreUnavailable
from liveorder.domain.execution_report import Accepted
from liveorder.domain.trading_halt import EVERYTHING, HaltReason
from tests.engine.scenes import Scene, a_limit, a_scene, a_signal
from tests.engine.test_intake import Told

AWAY = BrokerConnectionError("no route to host")
TEN_MINUTES = 600.0
MOST_LINES = 4
"""Of one kind in that time: at once, and after 1, 3 and 7 minutes."""


async def _fails(*asked: object) -> Any:
    raise AWAY


async def connection_is_away(scene: Scene, engine: Any) -> None:
    scene.witness.will_raise("connect", *[AWAY] * 10_000)
    await scene.control.drop_streams()


async def questions_fail(scene: Scene, engine: Any) -> None:
    await engine.execute.execute(a_limit(time_in_force="GTC"))
    scene.witness.answers.update(dict.fromkeys(("open_orders", "executions_since", "positions", "find"), _fails))


async def a_task_fails(scene: Scene, engine: Any) -> None:
    async def work() -> None:
        raise ValueError("a defect")

    engine.begin("a task", work)


async def store_is_away(scene: Scene, engine: Any) -> None:
    order = await engine.execute.execute(a_limit("wanted", time_in_force="GTC"))

    async def append(commit: object) -> Any:
        raise StoreUnavailable("the order store cannot be written (disk full)")

    engine.store.append = append
    signals = Told(*[a_signal(f"s{number}") for number in range(5)])
    engine.begin("signals", lambda: engine.intake.read(signals))
    engine.begin("reports", lambda: _reports_for_ever(engine, order))
    await engine.halts.halt(EVERYTHING, HaltReason.KILL_SWITCH, "enough", "person:ann")


async def _reports_for_ever(engine: Any, order: Any) -> None:
    """As a poll that has news of an order tells them, again and again."""
    while True:
        news = Accepted(broker_order_id="V2", client_order_id=order.client_order_id)
        await engine.track.book_streamed("SIM", news)
        await asyncio.sleep(1.0)


async def progress_is_not_saved(scene: Scene, engine: Any) -> None:
    source = Told(*[a_limit(f"s{number}", time_in_force="GTC") for number in range(25)], pause_seconds=25.0)

    async def acknowledge(message: object) -> None:
        raise OSError("disk full")

    source.acknowledge = acknowledge  # type: ignore[method-assign]  # a source of the user's
    engine.begin("signals", lambda: engine.intake.read(source))


@pytest.mark.parametrize(
    ("trouble", "sentences"),
    [
        (connection_is_away, ["Not connected"]),
        (questions_fail, ["Open orders could not be", "Executions could not be", "Positions could not be"]),
        (a_task_fails, ["a task failed"]),
        (store_is_away, ["A signal waits for the store", "The halt stands in memory only", "Report not booked"]),
        (progress_is_not_saved, ["Progress of told not saved"]),
    ],
    ids=lambda each: each.__name__ if callable(each) else "lasts",
)
async def test_what_lasts_is_logged_when_it_begins_and_then_at_growing_intervals(
    tmp_path: Path, trouble: Callable[[Scene, Any], Awaitable[None]], sentences: list[str]
) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        append = engine.store.append
        await trouble(scene, engine)
        await asyncio.sleep(61.0)
        assert all(_lines(scene, sentences).values())
        await asyncio.sleep(TEN_MINUTES)
        engine.store.append = append  # type: ignore[method-assign]  # the trouble is over
        for sentence, lines in _lines(scene, sentences).items():
            assert 2 <= len(lines) <= MOST_LINES, sentence
            assert any("times more since this was written last" in line for line in lines)


def _lines(scene: Scene, sentences: list[str]) -> dict[str, list[str]]:
    return {each: [line for _, line in scene.log.lines if line.startswith(each)] for each in sentences}
