"""What a strategy did in one instrument of its account: by session, and the orders that were sent last.

The sum over its instruments is a strategy's figure, that over all strategies a symbol's. Limits by strategy and by symbol are
measured by these, and whether an order comes again too soon (ADR 59).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from uuid import UUID

import msgspec
from msgspec import Struct, field

from liveorder.application.risk.book.rows import SessionDay
from liveorder.domain.risk import SentOrder

TALLY = "tally:"
OF_NO_STRATEGY = ""
"""In place of a strategy: what the account earned because its strategies held against each other."""
NO_TRADES = SessionDay()
SESSIONS_KEPT = 3
"""The newest: exchanges whose dates differ meet in one strategy, each instrument keeps to the dates of its own."""


@lru_cache(4096)
def tally_key(strategy_name: str, instrument_key: str) -> str:
    """The row holds `StrategyTally.to_json`."""
    return TALLY + json.dumps([strategy_name, instrument_key])


@lru_cache(4096)
def tallied(key: str) -> tuple[str, str]:
    """Strategy and instrument of the row `key`."""
    strategy_name, instrument_key = json.loads(key.removeprefix(TALLY))
    return strategy_name, instrument_key


class StrategyTally(Struct, frozen=True):
    """Sessions, and what `last` says of an order, are texts: of most of them nobody ever asks."""

    days: Mapping[str, SessionDay] = field(default_factory=dict)
    last: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """By `likeness`: id and time of the newest order."""

    def day(self, session: date) -> SessionDay:
        return self.days.get(session.isoformat(), NO_TRADES)

    def last_alike(self, alike: str) -> SentOrder | None:
        if (known := self.last.get(alike)) is None:
            return None
        order_id, at = known
        return SentOrder(UUID(order_id), datetime.fromisoformat(at))

    def with_trade(self, session: str, alike: str, order_id: str, at: str) -> StrategyTally:
        """`at`: ISO-8601 in UTC."""
        day = self.days.get(session, NO_TRADES).with_trade()
        is_newest = alike not in self.last or at >= self.last[alike][1]
        return StrategyTally(self._with(session, day), {**self.last, alike: (order_id, at)} if is_newest else self.last)

    def with_result(self, session: str, currency: str, change: Decimal) -> StrategyTally:
        return StrategyTally(self._with(session, self.days.get(session, NO_TRADES).with_result(currency, change)), self.last)

    def _with(self, session: str, day: SessionDay) -> Mapping[str, SessionDay]:
        days = {**self.days, session: day}
        return days if len(days) <= SESSIONS_KEPT else {each: days[each] for each in sorted(days)[-SESSIONS_KEPT:]}

    def to_json(self) -> str:
        days = {session: day.to_dict() for session, day in self.days.items()}
        return msgspec.json.encode({"days": days, "last": self.last}).decode()

    @classmethod
    def from_json(cls, text: str) -> StrategyTally:
        fields = msgspec.json.decode(text)
        days = {session: SessionDay.from_dict(day) for session, day in fields["days"].items()}
        return cls(days, {alike: (order_id, at) for alike, (order_id, at) in fields["last"].items()})


class Tallies:
    """Those of one account, as the store has them; each is read when it is first needed."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str | StrategyTally] = {}

    def absorb(self, row_key: str, state: str) -> None:
        self._known[tallied(row_key)] = state

    def items(self) -> Iterator[tuple[tuple[str, str], StrategyTally]]:
        """By strategy and instrument."""
        for whose in self._known:
            yield whose, self.of(*whose)

    def of(self, strategy_name: str, instrument_key: str) -> StrategyTally:
        known = self._known.get((strategy_name, instrument_key))
        if isinstance(known, str):
            known = self._known[strategy_name, instrument_key] = StrategyTally.from_json(known)
        return known or StrategyTally()
