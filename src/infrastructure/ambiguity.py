"""The error for a signal that several contracts match: none of them is guessed."""

from __future__ import annotations

from collections.abc import Iterable

from liveorder.domain.errors import InvalidSymbolError

MOST_NAMED = 10


def ambiguous(symbol: str, candidates: Iterable[str], remedy: str) -> InvalidSymbolError:
    names = sorted(set(candidates))
    more = [f"{len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else []
    return InvalidSymbolError(f"symbol: {symbol} fits several contracts: {', '.join(names[:MOST_NAMED] + more)}; {remedy}")
