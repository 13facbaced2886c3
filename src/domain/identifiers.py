"""Ids that are the same after every crash, because they are derived and not drawn.

`client_order_id` is what makes a resend recognisable: twenty characters of base32 fit Kite's tag (at most 20 alphanumerics),
Alpaca's `client_order_id` and IB's `orderRef`. The first four mark namespace and account, so that a store tells an order that it
has forgotten from one of another instance on the same account; the others are of the signal key. The store keeps the id of each
order (`claim`): it is derived once, for a signal that is new.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal
from functools import lru_cache
from json.encoder import encode_basestring as _quoted
from typing import Any, NewType
from uuid import UUID, SafeUUID, uuid5

from msgspec import Struct

OrderId = NewType("OrderId", UUID)
ClientOrderId = NewType("ClientOrderId", str)
RequestId = NewType("RequestId", str)

KEY_VERSIONS = (0, 1)
"""Every derivation of a client order id that ever wrote a store: 0 until commit 472a3ea, 1 from 0288cbd on."""
NEWEST_KEY_VERSION = KEY_VERSIONS[-1]
CLIENT_ORDER_ID_LENGTH = 20
SECOND_LEG = ":opens"
"""Behind the id of a signal that turns a position round: the id of what opens the other side. Nobody's signal may end in it."""
MADE_HERE = r"flatten-[0-9]{4}-[0-9]{2}-[0-9]{2}-|adopted-(order|position)-"
"""How other ids begin that follow from what they are for. Nobody's signal may begin so: it would take the place of a closing order
or of an adoption.
"""
_HASHED_BYTES = 15
"""Of a hash, as many as 24 characters of base32 need: whole groups, so that they are the same as of all of it."""
_MARK_LENGTH = 4
_FORM = re.compile(rf"[A-Z2-7]{{{CLIENT_ORDER_ID_LENGTH}}}")
_EXACT = Context(prec=28)
"""Of its own: an embedding program's decimal context must not change ids. No signal has a longer number."""
_CANONICAL_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_new, _set = object.__new__, object.__setattr__
_STREAMS = UUID("5b0c6f0e-6a52-5c58-9c1c-5f2b0e4d7a11")


class SignalKey(Struct, frozen=True):
    """A signal's identity: one key, at most one order, for ever. Its text never changes."""

    namespace: str
    account_id: str
    signal_id: str
    leg: int = 0

    @property
    def text(self) -> str:
        """Unambiguous: a JSON list, which quotes whatever the parts contain."""
        return f'["v1", {_quoted(self.namespace)}, {_quoted(self.account_id)}, {_quoted(self.signal_id)}, {self.leg}]'

    @property
    def client_order_id(self) -> ClientOrderId:
        """As the newest key version derives it."""
        return self.derived(NEWEST_KEY_VERSION)

    def derived(self, key_version: int) -> ClientOrderId:
        """The client order id of this key. Version 0 has no mark."""
        return _derived(self, key_version)


@lru_cache(maxsize=4096)
def _derived(key: SignalKey, key_version: int) -> ClientOrderId:
    """Asked for several times while a signal becomes an order."""
    mark = mark_of(key.namespace, key.account_id) if key_version else ""
    return ClientOrderId(mark + _digits(key)[: CLIENT_ORDER_ID_LENGTH - len(mark)])


@lru_cache(maxsize=4096)
def _digits(key: SignalKey) -> str:
    """The part of it that is of the signal, in every version."""
    return _base32(key.text)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """How one store names its orders to brokers.

    A store keeps the key version that it was created with. `former_namespaces` and `written_versions` are what earlier releases
    wrote into it beside that, by a changed setting or an upgrade.
    """

    namespace: str
    key_version: int = NEWEST_KEY_VERSION
    former_namespaces: tuple[str, ...] = ()
    written_versions: tuple[int, ...] = (NEWEST_KEY_VERSION,)

    def key(self, account_id: str, signal_id: str) -> SignalKey:
        return SignalKey(self.namespace, account_id, signal_id)

    def client_order_id(self, account_id: str, signal_id: str) -> ClientOrderId:
        """Under which a new order of this signal goes out."""
        return self.key(account_id, signal_id).derived(self.key_version)

    def possible_ids(self, account_id: str, signal_id: str) -> tuple[ClientOrderId, ...]:
        """Every client order id that any release could have given the signal's order, the one of a new order first."""
        versions = (self.key_version, *(each for each in KEY_VERSIONS if each != self.key_version))
        keys = [SignalKey(namespace, account_id, signal_id) for namespace in (self.namespace, *self.former_namespaces)]
        return tuple(key.derived(version) for key in keys for version in versions)

    def version_of(self, client_order_id: str, account_id: str, signal_id: str) -> int:
        """The key version that derives this id from the signal; the store's own where none does, as of an adopted order."""
        key = self.key(account_id, signal_id)
        return next((version for version in KEY_VERSIONS if key.derived(version) == client_order_id), self.key_version)

    def is_ours(self, client_order_id: str | None, account_id: str) -> bool:
        """Whether this store, or a copy of it, may have made it from a signal of this account.

        Version 0 bears no mark: a store that used it must take every id of this form for one of its own.
        """
        if client_order_id is None or _FORM.fullmatch(client_order_id) is None:
            return False
        marks = (mark_of(namespace, account_id) for namespace in (self.namespace, *self.former_namespaces))
        return 0 in self.written_versions or any(client_order_id.startswith(mark) for mark in marks)


@lru_cache(maxsize=256)
def mark_of(namespace: str, account_id: str) -> str:
    """How every client order id of this namespace and account begins. Two of them begin alike once in a million."""
    return _base32(json.dumps(["v1", namespace, account_id], ensure_ascii=False))[:_MARK_LENGTH]


def _base32(text: str) -> str:
    """Of its hash, as many characters as an id has at most."""
    return base64.b32encode(hashlib.sha256(text.encode()).digest()[:_HASHED_BYTES]).decode()


def fingerprint(fields: dict[str, Any]) -> str:
    """SHA-256 over the canonical form: sorted keys, numbers normalised, so that ``75.0`` and ``75`` are the same content."""
    canonical = _CANONICAL_JSON.encode(_canonical(fields))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _canonical(value: Any) -> Any:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float | Decimal):
        number = value if isinstance(value, Decimal) else Decimal(str(value))
        return f"n:{number.normalize(_EXACT):f}" if number else "n:0"
    if isinstance(value, dict):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)


def stream_id(kind: str, *parts: str) -> UUID:
    """Id of a stream that is named rather than born: the halt of an account, a dead letter, an unmatched report."""
    return uuid5(_STREAMS, json.dumps([kind, *parts], ensure_ascii=False))


def uuid7(at: datetime, random_bits: int) -> UUID:
    """RFC 9562 version 7: milliseconds since 1970, then 74 random bits. Time order keeps the log's index warm."""
    milliseconds = int(at.timestamp() * 1000) & ((1 << 48) - 1)
    value = milliseconds << 80 | 0x7 << 76 | (random_bits >> 62 & 0xFFF) << 64 | 0b10 << 62 | random_bits & ((1 << 62) - 1)
    made = _new(UUID)  # its constructor looks at six ways to give a value, which takes as long as the rest
    _set(made, "int", value)
    _set(made, "is_safe", SafeUUID.unknown)
    return made
