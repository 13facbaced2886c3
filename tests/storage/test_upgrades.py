"""Stores that earlier versions wrote, under the present one: none of their signals trades again, however it is migrated."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from eventsourcing.persistence import StoredEvent

from liveorder import Runner
from liveorder.application.recording import domain_events
from liveorder.application.recovery.recover import SECOND_ORDER
from liveorder.application.risk.book.rows import TO_REBOOK
from liveorder.domain.claim import Recognition
from liveorder.domain.errors import LeaseLost, StoreRefused
from liveorder.domain.identifiers import KeyRing, SignalKey, uuid7
from liveorder.domain.position_owner import PositionOwner
from liveorder.domain.trading_halt import EVERYTHING
from liveorder.infrastructure.clock import SystemClock
from liveorder.infrastructure.eventstore.database import Values
from liveorder.infrastructure.eventstore.mapper import DomainEventMapper
from liveorder.infrastructure.eventstore.migrations import migrate
from liveorder.infrastructure.eventstore.postgres_connection import address_of
from liveorder.infrastructure.eventstore.schema import SCHEMA_VERSION
from liveorder.infrastructure.eventstore.shapes import sealed
from liveorder.infrastructure.eventstore.store_by_url import create_store, database_at, store_at
from liveorder.interfaces.cli.exit_codes import ExitCode
from tests.interfaces.command_line import COMMAND, CommandLine
from tests.postgres_databases import lend_database, take_back_database, url_of_database
from tests.storage.counting import CountingDatabase
from tests.storage.old_versions import NEVER_ARRIVED, load, names, put
from tests.storage.upgrading import keys_at, killed_at_each_statement, sent_again, store_of
from tests.two_books import two_books

DOUBLED = {"doubled": 14, "doubled-472a3ea": 14, "postgres-doubled": 14}
"""Second orders, by fixture."""
KEYS = {
    "472a3ea": KeyRing("default", 0, (), (0,)),
    "84442d5": KeyRing("default", 0, (), (0,)),
    "0288cbd": KeyRing("default", 1, (), (1,)),
    "default-moved": KeyRing("default", 1, (), (1,)),
    "doubled": KeyRing("default", 0, (), (0, 1)),
    "doubled-472a3ea": KeyRing("default", 0, (), (0, 1)),
    "restored-0288cbd": KeyRing("default", 0, (), (0,)),
    "restored-84442d5": KeyRing("default", 0, (), (0,)),
    "two-namespaces": KeyRing("default", 1, ("x",), (1,)),
}
"""What each store remembers of how it derives keys."""

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
LATER = 4_000_000_000_000_000
"""Microseconds since 1970: of a lease that is held."""

Put = Callable[[str], Path]


@pytest.fixture
def url() -> Iterator[str]:
    database = lend_database()
    yield f"{url_of_database(database)}?schema=of_a_test"
    take_back_database(database)


@pytest.fixture
def written(tmp_path: Path, request: pytest.FixtureRequest) -> Put:
    """Puts the store of that name where it belongs; its settings."""

    def written_by(name: str) -> Path:
        if name.startswith("postgres-"):
            return load(name, tmp_path, request.getfixturevalue("url"))
        return put(name, tmp_path)

    return written_by


@pytest.mark.parametrize("name", [*names(), *names(postgres=True)])
async def test_no_signal_of_an_earlier_version_trades_again(name: str, written: Put, tmp_path: Path) -> None:
    """With and without its account. What never arrived may be sent, once and under its stored key, when that is found out."""
    settings = written(name)
    before = keys_at(tmp_path)
    came = await sent_again(settings, tmp_path)
    lost = came.get(NEVER_ARRIVED, set())
    new = [key for key in keys_at(tmp_path) if key not in before]
    assert len(keys_at(tmp_path)) - len(before) == len(new) <= len(lost) <= 1
    assert {signal: orders for signal, orders in came.items() if len(orders) > 1} == {}


@pytest.mark.parametrize("name", names())
async def test_a_store_keeps_its_way_of_deriving_keys_and_knows_every_other_that_wrote_it(name: str, tmp_path: Path) -> None:
    put(name, tmp_path)
    store_url = f"sqlite:///{tmp_path / 'orders.db'}"
    assert await migrate(database_at(store_url, SystemClock()), "upgrade") == 1
    assert await migrate(database_at(store_url, SystemClock()), "upgrade") is None
    store = store_at(store_url, clock=SystemClock())
    identity = await store.open()
    try:
        assert (identity.keys, identity.positions) == (KEYS[name], PositionOwner.ACCOUNT)
        assert len(await store.superseded()) == DOUBLED.get(name, 0)
        assert (await store.check()).problems == ()
    finally:
        await store.close()


@pytest.mark.parametrize("name", [*DOUBLED])
def test_the_second_orders_of_a_doubled_store_are_followed_marked_and_listed(name: str, written: Put, tmp_path: Path) -> None:
    settings = written(name)
    asyncio.run(sent_again(settings, tmp_path))
    asyncio.run(assert_second_orders_are_ours(settings, tmp_path))
    doctor = CommandLine(tmp_path).run("doctor", "--config", str(settings))
    assert doctor.output.count("became a second order") == DOUBLED[name]


async def assert_second_orders_are_ours(settings: Path, tmp_path: Path) -> None:
    async with Runner.open(config=settings, logs={"console": False, "directory": str(tmp_path / "logs")}) as runner:
        second = await runner._engine.store.superseded()
        for claim in second:
            order = await runner._engine.orders.get(claim.order_id)
            events = [item.event for item in await runner._engine.store.stream(claim.order_id)]
            assert "needs_review" in order.flags
            assert [getattr(event, "code", "") for event in events].count(SECOND_ORDER) == 2  # one anomaly, one review, ever
            found = await runner._engine.store.claim_of(claim.client_order_id)
            assert found is not None
            assert found.order_id == claim.order_id
            assert runner._engine.orders.identity.keys.is_ours(claim.client_order_id, claim.account_id)


@pytest.mark.parametrize("name", [*names(), *names(postgres=True)])
async def test_what_an_earlier_version_held_is_booked_anew_by_strategy_as_the_reports_show_it(
    name: str, written: Put, tmp_path: Path
) -> None:
    settings = written(name)
    async with Runner.open(config=settings, logs={"console": False, "directory": str(tmp_path / "logs")}) as runner:
        ledger = {row.key: row.state for row in await runner._engine.store.ledger()}
        assert any(key.startswith("position:[") for key in ledger)
        assert not any(key.startswith("position:") and "[" not in key for key in ledger)
        assert ledger[TO_REBOOK] == ""
        await runner._service._projector.verify()
        assert await two_books(runner._service) == []


@pytest.mark.parametrize("name", ["472a3ea", "0288cbd", "postgres-472a3ea", "postgres-0288cbd"])
def test_a_migration_that_is_killed_leaves_the_old_store_or_the_new_one(name: str, written: Put, tmp_path: Path) -> None:
    settings = written(name)
    store_url = store_of(settings)
    *killed, committed = killed_at_each_statement(store_url)
    assert set(killed) == {"1"}
    assert len(killed) > 15
    assert committed == str(SCHEMA_VERSION)


@pytest.mark.parametrize("name", ["0288cbd", "postgres-0288cbd"])
async def test_claims_are_migrated_by_the_page_and_of_two_of_one_signal_the_oldest_stays(name: str, written: Put) -> None:
    """The two are a page apart."""
    store_url = store_of(written(name))
    keys = [SignalKey("default", "acc_us", f"more-{number % 2400}") for number in range(2500)]
    claims: list[Values] = [
        {
            "client_order_id": key.derived(number < 2400),
            "signal_key": key.text,
            "order_id": str(uuid7(LONG_AGO, number)),
            "fingerprint": "f",
        }
        for number, key in enumerate(keys)
    ]
    database = database_at(store_url, SystemClock())
    await database.open()
    await database.migrate(lambda session: session.insert_new("signal_claims", claims))
    await database.close()
    counting = CountingDatabase(database_at(store_url, SystemClock()))
    assert await migrate(counting, "upgrade") == 1
    assert sum(counting.statements.values()) < 60
    store = store_at(store_url, clock=SystemClock())
    await store.open()
    try:
        assert [claim.client_order_id for claim in await store.superseded()] == [key.derived(0) for key in keys[:100]]
        found = await store.claims(Recognition("more-7", "acc_us", ()))
        assert [claim.order_id for claim in found] == [UUID(str(claims[7]["order_id"]))]
        assert await store.claim_of(keys[2399].derived(1)) is not None
    finally:
        await store.close()


@pytest.mark.parametrize("name", ["472a3ea", "0288cbd", "postgres-472a3ea"])
async def test_a_store_that_is_owned_is_not_migrated(name: str, written: Put, tmp_path: Path) -> None:
    settings = written(name)
    store_url = store_of(settings)
    database = database_at(store_url, SystemClock())
    await database.open()
    await database.write("UPDATE lease SET expires_at=:later, owner='live'", {"later": LATER})
    await database.close()
    with pytest.raises(LeaseLost, match="of an earlier version and owned by live"):
        await migrate(database_at(store_url, SystemClock()), "upgrade")
    store = store_at(store_url, clock=SystemClock())
    assert (await store.open()).schema_version == 1
    await store.close()


@pytest.mark.parametrize("name", ["472a3ea", "0288cbd", "doubled"])
async def test_a_migrated_file_has_the_tables_of_a_new_one(name: str, tmp_path: Path) -> None:
    put(name, tmp_path)
    await migrate(database_at(f"sqlite:///{tmp_path / 'orders.db'}", SystemClock()), "upgrade")
    fresh = f"sqlite:///{tmp_path / 'fresh.db'}"
    await create_store(fresh, clock=SystemClock(), namespace="n", default_account="a", mode="SIMULATION", account_ids=["a"])
    assert tables_of(tmp_path / "orders.db") == tables_of(tmp_path / "fresh.db")


def tables_of(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
        return {name.strip('"'): " ".join(sql.replace('"', "").split()) for name, sql in rows}


@pytest.mark.parametrize("name", names(postgres=True))
async def test_a_migrated_schema_has_the_tables_of_a_new_one(name: str, written: Put, url: str) -> None:
    written(name)
    await migrate(database_at(url, SystemClock()), "upgrade")
    fresh = url.replace("of_a_test", "fresh")
    await create_store(fresh, clock=SystemClock(), namespace="n", default_account="a", mode="SIMULATION", account_ids=["a"])
    with psycopg.connect(address_of(url).conninfo) as connection:
        assert columns_of(connection, "of_a_test") == columns_of(connection, "fresh")
        assert functions_of(connection, "fresh") == [("append_events",)]
        assert functions_of(connection, "of_a_test") == [("append_events",), ("append_facts",)]
        assert append_nothing(connection) == ("lease lost",)  # what a paused process of that version would be told


def columns_of(connection: psycopg.Connection[Any], schema: str) -> list[Any]:
    columns = """SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns
        WHERE table_schema=%s ORDER BY table_name, ordinal_position"""
    keys = """SELECT c.conrelid::regclass::text, pg_get_constraintdef(c.oid) FROM pg_constraint c
        JOIN pg_namespace n ON n.oid=c.connamespace WHERE n.nspname=%s ORDER BY 1, 2"""
    plain = [(table.removeprefix(f"{schema}."), text) for table, text in connection.execute(keys, (schema,)).fetchall()]
    return [*connection.execute(columns, (schema,)).fetchall(), *plain]


def append_nothing(connection: psycopg.Connection[Any]) -> Any:
    """A call of the earlier version's function, whichever arguments that has."""
    ((arguments,),) = connection.execute("SELECT pronargs FROM pg_proc WHERE proname='append_facts'").fetchall()
    return connection.execute(f"SELECT of_a_test.append_facts(1, 0{', NULL' * (arguments - 2)})".encode()).fetchone()


