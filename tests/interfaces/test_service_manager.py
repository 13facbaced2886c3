"""A service that a manager such as systemd starts: what it tells over a real socket, and what a hang and a watchdog's kill do."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from liveorder.infrastructure.brokers.simulated.tcp import Tcp
from liveorder.infrastructure.clock import SystemClock
from liveorder.infrastructure.service_manager import ServiceManager
from liveorder.testing.venue.control import VenueControl
from tests.installing import install_module
from tests.interfaces.command_line import COMMAND, ENOUGH_SECONDS, SETTINGS, CommandLine, coin, eventually

WATCHDOG_USEC = 2_000_000
SILENT_SECONDS = 3.0
"""Longer than the watchdog waits."""
HANGING = """
import json, pathlib, time
from liveorder.plugins import SourceMessage

class Hanging:
    name, finite = "hanging", False

    def __init__(self, access):
        self._access = access

    async def messages(self):
        yield SourceMessage(self.name, "1", pathlib.Path("signals.jsonl").read_bytes().strip())
        while not any("SubmissionStarted" in log.read_text() for log in pathlib.Path("logs").glob("orders_*.log")):
            await self._access.clock.sleep(0)
        for _ in range(20):  # the call leaves meanwhile
            await self._access.clock.sleep(0)
        while True:
            time.sleep(1)

    async def acknowledge(self, message):
        pass

def source(access):
    return Hanging(access)
"""


class Manager:
    """The manager's end: a real datagram socket, a path or an abstract one."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0", 1))

    def word(self, seconds: float = ENOUGH_SECONDS) -> dict[str, str]:
        """The next one. Raises `TimeoutError`."""
        self._socket.settimeout(seconds)
        return dict(line.split("=", 1) for line in self._socket.recv(4096).decode().split("\n"))

    def word_with(self, name: str, process: subprocess.Popen[str]) -> dict[str, str]:
        """The next one that says this."""
        return eventually(lambda: self._word_with(name), process)

    def _word_with(self, name: str) -> dict[str, str]:
        """Empty if the next one says something else, or does not come yet."""
        try:
            word = self.word(1.0)
        except TimeoutError:
            return {}
        return word if name in word else {}

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(str(tmp_path / "notify") if request.param == "path" else f"@liveorder-test-{uuid4().hex}")
    yield manager
    manager.close()


@contextmanager
def managed(cli: CommandLine, manager: Manager, *arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    told = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": str(WATCHDOG_USEC), "PYTHONFAULTHANDLER": "1"}
    environment = os.environ | told | variables
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen([*COMMAND, "run", *arguments], cwd=cli.folder, env=environment, text=True, **pipes)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_service_says_when_it_is_ready_that_it_lives_and_that_it_stops(cli: CommandLine, manager: Manager) -> None:
    with managed(cli, manager) as process:
        assert manager.word()["EXTEND_TIMEOUT_USEC"].isdigit()
        assert manager.word_with("READY", process)["STATUS"] == "0 unfinished orders, 0 in doubt"
        assert json.loads(cli.run("status", "--json").stdout)["owner"].endswith(f":{process.pid}")
        assert [manager.word_with("WATCHDOG", process)["WATCHDOG"] for _ in range(3)] == ["1"] * 3
        process.send_signal(signal.SIGTERM)
        assert manager.word_with("STOPPING", process)["STATUS"] == "Shutting down"
        process.communicate(timeout=ENOUGH_SECONDS)
        assert process.returncode == 0


def test_a_start_that_fails_is_never_called_ready(cli: CommandLine, manager: Manager) -> None:
    cli.write("liveorder.toml", SETTINGS + 'nonsense = "yes"\n')
    with managed(cli, manager) as process:
        process.communicate(timeout=ENOUGH_SECONDS)
        assert process.returncode == 4
    with pytest.raises(TimeoutError):
        manager.word(0.1)


def test_a_watchdog_ends_what_hangs_amid_a_submission_and_nothing_is_sent_twice(cli: CommandLine, manager: Manager) -> None:
    """The loop stands still between the call to the venue and its answer; the manager aborts it, and starts it anew."""
    ready = cli.folder / "ready"
    venue = cli.start("venue", "--ready-file", "ready", "--data", "own-venue.db")
    eventually(ready.exists, venue)
    address = {"LIVEORDER_SIMULATION__VENUE": ready.read_text(), "LIVEORDER_RISK__MAX_SIGNAL_AGE_SECONDS": "none"}
    beside = cli.folder / "installed"
    install_module(beside, "hanging", "1.0", HANGING, {"liveorder.sources": {"hanging": "hanging:source"}})
    cli.signals(coin("once"))
    with managed(cli, manager, "--signals", "hanging://now", PYTHONPATH=str(beside), **address) as process:
        manager.word_with("READY", process)
        eventually(lambda: _is_silent(manager), process)
        process.send_signal(signal.SIGABRT)
        _, err = process.communicate(timeout=ENOUGH_SECONDS)
        assert process.returncode == -signal.SIGABRT
        assert "hanging.py" in err  # where it hung
    with managed(cli, manager, "--signals", "signals.jsonl", "--follow", "--from-beginning", **address) as process:
        manager.word_with("READY", process)
        eventually(lambda: "Order filled: 0.1" in (cli.folder / "logs" / "execution_service.log").read_text(), process)
        (order,) = cli.json("orders")
        assert asyncio.run(_at_venue(ready.read_text(), order["client_order_id"])) == 1
    venue.kill()
    venue.communicate()


def _is_silent(manager: Manager) -> bool:
    try:
        manager.word(SILENT_SECONDS)
    except TimeoutError:
        return True
    return False


async def _at_venue(address: str, client_order_id: str) -> int:
    host, _, port = address.strip().partition(":")
    transport = Tcp(host, int(port), SystemClock())
    try:
        return len(await VenueControl(transport).orders_by_key(client_order_id))
    finally:
        await transport.close()


@pytest.mark.parametrize(
    "variables",
    [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234"}, {"NOTIFY_SOCKET": "relative"}],
    ids=["nobody", "empty", "vsock", "relative"],
)
def test_without_a_socket_of_ours_nobody_is_told(variables: dict[str, str]) -> None:
    assert ServiceManager.of_environment(variables) is None


@pytest.mark.parametrize(
    ("variables", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_a_watchdog_counts_if_it_is_meant_for_this_process(variables: dict[str, str], seconds: float | None) -> None:
    manager = ServiceManager.of_environment({"NOTIFY_SOCKET": "/run/notify"} | variables)
    assert manager is not None
    assert manager.watchdog_seconds == seconds


def test_a_value_cannot_forge_a_line(manager: Manager) -> None:
    ServiceManager(manager.address).tell(STATUS="fine\nREADY=1")
    assert manager.word() == {"STATUS": "fine"}


def test_a_manager_that_is_gone_or_does_not_read_holds_up_nothing(tmp_path: Path, manager: Manager) -> None:
    ServiceManager(str(tmp_path / "nowhere")).tell(READY=1)
    for _ in range(5_000):  # more than any queue of the kernel's holds
        ServiceManager(manager.address).tell(WATCHDOG=1)
    assert manager.word() == {"WATCHDOG": "1"}
