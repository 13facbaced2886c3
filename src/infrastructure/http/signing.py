"""Signed requests: HMAC-SHA256 of `timestamp.nonce.body` under the secret, in three headers."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass

from multidict import CIMultiDictProxy
from pydantic import SecretStr

TIMESTAMP, NONCE, SIGNATURE = "X-Liveorder-Timestamp", "X-Liveorder-Nonce", "X-Liveorder-Signature"
VALID_SECONDS = 300
"""So far may the timestamp be from our clock, either way."""

_FORMS = {
    TIMESTAMP: re.compile(r"\d{1,12}", re.ASCII),
    NONCE: re.compile(r"[A-Za-z0-9_-]{8,128}"),
    SIGNATURE: re.compile(r"[0-9A-Fa-f]{64}"),
}


class NotSigned(Exception):
    """`error`: a short word for programs; the text: for people."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error = error


@dataclass(frozen=True, slots=True)
class SignedHeaders:
    """What the headers say; whether it is true shows with the body."""

    timestamp: int
    """Seconds since the epoch."""
    nonce: str
    signature: str

    @classmethod
    def of(cls, headers: CIMultiDictProxy[str], now: float) -> SignedHeaders:
        """`now`: seconds since the epoch. Raises `NotSigned` for headers that are missing, malformed, repeated or stale."""
        values = [headers.getall(name, []) for name in _FORMS]
        for (name, form), value in zip(_FORMS.items(), values, strict=True):
            if len(value) != 1 or form.fullmatch(value[0]) is None:
                raise NotSigned("unsigned", f"{name} is missing or not of the form {form.pattern}")
        (timestamp,), (nonce,), (signature,) = values
        if abs(now - int(timestamp)) > VALID_SECONDS:
            raise NotSigned("stale", f"{TIMESTAMP} is more than {VALID_SECONDS} s from this clock; sign it anew")
        return cls(int(timestamp), nonce, signature)

    @property
    def valid_until(self) -> int:
        """Seconds since the epoch."""
        return self.timestamp + VALID_SECONDS

    def check(self, body: bytes, secret: SecretStr) -> None:
        """Compares in constant time. Raises `NotSigned`."""
        signed = f"{self.timestamp}.{self.nonce}.".encode() + body
        expected = hmac.new(secret.get_secret_value().encode(), signed, hashlib.sha256).digest()
        if not hmac.compare_digest(expected, bytes.fromhex(self.signature)):
            raise NotSigned("bad_signature", f"{SIGNATURE} does not belong to this timestamp, nonce and body under our secret")
