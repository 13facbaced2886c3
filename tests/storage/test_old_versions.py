"""The fixtures are whole, hold what their README says, and the old versions run: what the tests of the upgrade stand on."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from liveorder.infrastructure.eventstore.postgres_connection import address_of
from tests.postgres_databases import lend_database, take_back_database, url_of_database
from tests.storage.old_versions import COMMITS, FIXTURES, NEVER_ARRIVED, at_venue, load, names, old_version, put

ROW = re.compile(r"^\| `(?P<name>[\w-]+)` \|" + r" *(\d+) *\|" * 5, re.MULTILINE)
README = (Path(__file__).parent / "old_versions" / "README.md").read_text()
TOLD = {row["name"]: tuple(map(int, row.groups()[1:])) for row in ROW.finditer(README)}
"""Events, claims, open orders, orders that the venue has taken, and those that are live there, by fixture."""
COUNTS = ("stored_events", "signal_claims", "open_orders")
WHERE = "import liveorder.domain.identifiers as ids; print(ids.__file__, len(ids.SignalKey('default', 'acc', 's').client_order_id))"


@pytest.fixture
def url() -> Iterator[str]:
    database = lend_database()
    yield f"{url_of_database(database)}?schema=of_a_test"
    take_back_database(database)


def counted_at_venue(folder: Path) -> tuple[int, int]:
    orders = at_venue(folder)
    return len(orders), sum(order["state"] == "WORKING" for order in orders)


def test_the_readme_has_a_row_for_every_fixture() -> None:
    assert sorted(TOLD) == sorted([*names(), *names(postgres=True)])


@pytest.mark.parametrize("name", names())
def test_a_file_is_whole_and_holds_what_is_told_of_it(name: str, tmp_path: Path) -> None:
    put(name, tmp_path)
    with closing(sqlite3.connect(tmp_path / "orders.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT schema_version FROM store").fetchall() == [(1,)]
        counted = [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in COUNTS]  # noqa: S608 - names of ours
        rowids = [row for (row,) in connection.execute("SELECT rowid FROM stored_events ORDER BY rowid")]
    assert (*counted, *counted_at_venue(tmp_path)) == TOLD[name]
    assert rowids == [*range(1, len(rowids) + 1)]


@pytest.mark.parametrize("name", names(postgres=True))
def test_a_dump_can_be_loaded_into_any_schema_with_its_function(name: str, tmp_path: Path, url: str) -> None:
    load(name, tmp_path, url)
    with psycopg.connect(address_of(url).conninfo) as connection:
        counted = [connection.execute(f"SELECT count(*) FROM of_a_test.{table}".encode()).fetchone() for table in COUNTS]  # noqa: S608 - names of ours
        schemas = connection.execute("SELECT n.nspname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace").fetchall()
        [epoch, state] = connection.execute(
            "SELECT epoch, convert_from(state, 'UTF8') FROM of_a_test.lease, of_a_test.stored_events WHERE notification_id = 1"
        ).fetchall()[0]
        called = connection.execute(append_nothing(connection), {"epoch": epoch - 1}).fetchone()
    assert (*[row[0] for row in counted if row], *counted_at_venue(tmp_path)) == TOLD[name]
    assert ("of_a_test",) in schemas
    assert json.loads(state)["fact"]["signal_id"] == "s-filled"
    assert called == ("lease lost",)


def append_nothing(connection: psycopg.Connection[tuple[object, ...]]) -> bytes:
    """A call of the version's own function, whichever arguments that has, as one who has lost the store."""
    function = "SELECT pronargs FROM pg_proc WHERE proname = 'append_facts'"
    [(arguments,)] = connection.execute(function).fetchall()
    assert isinstance(arguments, int)
    return f"SELECT of_a_test.append_facts(%(epoch)s, 0{', NULL' * (arguments - 2)})".encode()


