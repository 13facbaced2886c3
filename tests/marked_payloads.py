"""Payloads of which no two are alike, as of a broker whose client numbers its requests: bytes made anew are other bytes."""

from __future__ import annotations

import json
from dataclasses import replace

from liveorder.application.ports.broker import Prepared

_MADE = "made"


def marked(prepared: Prepared, mark: str) -> Prepared:
    """The same with a mark of its own."""
    return replace(prepared, payload=json.dumps(json.loads(prepared.payload) | {_MADE: mark}))


def unmarked(prepared: Prepared) -> Prepared:
    """As the venue takes it."""
    fields = json.loads(prepared.payload)
    fields.pop(_MADE)
    return replace(prepared, payload=json.dumps(fields))
