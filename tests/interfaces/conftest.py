"""A command line for each test, in an empty folder, with no settings from outside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.interfaces.command_line import SETTINGS, VENUE, CommandLine


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    for name in os.environ:
        if name.startswith("LIVEORDER_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)
    line = CommandLine(tmp_path)
    line.write("liveorder.toml", SETTINGS)
    line.write("venue.toml", VENUE)
    return line
