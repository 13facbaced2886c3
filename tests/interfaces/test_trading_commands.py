"""Commands that change something, with no service running: each owns the store for a moment."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from liveorder.domain.broker_account import BrokerAccount
from liveorder.domain.errors import BrokerTimeoutError, LeaseLost
from liveorder.infrastructure.brokers.simulated.broker import SimulatedBroker
from liveorder.interfaces.cli.exit_codes import ExitCode
from tests.interfaces.command_line import SETTINGS, VENUE, CommandLine, coin, leaves_in_doubt, resting


def submit(cli: CommandLine, signal: dict[str, object]) -> tuple[int, str]:
    """Exit code, and status once the venue has been asked again: a fill may come after the answer."""
    result = cli.run("submit", json.dumps(signal), "--json")
    order_id = json.loads(result.stdout)["order_id"]
    cli.run("recover")
    return result.exit_code, cli.json("order", order_id)["status"]


def test_the_same_signal_submitted_twice_is_one_order(cli: CommandLine) -> None:
    assert submit(cli, coin("a")) == (0, "FILLED")
    assert submit(cli, coin("a")) == (0, "FILLED")
    assert len(cli.json("orders")) == 1


def test_an_order_can_be_written_as_options(cli: CommandLine) -> None:
    result = cli.run("submit", "--symbol", "ETH/USD", "--side", "buy", "--quantity", "0.1", "--limit-price", "3100")
    assert result.exit_code == 0
    assert "BUY 0.1 ETH/USD LIMIT 3100.00" in result.stdout


def test_a_refused_order_is_shown_and_has_an_exit_code(cli: CommandLine) -> None:
    assert submit(cli, coin("large", quantity="1000")) == (ExitCode.REFUSED, "REJECTED")


def test_a_signal_that_is_none_is_told_by_its_field(cli: CommandLine) -> None:
    result = cli.run("submit", "--symbol", "ETH/USD", "--side", "buy", "--quantity", "-1")
    assert result.exit_code == ExitCode.INVALID_INPUT
    assert result.stderr.startswith("error: quantity: ")


def test_validate_names_every_rule_that_stands_in_the_way_and_stores_nothing(cli: CommandLine) -> None:
    submit(cli, coin("a"))
    dear = coin("large", quantity="1000", order_type="LIMIT", limit_price="9000")
    assert {refusal["code"] for refusal in cli.json("validate", json.dumps(dear))["refusals"]} == {"price_collar", "position_value"}
    assert cli.run("validate", json.dumps(coin("fine"))).exit_code == 0
    assert cli.run("validate", json.dumps(coin("large", quantity="1000"))).exit_code == ExitCode.REFUSED
    assert len(cli.json("orders")) == 1


def test_that_nothing_places_protective_prices_is_said_by_validate_and_at_the_order(cli: CommandLine) -> None:
    guarded = json.dumps(coin("guarded", stop_loss="2500", take_profit="3500"))
    assert cli.json("validate", guarded)["notes"] == ["nothing places stop_loss and take_profit yet"]
    assert "nothing places stop_loss and take_profit yet" in cli.run("validate", guarded).stdout
    assert "2,500.00 (not placed)" in cli.run("submit", guarded).stdout
    assert "; nothing places stop_loss and take_profit yet" in " ".join(cli.run("order", "guarded").stdout.split())
    assert cli.run("submit", json.dumps(coin("linked", oco_group="pair"))).exit_code == ExitCode.REFUSED


def test_a_resting_order_is_replaced_and_cancelled_by_any_of_its_ids(cli: CommandLine) -> None:
    assert submit(cli, resting("r")) == (0, "SUBMITTED")
    changed = cli.json("replace", "r", "--quantity", "0.2", "--limit-price", "2950")
    assert (changed["quantity"], changed["limit_price"]) == ("0.2", "2950")
    assert cli.json("cancel", changed["broker_order_id"])["status"] == "CANCELLED"
    again = cli.run("cancel", "r")
    assert (again.exit_code, "error: " in again.stderr) == (ExitCode.REFUSED, True)


def test_replacing_nothing_is_refused_before_anything_is_asked(cli: CommandLine) -> None:
    assert cli.run("replace", "r").exit_code == ExitCode.INVALID_INPUT


def test_kill_says_what_remains_and_flatten_leaves_nothing(cli: CommandLine) -> None:
    submit(cli, coin("a"))
    submit(cli, resting("r"))
    killed = cli.run("kill")
    assert killed.exit_code == ExitCode.NOT_FLAT
    assert killed.stdout.splitlines()[:4] == [
        "NOT FLAT",
        "the halt is durable: nothing is sent, also after a restart",
        "1 order cancelled",
        "remaining: SIM: position CRYPTO:ETH/USD 0.1",
    ]
    flattened = cli.run("kill", "--flatten")
    assert (flattened.exit_code, flattened.stdout.splitlines()[0]) == (0, "FLAT")


def test_kill_works_while_the_read_models_are_down(cli: CommandLine) -> None:
    submit(cli, coin("a"))
    read_models = cli.folder / "liveorder-views.db"
    read_models.unlink()
    read_models.mkdir()
    assert cli.run("positions").exit_code == ExitCode.STORE_UNAVAILABLE
    flattened = cli.run("kill", "--flatten")
    assert (flattened.exit_code, flattened.stdout.splitlines()[0]) == (0, "FLAT")


def test_a_halt_refuses_orders_until_it_is_lifted(cli: CommandLine) -> None:
    cli.run("kill")
    assert "KILL_SWITCH" in cli.run("status").stdout
    cli.signals(coin("a"), coin("b"))
    assert (
        "Trading halted for every account: kill switch (killed from the command line); `liveorder resume` lifts it"
        in cli.trade().stderr
    )
    assert {order["status"] for order in cli.json("orders")} == {"REJECTED"}
    assert "the halt of every account is lifted" in cli.run("resume").stdout
    assert "no such halt" in cli.run("resume").stdout
    assert submit(cli, coin("c")) == (0, "FILLED")


def test_a_kill_halts_though_another_process_is_faster_to_own_the_store(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    submit(cli, coin("a"))

    def taken(*_: object, **__: object) -> None:
        raise LeaseLost("owned by a standby")

    monkeypatch.setattr("liveorder.bootstrap.brief_ownership.open_service", taken)
    killed = cli.run("kill", "--timeout", "0.1")
    assert (killed.exit_code, killed.stdout.splitlines()[0]) == (ExitCode.NOT_FLAT, "NOT FLAT")
    assert "the halt is durable" in killed.stdout
    assert "KILL_SWITCH" in cli.json("status")["halts"][0]


def test_a_kill_halts_beside_an_owner_that_hangs_and_the_halt_outlasts_the_command(cli: CommandLine) -> None:
    submit(cli, coin("a"))
    change(cli, "UPDATE lease SET owner='hung', expires_at=4000000000000000")
    killed = cli.run("kill", "--detail", "enough", "--timeout", "0.1")
    assert (killed.exit_code, killed.stdout.splitlines()[0]) == (ExitCode.NOT_FLAT, "NOT FLAT")
    said = " ".join(killed.stdout.split())
    assert "the halt is durable" in said
    assert "what the brokers hold is not known: hung owns the store and did not answer kill within 0.1 s" in said
    assert "KILL_SWITCH" in cli.json("status")["halts"][0]
    change(cli, "UPDATE lease SET expires_at=0")
    change(cli, "UPDATE commands SET created_at='2020-01-01T00:00:00.000000+00:00'")
    cli.signals(coin("b"))
    assert "kill switch (enough)" in cli.trade().stderr
    assert {order["signal_id"]: order["status"] for order in cli.json("orders")} == {"a": "FILLED", "b": "REJECTED"}
    assert "the halt of every account is lifted" in cli.run("resume").stdout


def test_a_kill_says_that_the_halt_stands_though_the_broker_is_away(cli: CommandLine) -> None:
    submit(cli, coin("a"))
    venue_is_away(cli)
    killed = cli.run("kill", "--detail", "enough")
    assert (killed.exit_code, killed.stdout.splitlines()[:2]) == (
        ExitCode.NOT_FLAT,
        ["NOT FLAT", "the halt is durable: nothing is sent, also after a restart"],
    )
    assert "remaining: what the brokers hold is not known: " in killed.stdout
    assert "KILL_SWITCH: enough" in cli.json("status")["halts"][0]


def test_the_first_kill_of_all_halts_though_the_broker_is_away(cli: CommandLine) -> None:
    venue_is_away(cli)
    assert cli.run("kill", "--detail", "enough").exit_code == ExitCode.NOT_FLAT
    assert "KILL_SWITCH: enough" in cli.json("status")["halts"][0]


def test_a_kill_that_cannot_be_stored_names_the_one_that_needs_no_store(cli: CommandLine) -> None:
    submit(cli, coin("a"))
    (cli.folder / "liveorder.db").write_bytes(b"no database at all" * 500)
    killed = cli.run("kill")
    assert killed.exit_code == ExitCode.STORE_REFUSED
    assert "no halt is stored: `liveorder kill --emergency` stops at the brokers, without the store" in killed.stderr


def venue_is_away(cli: CommandLine) -> None:
    """The simulated exchange has moved to where nobody listens."""
    cli.write("liveorder.toml", SETTINGS.replace("[simulation]", '[simulation]\nvenue = "127.0.0.1:9"'))


def test_a_broker_that_does_not_answer_at_all_leaves_nothing_in_doubt(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was sent, so there is nothing of which the outcome is unknown."""

    async def unanswered(self: SimulatedBroker) -> BrokerAccount:
        raise BrokerTimeoutError("no answer within 10 s")

    monkeypatch.setattr(SimulatedBroker, "connect", unanswered)
    result = cli.run("submit", json.dumps(coin("a")))
    assert (result.exit_code, "nothing was sent" in result.stderr) == (ExitCode.BROKER, True)


