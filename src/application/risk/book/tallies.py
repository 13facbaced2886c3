"""What a strategy did in one instrument of its account: by session, and the orders that were sent last.

The sum over its instruments is a strategy's figure, that over all strategies a symbol's. Limits by strategy and by symbol are
measured by these, and whether an order comes again too soon (ADR 59).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from uuid import UUID

from liveorder.application.risk.book.rows import SessionDay
from liveorder.domain.risk import SentOrder

TALLY = "tally:"
OF_NO_STRATEGY = ""
"""In place of a strategy: what the account earned because its strategies held against each other."""
SESSIONS_KEPT = 3
"""The newest: exchanges whose dates differ meet in one strategy, each instrument keeps to the dates of its own."""


@lru_cache(4096)
def tally_key(strategy_name: str, instrument_key: str) -> str:
    """The row holds `Tally.to_json`."""
    return TALLY + json.dumps([strategy_name, instrument_key])


@lru_cache(4096)
def tallied(key: str) -> tuple[str, str]:
    """Strategy and instrument of the row `key`."""
    strategy_name, instrument_key = json.loads(key.removeprefix(TALLY))
    return strategy_name, instrument_key


@dataclass(frozen=True, slots=True)
class Tally:
    days: Mapping[date, SessionDay] = field(default_factory=dict)
    last: Mapping[str, SentOrder] = field(default_factory=dict)
    """By `likeness`: the newest order."""

    def day(self, session: date) -> SessionDay:
        return self.days.get(session, SessionDay())

    def with_trade(self, session: date, likeness: str, sent: SentOrder) -> Tally:
        known = self.last.get(likeness)
        newest = sent if known is None or sent.requested_at >= known.requested_at else known
        return Tally(self._with(session, self.day(session).with_trade()), {**self.last, likeness: newest})

    def with_result(self, session: date, currency: str, change: Decimal) -> Tally:
        return Tally(self._with(session, self.day(session).with_result(currency, change)), self.last)

    def _with(self, session: date, day: SessionDay) -> Mapping[date, SessionDay]:
        days = {**self.days, session: day}
        return {each: days[each] for each in sorted(days)[-SESSIONS_KEPT:]}

    def to_json(self) -> str:
        days = {session.isoformat(): json.loads(day.to_json()) for session, day in self.days.items()}
        last = {likeness: [str(sent.order_id), sent.requested_at.isoformat()] for likeness, sent in self.last.items()}
        return json.dumps({"days": days, "last": last})

    @classmethod
    def from_json(cls, text: str) -> Tally:
        fields = json.loads(text)
        return cls(
            {date.fromisoformat(session): SessionDay.from_json(json.dumps(day)) for session, day in fields["days"].items()},
            {name: SentOrder(UUID(order_id), datetime.fromisoformat(at)) for name, (order_id, at) in fields["last"].items()},
        )


class Tallies:
    """Those of one account, as the store has them; each is read when it is first needed."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str | Tally] = {}

    def absorb(self, row_key: str, state: str) -> None:
        self._known[tallied(row_key)] = state

    def items(self) -> Iterator[tuple[tuple[str, str], Tally]]:
        """By strategy and instrument."""
        for whose in self._known:
            yield whose, self.of(*whose)

    def of(self, strategy_name: str, instrument_key: str) -> Tally:
        known = self._known.get((strategy_name, instrument_key))
        if isinstance(known, str):
            known = self._known[strategy_name, instrument_key] = Tally.from_json(known)
        return known or Tally()
