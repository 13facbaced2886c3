"""The tables in PostgreSQL: the library's, ours, and the only function that appends events.

It is a function and not one statement: a statement sees the store as it was before it waited for the writer's lock, while inside a
function each statement takes a new snapshot. It still costs one round trip, including the commit.
"""

from __future__ import annotations

import hashlib
from functools import partial

from eventsourcing.postgres import ConnectionPool, PostgresApplicationRecorder, PostgresDatastore
from psycopg import Connection
from psycopg.rows import DictRow, dict_row
from psycopg.sql import SQL, Composed, Identifier, Literal

from liveorder.infrastructure.eventstore import schema
from liveorder.infrastructure.eventstore.postgres_connection import StoreAddress, configure_reader

TABLE_WORDS = ("uuid", "")
"""The type of stream ids, and the suffix of a table that is its own primary key: none."""
_LIBRARY_READERS = 4


class _Datastore(PostgresDatastore):
    """One schema of a database. Without an address it only provides the table names."""

    def __init__(self, schema_name: str, address: StoreAddress | None = None) -> None:
        super().__init__(dbname="", host="", port="", user="", password="", schema=schema_name)
        if address is not None:
            self.pool = ConnectionPool(
                address.conninfo,
                connection_class=Connection[DictRow],
                kwargs={"row_factory": dict_row},
                min_size=0,
                max_size=_LIBRARY_READERS,
                open=False,
                configure=partial(configure_reader, schema_name=schema_name),
                check=ConnectionPool.check_connection,
                timeout=10.0,
            )

    def register_type_adapters(self) -> None:
        """The library's composite type is needed only for its own way of writing."""


class PostgresEventRecorder(PostgresApplicationRecorder):
    """The library's table and index, without its own way to write (a composite type and a function)."""

    def __init__(self, datastore: PostgresDatastore) -> None:
        super().__init__(datastore)
        wanted = ("CREATE TABLE", "CREATE UNIQUE INDEX")
        self.sql_create_statements = [each for each in self.sql_create_statements if each.as_string().startswith(wanted)]


def library_reader(address: StoreAddress) -> PostgresEventRecorder:
    """The library's recorder on blocking connections that cannot write."""
    return PostgresEventRecorder(_Datastore(address.schema_name, address))


def lock_key(schema_name: str) -> int:
    """The key of the advisory lock that serializes a store's transactions. Advisory locks are per database."""
    return int.from_bytes(hashlib.sha256(f"liveorder:{schema_name}".encode()).digest()[:8], signed=True)


def create_statements(schema_name: str) -> list[SQL | Composed]:
    own = [SQL(statement) for statement in schema.create_statements(*TABLE_WORDS)]
    return [*PostgresEventRecorder(_Datastore(schema_name)).sql_create_statements, *own, append_function(schema_name)]


def append_function(schema_name: str) -> Composed:
    return _APPEND.format(schema=Identifier(schema_name), key=Literal(lock_key(schema_name)))


_APPEND = SQL(
    """
CREATE FUNCTION {schema}.append_events(
    my_epoch bigint, known_head bigint,
    streams uuid[], versions bigint[], topics text[], states bytea[],
    not_halted text[],
    risk_accounts text[], risk_keys text[], risk_states text[],
    known_signals text[], known_plans text[], known_accounts text[], known_ids text[], dead_letters uuid[],
    claim_signals text[], claim_plans text[], claim_accounts text[], claim_namespaces text[], claim_versions int[],
    claim_ids text[], claim_orders text[], claim_fingerprints text[],
    new_shapes text[],
    named_accounts text[], named_ids text[], named_orders text[],
    opened uuid[], closed uuid[],
    ended_halts text[], halt_scopes text[], halt_reasons text[], halt_times text[]
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    head bigint;
BEGIN
    PERFORM pg_advisory_xact_lock({key});
    IF (SELECT l.epoch FROM {schema}.lease l) <> my_epoch THEN
        RETURN 'lease lost';
    END IF;
    SELECT coalesce(max(e.notification_id), 0) INTO head FROM {schema}.stored_events e;
    IF head <> known_head
        OR EXISTS (SELECT FROM {schema}.halts h WHERE h.scope = ANY(not_halted))
        OR cardinality(known_signals) > 0 AND (
            EXISTS (
                SELECT FROM unnest(known_signals, known_plans, known_accounts) AS n(signal, plan, account)
                JOIN {schema}.signal_claims c ON c.signal_id = n.signal AND c.plan = n.plan
                WHERE n.account IS NULL OR c.account_id = n.account)
            OR EXISTS (SELECT FROM {schema}.signal_claims c WHERE c.client_order_id = ANY(known_ids))
            OR EXISTS (SELECT FROM {schema}.stored_events e WHERE e.originator_id = ANY(dead_letters)))
        OR EXISTS (
            SELECT FROM unnest(streams, versions) AS n(stream, version) GROUP BY n.stream
            HAVING max(n.version) - min(n.version) + 1 <> count(*)
                OR min(n.version) - 1 <> coalesce(
                    (SELECT max(e.originator_version) FROM {schema}.stored_events e WHERE e.originator_id = n.stream), 0))
    THEN
        RETURN 'refused';
    END IF;
    INSERT INTO {schema}.stored_events (originator_id, originator_version, topic, state, notification_id)
        SELECT n.stream, n.version, n.topic, n.state, head + n.place
        FROM unnest(streams, versions, topics, states) WITH ORDINALITY AS n(stream, version, topic, state, place);
    UPDATE {schema}.risk_position SET position = head + cardinality(streams);
    IF cardinality(risk_accounts) > 0 THEN
        INSERT INTO {schema}.risk SELECT * FROM unnest(risk_accounts, risk_keys, risk_states)
            ON CONFLICT (account_id, key) DO UPDATE SET state = excluded.state;
    END IF;
    IF cardinality(claim_ids) > 0 THEN
        INSERT INTO {schema}.signal_claims
            SELECT * FROM unnest(
                claim_signals, claim_plans, claim_accounts, claim_namespaces, claim_versions, claim_ids, claim_orders,
                claim_fingerprints);
    END IF;
    IF cardinality(new_shapes) > 0 THEN
        INSERT INTO {schema}.event_shapes SELECT unnest(new_shapes) ON CONFLICT DO NOTHING;
    END IF;
    IF cardinality(named_ids) > 0 THEN
        INSERT INTO {schema}.broker_names SELECT * FROM unnest(named_accounts, named_ids, named_orders) ON CONFLICT DO NOTHING;
    END IF;
    IF cardinality(opened) > 0 THEN
        INSERT INTO {schema}.open_orders SELECT unnest(opened) ON CONFLICT DO NOTHING;
    END IF;
    IF cardinality(closed) > 0 THEN
        DELETE FROM {schema}.open_orders o WHERE o.stream_id = ANY(closed);
    END IF;
    IF cardinality(ended_halts) > 0 THEN
        DELETE FROM {schema}.halts h WHERE h.scope = ANY(ended_halts);
    END IF;
    IF cardinality(halt_scopes) > 0 THEN
        INSERT INTO {schema}.halts SELECT * FROM unnest(halt_scopes, halt_reasons, halt_times)
            ON CONFLICT (scope) DO UPDATE SET reason = excluded.reason, at = excluded.at;
    END IF;
    RETURN 'stored';
END
$$
"""
)