def test_a_command_that_may_still_be_carried_out_says_so_by_its_code(cli: CommandLine) -> None:
    submit(cli, coin("a"))
    change(cli, "UPDATE lease SET owner='hung', expires_at=4000000000000000")
    sent = cli.run("submit", json.dumps(coin("b")), "--timeout", "0.1")
    assert (sent.exit_code, "it may still carry it out" in sent.stderr) == (ExitCode.OUTCOME_UNKNOWN, True)
    asked = cli.run("validate", json.dumps(coin("b")), "--timeout", "0.1")
    assert (asked.exit_code, "carry" in asked.stderr) == (ExitCode.STORE_UNAVAILABLE, False)


def test_what_is_sent_without_a_service_says_that_nobody_follows_it(cli: CommandLine) -> None:
    resting_order = cli.run("submit", json.dumps(resting("r")))
    assert "nobody follows this order: until `liveorder run` does" in " ".join(resting_order.stderr.split())
    assert cli.run("submit", json.dumps(coin("a"))).stderr == ""  # filled within the moment
    assert cli.run("close", "ETH/USD").stderr == ""


def change(cli: CommandLine, statement: str) -> None:
    """Behind everyone's back."""
    with closing(sqlite3.connect(cli.folder / "liveorder.db")) as connection, connection:
        connection.execute(statement)


