"""What each field of an account does, and each of its capabilities."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from liveorder.application.ports.brokerage import Brokerage
from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.domain.errors import DecisionRefused
from liveorder.domain.order import LiveOrder
from liveorder.domain.values import TradingMode
from liveorder.testing.certification import Certification
from tests.effects.catalogue import found
from tests.effects.observing import (
    KEYS,
    LIMIT,
    Effect,
    Observe,
    becomes,
    refusal,
    refused_by,
    sends,
    staged,
    takes,
    trades_at,
    unusable,
)
from tests.effects.stage import Stage, Tables, a_signal

LOST = {"faults": {"faults": [{"kind": "request_lost", "nth": 1}]}}
"""The first order never arrives, and its sender does not know."""

LIMITED = {"accounts": [{"account_id": "SIM", "cash": "5000", "is_limited": True}]}

UNHEARD = {"faults": {"faults": [{"kind": "report_lost", "on": "report"}]}}


def account(**fields: Any) -> Tables:
    """The one account, with these fields."""
    return {"accounts": [{"id": "SIM", **fields}]}


def can(**capabilities: Any) -> Tables:
    return account(capabilities=capabilities)


def stays_in_doubt(**capabilities: Any) -> Observe:
    """Whether an order that was lost is in doubt a minute later; it would be sent again by then."""
    return becomes(lambda order: order.is_in_doubt, {}, LOST, 60, **can(**capabilities))


def _outcome(order: LiveOrder) -> tuple[str, str | None]:
    return order.status.value, order.reason


async def _unreconciled(played: Stage) -> list[str]:
    """After a coin was bought."""
    await played.order(symbol="ETH/USD", quantity=1)
    await asyncio.sleep(5)
    await played.engine.reconcile.reconcile_all()
    return sorted(played.engine.risk.unreconciled("SIM"))


async def _replaced(played: Stage) -> str:
    order = await played.order(**LIMIT)
    try:
        await played.engine.replace.replace(order.order_id, limit_price=Decimal(401))
    except DecisionRefused:
        return "refused"
    return "asked"


async def turned(played: Stage) -> tuple[str, str | None, Decimal | None]:
    """Status, reason and quantity of a sale of more than is held."""
    await played.order("in")
    await asyncio.sleep(5)
    order = await played.order("turn", side="SELL", quantity=15)
    await asyncio.sleep(5)
    now = await played.now(order)
    return now.status.value, now.reason, now.quantity


async def _more_beside_a_replace(played: Stage) -> list[str]:
    order = await played.order(**LIMIT)
    await played.engine.replace.replace(order.order_id, quantity=Decimal(12))
    _, refusals = await played.engine.execute.validate(a_signal("more", **LIMIT))
    return [refusal.code for refusal in refusals]


async def _buys_more_than_it_sold_for(played: Stage) -> str | None:
    """Half a minute after the sale. Who refuses it."""
    await played.order()
    await asyncio.sleep(5)
    await played.order("exit", side="SELL")
    await asyncio.sleep(30)
    return (await played.now(await played.order("again", quantity=11))).reason


async def _two_orders(played: Stage) -> None:
    for signal_id in ("one", "two"):
        await played.order(signal_id, **LIMIT)


async def _two_unheard_orders(played: Stage) -> None:
    """Nothing is pushed: the poll finds that they ended, the first at once."""
    for signal_id in ("one", "two"):
        order = await played.order(signal_id)
        while not (await played.now(order)).status.is_closed:
            await played.clock.sleep(1)


async def _declared(played: Stage) -> str:
    gateway = played.engine.gateways["SIM"]
    parts = Brokerage(gateway.broker, gateway.market_data, gateway.instruments)
    findings = Certification(parts, "SIM", TradingMode.SIMULATION, played.clock).findings(InstrumentQuery("AAPL"), None)
    return {finding.question: finding.declared async for finding in findings}["open orders"]


async def _equity(played: Stage) -> Decimal | None:
    told = played.engine.figures.latest("SIM")
    return None if told is None or told.equity is None else told.equity.amount


async def _leaves_at_once(played: Stage) -> bool:
    """Whether the broker could not be asked what the account holds, for what was just bought."""
    await played.order()
    await asyncio.sleep(1)
    return (await played.order("out", side="SELL", position_effect="CLOSE")).position_unconfirmed


async def _leaves_in_two_parts(played: Stage) -> int:
    """How often the broker is asked what the account holds."""
    await played.order()
    await asyncio.sleep(10)
    gateway, asked = played.engine.gateways["SIM"], list[str]()
    positions = gateway.broker.positions

    async def counted() -> Any:
        asked.append("positions")
        return await positions()

    gateway.broker.positions = counted  # type: ignore[method-assign]  # it is counted
    for signal_id in ("one", "two"):
        await played.order(signal_id, side="SELL", quantity=1, order_type="LIMIT", limit_price="600")
        await asyncio.sleep(5)
    return len(asked)


INDIAN = {"symbol": "RELIANCE"}
ANY_HOUR = {"risk": {"allow_closed_market": True}}
ALPACA = {"trading_mode": "PAPER", "alpaca": KEYS}
UNTIL_CANCELLED = {"EQUITY": {"MARKET": "GTC"}}

ACCOUNTS = {
    "accounts": Effect(["A at simulated", "B at simulated"], trades_at(accounts=[{"id": "A"}, {"id": "B"}])),
    "accounts.id": Effect(["mine at simulated"], trades_at(accounts=[{"id": "mine"}])),
    "accounts.broker": Effect(["A at alpaca"], trades_at(**ALPACA, accounts=[{"id": "A", "broker": "alpaca"}])),
    "accounts.closed": Effect(
        ["B at simulated"], trades_at(accounts=[{"id": "A", "closed": True}, {"id": "B"}], default_account="B")
    ),
    "accounts.mode": Effect(
        "account 'A' is for LIVE but TRADING_MODE is PAPER",
        refusal(**ALPACA, accounts=[{"id": "A", "broker": "alpaca", "mode": "LIVE"}]),
    ),
    "accounts.currency": Effect([], refused_by(INDIAN, **account(currency="INR"), **ANY_HOUR)),
    "accounts.equity": Effect(Decimal(777), staged(_equity, **account(equity=777))),
    "accounts.exchange": Effect("NSE:DUAL", found(**account(exchange="NSE"))),
    "accounts.product": Effect("CNC", sends("product", **account(product="CNC"))),
    "accounts.risk": Effect(["order_quantity"], refused_by(**account(risk={"max_order_quantity": 9}))),
    "accounts.risk_by_currency": Effect(
        ["order_quantity"], refused_by(INDIAN, **account(risk_by_currency={"INR": {"max_order_quantity": 9}}), **ANY_HOUR)
    ),
    "accounts.options": Effect(
        ["A at alpaca"], trades_at(trading_mode="PAPER", accounts=[{"id": "A", "broker": "alpaca", "options": KEYS}])
    ),
    "accounts.capabilities": Effect("5", sends("quantity", {"notional": 2500}, **can(notional=False))),
}

CAPABILITIES = {
    "capabilities.key_support": Effect(True, stays_in_doubt(key_support="NONE")),
    "capabilities.key_memory_seconds": Effect(True, stays_in_doubt(key_memory_seconds=1)),
    "capabilities.fees_in_kind": Effect(
        ["CRYPTO:ETH/USD"],
        staged(_unreconciled, {"commission": {"in_kind": "0.01"}}, **can(fees_in_kind={"CRYPTO": "0.009"})),
    ),
    "capabilities.lookup_lag_seconds": Effect(True, stays_in_doubt(lookup_lag_seconds=100)),
    "capabilities.account_lag_seconds": Effect(
        "BROKER",
        staged(_buys_more_than_it_sold_for, LIMITED, **can(account_lag_seconds=60), risk={"max_position_size": 10000}),
    ),
    "capabilities.position_lag_seconds": Effect(True, staged(_leaves_at_once, **can(position_lag_seconds=9))),
    "capabilities.max_position_age_seconds": Effect(1, staged(_leaves_in_two_parts, **can(max_position_age_seconds=9))),
    "capabilities.delivery_bound_seconds": Effect(True, stays_in_doubt(delivery_bound_seconds=100)),
    "capabilities.clock_skew_seconds": Effect(True, stays_in_doubt(clock_skew_seconds=100)),
    "capabilities.trusts_absence": Effect(True, stays_in_doubt(trusts_absence=False)),
    "capabilities.atomic_replace": Effect(
        ["position_value"],
        staged(
            _more_beside_a_replace, {"replace_delay_seconds": 9}, **can(atomic_replace=False), risk={"max_position_size": 10000}
        ),
    ),
    "capabilities.order_types": Effect(("REJECTED", "INVALID"), becomes(_outcome, **can(order_types=["LIMIT"]))),
    "capabilities.times_in_force": Effect(
        ("REJECTED", "INVALID"), becomes(_outcome, {"time_in_force": "GTC"}, **can(times_in_force=["DAY"]))
    ),
    "capabilities.usual_times_in_force": Effect("GTC", sends("time_in_force", **can(usual_times_in_force=UNTIL_CANCELLED))),
    "capabilities.hours": Effect(
        ("REJECTED", "INVALID"), becomes(_outcome, LIMIT | {"hours": "extended"}, **can(hours=["regular"]))
    ),
    "capabilities.usual_hours": Effect("extended", sends("hours", LIMIT, **can(usual_hours={"LIMIT": "extended"}))),
    "capabilities.contract_ids": Effect("", unusable({"trading_class": "SPY"}, **can(contract_ids=True))),
    "capabilities.crosses_zero": Effect(
        ("FILLED", None, Decimal(10)), staged(turned, **can(crosses_zero=False), risk={"allow_short_selling": True})
    ),
    "capabilities.replaces": Effect("refused", staged(_replaced, **can(replaces=False))),
    "capabilities.notional": Effect("5", sends("quantity", {"notional": 2500}, **can(notional=False))),
    "capabilities.notional_for": Effect("5", sends("quantity", {"notional": 2500}, **can(notional_for=["CRYPTO"]))),
    "capabilities.fractional": Effect(
        ("REJECTED", "INVALID"), becomes(_outcome, {"symbol": "ETH/USD", "quantity": "0.5"}, **can(fractional=False))
    ),
    "capabilities.requests_per_second": Effect(2, takes(_two_orders, **can(requests_per_second=0.5))),
    "capabilities.requests_per_minute": Effect(60, takes(_two_orders, **can(requests_per_minute=1))),
    "capabilities.quiet_poll_seconds": Effect(31, takes(_two_unheard_orders, UNHEARD, **can(quiet_poll_seconds=30))),
    "capabilities.open_orders_are_complete": Effect(
        "perhaps not complete", staged(_declared, **can(open_orders_are_complete=False))
    ),
}

ROWS = ACCOUNTS | CAPABILITIES
