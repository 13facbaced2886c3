"""A command that only reads imports what it needs, and builds the models that it uses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

LIBRARIES = (
    "alpaca",
    "exchange_calendars",
    "httpx",
    "ib_async",
    "ib_insync",
    "kiteconnect",
    "numpy",
    "pandas",
    "psycopg",
    "psycopg_pool",
    "structlog",
)
OURS = (
    "liveorder.application.emergency",
    "liveorder.application.engine.engine",
    "liveorder.application.intake",
    "liveorder.application.orders",
    "liveorder.application.recovery",
    "liveorder.application.risk",
    "liveorder.application.trading",
    "liveorder.bootstrap.service",
    "liveorder.domain.execution_report",
    "liveorder.domain.order.reception",
    "liveorder.domain.own_exits",
    "liveorder.domain.reconciliation",
    "liveorder.domain.sizing",
    "liveorder.infrastructure.emergency_journal",
    "liveorder.infrastructure.settings.template",
    "liveorder.testing",
)
"""What decides, trades and writes."""
READING: dict[tuple[str, ...], set[str]] = {
    ("orders",): {"OrderView"},
    ("order", "a"): {"OrderView", "FillView", "HistoryView"},
    ("order-history",): {"HistoryView"},
    ("positions",): {"PositionView"},
    ("fills",): {"BookedFillView"},
    ("signals",): {"SignalView"},
    ("execution-confirmations",): {"ConfirmationView"},
    ("daily-summary",): {"DailySummaryView"},
    ("status",): {"StatusView", "PositionView", "DailySummaryView"},
    ("doubts",): {"DoubtView"},
}
"""With the views that each of them may make."""
TRIED = """
import json
import sys
from liveorder.interfaces.cli.main import app
from pydantic import BaseModel


def below(model):
    for each in model.__subclasses__():
        yield each
        yield from below(each)


try:
    app([*sys.argv[1:], "--json"])
finally:
    ours = [each for each in below(BaseModel) if each.__module__.startswith("liveorder.")]
    built = [each.__name__ for each in ours if each.__pydantic_complete__]
    described = [each.__name__ for each in ours if any(field.description for field in each.model_fields.values())]
    print(json.dumps({"modules": list(sys.modules), "built": built, "described": described}), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def a_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of one order."""
    folder = tmp_path_factory.mktemp("store")
    signal = '{"signal_id":"a","symbol":"ETH/USD","side":"BUY","quantity":"0.1"}'
    command = [sys.executable, "-m", "liveorder", "submit", signal, "--json"]
    subprocess.run(command, cwd=folder, capture_output=True, check=True)
    return folder


@pytest.fixture(scope="module", params=READING, ids=" ".join)
def ran(request: pytest.FixtureRequest, a_store: Path) -> tuple[tuple[str, ...], dict[str, Any]]:
    """A command, and what its process imported and built."""
    command = [sys.executable, "-c", TRIED, *request.param]
    done = subprocess.run(command, cwd=a_store, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return request.param, json.loads(done.stderr.splitlines()[-1])


def test_a_reading_command_imports_nothing_that_decides_or_trades(ran: tuple[tuple[str, ...], dict[str, Any]]) -> None:
    _, found = ran
    assert "liveorder.interfaces.cli.main" in found["modules"]
    imported = [name for name in (*LIBRARIES, *OURS) if any(f"{each}.".startswith(f"{name}.") for each in found["modules"])]
    assert imported == []


def test_a_reading_command_builds_only_the_views_that_it_shows(ran: tuple[tuple[str, ...], dict[str, Any]]) -> None:
    arguments, found = ran
    views = {name for name in found["built"] if name.endswith("View")}
    assert views <= READING[arguments]


def test_a_reading_command_reads_no_docstrings_of_fields(ran: tuple[tuple[str, ...], dict[str, Any]]) -> None:
    _, found = ran
    assert found["described"] == []


def test_only_read_models_take_sqlalchemy(ran: tuple[tuple[str, ...], dict[str, Any]]) -> None:
    arguments, found = ran
    assert ("sqlalchemy" in found["modules"]) == (arguments != ("doubts",))