def test_an_emergency_stop_cancels_and_halts_without_the_store(cli: CommandLine) -> None:
    submit(cli, resting("r"))
    store = cli.folder / "liveorder.db"
    store.rename(cli.folder / "gone.db")
    report = cli.json("kill", "--emergency")
    assert (report["is_flat"], report["is_durable"], len(report["cancelled"])) == (True, True, 1)
    (cli.folder / "gone.db").rename(store)
    cli.run("recover")
    assert cli.json("orders")[0]["status"] == "CANCELLED"
    assert cli.json("status")["halts"]


def test_a_halt_that_an_earlier_version_wrote_beside_the_store_is_not_lost(cli: CommandLine) -> None:
    (cli.folder / "liveorder.emergency.jsonl").write_text('{"detail":"fire","actor":"person:ann","at":"2026-11-29T12:00:00Z"}\n')
    assert submit(cli, coin("a"))[1] == "REJECTED"
    (halt,) = cli.json("status")["halts"]
    assert "belongs to an earlier version" in str(halt)


def test_auto_trading_is_switched_off_and_on(cli: CommandLine) -> None:
    assert cli.run("auto-trading", "off").stdout == "auto-trading is off\n"
    cli.signals(coin("a"))
    cli.trade()
    assert cli.json("orders")[0]["status"] == "REJECTED"
    assert cli.json("auto-trading", "on") == {"auto_trading": True}
    assert cli.run("auto-trading", "perhaps").exit_code == ExitCode.USAGE


