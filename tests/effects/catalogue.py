"""Several instruments of one name: what a signal and the settings say of them decides which one is meant."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from liveorder.domain.signal import UnusableSignal
from tests.effects.observing import Observe, staged
from tests.effects.stage import Stage, a_signal

LISTED: list[dict[str, Any]] = [
    {"symbol": "DUAL", "exchange": exchange, "calendar": "XNYS", "currency": currency, "asset_class": kind}
    for exchange, currency, kind in (("NYSE", "USD", "EQUITY"), ("NSE", "INR", "EQUITY"), ("CRYPTO", "EUR", "CRYPTO"))
] + [
    {"symbol": "DUAL", "exchange": "OPRA", "calendar": "XNYS", "asset_class": "OPTION"}
    | {"expiry": expiry, "strike": strike, "right": right, "currency": "GBP"}
    for expiry in ("2025-04-17", "2025-05-16")
    for strike in ("10", "20")
    for right in ("CALL", "PUT")
]


def found(signal: Mapping[str, Any] | None = None, **tables: Any) -> Observe:
    """The one of several instruments of a name that a signal leads to."""

    async def resolved(played: Stage) -> str:
        try:
            intent, _ = await played.engine.execute.validate(a_signal(symbol="DUAL", **signal or {}))
        except UnusableSignal:
            return "none, or several"
        return intent.instrument.key

    def observe(folder: Path) -> Any:
        catalogue = folder / "catalogue.json"
        catalogue.write_text(json.dumps(LISTED))
        return staged(resolved, {"catalogue_file": str(catalogue)}, **tables)(folder)

    return observe
