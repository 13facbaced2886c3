"""The tables beside the library's `stored_events`. Both databases share one text; differences are filled in.

Statements that run on both databases use `:name` parameters, and only syntax that both understand.
"""

from __future__ import annotations

SCHEMA_VERSION = 3
"""Raised with every change of the tables here; `migrations` has the step from the previous version."""

STORE = """CREATE TABLE store (
        id integer PRIMARY KEY CHECK (id = 1),
        store_id text NOT NULL,
        namespace text NOT NULL,
        default_account text NOT NULL,
        mode text NOT NULL,
        schema_version integer NOT NULL,
        account_ids text NOT NULL,
        created_at text NOT NULL,
        key_version integer NOT NULL,
        former_namespaces text NOT NULL,
        written_versions text NOT NULL)"""
_CLAIM_COLUMNS = """
        signal_id text NOT NULL,
        plan text NOT NULL,
        account_id text NOT NULL,
        namespace text NOT NULL,
        key_version integer NOT NULL,
        client_order_id text NOT NULL UNIQUE,
        order_id text NOT NULL,
        fingerprint text NOT NULL,
        """
CLAIMS = (
    "CREATE TABLE signal_claims (" + _CLAIM_COLUMNS + "PRIMARY KEY (signal_id, plan, account_id, namespace)){clustered}",
    "CREATE TABLE superseded_claims (" + _CLAIM_COLUMNS + "PRIMARY KEY (order_id))",
)
"""The key begins with the signal's id, since a signal without an account is searched on all accounts.

A key's columns come first, because otherwise `PRAGMA integrity_check` of SQLite 3.40 reports a clustered table as damaged.
"""
BROKER_NAMES = """CREATE TABLE broker_names (
        account_id text NOT NULL,
        broker_order_id text NOT NULL,
        order_id text NOT NULL,
        PRIMARY KEY (account_id, broker_order_id, order_id)){clustered}"""
EVENT_SHAPES = "CREATE TABLE event_shapes (shape text NOT NULL PRIMARY KEY){clustered}"
"""The kinds of events in the log, with their fields (`shapes.shape_of`): each is stamped with its first event."""

_TABLES = (
    STORE,
    """CREATE TABLE lease (
        id integer PRIMARY KEY CHECK (id = 1),
        owner text NOT NULL,
        epoch bigint NOT NULL,
        expires_at bigint NOT NULL,
        details text NOT NULL)""",
    "CREATE TABLE risk_position (id integer PRIMARY KEY CHECK (id = 1), position bigint NOT NULL)",
    """CREATE TABLE risk (
        account_id text NOT NULL,
        key text NOT NULL,
        state text NOT NULL,
        PRIMARY KEY (account_id, key)){clustered}""",
    *CLAIMS,
    BROKER_NAMES,
    EVENT_SHAPES,
    "CREATE TABLE open_orders (stream_id {uuid} NOT NULL PRIMARY KEY){clustered}",
    "CREATE TABLE halts (scope text NOT NULL PRIMARY KEY, reason text NOT NULL, at text NOT NULL){clustered}",
    "CREATE TABLE checkpoints (name text NOT NULL PRIMARY KEY, value text NOT NULL){clustered}",
    """CREATE TABLE commands (
        command_id text NOT NULL PRIMARY KEY,
        kind text NOT NULL,
        arguments text NOT NULL,
        actor text NOT NULL,
        created_at text NOT NULL,
        answer text){clustered}""",
    "CREATE INDEX pending_commands ON commands (created_at, command_id) WHERE answer IS NULL",
    "INSERT INTO lease VALUES (1, '', 0, 0, '{{}}')",
    "INSERT INTO risk_position VALUES (1, 0)",
)

TABLES = (
    "stored_events",
    "store",
    "lease",
    "risk_position",
    "risk",
    "signal_claims",
    "superseded_claims",
    "broker_names",
    "event_shapes",
    "open_orders",
    "halts",
    "checkpoints",
    "commands",
)

OPEN_STREAMS = "SELECT p.position, o.stream_id FROM risk_position p LEFT JOIN open_orders o ON 1=1"

ADD_HALT = "INSERT INTO halts VALUES (:scope, :reason, :at) ON CONFLICT DO NOTHING"
PUT_HALT = """INSERT INTO halts VALUES (:scope, :reason, :at)
    ON CONFLICT (scope) DO UPDATE SET reason=excluded.reason, at=excluded.at"""
CHECKPOINT = "SELECT value FROM checkpoints WHERE name=:name"
PUT_CHECKPOINT = "INSERT INTO checkpoints VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value=excluded.value"
PUT_OWN_CHECKPOINT = """INSERT INTO checkpoints SELECT :name, :value FROM lease WHERE epoch=:epoch
    ON CONFLICT (name) DO UPDATE SET value=excluded.value RETURNING name"""
"""Writes nothing for a former owner."""
ADVANCE_OWN_CHECKPOINT = """INSERT INTO checkpoints SELECT :name, :value FROM lease WHERE epoch=:epoch
    ON CONFLICT (name) DO UPDATE SET value=excluded.value
    WHERE CAST(checkpoints.value AS bigint) < CAST(excluded.value AS bigint) RETURNING name"""
"""Advances a position. Writes nothing if it is not beyond the stored one."""
PLACE = "place"
"""The checkpoint in which a store records its place."""
POSITIONS = "positions"
"""The checkpoint that says whose positions are, as of the store's creation; earlier releases wrote none."""


def bookmark_of(application_name: str) -> str:
    """The checkpoint that holds the library's tracking record of an application: how far it has processed a log."""
    return f"tracking:{application_name}"


SMALL_TABLES = ("store", "lease", "risk_position", "risk", "halts", "open_orders")
"""Tables that are cheap to verify at every start."""


def create_statements(uuid: str, clustered: str) -> list[str]:
    """The statements. `uuid` is the column type of stream ids, `clustered` the suffix of a table that is its own primary key."""
    return [created(statement, uuid, clustered) for statement in _TABLES]


def created(statement: str, uuid: str, clustered: str) -> str:
    """One statement in a database's dialect."""
    return statement.format(uuid=uuid, clustered=clustered)
