"""What IB's answers prove, and how fast IB may be asked."""

from __future__ import annotations

from collections.abc import Mapping

from liveorder.domain.broker_capabilities import BrokerCapabilities, KeySupport
from liveorder.domain.values import AssetClass, OrderType, TimeInForce, TradingHours
from liveorder.infrastructure.brokers.ibkr import orders

CAPABILITIES = BrokerCapabilities(
    key_support=KeySupport.SEARCHABLE,
    lookup_lag_seconds=10.0,
    position_lag_seconds=1.0,
    account_lag_seconds=180.0,
    delivery_bound_seconds=60.0,
    trusts_absence=True,
    atomic_replace=True,
    order_types=frozenset(orders.ORDER_TYPES),
    times_in_force=frozenset(TimeInForce),
    usual_times_in_force={AssetClass.CRYPTO: {OrderType.MARKET: TimeInForce.IOC}},
    hours=frozenset(TradingHours),
    contract_ids=True,
    crosses_zero=True,
    replaces=True,
    notional=True,
    notional_for=frozenset({AssetClass.CRYPTO}),
    requests_per_second=40.0,
    requests_per_minute=2400.0,
    open_orders_are_complete=True,
)
"""An absence is reported only if open orders, completed orders and executions were all read completely, on the IB day on which the
order was prepared. TWS keeps an order nowhere else. A replace changes the existing order and never makes a second one. The client
libraries let 45 messages a second through; the limit here leaves some of them for questions.
"""
USUALLY_OUTSIDE_HOURS: Mapping[OrderType, TradingHours] = {
    kind: TradingHours.EXTENDED for kind in orders.ORDER_TYPES if not kind.traits.meets_the_market
}
"""Applies if the settings allow trading outside hours. TWS holds an order that meets the market until the stock's regular hours."""
CANNOT: Mapping[str, str] = {
    "a_second_order_with_the_same_key_is_refused": "orderRef is a label: any number of orders may carry one",
}
"""Cases of the port's contract that IB cannot fulfil."""
