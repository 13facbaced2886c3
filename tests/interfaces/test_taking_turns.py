"""Whose turn it is: a run after SIGKILL waits out what the dead one still owns, and one beside a living owner is refused."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from liveorder import Runner
from liveorder.domain.errors import LeaseLost
from liveorder.interfaces.cli.exit_codes import ExitCode
from tests.interfaces.command_line import ENOUGH_SECONDS, SETTINGS, CommandLine, coin
from tests.interfaces.test_running_service import owner_of, service

LEASE_SECONDS = 12.0
"""Longer than a process takes to start on a slow machine."""


@pytest.fixture(autouse=True)
def short_leases(cli: CommandLine) -> None:
    cli.write("liveorder.toml", f"{SETTINGS}[engine]\nlease_seconds = {LEASE_SECONDS}\n")


def expiry(cli: CommandLine) -> datetime:
    """When the lease that is in the store runs out."""
    with closing(sqlite3.connect(cli.folder / "liveorder.db")) as connection:
        (micros,) = connection.execute("SELECT expires_at FROM lease").fetchone()
    return datetime.fromtimestamp(micros / 1e6, UTC)


def killed(cli: CommandLine) -> datetime:
    """A service ran here and was killed; when its lease runs out, which is not before the next one has surely begun."""
    with service(cli) as process:
        process.kill()
        process.wait()
    with closing(sqlite3.connect(cli.folder / "liveorder.db")) as connection, connection:
        connection.execute("UPDATE lease SET expires_at = expires_at + 10000000")
    return expiry(cli)


def started_at(cli: CommandLine, signal_id: str) -> datetime:
    (first, *_) = cli.json("order", signal_id)["history"]
    return datetime.fromisoformat(first["recorded_at"])


def run_to_its_end(cli: CommandLine) -> tuple[int, str]:
    process = cli.start("run", "--signals", "signals.jsonl", "--until-idle")
    _, err = process.communicate(timeout=ENOUGH_SECONDS)
    return process.returncode, err


def test_a_run_after_a_kill_says_until_when_it_waits_and_never_takes_the_store_before(cli: CommandLine) -> None:
    cli.signals(coin("a"))
    ends_at = killed(cli)
    code, err = run_to_its_end(cli)
    assert (code, [order["signal_id"] for order in cli.json("orders")]) == (0, ["a"])
    assert f"until {ends_at:%H:%M:%S} UTC" in err
    assert started_at(cli, "a") >= ends_at


def test_a_run_beside_a_living_owner_is_refused_once_that_renews_and_sends_nothing(cli: CommandLine) -> None:
    cli.signals(coin("a"))
    with service(cli) as first:
        owner = owner_of(cli)
        code, err = run_to_its_end(cli)
        assert (code, first.poll(), owner_of(cli)) == (ExitCode.STORE_OWNED, None, owner)
        assert "is owned by" in err
        assert cli.json("orders") == []


def test_a_run_beside_an_owner_that_ends_in_good_order_takes_over_at_once(cli: CommandLine) -> None:
    cli.signals(coin("a"))
    with service(cli) as first:
        second = cli.start("run", "--signals", "signals.jsonl", "--until-idle")
        said_why(second)
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=ENOUGH_SECONDS)
        second.communicate(timeout=ENOUGH_SECONDS)
    assert second.returncode == 0


def said_why(process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    while "is owned by" not in process.stderr.readline():
        assert process.poll() is None


async def test_an_embedded_runner_waits_out_a_dead_owner_and_is_refused_by_a_living_one(cli: CommandLine) -> None:
    ends_at = await asyncio.to_thread(killed, cli)
    async with Runner.open(Path("liveorder.toml")) as runner:
        order = await runner.buy("ETH/USD", "0.1", signal_id="a")
        assert order.requested_at is not None
        assert order.requested_at >= ends_at
        with pytest.raises(LeaseLost, match="is owned by"):
            async with Runner.open(Path("liveorder.toml")):
                pass
