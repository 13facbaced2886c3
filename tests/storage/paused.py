"""A service of an earlier version that is paused while its store is migrated, and then let go."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from liveorder.domain.errors import LeaseLost, StoreUnavailable
from liveorder.infrastructure.brokers.simulated.tcp import Tcp
from liveorder.infrastructure.clock import SystemClock
from liveorder.infrastructure.eventstore.migrations import migrate
from liveorder.infrastructure.eventstore.postgres_connection import address_of
from liveorder.infrastructure.eventstore.store_by_url import database_at
from liveorder.interfaces.cli.exit_codes import ExitCode
from liveorder.testing.venue.control import VenueControl
from tests.interfaces.command_line import COMMAND
from tests.storage.old_versions import old_version

ENOUGH_SECONDS = 90.0
"""Longer than anything takes on a slow machine."""
SETTINGS = """
store = "{store}"
[logs]
directory = "logs"
[engine]
lease_seconds = 2
source_poll_seconds = 0.05
[risk]
allow_closed_market = true
max_daily_trades = 1000
[simulation]
venue = "{venue}"
"""


def a_line(number: int) -> str:
    return json.dumps({"signal_id": f"s-{number}", "symbol": "ETH/USD", "side": "BUY", "quantity": "0.01"}) + "\n"


def eventually(found: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + ENOUGH_SECONDS
    while not found():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@contextmanager
def running(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "out").open("ab") as out:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.wait()


def rows_of(store: str, query: LiteralString) -> list[tuple[Any, ...]]:
    if store.startswith("sqlite"):
        with closing(sqlite3.connect(store.removeprefix("sqlite:///"))) as connection:
            return connection.execute(query).fetchall()
    with psycopg.connect(address_of(store).conninfo, options="-c search_path=liveorder") as connection:
        return connection.execute(query).fetchall()


def events_in(store: str) -> int:
    ((count,),) = rows_of(store, "SELECT count(*) FROM stored_events")
    return int(count)


_SUBMITTED = """SELECT c.client_order_id FROM signal_claims c
    JOIN stored_events e ON replace(CAST(e.originator_id AS text), '-', '') = replace(c.order_id, '-', '')
    WHERE e.topic LIKE '%SubmissionStarted%'"""


def submitted_in(store: str) -> set[str]:
    """The keys of the orders of which a migrated store says that they were sent."""
    return {str(key) for (key,) in rows_of(store, _SUBMITTED)}


def orders_at(venue: str) -> set[str]:
    """What the venue's orders are known by."""

    async def asked() -> set[str]:
        host, port = venue.rsplit(":", 1)
        transport = Tcp(host, int(port), SystemClock())
        try:
            return {str(order.client_order_id) for order in await VenueControl(transport).orders()}
        finally:
            await transport.close()

    return asyncio.run(asked())


def pause_migrate_go_on(commit: str, store: str, tmp_path: Path) -> int:
    """What the old service stored and sent after it was let go must be nothing; how many orders the new version then placed."""
    old = old_version(commit, tmp_path / "version")
    ready, signals = tmp_path / "ready", tmp_path / "signals.jsonl"
    with running([*COMMAND, "venue", "--data", "venue.db", "--ready-file", str(ready)], tmp_path):
        eventually(ready.exists, "the venue listens")
        venue = ready.read_text().strip()
        (tmp_path / "liveorder.toml").write_text(SETTINGS.format(store=store, venue=venue))
        signals.write_text("")
        follow = [*old.command, "run", "--signals", "signals.jsonl", "--follow"]
        with running(follow, tmp_path, old.environment) as service:
            # Where a followed file ended when the old version began to look is where it begins.
            eventually(lambda: _add(signals) and orders_at(venue), "the old version trades")
            service.send_signal(signal.SIGSTOP)
            _add(signals, 20)
            eventually(lambda: _is_migrated(store, service), "its lease runs out")
            stored, sent = events_in(store), orders_at(venue)
            service.send_signal(signal.SIGCONT)
            assert service.wait(ENOUGH_SECONDS) == ExitCode.STORE_OWNED
        assert events_in(store) == stored
        # What it had stored before it was paused may be on its way: the new version knows of it.
        assert orders_at(venue) <= sent | submitted_in(store)
        again = [*COMMAND, "run", "--signals", "signals.jsonl", "--until-idle"]
        ran = subprocess.run(again, cwd=tmp_path, check=False, capture_output=True, text=True)
        assert ran.returncode in (ExitCode.OK, ExitCode.OUTCOME_UNKNOWN), ran.stdout + ran.stderr
        told = subprocess.run([*COMMAND, "orders", "--json"], cwd=tmp_path, check=True, capture_output=True)
        orders = json.loads(told.stdout)
        assert len(orders) == len(signals.read_text().splitlines()), ran.stdout + ran.stderr
        # Beside an order that is in doubt still, those in the same symbol are refused.
        placed = [order["client_order_id"] for order in orders if order["status"] != "REJECTED"]
        assert orders_at(venue) <= {*placed}
        assert len(placed) == len({*placed})
        return len(placed) - len(sent)


def _add(signals: Path, count: int = 1) -> bool:
    known = len(signals.read_text().splitlines())
    with signals.open("a") as lines:
        lines.writelines(a_line(number) for number in range(known, known + count))
    return True


def _is_migrated(store: str, paused: subprocess.Popen[bytes]) -> bool:
    """Not while the paused service holds the database's own lock: then it is let go for a moment."""
    try:
        return asyncio.run(migrate(database_at(store, SystemClock()), "upgrade")) == 1
    except LeaseLost:
        return False
    except StoreUnavailable:
        paused.send_signal(signal.SIGCONT)
        time.sleep(0.1)
        paused.send_signal(signal.SIGSTOP)
        return False
