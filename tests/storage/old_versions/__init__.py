"""Stores that old versions really wrote, and those versions themselves. README.md beside this says how they were made.

A fixture is a store that died with orders in every state, the venue's file as it was then, and the signals and settings of its last
run; its settings begin ten simulated minutes later.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import sys
import tarfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg

from liveorder.infrastructure.eventstore.postgres_connection import address_of

FIXTURES = Path(__file__).parents[1] / "fixtures"
SOURCES = FIXTURES / "old_sources.tar.xz"
COMMITS = ("472a3ea", "84442d5", "0288cbd")
SCHEMA = "old_store"
"""The name that stands for the schema in a dump."""
NEVER_ARRIVED = "s-lost"
"""In doubt, and the venue never received it: when that is found out it is sent, once more and under its stored key."""
_POSTGRES = "postgres-"


def names(*, postgres: bool = False) -> list[str]:
    """Of the fixtures in SQLite, or in PostgreSQL."""
    found = (path.parent.name for path in FIXTURES.glob("*/store.sql"))
    return sorted(name for name in found if name.startswith(_POSTGRES) is postgres)


def put(name: str, folder: Path) -> Path:
    """Writes orders.db, venue.db, venue.toml, signals.jsonl and settings.toml into `folder`; gives the settings."""
    _restore(FIXTURES / name / "store.sql", folder / "orders.db")
    return _put_the_rest(name, folder, f"sqlite:///{folder / 'orders.db'}")


def load(name: str, folder: Path, url: str) -> Path:
    """As `put`, with the store in the schema that `url` names; there must be none of that name."""
    address = address_of(url)
    text = (FIXTURES / name / "store.sql").read_text()
    text = text.replace(str(lock_key(SCHEMA)), str(lock_key(address.schema_name))).replace(SCHEMA, address.schema_name)
    with psycopg.connect(address.conninfo) as connection:
        connection.execute(text.encode())
    return _put_the_rest(name, folder, url)


def at_venue(folder: Path) -> list[dict[str, object]]:
    """Every order that the venue has taken, as its file keeps it; while the venue is closed."""
    with closing(sqlite3.connect(folder / "venue.db")) as connection:
        return [json.loads(body) for (body,) in connection.execute("SELECT body FROM orders")]


@dataclass(frozen=True)
class OldVersion:
    """What starts it, in a process of its own, with the libraries of today."""

    command: tuple[str, ...]
    """Of its command line: `run` and the like follow."""
    environment: dict[str, str]
    """For any other child that imports its `liveorder`."""


def old_version(commit: str, folder: Path) -> OldVersion:
    """Unpacks that version into `folder`. Its package is called liveorder, and found before the one that is installed."""
    with tarfile.open(SOURCES) as sources:
        wanted = [member for member in sources.getmembers() if member.name.startswith(f"{commit}/")]
        sources.extractall(folder, wanted, filter="data")
    environment = os.environ | {"PYTHONPATH": str(folder / commit), "PYTHONDONTWRITEBYTECODE": "1"}
    return OldVersion((sys.executable, "-m", "liveorder.interfaces.cli"), environment)


def lock_key(schema_name: str) -> int:
    """Of the advisory lock that the old versions wrote into their function."""
    return int.from_bytes(hashlib.sha256(f"liveorder:{schema_name}".encode()).digest()[:8], signed=True)


def _put_the_rest(name: str, folder: Path, store: str) -> Path:
    _restore(FIXTURES / name / "venue.sql", folder / "venue.db")
    for file in ("venue.toml", "signals.jsonl"):
        (folder / file).write_bytes((FIXTURES / name / file).read_bytes())
    settings = folder / "settings.toml"
    text = (FIXTURES / name / settings.name).read_text()
    settings.write_text(text.replace("STORE", store).replace("FOLDER", str(folder)))
    return settings


def _restore(text: Path, path: Path) -> None:
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(text.read_text())
