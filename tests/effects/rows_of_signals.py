"""What each field of a signal does."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from liveorder.application.reporting.views import order_view
from liveorder.domain.order import LiveOrder
from tests.effects.catalogue import found
from tests.effects.observing import Effect, Observe, becomes, refused_by, sends, staged, takes, unusable
from tests.effects.stage import Stage

LIMIT: dict[str, Any] = {"order_type": "LIMIT", "limit_price": 400}
UNSIZED: dict[str, Any] = {"quantity": None}
EQUITY = {"accounts": [{"cash": 100_000}]}
CALL = {"exchange": "OPRA", "expiry": "2025-04-17", "strike": 10, "right": "CALL"}


async def _ids_of_two_signals(played: Stage) -> int:
    return len({(await played.order(signal_id)).order_id for signal_id in ("one", "two")})


async def _cancelled_for_lateness(played: Stage) -> None:
    order = await played.order(timeout_seconds=Decimal(20), **LIMIT)
    while not (await played.now(order)).status.is_closed:
        await played.clock.sleep(1)


def _closes(**fields: Any) -> Observe:
    """Units that an order is for, where 20 are held and short selling is allowed."""

    async def sized(played: Stage) -> Decimal | None:
        entry = await played.order("in", quantity=20)
        while not (await played.now(entry)).is_finished:
            await played.clock.sleep(1)
        return (await played.order("out", **fields)).quantity

    return staged(sized, risk={"allow_short_selling": True})


def _view(name: str) -> Any:
    return lambda order: getattr(order_view(order), name)


def _last_word(order: LiveOrder) -> str:
    """On what was asked for."""
    return order.intent.sentence().split("; ")[-1]


def _outcome(order: LiveOrder) -> tuple[str, str | None]:
    return order.status.value, order.reason


ROWS = {
    "signal.signal_id": Effect(2, staged(_ids_of_two_signals)),
    "signal.account_id": Effect("B", sends("account", {"account_id": "B"}, accounts=[{"id": "A"}, {"id": "B"}])),
    "signal.strategy_name": Effect("trend", becomes(_view("strategy_name"), {"strategy_name": "trend"})),
    "signal.symbol": Effect("NASDAQ:TSLA", sends("instrument", {"symbol": "TSLA"})),
    "signal.side": Effect("BUY", sends("side", {"side": "BUY"}, risk={"allow_short_selling": True})),
    "signal.order_type": Effect("LIMIT", sends("order_type", LIMIT)),
    "signal.quantity": Effect("7", sends("quantity", {"quantity": 7})),
    "signal.notional": Effect("2500", sends("notional", {"notional": 2500})),
    "signal.position_effect": Effect(20, _closes(side="SELL", quantity=25, position_effect="CLOSE")),
    "signal.percent": Effect(10, _closes(side="SELL", quantity=None, position_effect="CLOSE", percent=50)),
    "signal.risk_percent": Effect("40", sends("quantity", UNSIZED | {"risk_percent": 2, "stop_loss": 450}, EQUITY)),
    "signal.target_quantity": Effect(13, _closes(side=None, quantity=None, target_quantity=7)),
    "signal.target_percent": Effect("50", sends("quantity", UNSIZED | {"side": None, "target_percent": 25}, EQUITY)),
    "signal.limit_price": Effect("400", sends("limit_price", LIMIT)),
    "signal.stop_price": Effect("550", sends("stop_price", {"order_type": "STOP", "stop_price": 550})),
    "signal.price": Effect(
        "40",
        sends(
            "quantity",
            {"price": 250, "timestamp": "2025-03-10T15:59:59Z", "quantity": None, "order_type": "MARKET"},
            {"prices": {"start_prices": {}}},
        ),
    ),
    "signal.trail_amount": Effect("5", sends("trail_amount", {"order_type": "TRAILING_STOP", "trail_amount": 5})),
    "signal.trail_percent": Effect("2", sends("trail_percent", {"order_type": "TRAILING_STOP", "trail_percent": 2})),
    "signal.limit_offset": Effect(
        "3", sends("limit_offset", {"order_type": "TRAILING_STOP_LIMIT", "trail_percent": 2, "limit_offset": 3})
    ),
    "signal.hours": Effect("extended", sends("hours", LIMIT | {"hours": "extended"})),
    "signal.trading_class": Effect(
        "trading_class: contracts have none at simulated; leave it out", unusable({"trading_class": "SPXW"})
    ),
    "signal.con_id": Effect("con_id: contracts have none at simulated; leave it out", unusable({"con_id": 265598})),
    "signal.multiplier": Effect(
        "multiplier: ARCA:SPY has 1 at simulated, not 100; name the contract that you mean, or leave it out",
        unusable({"multiplier": 100}),
    ),
    "signal.time_in_force": Effect("GTC", sends("time_in_force", {"time_in_force": "GTC"})),
    "signal.expires_at": Effect(
        ("CANCELLED", "EXPIRED"),
        becomes(_outcome, LIMIT | {"time_in_force": "GTD", "expires_at": "2025-03-10T16:01:00Z"}, seconds=90),
    ),
    "signal.exchange": Effect("NSE:DUAL", found({"exchange": "NSE"})),
    "signal.product": Effect("CNC", sends("product", {"product": "CNC"})),
    "signal.asset_class": Effect("CRYPTO:DUAL", found({"asset_class": "CRYPTO"})),
    "signal.expiry": Effect("OPRA:DUAL:2025-04-17:10:CALL", found(CALL)),
    "signal.strike": Effect("OPRA:DUAL:2025-04-17:20:CALL", found(CALL | {"strike": 20})),
    "signal.right": Effect("OPRA:DUAL:2025-04-17:10:PUT", found(CALL | {"right": "PUT"})),
    "signal.currency": Effect("NSE:DUAL", found({"currency": "INR"})),
    "signal.symbol_name": Effect("S&P 500", becomes(_view("symbol_name"), {"symbol_name": "S&P 500"})),
    "signal.tags": Effect(("swing", "europe"), becomes(_view("tags"), {"tags": ("swing", "europe")})),
    "signal.stop_loss": Effect(
        True, becomes(lambda order: "nothing places stop_loss" in order.intent.sentence(), {"stop_loss": 450})
    ),
    "signal.take_profit": Effect("nothing places take_profit yet", becomes(_last_word, {"take_profit": 550})),
    "signal.protection": Effect(
        "Order requested by default: BUY 10 ARCA:SPY at market, DAY",
        becomes(_last_word, {"protection": "external", "stop_loss": 450}),
    ),
    "signal.score": Effect(["signal_score"], refused_by({"score": 59})),
    "signal.timestamp": Effect(
        ["stale_signal"], refused_by({"timestamp": "2025-03-10T15:50:00Z"}, risk={"max_signal_age_seconds": 60})
    ),
    "signal.valid_until": Effect(["stale_signal"], refused_by({"valid_until": "2025-03-10T15:59:00Z"})),
    "signal.timeout_seconds": Effect(21, takes(_cancelled_for_lateness)),
    "signal.role": Effect(20, _closes(side="SELL", quantity=25, role="STOP_LOSS")),
    "signal.parent_order_id": Effect(["unprotected"], refused_by({"parent_order_id": UUID(int=7)})),
    "signal.oco_group": Effect(["unprotected"], refused_by({"oco_group": "pair"})),
}
