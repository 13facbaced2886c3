"""`liveorder account`: beside a running service and without one, for people and for programs."""

from __future__ import annotations

import json

from liveorder.interfaces.cli.exit_codes import ExitCode
from tests.interfaces.command_line import SETTINGS, VENUE, CommandLine, coin, eventually
from tests.interfaces.test_running_service import owner_of, service

LIMITED = VENUE + '[[accounts]]\naccount_id = "SIM"\ncash = "5000.25"\nis_limited = true\n'
TWO = SETTINGS + '[[accounts]]\nid = "TWO"\nequity = 2500.50\n'
AWAY = VENUE + '[[faults.faults]]\nkind = "unavailable"\non = "connect"\n'
REAL = '[[accounts]]\nid = "K"\nbroker = "kite"\ncurrency = "INR"\n[[accounts]]\nid = "A"\nbroker = "alpaca"\n'
KITE = '[kite]\napi_key = "k"\naccess_token = "t"\nroot = "http://127.0.0.1:1"\n'


def test_without_a_service_the_broker_is_asked_and_nothing_is_owned_or_made(cli: CommandLine) -> None:
    cli.write("venue.toml", LIMITED)
    (account,) = cli.json("account")
    assert [account[name]["amount"] for name in ("equity", "cash", "buying_power")] == ["5000.25"] * 3
    named = [account[name] for name in ("account_id", "broker", "mode", "currency")]
    assert named == ["SIM", "simulated", "SIMULATION", "USD"]
    assert account["cash"]["at"].endswith("Z")
    assert 0 <= account["cash"]["age_seconds"] < 60
    assert (account["initial_margin"], account["others"], account["notes"], account["problem"]) == (None, [], [], None)
    assert not (cli.folder / "liveorder.db").exists()


def test_beside_a_service_it_is_the_services_figure(cli: CommandLine) -> None:
    """Which asks again, no faster than once a second."""
    with service(cli) as running:
        owner = owner_of(cli)
        cli.json("submit", json.dumps(coin("a")))
        eventually(lambda: cli.json("account", "SIM")[0]["cash"]["amount"] == "999700.0", running)
        assert owner_of(cli) == owner


def test_people_see_amounts_and_ages(cli: CommandLine) -> None:
    cli.write("venue.toml", LIMITED)
    told = cli.run("account")
    assert told.exit_code == ExitCode.OK
    lines = [" ".join(line.split()) for line in told.stdout.splitlines()]
    for line in ("equity 5,000.25 USD", "cash 5,000.25 USD", "buying power 5,000.25 USD"):
        assert any(each.startswith(line) for each in lines), told.stdout


def test_an_account_is_named_or_all_are_shown(cli: CommandLine) -> None:
    cli.write("liveorder.toml", TWO)
    assert [each["account_id"] for each in cli.json("account")] == ["SIM", "TWO"]
    (account,) = cli.json("account", "TWO")
    assert account["equity"]["amount"] == "2500.50"
    unknown = cli.run("account", "THREE")
    assert unknown.exit_code == ExitCode.INVALID_INPUT
    assert "name one of SIM, TWO" in unknown.stderr


def test_a_broker_that_does_not_answer_is_said(cli: CommandLine) -> None:
    cli.write("venue.toml", AWAY)
    told = cli.run("account")
    assert told.exit_code == ExitCode.BROKER
    assert "no figures are known" in told.stdout
    assert "The broker did not answer: venue: fault injected: unavailable" in told.stdout
    (account,) = cli.json("account")
    assert (account["cash"], account["problem"]) == (None, "venue: fault injected: unavailable")


def test_an_account_without_what_it_needs_is_said_and_the_others_are_shown(cli: CommandLine) -> None:
    cli.write("liveorder.toml", SETTINGS.replace('[[accounts]]\nid = "SIM"\n', REAL) + KITE)
    cli.write(".env", "TRADING_MODE=PAPER\n")
    kite, alpaca = cli.json("account")
    assert "kite" in kite["problem"]
    assert "needs alpaca.api_key and alpaca.secret_key" in alpaca["problem"]
