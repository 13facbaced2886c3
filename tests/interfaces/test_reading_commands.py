"""Lists, one order's history, and the state of the store; for people and for programs."""

from __future__ import annotations

import pytest

from liveorder.interfaces.cli.exit_codes import ExitCode
from tests.interfaces.command_line import CommandLine, coin

FIELDS_OF_AN_ORDER = """order_id client_order_id broker_order_id signal_id session_id account_id strategy_name broker symbol side
order_type limit_price stop_price time_in_force product exchange stop_loss take_profit tags quantity filled_quantity
remaining_quantity average_price commission status reason flags attempts requested_at submitted_at closed_at last_update_at
error_message fills"""
FIELDS_OF_A_POSITION = """account_id strategy_name symbol side quantity average_price order_ids realized_pnl realized_pnl_net
commission opened_at status"""


@pytest.fixture
def traded(cli: CommandLine) -> CommandLine:
    """Three orders: two filled, one refused."""
    btc = {"signal_id": "c", "symbol": "BTC/USD", "side": "BUY", "quantity": "0.01", "strategy_name": "coins"}
    cli.signals(coin("a"), coin("b", quantity="1000"), btc, "{")
    assert cli.trade().exit_code == 0
    return cli


@pytest.mark.parametrize(
    ("filters", "signals"),
    [
        ((), ["a", "b", "c"]),
        (("--status", "filled"), ["a", "c"]),
        (("--symbol", "BTC/USD"), ["c"]),
        (("--strategy", "coins"), ["c"]),
        (("--account", "SIM", "--status", "REJECTED"), ["b"]),
        (("--account", "other"), []),
        (("--day", "2001-01-01"), []),
        (("--open",), []),
        (("--newest", "1", "--symbol", "ETH/USD"), ["b"]),
    ],
)
def test_orders_are_filtered(traded: CommandLine, filters: tuple[str, ...], signals: list[str]) -> None:
    assert sorted(order["signal_id"] for order in traded.json("orders", *filters)) == signals


def test_json_has_every_promised_field_with_decimals_as_strings_and_times_in_utc(traded: CommandLine) -> None:
    (order,), position = traded.json("orders", "--symbol", "ETH/USD", "--status", "filled"), traded.json("positions")[0]
    assert set(FIELDS_OF_AN_ORDER.split()) <= order.keys()
    assert set(FIELDS_OF_A_POSITION.split()) <= position.keys()
    assert {"execution_id", "quantity", "price", "commission", "filled_at"} <= order["fills"][0].keys()
    assert (order["quantity"], order["average_price"]) == ("0.1", "3000")
    assert order["requested_at"].endswith("Z")


def test_an_order_is_found_by_any_of_its_ids(traded: CommandLine) -> None:
    order = traded.json("order", "a")
    for any_id in (order["order_id"], order["client_order_id"], order["broker_order_id"], order["signal_id"]):
        assert traded.json("order", any_id)["order_id"] == order["order_id"]


def test_an_id_as_a_list_shortens_it_finds_its_order_too(traded: CommandLine) -> None:
    order = traded.json("order", "a")
    client_id, order_id = order["client_order_id"], order["order_id"]
    for shortened in (f"{client_id[:8]}…", f"{order_id[:4]}…{order_id[-8:]}"):
        assert traded.json("order", shortened)["order_id"] == order_id
    shared = traded.run("order", f"{order_id[:4]}…")
    assert (shared.exit_code, "is shared by 3 orders" in shared.stderr) == (ExitCode.INVALID_INPUT, True)
    assert traded.run("order", "zzz…").exit_code == ExitCode.NOT_FOUND


def test_a_history_is_asked_for_by_any_id_of_its_order(traded: CommandLine) -> None:
    order = traded.json("order", "a")
    for any_id in (order["client_order_id"], order["signal_id"], f"{order['client_order_id'][:8]}…"):
        events = traded.json("order-history", "--order", any_id)
        assert {event["stream_id"] for event in events} == {order["order_id"]}
    assert traded.run("order-history", "--order", "nobody").exit_code == ExitCode.NOT_FOUND


