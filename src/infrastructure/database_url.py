"""Database URLs: their grammar, their parts, and how they are shown.

Nothing else parses such a URL; PostgreSQL's client is imported only for one of PostgreSQL. One that does not follow the grammar is
refused and never shown, because nobody can say where its password ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote

from pydantic import SecretStr

from liveorder.domain.errors import SettingsError
from liveorder.infrastructure.secrecy import MASK

DEFAULT_SCHEMA = "liveorder"
DEFAULT_PORT = "5432"

_HOST = r"(?:\[[\w.:%]+\]|[^\s:/?#@\[\],=]*)(?::\d*)?"
_PAIR = r"[a-z_]+=[^\s&=#@]*"
_POSTGRES = re.compile(
    r"(?P<scheme>postgres(?:ql)?)://"
    r"(?:(?P<user>[^\s:/?#@]*)(?::(?P<password>[^\s/?@]*))?@)?"
    rf"(?P<hosts>{_HOST}(?:,{_HOST})*)"
    r"(?:/(?P<database>[^\s/?#@]*))?"
    rf"(?:\?(?P<query>{_PAIR}(?:&{_PAIR})*))?"
)
_SQLITE = re.compile(r"sqlite:///(?!(?s:.*:.*@))(?P<path>[^?#\0]+)")
"""Refuses a colon before an @: that is a password after one slash too many."""
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})|%00")
_SHOWN = frozenset({"application_name", "connect_timeout", "host", "hostaddr", "port", "schema", "sslmode", "target_session_attrs"})
"""Parameters that hold no secret. All others are masked."""
_DEFAULTS = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "tcp_user_timeout": "30000",
    "target_session_attrs": "primary",
}
NOT_SHOWN = "this is not a database URL, and is not shown here, because it may contain a password"
HOW_TO_WRITE = (
    "write sqlite:///FILE, sqlite:////ABSOLUTE/FILE or postgresql://USER:PASSWORD@HOST:PORT/DATABASE?schema=NAME, and in its parts "
    "%2F for /, %40 for @, %3F for ?, %23 for #, %26 for &, %3D for =, %25 for % and %20 for a space"
)


@dataclass(frozen=True, slots=True)
class SqliteUrl:
    """`path` is relative after three slashes, absolute after four."""

    path: Path

    def __str__(self) -> str:
        return f"sqlite:///{self.path}"


@dataclass(frozen=True, slots=True)
class PostgresUrl:
    """One database, possibly at several hosts, and a schema in it. Its text contains no secret."""

    schema_name: str
    secrets: tuple[SecretStr, ...]
    _shown: str = field(repr=False)
    _conninfo: str = field(repr=False)

    def __str__(self) -> str:
        return self._shown

    def conninfo(self, application_name: str) -> str:
        """The connection string for libpq, including secrets. Options that the URL leaves open get the defaults that a store
        needs.
        """
        from psycopg.conninfo import conninfo_to_dict, make_conninfo

        given = conninfo_to_dict(self._conninfo)
        defaults = {"application_name": application_name} | _DEFAULTS
        return make_conninfo(self._conninfo, **{name: value for name, value in defaults.items() if name not in given})

    @property
    def place(self) -> str:
        """Servers, database and schema, without secrets. The same for every spelling, as far as that is visible here.

        Options that the URL leaves open are libpq's defaults, including those from the environment.
        """
        from psycopg.conninfo import conninfo_to_dict

        given = _libpq_defaults() | conninfo_to_dict(self._conninfo)
        hosts = str(given.get("hostaddr") or given.get("host") or "").lower().split(",")
        ports = str(given.get("port") or "").split(",")
        of_each = ports * len(hosts) if len(ports) == 1 else ports
        servers = sorted({f"{host}:{port or DEFAULT_PORT}" for host, port in zip(hosts, of_each, strict=False)})
        return "\n".join([",".join(servers), str(given.get("dbname") or given.get("user") or ""), self.schema_name])


def _libpq_defaults() -> dict[str, str]:
    from psycopg.pq import Conninfo

    return {option.keyword.decode(): option.val.decode() for option in Conninfo.get_defaults() if option.val is not None}


DatabaseUrl: TypeAlias = SqliteUrl | PostgresUrl


def database_url(text: str) -> DatabaseUrl:
    """Parse a URL. Raises `SettingsError`, whose message gives the grammar and does not quote the text."""
    found = _sqlite(text) or _postgres(text)
    if found is None:
        raise SettingsError(f"{NOT_SHOWN}; {HOW_TO_WRITE}")
    return found


def _sqlite(text: str) -> SqliteUrl | None:
    parts = _SQLITE.fullmatch(text)
    path = unquote(parts["path"]) if parts is not None else ""
    return SqliteUrl(Path(path)) if path and "\0" not in path else None


def _postgres(text: str) -> PostgresUrl | None:
    parts = _POSTGRES.fullmatch(text)
    if parts is None or _BAD_PERCENT.search(text) is not None:
        return None
    pairs = [pair.partition("=")[::2] for pair in (parts["query"] or "").split("&") if pair]
    schema_name = next((unquote(value) for name, value in reversed(pairs) if name == "schema"), DEFAULT_SCHEMA)
    conninfo = _understood_by_libpq(parts, [pair for pair in pairs if pair[0] != "schema"])
    if conninfo is None:
        return None
    hidden = [parts["password"] or "", *(value for name, value in pairs if name not in _SHOWN)]
    secrets = {secret for value in hidden if value for secret in (value, unquote(value))}
    masked = [(name, value if name in _SHOWN else MASK) for name, value in pairs]
    return PostgresUrl(
        schema_name, tuple(map(SecretStr, sorted(secrets))), _joined(parts, masked, parts["password"] and MASK), conninfo
    )


def _understood_by_libpq(parts: re.Match[str], pairs: list[tuple[str, str]]) -> str | None:
    """The connection string, or None if libpq refuses it. Libpq's message may quote a password, so it is dropped."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import make_conninfo

    try:
        return make_conninfo(_joined(parts, pairs, parts["password"]))
    except ProgrammingError:
        return None


def _joined(parts: re.Match[str], pairs: list[tuple[str, str]], password: str | None) -> str:
    credentials = f"{parts['user']}:{password}" if password else parts["user"]
    user = f"{credentials}@" if credentials is not None else ""
    database = f"/{parts['database']}" if parts["database"] is not None else ""
    query = "?" + "&".join(f"{name}={value}" for name, value in pairs) if pairs else ""
    return f"{parts['scheme']}://{user}{parts['hosts']}{database}{query}"
