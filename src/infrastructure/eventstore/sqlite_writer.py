"""The only SQLite connection that writes. Everything here blocks; the caller decides where it may run.

After any error the connection is discarded, so that no half-open transaction remains, and the next call opens a new one.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

from liveorder.application.ports.order_store import LedgerRow
from liveorder.domain.claim import IdempotencyClaim, Recognition
from liveorder.domain.errors import LeaseLost, StoreError, StoreUnavailable
from liveorder.infrastructure.eventstore.claim_rows import claim_of, row_of
from liveorder.infrastructure.eventstore.database import Row, T, Values
from liveorder.infrastructure.eventstore.moments import text_of
from liveorder.infrastructure.eventstore.schema import CHECKPOINT, PUT_CHECKPOINT, bookmark_of
from liveorder.infrastructure.eventstore.sqlite_recorder import uri_of
from liveorder.infrastructure.eventstore.transaction import (
    EncodedCommit,
    NotStored,
    Seen,
    Stored,
    Transaction,
    judge,
    overlapping,
    place_of,
)

Connect = Callable[[Path, float], sqlite3.Connection]
"""Opens a connection, given the path and the maximum wait in seconds for another process's lock."""

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
    EXISTS (SELECT 1 FROM json_each(?) AS n JOIN signal_claims c ON c.signal_id=json_extract(n.value, '$[0]')
        WHERE c.plan=json_extract(n.value, '$[1]')
            AND (json_extract(n.value, '$[2]') IS NULL OR c.account_id=json_extract(n.value, '$[2]'))),
    EXISTS (SELECT 1 FROM json_each(?) AS n JOIN signal_claims c ON c.client_order_id=n.value),
    EXISTS (SELECT 1 FROM json_each(?) AS n JOIN stored_events e ON e.originator_id=n.value)
    FROM lease"""


_CLAIMS = """SELECT * FROM signal_claims WHERE signal_id IN (SELECT value FROM json_each(?))
    UNION SELECT * FROM signal_claims WHERE client_order_id IN (SELECT value FROM json_each(?))"""


def connect(path: Path, busy_timeout_seconds: float) -> sqlite3.Connection:
    return sqlite3.connect(uri_of(path), uri=True, timeout=busy_timeout_seconds, isolation_level=None, check_same_thread=False)


_PUT_CLAIM = "INSERT INTO signal_claims VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_INDEX_CHANGES = (
    (True, "INSERT INTO open_orders VALUES (?) ON CONFLICT DO NOTHING"),
    (False, "DELETE FROM open_orders WHERE stream_id=?"),
)


class _CommitUnanswered(Exception):
    """COMMIT raised an error: the transaction may or may not be stored."""


class SQLiteWriter:
    """Not thread-safe."""

    def __init__(self, path: Path, busy_timeout_seconds: float, connect: Connect = connect) -> None:
        self._path = path
        self._busy_timeout_seconds = busy_timeout_seconds
        self._connect = connect
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        """The last connection to close merges the write-ahead log into the file."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def write(self, statement: str, values: Values) -> list[Row]:
        return self.change(lambda connection: connection.execute(statement, dict(values)).fetchall())

    def change(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in its own transaction."""
        try:
            with self._transaction() as connection:
                return work(connection)
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
        """Read back whether the transaction was stored, on a new connection and under the writer's lock, so that nothing is still
        in progress.
        """
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
    """Whether the transaction can be stored, by one statement. If False, `_objections` has to look closer. Raises `LeaseLost`."""
    streams = {stream_id.hex: first - 1 for each in transaction.drafts for stream_id, first in each.streams.items()}
    recognitions = [claiming.known_by for claiming in transaction.claimings]
    signals = [(known.signal_id, known.plan, known.account_id) for known in recognitions]
    client_ids = [each for known in recognitions for each in known.client_order_ids]
    dead_letters = [stream_id.hex for stream_id in transaction.dead_letters()]
    row = connection.execute(_STANDING, [*map(json.dumps, (streams, signals, client_ids, dead_letters))]).fetchone()
    epoch, head, *objections = row
    if epoch != transaction.epoch:
        raise LeaseLost(f"the store belongs to epoch {epoch} now, but this process has epoch {transaction.epoch}")
    is_plain = len(streams) == sum(len(each.streams) for each in transaction.drafts)
    is_plain = is_plain and not transaction.halts() and not transaction.trackings()
    return is_plain and head == transaction.head and not any(objections)


def _objections(connection: sqlite3.Connection, transaction: Transaction) -> NotStored | None:
    (head,) = connection.execute("SELECT coalesce(MAX(rowid), 0) FROM stored_events").fetchone()
    refused, found = judge(transaction, _seen(connection, transaction))
    if refused or found or head != transaction.head:
        return NotStored(head, _ledger_rows(connection), refused, found)
    return None


def _seen(connection: sqlite3.Connection, transaction: Transaction) -> Seen:
    streams = {*(stream_id for each in transaction.drafts for stream_id in each.streams), *transaction.dead_letters()}
    last_versions = {stream_id: _last_version(connection, stream_id) for stream_id in streams}
    return Seen(
        last_versions=last_versions,
        claims=_known_claims(connection, [claiming.known_by for claiming in transaction.claimings]),
        halted=frozenset(_halted(connection)) if transaction.scopes() else frozenset(),
        events=_stored_events(connection, overlapping(transaction.drafts, last_versions)),
        tracked=_tracked(connection, transaction),
    )


def _tracked(connection: sqlite3.Connection, transaction: Transaction) -> dict[str, int]:
    found = {}
    for tracking in transaction.trackings():
        row = connection.execute(CHECKPOINT, {"name": bookmark_of(tracking.application_name)}).fetchone()
        if row is not None:
            found[tracking.application_name] = int(row[0])
    return found


def _last_version(connection: sqlite3.Connection, stream_id: UUID) -> int:
    statement = "SELECT coalesce(MAX(originator_version), 0) FROM stored_events WHERE originator_id=?"
    (version,) = connection.execute(statement, (stream_id.hex,)).fetchone()
    return int(version)


def _known_claims(connection: sqlite3.Connection, recognitions: Sequence[Recognition]) -> list[IdempotencyClaim]:
    signals = json.dumps([known.signal_id for known in recognitions])
    client_ids = json.dumps([each for known in recognitions for each in known.client_order_ids])
    return [claim_of(row) for row in connection.execute(_CLAIMS, (signals, client_ids))]


def _halted(connection: sqlite3.Connection) -> Iterator[str]:
    return (scope for (scope,) in connection.execute("SELECT scope FROM halts"))


def _stored_events(
    connection: sqlite3.Connection, drafts: Sequence[EncodedCommit]
) -> dict[tuple[UUID, int], tuple[int, str, bytes]]:
    statement = "SELECT rowid, topic, state FROM stored_events WHERE originator_id=? AND originator_version=?"
    found = {}
    for stream_id, version in (place_of(event) for each in drafts for event in each.events):
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
        connection.executemany(_PUT_CLAIM, [row_of(claim) for claim in claims])
    if names := transaction.names():
        named = [(name.account_id, name.broker_order_id, str(name.order_id)) for name in names]
        connection.executemany("INSERT INTO broker_names VALUES (?, ?, ?) ON CONFLICT DO NOTHING", named)
    if shapes := transaction.shapes():
        connection.executemany("INSERT INTO event_shapes VALUES (?) ON CONFLICT DO NOTHING", [(shape,) for shape in shapes])
    _keep_open_orders(connection, transaction)
    _keep_halts(connection, transaction)
    for tracking in transaction.trackings():
        kept = {"name": bookmark_of(tracking.application_name), "value": str(tracking.notification_id)}
        connection.execute(PUT_CHECKPOINT, kept)


def _insert_events(connection: sqlite3.Connection, transaction: Transaction) -> int:
    """Insert the events and return the new head. Positions are explicit: the next ones, without gaps."""
    rows = [
        (position, event.originator_id.hex, event.originator_version, event.topic, event.state)  # type: ignore[union-attr]  # UUIDs
        for position, event in enumerate(transaction.events(), start=transaction.head + 1)
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
