"""The one SQLite connection that writes. Everything here blocks; whoever calls it says where that may happen.

After any error the connection is thrown away, so that no half-open transaction lives on, and the next call opens a new one.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

from liveorder.application.ports.order_store import LedgerRow, SignalClaim
from liveorder.domain.errors import LeaseLost, StoreError, StoreUnavailable
from liveorder.infrastructure.eventstore.database import Row, Values
from liveorder.infrastructure.eventstore.moments import text_of
from liveorder.infrastructure.eventstore.sqlite_recorder import uri_of
from liveorder.infrastructure.eventstore.transaction import (
    Draft,
    NotStored,
    Seen,
    Stored,
    Transaction,
    judge,
    overlapping,
)

Connect = Callable[[Path, float], sqlite3.Connection]
"""The path, and for how many seconds to wait for another process's lock."""

_DURABLE = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA fullfsync=1",
    "PRAGMA checkpoint_fullfsync=1",
    "PRAGMA journal_size_limit=67108864",
)

_STANDING = """SELECT epoch, (SELECT coalesce(MAX(rowid), 0) FROM stored_events), EXISTS (SELECT 1 FROM halts),
    EXISTS (SELECT 1 FROM json_each(?) AS n WHERE n.value <> coalesce(
        (SELECT MAX(originator_version) FROM stored_events WHERE originator_id=n.key), 0)),
    EXISTS (SELECT 1 FROM json_each(?) AS n JOIN signal_claims ON client_order_id=n.value)
    FROM lease"""


def connect(path: Path, busy_timeout_seconds: float) -> sqlite3.Connection:
    return sqlite3.connect(uri_of(path), uri=True, timeout=busy_timeout_seconds, isolation_level=None, check_same_thread=False)


_INDEX_CHANGES = (
    (True, "INSERT INTO open_orders VALUES (?) ON CONFLICT DO NOTHING"),
    (False, "DELETE FROM open_orders WHERE stream_id=?"),
)


class _CommitUnanswered(Exception):
    """COMMIT raised: the transaction may be stored or not."""


class SQLiteWriter:
    """Not safe for use by two threads at once."""

    def __init__(self, path: Path, busy_timeout_seconds: float, connect: Connect = connect) -> None:
        self._path = path
        self._busy_timeout_seconds = busy_timeout_seconds
        self._connect = connect
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        """The last connection to close folds the write-ahead log into the file."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def write(self, statement: str, values: Values) -> list[Row]:
        try:
            with self._transaction() as connection:
                return connection.execute(statement, dict(values)).fetchall()
        except (sqlite3.Error, _CommitUnanswered) as error:
            self.close()
            raise _unavailable(error) from error

    def transact(self, transaction: Transaction) -> Stored | NotStored:
        try:
            return self._attempt(transaction)
        except _CommitUnanswered as error:
            self.close()
            return self._settle(transaction, error)
        except (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError) as error:
            self.close()
            raise StoreError(f"the database refused the commit: {error}") from error
        except sqlite3.Error as error:
            self.close()
            raise _unavailable(error) from error

    def _attempt(self, transaction: Transaction) -> Stored | NotStored:
        with self._transaction() as connection:
            if not _is_in_order(connection, transaction):
                objections = _objections(connection, transaction)
                if objections is not None:
                    return objections
            _insert(connection, transaction)
        return Stored(transaction.positions())

    def _settle(self, transaction: Transaction, cause: Exception) -> NotStored:
        """Read back on a new connection, under the writer's lock, so that nothing can be on its way any more."""
        try:
            with self._transaction() as connection:
                objections = _objections(connection, transaction)
        except (sqlite3.Error, _CommitUnanswered) as error:
            self.close()
            raise StoreUnavailable(f"{_unavailable(error)}; whether the last commit was stored could not be read back") from cause
        if objections is None or not objections.found:
            raise _unavailable(cause) from cause
        return objections

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._connected()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            with suppress(sqlite3.Error):
                connection.rollback()
            raise
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise _CommitUnanswered(str(error)) from error

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = self._connect(self._path, self._busy_timeout_seconds)
            try:
                for pragma in _DURABLE:
                    connection.execute(pragma)
            except sqlite3.Error:
                connection.close()
                raise
            self._connection = connection
        return self._connection


def _unavailable(error: Exception) -> StoreUnavailable:
    return StoreUnavailable(f"the order store cannot be written ({error}); nothing is sent until it can")


def _is_in_order(connection: sqlite3.Connection, transaction: Transaction) -> bool:
    """Whether nothing stands in the way, by one statement; False where `_objections` must look closer. Raises `LeaseLost`."""
    streams = {each.stream_id.hex: each.first_version - 1 for each in transaction.drafts}
    claims = [claim.client_order_id for claim in transaction.claims()]
    row = connection.execute(_STANDING, (json.dumps(streams), json.dumps(claims))).fetchone()
    epoch, head, is_halted, out_of_turn, known_claims = row
    if epoch != transaction.epoch:
        raise LeaseLost(f"the store belongs to epoch {epoch} now, and this process has epoch {transaction.epoch}")
    is_plain = len(streams) == len(transaction.drafts) and not transaction.halts()
    return is_plain and head == transaction.head and not (is_halted or out_of_turn or known_claims)


