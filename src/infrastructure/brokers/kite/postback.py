"""Kite's postbacks: its HTTP notifications of order changes. Once verified, they serve as wake-ups."""

from __future__ import annotations

import hashlib
import hmac
import json

from pydantic import SecretStr

from liveorder.infrastructure.brokers.kite.fields import UNREADABLE


def order_woken(body: bytes, api_secret: SecretStr) -> str | None:
    """The id of the order in the postback. None if the checksum is wrong, so that anybody may have sent it.

    The checksum is the SHA-256 of order id, order timestamp and API secret. It does not cover the other fields, so they are
    ignored.
    """
    try:
        fields = json.loads(body)
        order_id, moment, checksum = (fields[name] for name in ("order_id", "order_timestamp", "checksum"))
        expected = hashlib.sha256(f"{order_id}{moment}{api_secret.get_secret_value()}".encode()).hexdigest()
        is_genuine = hmac.compare_digest(expected.encode(), checksum.encode())
    except UNREADABLE:
        return None
    return str(order_id) if is_genuine else None