def functions_of(connection: psycopg.Connection[Any], schema: str) -> list[Any]:
    functions = "SELECT proname FROM pg_proc p JOIN pg_namespace n ON n.oid=p.pronamespace WHERE n.nspname=%s ORDER BY 1"
    return connection.execute(functions, (schema,)).fetchall()


@pytest.mark.parametrize("name", names())
def test_events_of_an_earlier_version_are_written_again_as_they_were(name: str, tmp_path: Path) -> None:
    """But for fields that it did not have, which come with their defaults."""
    put(name, tmp_path)
    mapper = DomainEventMapper(domain_events())
    with closing(sqlite3.connect(tmp_path / "orders.db")) as connection:
        rows = connection.execute("SELECT originator_id, originator_version, topic, state FROM stored_events").fetchall()
    for stream, version, topic, state in rows:
        recorded = mapper.to_domain_event(StoredEvent(UUID(stream), version, topic, state))
        again = json.loads(mapper.to_stored_event(recorded).state)
        then = json.loads(state)
        added = again["fact"].keys() - then["fact"].keys()
        assert again["meta"] == then["meta"]
        assert {key: value for key, value in again["fact"].items() if key not in added} == then["fact"]
        assert [*then["fact"]] == [key for key in again["fact"] if key not in added]
        if not added:
            assert mapper.to_stored_event(recorded).state == state


