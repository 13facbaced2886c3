"""What a broker can do, and how far its silence may be trusted: declared by its adapter, adjusted in the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from liveorder.domain.values import AssetClass, OrderType, TimeInForce, TradingHours

POLLS_SHARE = 0.25
"""Of what a broker allows in a minute, polls use no more."""

Part = Annotated[Decimal, Field(ge=0, lt=1)]


class KeySupport(StrEnum):
    """What our key on an order is good for at this broker, from best to worst."""

    UNIQUE = "UNIQUE"
    """The broker refuses a second order with the key: a resend of the same bytes is safe within its memory."""
    SEARCHABLE = "SEARCHABLE"
    """An order can be found by the key, after a bounded lag; a second one would be taken."""
    NONE = "NONE"
    """The key cannot be asked for. What is not known stays in doubt until a report or a person settles it."""


@dataclass(frozen=True, slots=True)
class BrokerCapabilities:
    """What a broker can do and how far its silence may be trusted. The defaults are the pessimistic ones. Times in seconds."""

    key_support: KeySupport = KeySupport.NONE
    key_memory_seconds: float = 0.0
    """How long a unique key is remembered; a resend after that is not safe."""
    lookup_lag_seconds: float = 0.0
    """An order that exists can be missing from a search for so long, and an answer can be so old."""
    account_lag_seconds: float = 0.0
    """The figures of `account` can be this old, if that is longer."""
    position_lag_seconds: float = 1.0
    """A fill can be missing from an answer of `positions` for so long."""
    max_position_age_seconds: float = 0.0
    """An exit believes an answer of `positions` for so long after it came; 0: it is asked at the exit."""
    delivery_bound_seconds: float = 60.0
    """A request that left us arrives within this time or never."""
    clock_skew_seconds: float = 5.0
    trusts_absence: bool = False
    """Whether *not found* may be believed at all, once lag and bound have passed."""
    atomic_replace: bool = False
    """Whether a replace can never leave two live orders."""
    order_types: frozenset[OrderType] = frozenset({OrderType.MARKET, OrderType.LIMIT})
    times_in_force: frozenset[TimeInForce] = frozenset({TimeInForce.DAY})
    usual_times_in_force: Mapping[AssetClass, Mapping[OrderType, TimeInForce]] = field(default_factory=dict)
    """Of orders whose signal names none, where that is not DAY."""
    hours: frozenset[TradingHours] = frozenset({TradingHours.REGULAR})
    usual_hours: Mapping[OrderType, TradingHours] = field(default_factory=dict)
    """Of orders whose signal names none, where those are not the regular ones."""
    contract_ids: bool = False
    """Whether a contract has a trading class and a number (`trading_class`, `con_id`) by which it can be asked for."""
    crosses_zero: bool = False
    """Whether one order may close a position and open the other side with what is left of it."""
    replaces: bool = True
    """Whether a working order can be given new terms at all."""
    notional: bool = False
    notional_for: frozenset[AssetClass] = frozenset(AssetClass)
    """Of which an order for an amount of money may be, where `notional` says that there are such orders."""
    fractional: bool = False
    reduce_only_for: frozenset[AssetClass] = frozenset()
    """The asset classes whose orders can be marked reduce-only: the broker refuses one that would open a position."""
    fees_in_kind: Mapping[AssetClass, Part] = field(default_factory=dict)
    """The largest part of a buy that the broker keeps as its fee, out of what was bought, without reporting it with the fill."""
    requests_per_second: float = 10.0
    requests_per_minute: float = 200.0
    quiet_poll_seconds: float = 0.0
    """Of a broker that takes many questions amiss: its open orders are asked for no more often than this while its stream lives
    and no request of theirs is without an answer."""
    open_orders_are_complete: bool = True
    """Whether `open_orders` lists every live order of the account, also those placed elsewhere."""

    @property
    def money_lag_seconds(self) -> float:
        """The longer of both lags: a figure of money contains what happened so long before it was asked for."""
        return max(self.lookup_lag_seconds, self.account_lag_seconds)

    def poll_seconds(self, wanted_seconds: float) -> float:
        """Between two polls at least: as wanted, unless that would use too much of what the broker allows in a minute."""
        return max(wanted_seconds, 60 / (self.requests_per_minute * POLLS_SHARE))

    def takes_notional_of(self, asset_class: AssetClass) -> bool:
        return self.notional and asset_class in self.notional_for

    def usual_time_in_force(self, asset_class: AssetClass, order_type: OrderType) -> TimeInForce:
        return self.usual_times_in_force.get(asset_class, {}).get(order_type, TimeInForce.DAY)

    def usual_hours_of(self, order_type: OrderType) -> TradingHours:
        return self.usual_hours.get(order_type, TradingHours.REGULAR)
