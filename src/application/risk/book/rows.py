"""The rows of the risk table: a position for each account and instrument, what its broker may still keep of it as a fee, and a day
for each account and session.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from liveorder.domain.order.facts import decimal_text
from liveorder.domain.values import ZERO

POSITION = "position:"
FEES_DUE = "fees_due:"
DAY = "day:"


def position_key(instrument_key: str) -> str:
    """The row holds `Position.to_json`."""
    return POSITION + instrument_key


def fees_key(instrument_key: str) -> str:
    """The row holds `FeesDue.to_json`; there is none where no fee is taken in kind."""
    return FEES_DUE + instrument_key


def day_key(session: date | str) -> str:
    """The row holds `SessionDay.to_json`."""
    return DAY + str(session)


@dataclass(frozen=True, slots=True)
class SessionDay:
    """What an account did in one session."""

    trades: int = 0
    """Orders that were attempted for the first time."""
    realized_net: Mapping[str, Decimal] = field(default_factory=dict)
    """By currency: earned by what was closed, less all fees."""

    def with_trade(self) -> SessionDay:
        return SessionDay(self.trades + 1, self.realized_net)

    def with_result(self, currency: str, change: Decimal) -> SessionDay:
        """The realised net result moves by `change`."""
        if not change:
            return self
        return SessionDay(self.trades, {**self.realized_net, currency: self.realized_net.get(currency, ZERO) + change})

    def to_json(self) -> str:
        return json.dumps(
            {"trades": self.trades, "realized_net": {key: decimal_text(value) for key, value in self.realized_net.items()}}
        )

    @classmethod
    def from_json(cls, text: str) -> SessionDay:
        fields = json.loads(text)
        return cls(fields["trades"], {key: Decimal(value) for key, value in fields["realized_net"].items()})