@pytest.mark.parametrize("name", names())
def test_what_never_arrived_is_all_that_the_venue_lacks(name: str, tmp_path: Path) -> None:
    """Of what the store has sent and what was not turned away."""
    put(name, tmp_path)
    keys = {str(dict(order["placed"])["client_order_id"]) for order in at_venue(tmp_path)}  # type: ignore[call-overload]  # JSON
    topics = sent(tmp_path / "orders.db")
    lacking = {signal for (signal, key), seen in topics.items() if key not in keys and not seen & {"Rejected", "Refused"}}
    lacking = {signal for signal in lacking if not signal.startswith("adopted-")}
    assert lacking <= {NEVER_ARRIVED}


def sent(path: Path) -> dict[tuple[str, str], set[str]]:
    """The kinds of event of each order, by signal and key."""
    kinds: dict[str, set[str]] = {}
    orders: dict[str, tuple[str, str]] = {}
    with closing(sqlite3.connect(path)) as connection:
        for stream, topic, state in connection.execute("SELECT originator_id, topic, state FROM stored_events"):
            kind = re.sub(r"^\w+\.|@\d+$", "", topic)
            kinds.setdefault(stream, set()).add(kind)
            if kind == "Requested":
                event = json.loads(state)["fact"]
                orders[stream] = event["signal_id"], event["client_order_id"]
    return {order: kinds[stream] for stream, order in orders.items()}


def test_of_the_doubled_store_each_signal_that_was_sent_is_two_orders_at_the_venue(tmp_path: Path) -> None:
    put("doubled", tmp_path)
    keys = {dict(order["placed"])["client_order_id"] for order in at_venue(tmp_path)}  # type: ignore[call-overload]  # JSON
    twice = Counter(signal for signal, key in sent(tmp_path / "orders.db") if key in keys)
    assert len(twice) == 11
    assert {count for signal, count in twice.items() if signal != "s-cancel-in-doubt"} == {2}


def test_no_fixture_knows_the_machine_that_made_it() -> None:
    for path in FIXTURES.glob("*/*"):
        text = path.read_text()
        assert not re.search(r"(?<![\w/])/(tmp|home|root|var)/", text), path


@pytest.mark.parametrize("commit", COMMITS)
def test_an_old_version_is_found_before_the_installed_one(commit: str, tmp_path: Path) -> None:
    old = old_version(commit, tmp_path)
    told = subprocess.run([sys.executable, "-c", WHERE], env=old.environment, check=True, capture_output=True, text=True).stdout
    assert told.split() == [str(tmp_path / commit / "liveorder" / "domain" / "identifiers.py"), "20"]


@pytest.mark.parametrize("commit", COMMITS)
def test_an_old_version_trades_with_the_libraries_of_today(commit: str, tmp_path: Path) -> None:
    old = old_version(commit, tmp_path / "version")
    settings = put("472a3ea", tmp_path)
    for name in ("orders.db", "venue.db"):
        (tmp_path / name).unlink()
    filled = (tmp_path / "signals.jsonl").read_bytes().splitlines(keepends=True)[0]
    command = [*old.command, "run", "--config", str(settings), "--signals", "-", "--until-idle"]
    ran = subprocess.run(command, env=old.environment, cwd=tmp_path, input=filled, check=False, capture_output=True)
    assert ran.returncode == 0, ran.stderr
    assert counted_at_venue(tmp_path) == (1, 0)


@pytest.mark.parametrize("commit", COMMITS)
def test_an_old_version_knows_every_signal_of_its_own_store(commit: str, tmp_path: Path) -> None:
    """So that what a later version sends again is that version's doing."""
    old, settings = old_version(commit, tmp_path / "version"), put(commit, tmp_path)
    taken, _ = counted_at_venue(tmp_path)
    known = set(sent(tmp_path / "orders.db"))
    command = [*old.command, "run", "--config", str(settings), "--signals", "-", "--until-idle"]
    again = (tmp_path / "signals.jsonl").read_bytes()
    subprocess.run(command, env=old.environment, cwd=tmp_path, input=again, check=False, capture_output=True)
    assert set(sent(tmp_path / "orders.db")) == known
    assert counted_at_venue(tmp_path)[0] - taken in (0, 1), NEVER_ARRIVED