@pytest.mark.parametrize("command", ["status", "doctor", "orders", "kill"])
@pytest.mark.parametrize("name", ["472a3ea", "0288cbd"])
def test_a_store_that_is_not_migrated_yet_can_be_looked_at_and_stopped(name: str, command: str, tmp_path: Path) -> None:
    settings = put(name, tmp_path)
    with closing(sqlite3.connect(tmp_path / "orders.db")) as connection, connection:
        connection.execute("UPDATE lease SET expires_at=?, owner='live'", (LATER,))
    more = ("--detail", "upgrade day", "--timeout", "0.5") if command == "kill" else ()
    ran = CommandLine(tmp_path).run(command, "--config", str(settings), *more)
    assert "defect" not in ran.output
    with closing(sqlite3.connect(tmp_path / "orders.db")) as connection:
        assert connection.execute("SELECT schema_version FROM store").fetchall() == [(1,)]
        asked = connection.execute("SELECT kind FROM commands WHERE answer IS NULL").fetchall()
        halted = connection.execute("SELECT reason FROM halts WHERE scope='*' AND reason = 'KILL_SWITCH'").fetchall()
    assert asked == ([("kill",)] if command == "kill" else [])
    assert len(halted) == (command == "kill")


@pytest.mark.parametrize("name", ["472a3ea", "0288cbd", "postgres-472a3ea"])
async def test_a_kill_halts_a_store_that_nobody_owns_and_leaves_its_migration_to_a_run(
    name: str, written: Put, tmp_path: Path
) -> None:
    settings = written(name)
    database = database_at(store_of(settings), SystemClock())
    await database.open()
    await database.write("UPDATE lease SET expires_at=0", {})
    await database.close()
    killed = await asyncio.to_thread(CommandLine(tmp_path).run, "kill", "--config", str(settings), "--detail", "upgrade day")
    assert killed.exit_code == ExitCode.NOT_FLAT, killed.output
    assert "the halt is durable" in killed.output
    assert "`liveorder kill --emergency` cancels at the brokers" in " ".join(killed.output.split())
    store = store_at(store_of(settings), clock=SystemClock())
    assert (await store.open()).schema_version == 1
    assert "KILL_SWITCH" in {row.reason for row in await store.halts()}
    await store.close()
    async with Runner.open(config=settings, logs={"console": False, "directory": str(tmp_path / "logs")}) as runner:
        assert EVERYTHING in {halt.scope for halt in runner._engine.halts.standing()}


