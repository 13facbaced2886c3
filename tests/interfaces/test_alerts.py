"""Alerts of a service as it is put together for use: each in the log's file under an id that stays, none twice on the console."""

from __future__ import annotations

import json
from typing import Any

import pytest

from liveorder import Signal
from liveorder.bootstrap import load_settings, open_service
from liveorder.domain.order.events import OutcomeDoubted
from liveorder.domain.trading_halt import AutoTradingSwitched, HaltReason, TradingHalted
from tests.interfaces.command_line import CommandLine, coin, leaves_in_doubt


def alerts(cli: CommandLine) -> list[dict[str, Any]]:
    """As the log's file has them."""
    lines = [line for file in sorted((cli.folder / "logs").glob("orders_*.log")) for line in file.read_text().splitlines()]
    return [record for record in map(json.loads, lines) if "notice_id" in record]


async def test_a_doubt_and_a_halt_are_alerts_with_the_ids_of_their_events(cli: CommandLine) -> None:
    leaves_in_doubt(cli)
    async with open_service(load_settings()) as service:
        await service.engine.execute.execute(Signal.parse(json.dumps(coin("a"))))
        await service.engine.halts.halt("*", HaltReason.KILL_SWITCH, "enough", "person:test")
        stored = [item async for page in service.engine.store.log() for item in page]
    expected = [f"{each.stream_id}:{each.version}" for each in stored if isinstance(each.event, OutcomeDoubted | TradingHalted)]
    assert [record["notice_id"] for record in alerts(cli)] == expected
    assert [(record.get("signal_id"), record["level"]) for record in alerts(cli)] == [("a", "warning"), (None, "warning")]


def test_what_a_line_told_already_is_not_told_again_on_the_console(cli: CommandLine) -> None:
    cli.signals("{", coin("a"))
    console = cli.trade().stderr
    (alert,) = alerts(cli)
    assert alert["message"] not in console
    assert console.count("[DEAD LETTER]") == 1
    assert len(console.splitlines()) == len(set(console.splitlines()))


class Deaf:
    """A log that takes no alerts: the run ends before they are told."""

    def write(self, category: str, sentence: str, **fields: object) -> None:
        if "notice_id" in fields:
            raise ConnectionError("gone")


async def test_an_alert_that_a_run_could_not_tell_is_told_once_by_the_next(
    cli: CommandLine, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load_settings()
    async with open_service(settings, log=Deaf()) as service:
        await service.engine.halts.switch_auto_trading(False, "lunch", "person:test")
        (switched,) = [item async for page in service.engine.store.log() for item in page]
    assert isinstance(switched.event, AutoTradingSwitched)
    for _ in range(2):
        async with open_service(settings):
            pass
    (alert,) = alerts(cli)
    assert (alert["notice_id"], alert["event_type"]) == (f"{switched.stream_id}:1", "belated_notice")
    assert capsys.readouterr().err.count("Auto-trading switched off (lunch)") == 1
