"""The rows of the risk table: a position for each account, strategy and contract, the pages of fills that made it, what the broker
may still keep of an instrument as a fee, and a day for each account and session.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from msgspec import Struct, field

from liveorder.domain.order.events import decimal_text
from liveorder.domain.position_booking import HoldingKey
from liveorder.domain.values import ZERO

POSITION = "position:"
FILLS = "fills:"
FEES_DUE = "fees_due:"
DAY = "day:"
TO_REBOOK = "to_rebook"
"""Of no account: the positions are still to be booked from the log, where the row holds anything. A migration puts it there."""


@lru_cache(4096)
def position_key(strategy_name: str, instrument_key: str, currency: str = "USD", contract_multiplier: str = "1") -> str:
    """The row holds `KeptHolding.to_json`."""
    return POSITION + json.dumps([strategy_name, instrument_key, currency, contract_multiplier])


@lru_cache(4096)
def holding_of(account_id: str, key: str) -> HoldingKey:
    """Whose and of what the row `key` of a position is."""
    return HoldingKey(account_id, *json.loads(key.removeprefix(POSITION)))


def strategy_of(key: str) -> str:
    """Whose position the row `key` is."""
    return holding_of("", key).strategy_name


def page_key(position: str, slot: int) -> str:
    """Of a page of the position whose row has the key `position`. The row holds `Page.to_json`, or nothing once it is given up."""
    return f"{FILLS}{slot}:{position.removeprefix(POSITION)}"


def page_of(key: str) -> tuple[str, int]:
    """The key of the position, and the slot, that `page_key` made it of."""
    slot, place = key.removeprefix(FILLS).split(":", 1)
    return POSITION + place, int(slot)


def fees_key(instrument_key: str) -> str:
    """The row holds `FeesDue.to_json`; there is none where no fee is taken in kind."""
    return FEES_DUE + instrument_key


def day_key(session: date | str) -> str:
    """The row holds `SessionDay.to_json`."""
    return DAY + str(session)


class SessionDay(Struct, frozen=True):
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

    def to_dict(self) -> dict[str, Any]:
        return {"trades": self.trades, "realized_net": {key: decimal_text(value) for key, value in self.realized_net.items()}}

    def to_json(self) -> str:
        return json.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> SessionDay:
        return cls(fields["trades"], {key: Decimal(value) for key, value in fields["realized_net"].items()})

    @classmethod
    def from_json(cls, text: str) -> SessionDay:
        return cls.from_dict(json.loads(text))