def test_a_doubt_is_listed_and_ended_by_a_person(cli: CommandLine) -> None:
    leaves_in_doubt(cli)
    assert submit(cli, coin("a"))[0] == ExitCode.OUTCOME_UNKNOWN
    (doubt,) = cli.json("doubts")
    assert (doubt["signal_id"], doubt["kind"], doubt["is_being_asked"]) == ("a", "SUBMIT", False)
    assert (doubt["exposure_quantity"], doubt["exposure_value"]) == ("0.1", "300")
    assert "liveorder settle ID --absent" in cli.run("doubts").stdout
    assert cli.json("settle", "a", "--absent", "--evidence", "looked")["status"] == "CANCELLED"
    assert cli.run("doubts").stdout == "Nothing is in doubt.\n"
    assert cli.run("settle", "a", "--absent", "--evidence", "looked again").exit_code == ExitCode.REFUSED


@pytest.mark.parametrize("options", [(), ("--absent", "--found", "V1")])
def test_settling_needs_one_answer_and_not_two(cli: CommandLine, options: tuple[str, ...]) -> None:
    assert cli.run("settle", "a", "--evidence", "looked", *options).exit_code == ExitCode.INVALID_INPUT


def test_a_position_that_is_only_at_the_broker_differs_until_it_is_adopted(cli: CommandLine) -> None:
    holding = '[[accounts]]\naccount_id = "SIM"\n[accounts.positions."CRYPTO:ETH/USD"]\nquantity = "2"\nprice = "2500"\n'
    cli.write("venue.toml", VENUE + holding)
    differs = cli.run("reconcile")
    assert differs.exit_code == ExitCode.DIFFERS
    assert "CRYPTO:ETH/USD" in differs.stdout
    arguments = ("ETH/USD", "--account", "SIM", "--quantity", "2", "--price", "2500", "--evidence", "statement")
    assert cli.json("adopt", "position", *arguments)["filled_quantity"] == "2"
    agrees = cli.run("reconcile")
    assert (agrees.exit_code, agrees.stdout) == (0, "SIM agrees with the broker\n")


def test_what_is_adopted_is_a_strategys_where_one_is_named(cli: CommandLine) -> None:
    holding = '[[accounts]]\naccount_id = "SIM"\n[accounts.positions."CRYPTO:ETH/USD"]\nquantity = "2"\nprice = "2500"\n'
    cli.write("venue.toml", VENUE + holding)
    arguments = ("ETH/USD", "--account", "SIM", "--quantity", "2", "--price", "2500", "--evidence", "statement")
    assert cli.run("adopt", "position", *arguments, "--strategy", " ").exit_code == ExitCode.INVALID_INPUT
    assert cli.json("adopt", "position", *arguments, "--strategy", "trend")["strategy_name"] == "trend"
    (held,) = cli.json("positions")
    assert (held["strategy_name"], held["quantity"], held["average_price"]) == ("trend", "2", "2500")
    assert submit(cli, coin("out", side="SELL", quantity="2", strategy_name="trend")) == (0, "FILLED")
    assert [(row["strategy_name"], row["status"]) for row in cli.json("positions")] == [("trend", "CLOSED")]


def test_a_difference_that_is_larger_than_a_fee_can_be_says_so(cli: CommandLine) -> None:
    cli.write("liveorder.toml", SETTINGS + 'capabilities = { fees_in_kind = { CRYPTO = "0.009" } }\n')
    cli.write("venue.toml", VENUE + '[commission]\nin_kind = "0.01"\n')
    cli.run("submit", "--symbol", "ETH/USD", "--side", "buy", "--quantity", "1")
    differs = cli.run("reconcile")
    assert differs.exit_code == ExitCode.DIFFERS
    assert "no fee explains it: a fee would be at most 0.009 less at the broker" in differs.stdout


