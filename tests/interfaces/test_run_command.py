"""`liveorder run`, from signals to tables."""

from __future__ import annotations

import json

import pytest

from liveorder.interfaces.cli.exit_codes import ExitCode
from tests.interfaces.command_line import ENOUGH_SECONDS, CommandLine, coin

HOSTILE = '{"signal_id":"h","symbol":"[red]X[/red]","side":"BUY","quantity":1,"strategy_name":"[bold]"}'


def test_a_run_ends_with_orders_positions_results_and_where_they_are(cli: CommandLine) -> None:
    cli.signals(coin("a"), coin("b", "SELL", "0.05"))
    result = cli.trade()
    assert result.exit_code == 0
    for text in (
        "Orders (SIMULATION)",
        "Positions",
        "Profit and loss",
        "FILLED",
        "2 orders placed",
        "liveorder.db",
        "logs",
        "venue.db",
    ):
        assert text in result.stdout


def test_running_the_same_signals_again_places_nothing_and_adds_no_dead_letter(cli: CommandLine) -> None:
    cli.signals(coin("a"), coin("a"), "{not json", coin("a", quantity="7"))
    first, second = cli.trade(), cli.trade()
    assert "1 order placed" in first.stdout
    assert "0 orders placed" in second.stdout
    assert len(cli.json("orders")) == 1
    assert [signal["execution_status"] for signal in cli.json("signals", "--status", "dead-letter")] == ["DEAD_LETTER"] * 2


def test_what_was_refused_is_listed_with_its_reason_and_so_is_a_dead_letter(cli: CommandLine) -> None:
    cli.signals(coin("large", quantity="1000"), coin("nobody", account_id="nobody"))
    result = cli.trade()
    assert "large  BUY ETH/USD: RISK; " in result.stdout
    assert "nobody  line 2: account_id: nobody is not in the settings" in result.stdout


def test_what_was_refused_is_not_counted_as_placed(cli: CommandLine) -> None:
    cli.signals(coin("a"), coin("large", quantity="1000"))
    assert "1 order placed by this run, 1 more was refused and not sent" in " ".join(cli.trade().stdout.split())
    again = cli.json("run", "--signals", "signals.jsonl", "--until-idle")
    assert (again["placed"], again["refused"]) == (0, 0)


def test_a_run_shows_its_own_orders_and_not_those_of_earlier_runs(cli: CommandLine) -> None:
    cli.signals(coin("first"))
    cli.trade()
    cli.signals(coin("second"))
    outcome = cli.json("run", "--signals", "signals.jsonl", "--until-idle")
    assert [order["signal_id"] for order in outcome["orders"]] == ["second"]
    nothing = cli.trade().stdout
    assert "No orders" in nothing
    assert "ETH/USD" in nothing  # the position is held all the same


def test_markup_in_a_signal_is_printed_as_it_stands(cli: CommandLine) -> None:
    cli.signals(HOSTILE)
    assert "[red]X[/red] is no instrument" in " ".join(cli.trade().stdout.split())


def test_a_shadow_run_decides_and_sends_nothing(cli: CommandLine) -> None:
    cli.signals(coin("a"))
    cli.run("run", "--signals", "signals.jsonl", "--until-idle", "--shadow")
    (order,) = cli.json("orders")
    assert (order["is_shadow"], order["attempts"], order["status"]) == (True, 0, "CANCELLED")


def test_a_run_can_answer_in_json(cli: CommandLine) -> None:
    cli.signals(coin("a"))
    outcome = cli.json("run", "--signals", "signals.jsonl", "--until-idle")
    assert (outcome["placed"], outcome["mode"], outcome["resting"], outcome["in_doubt"]) == (1, "SIMULATION", [], [])
    assert outcome["orders"][0]["filled_quantity"] == "0.1"


def test_quotes_can_be_given_on_the_command_line(cli: CommandLine) -> None:
    cli.write("quotes.csv", "time,symbol,price\n2020-01-01T00:00:00Z,ETH/USD,1234.50\n")
    cli.write("liveorder.toml", (cli.folder / "liveorder.toml").read_text() + "[accounts.risk]\nmax_price_age_seconds = 1e9\n")
    cli.signals(coin("a"))
    cli.run("run", "--signals", "signals.jsonl", "--until-idle", "--quotes", "quotes.csv")
    assert cli.json("orders")[0]["average_price"] == "1234.5"


