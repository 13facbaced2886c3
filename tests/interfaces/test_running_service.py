"""A service in a process of its own: others command it through its store, and it stops in good order when asked to."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest

from liveorder.interfaces.cli.exit_codes import ExitCode
from tests.interfaces.command_line import ENOUGH_SECONDS, CommandLine, coin, eventually, leaves_in_doubt, resting


@contextmanager
def service(cli: CommandLine, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Running and owning its store."""
    process = cli.start("run", *arguments)
    try:
        eventually(lambda: owner_of(cli), process)
        yield process
    finally:
        process.kill()
        process.communicate()


def owner_of(cli: CommandLine) -> str | None:
    result = cli.run("status", "--json")
    owner: str | None = json.loads(result.stdout)["owner"] if result.exit_code == 0 else None
    return owner


def test_commands_are_carried_out_by_the_service_that_owns_the_store(cli: CommandLine) -> None:
    with service(cli) as running:
        assert cli.json("submit", json.dumps(coin("a")))["broker_order_id"] == "V1"
        assert cli.json("submit", json.dumps(resting("r")))["status"] == "SUBMITTED"
        assert cli.json("cancel", "r")["status"] == "CANCELLED"
        move = ("--from", "default", "--to", "carry", "--quantity", "0.1", "--evidence", "carry meant it")
        assert eventually(lambda: cli.run("transfer", "CRYPTO:ETH/USD", *move).exit_code == 0, running)
        assert cli.json("doctor")["checks"][-1]["detail"] == "the simulated venue lives in the running service"
        killed = cli.run("kill", "--flatten")
    assert (killed.exit_code, killed.stdout.splitlines()[0]) == (0, "FLAT")
    assert [(row["strategy_name"], row["status"]) for row in cli.json("positions")] == [("default", "CLOSED"), ("carry", "CLOSED")]


def test_a_check_tells_a_service_that_trades_from_one_that_is_halted_and_from_none(cli: CommandLine) -> None:
    """By its exit code, for whoever watches over containers and machines."""
    with service(cli) as running:
        assert cli.run("status", "--check").exit_code == ExitCode.OK
        assert cli.run("kill").exit_code == ExitCode.OK
        assert cli.run("status", "--check").exit_code == ExitCode.HALTED
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=ENOUGH_SECONDS)
        assert cli.run("status", "--check").exit_code == ExitCode.UNHEALTHY


def test_a_doubt_is_told_with_what_the_broker_was_asked_and_answered(cli: CommandLine) -> None:
    leaves_in_doubt(cli)
    with service(cli) as running:
        cli.run("submit", json.dumps(coin("a")))
        (doubt,) = eventually(lambda: [each for each in cli.json("doubts") if each["asked"] > 1], running)
        assert (doubt["is_being_asked"], doubt["last_answer"]) == (True, "inconclusive")
        assert "inconclusive" in cli.run("doubts").stdout


def test_a_second_service_is_refused_while_the_first_owns_the_store(cli: CommandLine) -> None:
    with service(cli):
        second = cli.run("run", "--until-idle")
    assert second.exit_code == ExitCode.STORE_OWNED
    assert "owned by" in second.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_stop_ends_a_run_in_good_order(cli: CommandLine, number: signal.Signals) -> None:
    with service(cli) as process:
        cli.run("submit", json.dumps(resting("r")))
        process.send_signal(number)
        out, err = process.communicate(timeout=ENOUGH_SECONDS)
    assert (process.returncode, "Traceback" in err) == (0, False)
    assert "Resting at the broker" in out
    assert "no source of signals: it follows open orders and carries out commands" in " ".join(err.split())
    assert owner_of(cli) is None


def test_an_interrupted_run_shows_what_stands_and_says_so_by_its_code(cli: CommandLine) -> None:
    process = cli.start("run", "--signals", "-", "--until-idle")
    assert process.stdin is not None
    process.stdin.write(json.dumps(resting("r")) + "\n")
    process.stdin.flush()
    eventually(
        lambda: cli.run("orders").exit_code == 0 and [each["status"] for each in cli.json("orders")] == ["SUBMITTED"], process
    )
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=ENOUGH_SECONDS)
    assert (process.returncode, "Traceback" in err) == (ExitCode.INTERRUPTED, False)
    assert "Resting at the broker" in out
    assert "Interrupted: nothing was sent after that" in out


def test_a_file_that_is_read_once_says_what_comes_after_it(cli: CommandLine) -> None:
    cli.signals(coin("a"))
    with service(cli, "--signals", "signals.jsonl") as process:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=ENOUGH_SECONDS)
    assert "it goes on following its orders, until Ctrl-C; --until-idle ends it then" in " ".join(err.split())


def test_a_kill_beside_a_service_keeps_the_reason_of_whoever_asked(cli: CommandLine) -> None:
    with service(cli):
        cli.run("kill", "--detail", "prices are wrong")
        assert "prices are wrong" in cli.json("status")["halts"][0]


def test_signals_are_taken_from_standard_input_until_it_ends(cli: CommandLine) -> None:
    process = cli.start("run", "--signals", "-", "--until-idle")
    out, _ = process.communicate(json.dumps(coin("a")) + "\n", timeout=ENOUGH_SECONDS)
    assert process.returncode == 0
    assert "1 order placed" in out


def test_a_followed_file_gives_the_signals_that_are_added_to_it(cli: CommandLine) -> None:
    """From its end as it was when the service began to follow it: here at the latest when it takes the first signal."""
    cli.signals(coin("old"))
    numbers = count()

    def orders_after_one_more_signal() -> Any:
        with (cli.folder / "signals.jsonl").open("a") as file:
            file.write(json.dumps(coin(f"new {next(numbers)}")) + "\n")
        return cli.json("orders")

    with service(cli, "--signals", "signals.jsonl", "--follow") as following:
        orders = eventually(orders_after_one_more_signal, following)
    assert all(order["signal_id"].startswith("new") for order in orders)


def test_a_standby_takes_over_when_the_owner_is_gone(cli: CommandLine) -> None:
    with service(cli) as first:
        first_owner = owner_of(cli)
        standby = cli.start("run", "--standby")
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=ENOUGH_SECONDS)
        eventually(lambda: owner_of(cli) not in (None, first_owner), standby)
        assert cli.json("submit", json.dumps(coin("a")))["broker_order_id"]
        standby.send_signal(signal.SIGTERM)
        standby.communicate(timeout=ENOUGH_SECONDS)
    assert standby.returncode == 0


def test_a_venue_of_its_own_serves_a_trader_and_ends_when_told(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    ready = cli.folder / "ready"
    venue = cli.start("venue", "--ready-file", "ready", "--data", "own-venue.db")
    eventually(ready.exists, venue)
    monkeypatch.setenv("LIVEORDER_SIMULATION__VENUE", ready.read_text())
    trader = cli.start("submit", json.dumps(coin("a")), "--json")
    assert json.loads(trader.communicate(timeout=ENOUGH_SECONDS)[0])["broker_order_id"] == "V1"
    (log,) = (cli.folder / "logs").glob("orders_*.log")
    assert f"Ignored here: simulation.venue_data; the venue at {ready.read_text()} has its own" in log.read_text()
    venue.send_signal(signal.SIGTERM)
    out, _ = venue.communicate(timeout=ENOUGH_SECONDS)
    assert (venue.returncode, out.splitlines()[-1]) == (0, "venue closed")
