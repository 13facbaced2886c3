"""The shipped example does what it is shipped to show, twice; and so does the embedding one."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.domain.signal import Signal, UnusableSignal
from liveorder.interfaces.cli.simulation import EXAMPLES
from tests.interfaces.command_line import CommandLine

MARKET_ORDER = (
    '{"signal_id":"sig_1732450800_5678","order_type":"MARKET","symbol":"SPY","side":"BUY","quantity":100,'
    '"account_id":"acc_abc123","strategy_name":"SPX 1-Day Options","stop_loss":230.00,"take_profit":240.00}'
)
CONTENT_ADDRESSED = '{"signal_type":"BUY","symbol":"RELIANCE","cms_score":75.0,"timestamp":"2025-03-10T09:20:00+05:30"}'


@pytest.fixture(scope="module")
def ran_twice(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What two runs of the demo came to."""
    line = CommandLine(tmp_path_factory.mktemp("demo"))
    return [_outcome(line) for _ in range(2)]


def _outcome(line: CommandLine) -> dict[str, Any]:
    out, err = line.start("demo", "--json").communicate(timeout=60)
    assert out, err
    outcome: dict[str, Any] = json.loads(out)
    return outcome


def test_the_demo_shows_every_way_that_an_order_can_go(ran_twice: list[dict[str, Any]]) -> None:
    orders = {order["signal_id"]: order for order in ran_twice[0]["orders"]}
    assert Counter(order["status"] for order in orders.values()) == {"FILLED": 9, "REJECTED": 3, "PARTIAL": 1, "SUBMITTED": 1}
    assert [fill["quantity"] for fill in orders["sig_1732450800_5678"]["fills"]] == ["60", "40"]
    assert len(orders["tcs-block-1"]["fills"]) == 10
    assert (orders["aapl-dip-1"]["filled_quantity"], orders["aapl-dip-1"]["quantity"]) == ("60", "150")
    assert (orders["spy-too-large-1"]["reason"], orders["tsla-no-cash-1"]["reason"]) == ("RISK", "BROKER")


def test_the_demo_earns_and_loses(ran_twice: list[dict[str, Any]]) -> None:
    earned = {held["symbol"]: Decimal(held["realized_pnl"]) for held in ran_twice[0]["positions"]}
    assert (earned["SPY"], earned["TSLA"], earned["INFY"]) == (Decimal(34), Decimal(145), Decimal(-405))


def test_the_demo_dead_letters_what_is_no_signal(ran_twice: list[dict[str, Any]]) -> None:
    reasons = [letter["reason"] for letter in ran_twice[0]["dead_letters"]]
    for part in ("not JSON", "acc_nobody is not in the settings", "with other content"):
        assert len([reason for reason in reasons if part in reason]) == 1


def test_the_demo_run_again_places_nothing_new(ran_twice: list[dict[str, Any]]) -> None:
    first, second = ran_twice
    assert [(each["placed"], each["refused"]) for each in (first, second)] == [(12, 2), (0, 0)]
    assert (len(first["orders"]), second["orders"]) == (14, [])
    assert len(second["dead_letters"]) == len(first["dead_letters"]) == 3


def test_the_example_has_both_formats_of_signals_as_they_are_and_one_line_that_is_none() -> None:
    lines = (EXAMPLES / "signals.jsonl").read_text().splitlines()
    assert (lines[0], lines[1]) == (MARKET_ORDER, CONTENT_ADDRESSED)
    unusable = [line for line in lines if not _is_signal(line)]
    assert len(unusable) == 1


def test_the_example_has_quotes_for_all_that_it_trades_at_its_time() -> None:
    rows = list(csv.DictReader((EXAMPLES / "quotes.csv").read_text().splitlines()))
    wanted = {Signal.parse(line).symbol for line in (EXAMPLES / "signals.jsonl").read_text().splitlines() if _is_signal(line)}
    assert wanted <= {row["symbol"] for row in rows}
    assert min(datetime.fromisoformat(row["time"]) for row in rows).isoformat() == "2025-03-10T03:49:40+00:00"


def test_the_embedding_example_trades_and_the_second_time_finds_its_signals_known(tmp_path: Path) -> None:
    first, second = (_embedded(tmp_path) for _ in range(2))
    assert "SUBMITTED -> FILLED" in first
    assert "->" not in second
    assert second.splitlines()[1] == "btc" + first.split("\nbtc")[1].splitlines()[0]


def test_the_example_of_parts_of_ones_own_uses_each_and_the_second_time_sends_nothing(tmp_path: Path) -> None:
    first, second = (_ran(tmp_path, "embedded_parts.py") for _ in range(2))
    for part in (
        "taken: desk-BTC/USD-",
        "filled: 0.1538 BTC",
        "filled: 3.3333 ETH",
        "confirmed: desk-ETH/USD-",
        "told: Order filled",
        "closed: ",
    ):
        assert part in first
    assert "\norders: 2\n" in first
    assert "orders: 2\n" in second
    assert "filled" not in second


def test_the_example_of_events_goes_on_where_it_was(tmp_path: Path) -> None:
    first, second = (_ran(tmp_path, "embedded_events.py").splitlines() for _ in range(2))
    positions = [int(line.split()[0]) for line in (*first[:-1], *second[:-1])]
    assert positions == [*range(1, len(positions) + 1)]
    assert any(" Filled: " in line for line in first)
    assert not any(" Filled: " in line for line in second)


def test_the_example_of_own_events_has_one_entry_for_a_fill_and_none_the_second_time(tmp_path: Path) -> None:
    first, second = (_ran(tmp_path, "own_events.py").splitlines() for _ in range(2))
    assert first[0].startswith("new entry: 0.01 of order btc-")
    assert first[1:] == second
    assert [line.split()[1] for line in second[-3:]] == ["liveorder.Filled@1", "__main__:Entry.Written", "__main__:Entry.Remarked"]


def _embedded(folder: Path) -> str:
    return _ran(folder, "embedded_runner.py")


def _ran(folder: Path, example: str) -> str:
    program = [sys.executable, str(EXAMPLES / example)]
    done = subprocess.run(program, cwd=folder, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _is_signal(line: str) -> bool:
    try:
        return bool(Signal.parse(line))
    except UnusableSignal:
        return False