def test_what_a_broker_keeps_of_a_coin_is_on_the_page_of_the_order(cli: CommandLine) -> None:
    cli.write("liveorder.toml", SETTINGS)
    cli.write("venue.toml", VENUE + '[commission]\nin_kind = "0.01"\n')
    cli.run("submit", "--symbol", "ETH/USD", "--side", "buy", "--quantity", "1")
    cli.run("reconcile")
    (order,) = cli.json("orders")
    page = cli.run("order", order["order_id"]).stdout
    assert "Kept by the broker as its fee, of this and other buys of default" in page
    assert "0.01 ETH, worth 30.00 USD" in page


def test_an_order_that_the_broker_does_not_list_cannot_be_adopted(cli: CommandLine) -> None:
    result = cli.run("adopt", "order", "V9", "--account", "SIM", "--evidence", "seen")
    assert result.exit_code == ExitCode.REFUSED


def test_recover_says_what_it_found(cli: CommandLine) -> None:
    submit(cli, resting("r"))
    assert cli.run("recover").stdout == "1 unfinished, 0 in doubt, 0 taken up again\n"


def test_units_are_transferred_to_another_strategy_by_the_instruments_key(cli: CommandLine) -> None:
    submit(cli, coin("a"))
    move = ["transfer", "CRYPTO:ETH/USD", "--from", "default", "--to", "carry"]
    moved = cli.run(*move, "--quantity", "0.04", "--evidence", "carry bought it")
    assert (moved.exit_code, moved.stdout.strip()) == (
        0,
        "0.04 ETH/USD on account SIM went from default to carry, 3000 each: carry bought it",
    )
    assert {row["strategy_name"]: row["quantity"] for row in cli.json("positions")} == {"default": "0.06", "carry": "0.04"}
    at_a_price = cli.json(*move, "--quantity", "0.06", "--price", "3100", "--evidence", "and the rest", "--account", "SIM")
    assert (at_a_price["price"], at_a_price["to_strategy"]) == ("3100", "carry")
    (giver,) = cli.json("positions", "--strategy", "default")
    assert (giver["status"], giver["realized_pnl"]) == ("CLOSED", "6")
    assert len(cli.json("orders")) == 1
    assert cli.run("replay", "--verify").exit_code == 0


def test_what_nobody_holds_is_not_transferred(cli: CommandLine) -> None:
    submit(cli, coin("a"))
    refused = cli.run("transfer", "ETH/USD", "--from", "default", "--to", "b", "--quantity", "1", "--evidence", "-")
    assert refused.exit_code == ExitCode.INVALID_INPUT
    assert "error: instrument: SIM has no position in ETH/USD; use CRYPTO:ETH/USD" in " ".join(refused.stderr.split())


# --- closing ---------------------------------------------------------------------------------------------------------------------


def held(cli: CommandLine) -> dict[tuple[str, str], str]:
    """Units by strategy and symbol, of what is not flat."""
    return {(row["strategy_name"], row["symbol"]): row["quantity"] for row in cli.json("positions") if row["side"] != "FLAT"}


def two_strategies(cli: CommandLine) -> None:
    for strategy, quantity in (("A", "0.1"), ("B", "0.3")):
        assert submit(cli, coin(f"{strategy} in", quantity=quantity, strategy_name=strategy)) == (0, "FILLED")
    assert submit(cli, {"signal_id": "C in", "symbol": "BTC/USD", "side": "BUY", "quantity": "0.01", "strategy_name": "C"}) == (
        0,
        "FILLED",
    )


def test_close_takes_off_what_each_strategy_holds_of_a_symbol(cli: CommandLine) -> None:
    two_strategies(cli)
    result = cli.json("close", "ETH/USD", "--strategy", "B")
    assert [(order["strategy_name"], order["side"], order["quantity"]) for order in result["orders"]] == [("B", "SELL", "0.3")]
    cli.run("recover")
    assert held(cli) == {("A", "ETH/USD"): "0.1", ("C", "BTC/USD"): "0.01"}
    closed = cli.run("close", "ETH/USD")
    assert (closed.exit_code, "Closing orders" in closed.stdout) == (0, True)
    cli.run("recover")
    assert held(cli) == {("C", "BTC/USD"): "0.01"}


def test_close_all_leaves_nothing(cli: CommandLine) -> None:
    two_strategies(cli)
    result = cli.json("close", "--all", "--account", "SIM")
    assert {order["position_effect"] for order in result["orders"]} == {"CLOSE"}
    assert (len(result["orders"]), result["failures"]) == (3, [])
    cli.run("recover")
    assert held(cli) == {}