REAL = '[alpaca]\napi_key = "k"\nsecret_key = "s"\n'


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (f'trading_mode = "PAPER"\n{REAL}', "the mode is PAPER"),
        (f'trading_mode = "LIVE"\n{REAL}', "the mode is LIVE"),
        ('[simulation]\nvenue = "localhost:7000"\n', "the venue at localhost:7000 has its own"),
    ],
)
def test_quotes_that_nothing_would_read_are_refused(cli: CommandLine, settings: str, reason: str) -> None:
    cli.write("liveorder.toml", settings)
    result = cli.run("run", "--quotes", "quotes.csv")
    assert result.exit_code == ExitCode.INVALID_INPUT
    assert f"quotes: ignored here: {reason}; leave it out" in result.stderr


ONE_DOCUMENT = f"[\n{json.dumps(coin('a'))},\n{json.dumps(coin('b'))}\n]\n"


@pytest.mark.parametrize("arguments", [("--until-idle",), ("--follow",), ("--follow", "--from-beginning")])
def test_a_file_that_is_one_json_array_is_refused_whole(cli: CommandLine, arguments: tuple[str, ...]) -> None:
    cli.write("signals.jsonl", ONE_DOCUMENT)
    result = cli.run("run", "--signals", "signals.jsonl", *arguments)
    assert result.exit_code == ExitCode.INVALID_INPUT
    assert (
        "signals.jsonl is one JSON document, not JSON Lines; nothing of it was traded; write one object per line" in result.stderr
    )
    cli.run("run", "--until-idle")
    assert (cli.json("orders"), cli.json("signals")) == ([], [])


def test_one_json_array_on_standard_input_is_refused_whole(cli: CommandLine) -> None:
    process = cli.start("run", "--signals", "-", "--until-idle")
    _, err = process.communicate(ONE_DOCUMENT, timeout=ENOUGH_SECONDS)
    assert process.returncode == ExitCode.INVALID_INPUT
    assert "standard input is one JSON document" in err
    assert (cli.json("orders"), cli.json("signals")) == ([], [])


@pytest.mark.parametrize("text", [json.dumps([coin("a")]), ONE_DOCUMENT, json.dumps([coin("a"), coin("b")], indent=2)])
def test_a_list_is_not_submitted(cli: CommandLine, text: str) -> None:
    result = cli.run("submit", text)
    assert result.exit_code == ExitCode.INVALID_INPUT
    assert "write a list as JSON Lines" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--signals", "absent.jsonl", "--until-idle"), ExitCode.INVALID_INPUT, "signals: no file at absent.jsonl"),
        (("--follow",), ExitCode.INVALID_INPUT, "only a file can be followed"),
        (("--store", "mysql://x/y"), ExitCode.SETTINGS, "sqlite:///FILE"),
        (("--config", "absent.toml"), ExitCode.SETTINGS, "absent.toml"),
    ],
)
def test_a_run_that_cannot_begin_says_why_on_one_line(
    cli: CommandLine, arguments: tuple[str, ...], code: ExitCode, says: str
) -> None:
    result = cli.run("run", *arguments)
    told = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert (result.exit_code, len(told)) == (code, 1)
    assert says in told[0]


def test_an_unknown_setting_is_told_with_the_one_that_was_meant(cli: CommandLine) -> None:
    cli.write("liveorder.toml", "[risk]\nmax_daily_trade = 3\n")
    result = cli.run("run")
    assert result.exit_code == ExitCode.SETTINGS
    assert "max_daily_trades" in result.stderr


def test_money_that_is_not_simulated_is_never_traded_without_credentials(cli: CommandLine) -> None:
    cli.write("liveorder.toml", 'trading_mode = "PAPER"\n')
    result = cli.run("run", "--broker", "kite")
    assert result.exit_code == ExitCode.SETTINGS
    assert "KITE_API_KEY" in result.stderr
