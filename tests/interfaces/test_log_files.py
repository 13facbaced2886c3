"""What a run leaves in its log files: forms that programs of others read, and enough to read history and summary back."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from liveorder.application.recording import domain_events
from liveorder.domain.order.events import LineType, OrderEvent
from tests.interfaces.command_line import SETTINGS, VENUE, CommandLine, coin, resting

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \| \[[A-Z][A-Z ]*\] \| .+")
SUMMED_UP = ("symbol", "side", "status", "filled_quantity", "strategy_name", "account_id", "client_order_id", "broker_order_id")
FIRST_IS_TURNED_AWAY = '[[faults.faults]]\nkind = "unavailable"\nnth = 1\n'


@pytest.fixture
def traded(cli: CommandLine) -> CommandLine:
    """An order that is filled at the second attempt, one that is refused, one that is cancelled, and a line that is no signal."""
    cli.write("liveorder.toml", 'confirmations = "confirmations.jsonl"\n' + SETTINGS)
    cli.write("venue.toml", VENUE + FIRST_IS_TURNED_AWAY)
    cli.signals(coin("sig_filled", strategy_name="trend"), coin("sig_refused", quantity="1000"))
    assert cli.trade().exit_code == 0
    assert cli.run("submit", json.dumps(resting("sig_cancelled"))).exit_code == 0
    assert cli.run("cancel", "sig_cancelled").exit_code == 0
    return cli


def written(cli: CommandLine, name: str) -> list[str]:
    return (cli.folder / "logs" / name).read_text().splitlines()


def records(cli: CommandLine) -> Iterator[dict[str, Any]]:
    for path in sorted((cli.folder / "logs").glob("orders_????????.log")):
        yield from map(json.loads, path.read_text().splitlines())


def test_the_lines_have_the_forms_that_others_read(traded: CommandLine) -> None:
    lines = written(traded, "execution_service.log")
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    said = [line.split(" | ")[2] for line in lines if "signal_id=sig_filled" in line and " | [EXECUTION] | " in line]
    ours = re.compile(r"Placing order, attempt [3-9].*")  # where this machine took too long before a call
    assert [sentence for sentence in said if not ours.fullmatch(sentence)] == [
        "Received order: sig_filled",
        "Placing order: BUY 0.1 ETH/USD MARKET",
        "Placing order, attempt 2: BUY 0.1 ETH/USD MARKET",
        "Order submitted: V1",
        "Order filled: 0.1 @ $3000",
        "Published execution confirmation",
    ]


def test_the_journey_of_a_signal_is_in_a_file_of_its_own(traded: CommandLine) -> None:
    lines = written(traded, "signal_processing.log")
    assert [line for line in lines if "signal_id=" not in line] == []
    for signal_id in ("sig_filled", "sig_refused", "sig_cancelled"):
        service = [line for line in written(traded, "execution_service.log") if f"signal_id={signal_id}" in line]
        assert [line for line in lines if f"signal_id={signal_id}" in line] == service
        assert "[EXECUTION] | Received order" in service[0]
    assert any("refused by" in line for line in lines if "sig_refused" in line)
    assert any("Order cancelled" in line for line in lines if "sig_cancelled" in line)


def test_the_lines_for_programs_are_of_the_types_that_they_know(traded: CommandLine) -> None:
    of_orders = [record for record in records(traded) if "event" in record]
    assert {record["event_type"] for record in of_orders} == {kind.value for kind in LineType}
    submissions = Counter(record["signal_id"] for record in of_orders if record["event_type"] == "SUBMISSION")
    assert submissions == {"sig_filled": 1, "sig_cancelled": 1}


def test_every_event_of_an_order_has_one_of_the_six_types() -> None:
    assert {kind.value for kind in LineType} == {"SUBMISSION", "FILL", "STATUS_CHANGE", "CANCELLATION", "ERROR", "RETRY"}
    kinds = [kind for kind in domain_events() if issubclass(kind, OrderEvent)]
    assert {kind.line_type for kind in kinds} <= set(LineType)


def test_the_history_of_an_order_can_be_read_back(traded: CommandLine) -> None:
    for signal_id in ("sig_filled", "sig_refused", "sig_cancelled"):
        known = traded.json("order", signal_id)
        steps = {
            record["version"]: (record["event"], record["event_id"])
            for record in records(traded)
            if "event" in record and record["signal_id"] == signal_id
        }
        assert [steps[number + 1] for number in range(len(steps))] == [
            (f"liveorder.{item['fact']}@1", item["event_id"]) for item in known["history"]
        ]


def test_the_summary_can_be_read_back(traded: CommandLine) -> None:
    last: dict[str, dict[str, Any]] = {record["order_id"]: record for record in records(traded) if "event" in record}
    fills = [record for record in records(traded) if record["event_type"] == "FILL" and "fill_quantity" in record]
    assert Counter(record["status"] for record in last.values()) == {"FILLED": 1, "REJECTED": 1, "CANCELLED": 1}
    for order in traded.json("orders"):
        for field in SUMMED_UP:
            assert last[order["order_id"]].get(field) == order[field], field
        assert Decimal(last[order["order_id"]]["commission"]) == Decimal(order["commission"])
    for row in traded.json("daily-summary"):
        own = [each for each in last.values() if each["strategy_name"] == row["strategy_name"]]
        traded_here = [fill for fill in fills if fill["strategy_name"] == row["strategy_name"]]
        counts = Counter(each["status"] for each in own)
        assert {status: count for status, count in row["by_status"].items() if count} == counts
        assert (len(own), len(traded_here)) == (row["orders"], row["fills"])
        value = sum((Decimal(fill["fill_quantity"]) * Decimal(fill["fill_price"]) for fill in traded_here), Decimal(0))
        assert value == Decimal(row["filled_value"])
        assert sum((Decimal(each["commission"]) for each in own), Decimal(0)) == Decimal(row["commission"])