def test_close_takes_what_is_the_accounts_where_positions_are_that(cli: CommandLine) -> None:
    cli.write("liveorder.toml", 'positions = "by_account"\n' + SETTINGS)
    two_strategies(cli)
    submit(cli, coin("A out", side="SELL", quantity="0.25", strategy_name="A"))
    result = cli.json("close", "ETH/USD")
    assert [(order["strategy_name"], order["quantity"]) for order in result["orders"]] == [("B", "0.15")]
    cli.run("recover")
    assert {row["symbol"]: row["quantity"] for row in cli.json("positions") if row["strategy_name"] == "B"} == {"ETH/USD": "0.15"}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "give either SYMBOL or --all"),
        (("ETH/USD", "--all"), "give either SYMBOL or --all"),
        (("ETH/USD",), "ETH/USD is not held"),
        (("ETH/USD", "--strategy", "B"), "ETH/USD is not held by B"),
        (("--all",), "nothing is held"),
        (("--all", "--account", "X"), "X is not traded here; name one of SIM"),
    ],
)
def test_close_says_what_it_cannot_close(cli: CommandLine, arguments: tuple[str, ...], problem: str) -> None:
    result = cli.run("close", *arguments)
    assert result.exit_code == ExitCode.INVALID_INPUT
    assert problem in " ".join(result.stderr.split())


def test_what_guards_a_position_makes_way_for_closing_it(cli: CommandLine) -> None:
    submit(cli, coin("in"))
    submit(cli, coin("guard", side="SELL", role="TAKE_PROFIT", order_type="LIMIT", limit_price="9100", time_in_force="GTC"))
    result = cli.run("close", "ETH/USD")
    assert result.exit_code == ExitCode.OK
    cli.run("run", "--until-idle")
    assert cli.json("order", "guard")["status"] == "CANCELLED"
    assert [held["quantity"] for held in cli.json("positions")] == ["0"]


def test_what_comes_to_nothing_reads_so(cli: CommandLine) -> None:
    flat = ("--symbol", "SPY", "--target-percent", "0", "--signal-id", "flat")
    page = " ".join(cli.run("validate", *flat).stdout.split())
    assert page.startswith("No order in ARCA:SPY of SIM (asked: target_percent 0) held: 0 expected: 0 target: 0 would be refused")
    cli.run("submit", *flat)
    assert cli.run("order", "flat").stdout.split()[:3] == ["BUY", "SPY", "MARKET"]


def test_validate_shows_what_a_signal_would_come_to_and_why(cli: CommandLine) -> None:
    submit(cli, coin("in"))
    half = {"signal_id": "half", "symbol": "ETH/USD", "position_effect": "CLOSE", "percent": 50}
    verdict = cli.json("validate", json.dumps(half))
    assert (verdict["side"], verdict["quantity"], verdict["position_effect"], verdict["asked"]) == (
        "SELL",
        "0.05",
        "CLOSE",
        "percent 50",
    )
    assert verdict["figures"] == {"held": "0.1", "closable": "0.1"}
    page = " ".join(cli.run("validate", json.dumps(half)).stdout.split())
    assert "SELL 0.05 CRYPTO:ETH/USD in SIM, CLOSE (asked: percent 50) held: 0.1 closable: 0.1 would be sent" in page
    cli.run("submit", json.dumps(half))
    assert "asked for percent 50" in " ".join(cli.run("order", "half").stdout.split())
    none = cli.run("validate", json.dumps(half | {"signal_id": "none", "symbol": "BTC/USD"}))
    assert "No order in CRYPTO:BTC/USD of SIM (asked: percent 50)" in " ".join(none.stdout.split())
    assert "nothing_to_close: default holds no BTC/USD" in " ".join(none.stdout.split())


def test_sizes_can_be_written_as_options(cli: CommandLine) -> None:
    assert cli.json("submit", "--symbol", "ETH/USD", "--target", "0.2")["quantity"] == "0.2"
    cli.run("recover")
    closing = cli.json("submit", "--symbol", "ETH/USD", "--effect", "close", "--percent", "50")
    assert (closing["side"], closing["quantity"], closing["percent"]) == ("SELL", "0.1", "50")