def test_an_order_tells_its_whole_history(traded: CommandLine) -> None:
    events = [item["fact"] for item in traded.json("order", "a")["history"]]
    assert events == ["Requested", "Approved", "SubmissionStarted", "Acknowledged", "Filled"]
    page = traded.run("order", "a").stdout
    assert "Order filled: 0.1 @ 3000" in page
    assert "Order submitted, attempt 1" in page


def test_an_order_can_be_seen_as_of_a_moment(traded: CommandLine) -> None:
    requested_at = traded.json("order", "a")["requested_at"]
    then = traded.json("order", "a", "--at", requested_at)
    assert (then["status"], then["fills"]) == ("SUBMITTED", [])
    assert [item["fact"] for item in then["history"]] == ["Requested", "Approved", "SubmissionStarted"]
    before = traded.run("order", "a", "--at", "2001-01-01T00:00:00Z")
    assert before.exit_code == ExitCode.NOT_FOUND


def test_an_id_of_no_order_is_not_found(traded: CommandLine) -> None:
    result = traded.run("order", "[red]nothing")
    assert result.exit_code == ExitCode.NOT_FOUND
    assert "no order with id [red]nothing" in result.stderr


def test_signals_show_what_became_of_them(traded: CommandLine) -> None:
    found = {signal["signal_id"]: signal["execution_status"] for signal in traded.json("signals")}
    assert found == {"a": "FILLED", "b": "REJECTED", "c": "FILLED", None: "DEAD_LETTER"}
    assert "not JSON" in traded.run("signals", "--status", "dead-letter").stdout


def test_positions_can_be_limited_to_what_is_held(traded: CommandLine) -> None:
    assert {held["symbol"] for held in traded.json("positions", "--open")} == {"ETH/USD", "BTC/USD"}
    assert "LONG" in traded.run("positions").stdout


def test_the_status_counts_orders_and_says_that_no_service_runs(traded: CommandLine) -> None:
    status = traded.json("status")
    assert (status["mode"], status["owner"], status["halts"], status["dead_letters"]) == ("SIMULATION", None, [], 1)
    assert (status["orders"]["FILLED"], status["orders"]["REJECTED"], status["open_positions"]) == (2, 1, 2)
    assert "no service runs" in traded.run("status").stdout


@pytest.mark.parametrize("command", ["orders", "positions", "signals", "doubts", "status"])
def test_a_store_that_is_not_there_is_refused_on_one_line(cli: CommandLine, command: str) -> None:
    result = cli.run(command)
    assert result.exit_code == ExitCode.STORE_REFUSED
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


def test_nothing_in_json_can_command_a_terminal(cli: CommandLine) -> None:
    cli.signals('{"signal_id":"\u202e\\u001b[31m"}')
    cli.trade()
    assert cli.run("signals", "--json").stdout.isascii()


def test_positions_by_account_are_all_strategies_together_and_stand_apart(cli: CommandLine) -> None:
    cli.signals(coin("a"), coin("b", strategy_name="carry", quantity="0.3"))
    assert cli.trade().exit_code == 0
    move = ("--from", "carry", "--to", "default", "--quantity", "0.1", "--price", "3300", "--evidence", "ours")
    assert cli.run("transfer", "CRYPTO:ETH/USD", *move).exit_code == 0
    own = cli.json("positions")
    assert {row["strategy_name"]: row["quantity"] for row in own} == {"default": "0.2", "carry": "0.2"}
    (row,) = cli.json("positions", "--by-account")
    assert "strategy_name" not in row
    assert (row["account_id"], row["quantity"], row["strategies"]) == ("SIM", "0.4", ["carry", "default"])
    assert (row["average_price"], row["realized_pnl"]) == ("3075", "30")
    assert cli.json("positions", "--by-account", "--status", "closed") == []
    assert len(cli.json("positions", "--by-account", "--open", "--newest", "1")) == 1
    assert "carry, default" in cli.run("positions", "--by-account").stdout
    assert cli.run("positions", "--by-account", "--csv").stdout.splitlines()[0].startswith("account_id,symbol,")
    refused = cli.run("positions", "--by-account", "--strategy", "carry")
    assert (refused.exit_code, "of all strategies together" in refused.stderr) == (ExitCode.INVALID_INPUT, True)