def _objections(connection: sqlite3.Connection, transaction: Transaction) -> NotStored | None:
    (head,) = connection.execute("SELECT coalesce(MAX(rowid), 0) FROM stored_events").fetchone()
    refused, found = judge(transaction.drafts, _seen(connection, transaction))
    if refused or found or head != transaction.head:
        return NotStored(head, _ledger_rows(connection), refused, found)
    return None


def _seen(connection: sqlite3.Connection, transaction: Transaction) -> Seen:
    last_versions = {
        stream_id: _last_version(connection, stream_id) for stream_id in {each.stream_id for each in transaction.drafts}
    }
    return Seen(
        last_versions=last_versions,
        claims=_known_claims(connection, transaction.claims()),
        halted=frozenset(_halted(connection)) if transaction.scopes() else frozenset(),
        events=_stored_events(connection, overlapping(transaction.drafts, last_versions)),
    )


def _last_version(connection: sqlite3.Connection, stream_id: UUID) -> int:
    statement = "SELECT coalesce(MAX(originator_version), 0) FROM stored_events WHERE originator_id=?"
    (version,) = connection.execute(statement, (stream_id.hex,)).fetchone()
    return int(version)


def _known_claims(connection: sqlite3.Connection, claims: Sequence[SignalClaim]) -> dict[str, SignalClaim]:
    statement = "SELECT client_order_id, signal_key, order_id, fingerprint FROM signal_claims WHERE client_order_id=?"
    rows = (connection.execute(statement, (claim.client_order_id,)).fetchone() for claim in claims)
    return {row[0]: SignalClaim(row[0], row[1], UUID(row[2]), row[3]) for row in rows if row is not None}


def _halted(connection: sqlite3.Connection) -> Iterator[str]:
    return (scope for (scope,) in connection.execute("SELECT scope FROM halts"))


def _stored_events(connection: sqlite3.Connection, drafts: Sequence[Draft]) -> dict[tuple[UUID, int], tuple[int, str, bytes]]:
    statement = "SELECT rowid, topic, state FROM stored_events WHERE originator_id=? AND originator_version=?"
    found = {}
    for stream_id, version in ((each.stream_id, event.originator_version) for each in drafts for event in each.events):
        row = connection.execute(statement, (stream_id.hex, version)).fetchone()
        if row is not None:
            found[stream_id, version] = row
    return found


def _ledger_rows(connection: sqlite3.Connection) -> list[LedgerRow]:
    return [LedgerRow(*row) for row in connection.execute("SELECT account_id, key, state FROM risk")]


def _insert(connection: sqlite3.Connection, transaction: Transaction) -> None:
    head = _insert_events(connection, transaction)
    connection.execute("UPDATE risk_position SET position=?", (head,))
    if rows := transaction.ledger_rows():
        upsert = "INSERT INTO risk VALUES (?, ?, ?) ON CONFLICT (account_id, key) DO UPDATE SET state=excluded.state"
        connection.executemany(upsert, [(row.account_id, row.key, row.state) for row in rows])
    if claims := transaction.claims():
        values = [(claim.client_order_id, claim.signal_key, str(claim.order_id), claim.fingerprint) for claim in claims]
        connection.executemany("INSERT INTO signal_claims VALUES (?, ?, ?, ?)", values)
    if names := transaction.names():
        named = [(name.account_id, name.broker_order_id, str(name.order_id)) for name in names]
        connection.executemany("INSERT INTO broker_names VALUES (?, ?, ?) ON CONFLICT DO NOTHING", named)
    _keep_open_orders(connection, transaction)
    _keep_halts(connection, transaction)


def _insert_events(connection: sqlite3.Connection, transaction: Transaction) -> int:
    """Returns the new head. Positions are explicit: the next ones, without gaps."""
    rows = [
        (position, each.stream_id.hex, event.originator_version, event.topic, event.state)
        for each, positions in zip(transaction.drafts, transaction.positions(), strict=True)
        for position, event in zip(positions, each.events, strict=True)
    ]
    statement = "INSERT INTO stored_events (rowid, originator_id, originator_version, topic, state) VALUES (?, ?, ?, ?, ?)"
    connection.executemany(statement, rows)
    return transaction.head + len(rows)


def _keep_open_orders(connection: sqlite3.Connection, transaction: Transaction) -> None:
    for is_open, statement in _INDEX_CHANGES:
        streams = [(stream_id.hex,) for stream_id, opens in transaction.is_open().items() if opens is is_open]
        if streams:
            connection.executemany(statement, streams)


def _keep_halts(connection: sqlite3.Connection, transaction: Transaction) -> None:
    for halt in transaction.halts().values():
        connection.execute("DELETE FROM halts WHERE scope=?", (halt.scope,))
        if halt.stands:
            connection.execute("INSERT INTO halts VALUES (?, ?, ?)", (halt.scope, halt.reason, text_of(halt.at)))
