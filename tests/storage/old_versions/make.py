"""Makes the fixtures: `python -m tests.storage.old_versions.make NAME...`, once, never again.

A life of an old version runs under OLD_PYTHON, in which {commit} stands for its commit, so that it has the libraries of its time.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from tests.postgres_databases import lend_database, url_of_database
from tests.storage.golden import as_text
from tests.storage.old_versions import FIXTURES, SCHEMA, old_version

HERE = Path(__file__).parent
BEGINNING = datetime(2025, 3, 10, 14, tzinfo=UTC)
BETWEEN_LIVES = timedelta(minutes=10)
ADOPTED = {
    "signal_id": "s-adopted",
    "account_id": "acc_in",
    "symbol": "TCS",
    "side": "BUY",
    "order_type": "LIMIT",
    "limit_price": 3400,
    "quantity": 2,
    "time_in_force": "GTC",
}
"""Sent in a life that the store lost: its order is adopted with its key."""
UNDISTURBED = {"lease_seconds": 5, "poll_seconds": 3600, "reconcile_seconds": 3600, "circuit_breaker_failures": 1000}
"""What is in doubt is to stay so: nobody finds out by the way, and questions that fail halt nothing."""


@dataclass(frozen=True)
class Life:
    """`lines` of the signals file, `adopts` an order that is "foreign" or "with a key", `settings` that differ from the file's."""

    commit: str
    adopts: str = ""
    lines: tuple[int, int | None] = (0, None)
    settings: Mapping[str, Any] = field(default_factory=dict)
    is_copied: bool = False
    """Whether the fixture has the store as it is after this life, and of those after it only what the venue has."""


HALF = 8
LIVES = {
    "472a3ea": [Life("472a3ea", "foreign")],
    "84442d5": [Life("84442d5", "foreign")],
    "0288cbd": [Life("0288cbd", "with a key", (0, -1))],
    "doubled": [Life("84442d5", "foreign"), Life("0288cbd")],
    "doubled-472a3ea": [Life("472a3ea", "foreign"), Life("0288cbd")],
    "two-namespaces": [Life("0288cbd", "foreign"), Life("0288cbd", settings={"namespace": "x"})],
    "default-moved": [Life("0288cbd", "foreign"), Life("0288cbd", settings={"default_account": "acc_in"})],
    "restored-84442d5": [Life("84442d5", "foreign", (0, HALF), is_copied=True), Life("84442d5", lines=(HALF, None))],
    "restored-0288cbd": [Life("84442d5", "foreign", (0, HALF), is_copied=True), Life("0288cbd", lines=(HALF, None))],
}
LIVES |= {f"postgres-{name}": LIVES[name] for name in ("472a3ea", "0288cbd", "doubled")}


def make(name: str, folder: Path) -> None:
    lives, store = LIVES[name], f"sqlite:///{folder / 'orders.db'}"
    if name.startswith("postgres-"):
        store = f"{url_of_database(lend_database())}?schema={SCHEMA}"
    _put_inputs(lives[0], folder, store)
    for number, life in enumerate(lives):
        _live(life, BEGINNING + number * BETWEEN_LIVES, folder)
        if life.is_copied:
            _copy(folder / "orders.db", folder / "copy.db")
    kept = FIXTURES / name
    kept.mkdir(parents=True, exist_ok=True)
    lines = _dump(store) if name.startswith("postgres-") else _store(folder)
    (kept / "store.sql").write_text("".join(f"{line}\n" for line in lines))
    (kept / "venue.sql").write_text("".join(f"{line}\n" for line in _statements(folder / "venue.db")))
    settings = _settings(lives[0]).replace(BEGINNING.isoformat(), (BEGINNING + len(lives) * BETWEEN_LIVES).isoformat())
    (kept / "settings.toml").write_text(settings)
    for file in ("venue.toml", "signals.jsonl"):
        shutil.copy(folder / file, kept)


def _put_inputs(first: Life, folder: Path, store: str) -> None:
    (folder / "settings.toml").write_text(_settings(first).replace("STORE", store).replace("FOLDER", str(folder)))
    shutil.copy(HERE / "venue.toml", folder)
    signals = (HERE / "signals.jsonl").read_text()
    (folder / "signals.jsonl").write_text(signals + (json.dumps(ADOPTED) + "\n" if first.adopts == "with a key" else ""))


def _settings(first: Life) -> str:
    """472a3ea has no confirmations."""
    confirmations = "" if first.commit == "472a3ea" else 'confirmations = "FOLDER/confirmations.jsonl"\n'
    return (HERE / "settings.toml").read_text().replace("default_account", f"{confirmations}default_account", 1)


def _live(life: Life, starts_at: datetime, folder: Path) -> None:
    old = old_version(life.commit, folder / "versions")
    python = os.environ.get("OLD_PYTHON", sys.executable).format(commit=life.commit)
    asked = {
        "simulation": {"starts_at": starts_at.isoformat()},
        "engine": UNDISTURBED,
        "lines": life.lines,
        "adopts": life.adopts,
    }
    command = [python, str(HERE / "life.py"), "settings.toml", json.dumps(asked | dict(life.settings))]
    died = subprocess.run(command, cwd=folder, env=old.environment, check=False)
    assert died.returncode == -signal.SIGKILL, died


def _copy(path: Path, copy: Path) -> None:
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def _store(folder: Path) -> Iterator[str]:
    path = folder / "copy.db" if (folder / "copy.db").exists() else folder / "orders.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE lease SET owner='the old version', expires_at=0")
        connection.commit()
        last, count = connection.execute("SELECT max(rowid), count(*) FROM stored_events").fetchone()
    assert last == count, "rowids have gaps, and a dump has no rowids"
    yield from as_text(path)


def _statements(path: Path) -> Iterator[str]:
    with closing(sqlite3.connect(path)) as connection:
        yield from connection.iterdump()


def _dump(store: str) -> Iterator[str]:
    """By pg_dump, with the facts as they are to be read, and without what only psql understands."""
    url = store.partition("?")[0]
    with psycopg.connect(url, options=f"-c search_path={SCHEMA}") as connection:
        connection.execute("UPDATE lease SET owner='the old version', expires_at=0, details='{}'")
        connection.execute("DELETE FROM checkpoints WHERE name='place'")
    options = ["--inserts", "--no-owner", "--no-privileges", f"--schema={SCHEMA}"]
    dump = subprocess.run(["pg_dump", *options, url], check=True, capture_output=True, text=True).stdout
    for line in dump.splitlines():
        if line and not line.startswith(("\\", "--", "SET ", "SELECT pg_catalog.set_config")):
            yield re.sub(r"'\\x([0-9a-f]+)'", _readable, line)


def _readable(state: re.Match[str]) -> str:
    return "convert_to('{}', 'UTF8')".format(bytes.fromhex(state[1]).decode().replace("'", "''"))


if __name__ == "__main__":
    for wanted in sys.argv[1:] or LIVES:
        with tempfile.TemporaryDirectory() as made:
            make(wanted, Path(made))
