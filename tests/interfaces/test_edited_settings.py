"""A file of signals, run again after an edit of the settings: nothing trades twice, and each refusal says what to set back."""

from __future__ import annotations

import pytest

from liveorder.interfaces.cli.exit_codes import ExitCode
from tests.interfaces.command_line import SETTINGS, CommandLine, coin

OTHER = """
[[accounts]]
id = "OTHER"
"""
ABOVE = SETTINGS.replace("[[accounts]]", OTHER + "[[accounts]]")
BELOW = SETTINGS + OTHER
MOVED = 'default_account = "OTHER"\n' + BELOW
CLOSED = f'default_account = "OTHER"\n{SETTINGS}closed = true\n{OTHER}'


def placed(cli: CommandLine) -> list[tuple[str, str]]:
    return sorted((order["signal_id"], order["account_id"]) for order in cli.json("orders"))


def traded(cli: CommandLine) -> None:
    cli.signals(coin("a"), coin("b", "SELL", "0.05"))
    assert cli.trade().exit_code == 0
    assert placed(cli) == [("a", "SIM"), ("b", "SIM")]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ('namespace = "x"\n' + SETTINGS, ("namespace", "'default'", "'x'", "set namespace = 'default'")),
        (MOVED, ("default_account", "'SIM'", "'OTHER'", "liveorder store default-account OTHER")),
        (ABOVE, ("default_account", "'SIM'", "'OTHER'", "set default_account = 'SIM'")),
        (SETTINGS.replace('"SIM"', '"NEW"'), ("SIM", "closed = true")),
    ],
    ids=["namespace", "default account", "an account above", "another name"],
)
def test_an_edit_that_would_make_signals_new_is_refused_with_both_values_and_the_remedy(
    cli: CommandLine, settings: str, words: tuple[str, ...]
) -> None:
    traded(cli)
    cli.write("liveorder.toml", settings)
    again = cli.trade()
    assert again.exit_code == ExitCode.STORE_REFUSED
    assert [word for word in words if word not in " ".join(again.stderr.split())] == []
    cli.write("liveorder.toml", SETTINGS)
    assert "0 orders placed" in cli.trade().stdout
    assert placed(cli) == [("a", "SIM"), ("b", "SIM")]


def test_a_variable_of_the_environment_is_such_an_edit(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    traded(cli)
    monkeypatch.setenv("LIVEORDER_NAMESPACE", "x")
    assert cli.trade().exit_code == ExitCode.STORE_REFUSED
    assert placed(cli) == [("a", "SIM"), ("b", "SIM")]  # looking needs no identity


def test_an_account_below_changes_nothing_for_what_is_known(cli: CommandLine) -> None:
    traded(cli)
    cli.write("liveorder.toml", BELOW)
    cli.signals(coin("a"), coin("b", "SELL", "0.05"), coin("c", account_id="OTHER"), coin("c"))
    assert "1 order placed" in cli.trade().stdout
    assert placed(cli) == [("a", "SIM"), ("b", "SIM"), ("c", "OTHER")]


def test_the_default_account_is_changed_deliberately_and_known_signals_stay_where_they_traded(cli: CommandLine) -> None:
    traded(cli)
    cli.write("liveorder.toml", MOVED)
    for wrong, code in ((("OTHER",), ExitCode.USAGE), (("NOBODY", "--evidence", "why"), ExitCode.INVALID_INPUT)):
        assert cli.run("store", "default-account", *wrong).exit_code == code
    assert cli.run("store", "default-account", "OTHER", "--evidence", " ").exit_code == ExitCode.INVALID_INPUT
    changed = cli.run("store", "default-account", "OTHER", "--evidence", "SIM is being closed")
    assert changed.exit_code == 0, changed.output
    cli.signals(coin("a"), coin("b", "SELL", "0.05"), coin("d"))
    assert "1 order placed" in cli.trade().stdout
    assert placed(cli) == [("a", "SIM"), ("b", "SIM"), ("d", "OTHER")]
    cli.write("liveorder.toml", BELOW)
    assert cli.trade().exit_code == ExitCode.STORE_REFUSED
    cli.write("liveorder.toml", MOVED)
    assert cli.run("doctor").exit_code == 0


def test_a_closed_account_needs_no_broker_answers_for_what_it_traded_and_takes_nothing_new(cli: CommandLine) -> None:
    traded(cli)
    cli.write("liveorder.toml", MOVED)
    assert cli.run("store", "default-account", "OTHER", "--evidence", "SIM is being closed").exit_code == 0
    cli.write("liveorder.toml", CLOSED)
    cli.signals(coin("a"), coin("a", account_id="SIM"), coin("e", account_id="SIM"))
    ran = cli.trade()
    assert "0 orders placed" in ran.stdout
    assert "SIM is closed" in " ".join(ran.stdout.split())
    assert placed(cli) == [("a", "SIM"), ("b", "SIM")]


def test_an_account_with_a_position_can_be_closed_and_an_emergency_says_that_it_was_not_asked(cli: CommandLine) -> None:
    cli.write("liveorder.toml", BELOW)
    cli.signals(coin("held", account_id="OTHER"))
    assert cli.trade().exit_code == 0
    cli.write("liveorder.toml", BELOW + "closed = true\n")
    cli.signals(coin("held", account_id="OTHER"), coin("new"))
    assert "1 order placed" in cli.trade().stdout
    emergency = cli.run("kill", "--emergency")
    assert emergency.exit_code == ExitCode.NOT_FLAT
    assert "OTHER: not traded by these settings, so its broker was not asked" in " ".join(emergency.stdout.split())


def test_doctor_says_what_a_run_would_be_refused_for(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    traded(cli)
    monkeypatch.setenv("LIVEORDER_NAMESPACE", "x")
    found = cli.run("doctor")
    assert found.exit_code == ExitCode.UNHEALTHY
    assert "set namespace = 'default'" in " ".join(found.stdout.split())


def test_a_closed_account_cannot_be_the_default(cli: CommandLine) -> None:
    cli.write("liveorder.toml", f'default_account = "SIM"\n{SETTINGS}closed = true\n{OTHER}')
    cli.signals(coin("a"))
    refused = cli.run("run", "--signals", "signals.jsonl")
    assert refused.exit_code == ExitCode.SETTINGS
    assert "'SIM' is closed" in refused.stderr


def test_a_dead_letter_is_retried_by_its_id_and_then_shown_as_such(cli: CommandLine) -> None:
    """The file as it stands trades nothing more, though the account is there now."""
    cli.signals(coin("late", account_id="OTHER"))
    first = cli.trade()
    (letter,) = cli.json("signals", "--status", "dead-letter")
    assert f"--retry{letter['dead_letter_id']}" in "".join(first.stdout.split())
    cli.write("liveorder.toml", BELOW)
    assert "0 orders placed" in cli.trade().stdout
    retried = cli.run("signals", "--retry", letter["dead_letter_id"])
    assert retried.exit_code == 0, retried.output
    assert placed(cli) == [("late", "OTHER")]
    assert "0 orders placed" in cli.trade().stdout
    assert [each["execution_status"] for each in cli.json("signals")] == ["RETRIED", "FILLED"]
    (again,) = cli.json("signals", "--status", "retried")
    assert again["order_id"] == cli.json("orders")[0]["order_id"]
    assert cli.run("signals", "--retry", "nothing").exit_code == ExitCode.INVALID_INPUT
    assert cli.run("replay", "--verify").exit_code == 0