@pytest.mark.parametrize("command", ["validate", "submit", "reconcile", "store"])
def test_only_a_run_migrates(command: str, tmp_path: Path) -> None:
    """What a person tries before the backup leaves the way back open; another store than is meant is left alone."""
    settings = put("0288cbd", tmp_path)
    a_signal = '{"signal_id":"zz","symbol":"SPY","side":"BUY","quantity":1}'
    more = {"reconcile": (), "store": ("default-account", "acc_in", "--evidence", "why")}.get(command, (a_signal,))
    environment = {"LIVEORDER_NAMESPACE": "another"} if command == "store" else {}
    ran = subprocess.run(
        [*COMMAND, command, *more, "--config", str(settings)],
        cwd=tmp_path,
        env=os.environ | environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == ExitCode.STORE_REFUSED, ran.stdout + ran.stderr
    with closing(sqlite3.connect(tmp_path / "orders.db")) as connection:
        assert connection.execute("SELECT schema_version FROM store").fetchall() == [(1,)]


@pytest.mark.parametrize("name", names(postgres=True))
async def test_a_backup_of_an_earlier_schema_is_refused_with_the_remedy(name: str, written: Put, url: str) -> None:
    written(name)
    store = store_at(url, clock=SystemClock())
    await store.open()
    try:
        with pytest.raises(StoreRefused, match="back it up with the version that wrote it"):
            await store.backup(url.replace("of_a_test", "copy"))
    finally:
        await store.close()


def test_every_fixture_has_its_keys_told() -> None:
    assert sorted(KEYS) == names()


def test_a_store_of_a_newer_version_is_called_that_by_every_command(tmp_path: Path) -> None:
    settings = put("0288cbd", tmp_path)
    asyncio.run(migrate(database_at(f"sqlite:///{tmp_path / 'orders.db'}", SystemClock()), "upgrade"))
    filled = DomainEventMapper(domain_events()).shapes["liveorder.Filled@1"]
    with closing(sqlite3.connect(tmp_path / "orders.db")) as connection, connection:
        connection.execute("INSERT INTO event_shapes VALUES (?)", (sealed(f"{filled.rpartition(' ')[0]} venue"),))
    for command in ("run", "status", "orders", "doctor", "kill", "replay", "reconcile", "doubts", "signals"):
        ran = CommandLine(tmp_path).run(command, "--config", str(settings))
        assert "written by a newer version of liveorder" in ran.output, (command, ran.output)
        assert "damaged" not in ran.output, command
