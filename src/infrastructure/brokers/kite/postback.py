"""Kite's postbacks: what it sends to an address of ours when something happens to an order. Verified, they are wake-ups too."""

from __future__ import annotations

import hashlib
import hmac
import json

from pydantic import SecretStr

from liveorder.infrastructure.brokers.kite.fields import UNREADABLE


def order_woken(body: bytes, api_secret: SecretStr) -> str | None:
    """The order that the postback is about; None where its checksum is wrong, and it could be anybody's.

    The checksum is the SHA-256 of order id, order timestamp and API secret. It does not cover the rest, which is not read.
    """
    try:
        told = json.loads(body)
        order_id, moment, checksum = (told[name] for name in ("order_id", "order_timestamp", "checksum"))
        expected = hashlib.sha256(f"{order_id}{moment}{api_secret.get_secret_value()}".encode()).hexdigest()
        is_genuine = hmac.compare_digest(expected.encode(), checksum.encode())
    except UNREADABLE:
        return None
    return str(order_id) if is_genuine else None
