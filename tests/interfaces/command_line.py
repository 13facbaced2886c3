"""The real command line on a folder of its own: settings, store and a venue whose prices stand still."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from typer.testing import CliRunner, Result

from liveorder.interfaces.cli.main import app

T = TypeVar("T")
SETTINGS = """
store = "sqlite:///liveorder.db"
[logs]
directory = "logs"
[risk]
max_position_size = 100000
[simulation]
venue_data = "venue.db"
venue_settings = "venue.toml"
[[accounts]]
id = "SIM"
"""
VENUE = """
[prices]
volatility = 0.0
"""
ENOUGH_SECONDS = 60.0
"""Longer than anything takes on a slow machine."""
COMMAND = [sys.executable, "-m", "liveorder.interfaces.cli"]


@dataclass(frozen=True)
class CommandLine:
    """`folder` is the working directory."""

    folder: Path

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def signals(self, *signals: dict[str, Any] | str) -> None:
        """The lines of signals.jsonl; a string stands there as it is."""
        lines = (signal if isinstance(signal, str) else json.dumps(signal) for signal in signals)
        self.write("signals.jsonl", "".join(f"{line}\n" for line in lines))

    def run(self, *arguments: str) -> Result:
        """In this process."""
        return CliRunner().invoke(app, arguments)

    def json(self, *arguments: str) -> Any:
        """What a command says to a program, whatever its exit code."""
        return json.loads(self.run(*arguments, "--json").stdout)

    def trade(self) -> Result:
        return self.run("run", "--signals", "signals.jsonl", "--until-idle")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """As a process of its own."""
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([*COMMAND, *arguments], cwd=self.folder, env=os.environ | {"COLUMNS": "120"}, **pipes)


def eventually(found: Callable[[], T], process: subprocess.Popen[str]) -> T:
    """What a running process brings about, as soon as it is there."""
    deadline = time.monotonic() + ENOUGH_SECONDS
    while not (answer := found()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.02)
    return answer


def leaves_in_doubt(cli: CommandLine) -> None:
    """From now on the venue loses the first order, and the broker's word that it has none is not believed."""
    cli.write("venue.toml", VENUE + '[keys]\nsupport = "NONE"\n[[faults.faults]]\nkind = "request_lost"\nnth = 1\n')
    cli.write("liveorder.toml", SETTINGS + '[accounts.capabilities]\nkey_support = "SEARCHABLE"\ntrusts_absence = false\n')


def coin(signal_id: str, side: str = "BUY", quantity: str = "0.1", **fields: Any) -> dict[str, Any]:
    """Of something that trades at any hour, at 3000."""
    return {"signal_id": signal_id, "symbol": "ETH/USD", "side": side, "quantity": quantity, **fields}


def resting(signal_id: str, **fields: Any) -> dict[str, Any]:
    """A buy that the market does not come to."""
    return coin(signal_id, order_type="LIMIT", limit_price="2900", time_in_force="GTC", **fields)
