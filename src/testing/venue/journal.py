"""The venue's journal, which it writes before it answers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from liveorder.domain.errors import StoreRefused
from liveorder.infrastructure.private_files import make_empty_file
from liveorder.testing.venue.orders import STORED_ORDER, VenueOrder


class Journal(Protocol):
    """The latest state of each order, and a few notes by name."""

    def save(self, orders: Iterable[VenueOrder]) -> None:
        """Save all orders or none. Stored when this returns."""
        ...

    def orders(self) -> list[VenueOrder]: ...

    def write_note(self, name: str, text: str) -> None: ...

    def notes(self) -> dict[str, str]: ...

    def close(self) -> None: ...


class NoJournal:
    """Stores nothing, for simulations in one process."""

    def save(self, orders: Iterable[VenueOrder]) -> None:
        """Nothing to save: the orders last as long as the venue."""

    def orders(self) -> list[VenueOrder]:
        return []

    def write_note(self, name: str, text: str) -> None:
        """Nothing to save."""

    def notes(self) -> dict[str, str]:
        return {}

    def close(self) -> None:
        """Nothing is open."""


class SqliteJournal:
    """One SQLite file. A killed process loses nothing saved; a power cut may lose the last moments (synchronous=NORMAL).

    The file is locked while open: a second venue on it is refused with `StoreRefused`.
    """

    def __init__(self, path: Path) -> None:
        make_empty_file(path)
        self._database = sqlite3.connect(path, isolation_level=None, timeout=0)
        try:
            self._database.executescript(
                "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
                "CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;"
                "CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;"
            )
        except sqlite3.DatabaseError as error:
            self._database.close()
            raise StoreRefused(f"venue file {path}: {error}; is another venue using it, or is it another kind of file?") from error

    def save(self, orders: Iterable[VenueOrder]) -> None:
        rows = [(order.order_id, STORED_ORDER.dump_json(order).decode()) for order in orders]
        self._database.execute("BEGIN")
        self._database.executemany("INSERT OR REPLACE INTO orders VALUES (?, ?)", rows)
        self._database.execute("COMMIT")

    def orders(self) -> list[VenueOrder]:
        return [STORED_ORDER.validate_json(body) for (body,) in self._database.execute("SELECT body FROM orders")]

    def has_orders(self) -> bool:
        return self._database.execute("SELECT 1 FROM orders LIMIT 1").fetchone() is not None

    def write_note(self, name: str, text: str) -> None:
        self._database.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, text))

    def notes(self) -> dict[str, str]:
        return dict(self._database.execute("SELECT name, body FROM notes").fetchall())

    def close(self) -> None:
        self._database.close()
