"""What each risk limit does: the rule that stands in the way of a signal, or no longer does."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.effects.observing import Effect, Look, Observe, refused_by, sends, staged, with_quotes
from tests.effects.stage import Stage, Tables, a_signal


async def _loses_and_buys(played: Stage) -> list[str]:
    await played.order()
    await asyncio.sleep(60)
    await played.order("exit", side="SELL")
    await asyncio.sleep(5)
    _, refusals = await played.engine.execute.validate(a_signal("again"))
    return [refusal.code for refusal in refusals]


LOSING = ("2025-03-10T16:00:00Z,SPY,500", "2025-03-10T16:00:30Z,SPY,490")


def _losing(**tables: Any) -> Observe:
    return staged(_loses_and_buys, **tables)


def _leaves_by(**fields: Any) -> Look:
    """The rules that stand in the way of selling what was bought, by such a signal."""

    async def codes(played: Stage) -> list[str]:
        await played.order()
        await asyncio.sleep(5)
        _, refusals = await played.engine.execute.validate(a_signal("exit", side="SELL", **fields))
        return [refusal.code for refusal in refusals]

    return codes


async def _buys_again(played: Stage) -> list[str]:
    await played.order()
    _, refusals = await played.engine.execute.validate(a_signal("again"))
    return [refusal.code for refusal in refusals]


async def _buys_another(played: Stage) -> list[str]:
    await played.order()
    _, refusals = await played.engine.execute.validate(a_signal("another", symbol="AAPL"))
    return [refusal.code for refusal in refusals]


async def _leaves_an_open_entry(played: Stage) -> str:
    """What becomes of the entry."""
    entry = await played.engine.execute.execute(a_signal("entry", order_type="LIMIT", limit_price=400, time_in_force="GTC"))
    await played.engine.execute.execute(a_signal("exit", side="SELL", role="EXIT", quantity=None))
    await asyncio.sleep(5)
    return (await played.engine.orders.get(entry.order_id)).status.value


def _of_a_table(kind: str, who: Tables) -> dict[str, Effect]:
    """What each limit of `[[accounts.strategies]]` or `[[accounts.symbols]]` does, beside some that refuse nothing here."""

    def table(**limits: Any) -> Tables:
        return {"accounts": [{"id": "SIM", kind: [{"max_order_quantity": 99, "max_open_orders": 99, **who, **limits}]}]}

    short = {"side": "SELL"}
    shorting = {"allow_short_selling": True}
    return {
        f"accounts.{kind}.{limit}": effect
        for limit, effect in {
            "position_size": Effect("5", sends("quantity", {"quantity": None}, **table(position_size=2500))),
            "max_position_size": Effect(["position_value"], refused_by(**table(max_position_size=4999))),
            "max_order_value": Effect(["order_value"], refused_by(**table(max_order_value=4999))),
            "max_order_quantity": Effect(["order_quantity"], refused_by(**table(max_order_quantity=9))),
            "max_daily_trades": Effect(["daily_trade_count"], refused_by(**table(max_daily_trades=0))),
            "max_open_orders": Effect(["open_order_count"], refused_by(**table(max_open_orders=0))),
            "max_daily_loss": Effect(["daily_loss"], with_quotes(_losing, *LOSING, **table(max_daily_loss=100))),
            "max_positions": Effect(["position_count"], refused_by(**table(max_positions=0))),
            "allow_short_selling": Effect(["short_selling"], refused_by(short, **table(allow_short_selling=False), risk=shorting)),
            "repeat_window_seconds": Effect(["repeated"], staged(_buys_again, **table(repeat_window_seconds=60))),
            "max_signal_age_seconds": Effect(
                ["stale_signal"], refused_by({"timestamp": "2025-03-10T15:59:50Z"}, **table(max_signal_age_seconds=5))
            ),
            "min_buy_score": Effect(["signal_score"], refused_by({"score": 70}, **table(min_buy_score=70))),
            "max_sell_score": Effect(
                ["signal_score"], refused_by({"score": -70, **short}, **table(max_sell_score=-70), risk=shorting)
            ),
        }.items()
    }


def _only_nine(kind: str, **who: Any) -> Tables:
    return {"accounts": [{"id": "SIM", kind: [{**who, "max_order_quantity": 9, "max_open_orders": 99}]}]}


SILENT = {"faults": {"faults": [{"kind": "acknowledgement_late", "on": "positions", "seconds": 60}]}}


async def _seconds_of_an_exit(played: Stage) -> int:
    await played.order()
    await asyncio.sleep(10)
    began = played.clock.monotonic()
    await played.order("out", side="SELL", position_effect="CLOSE")
    return round(played.clock.monotonic() - began)


POOR = {"accounts": [{"account_id": "SIM", "cash": "4999", "is_limited": True}]}
UNTOLD = {"faults": {"faults": [{"kind": "query_failed", "on": "account"}]}}
"""Of the account's money only the connection tells."""


async def _refused_after_ten_seconds(played: Stage) -> list[str]:
    await asyncio.sleep(10)
    _, refusals = await played.engine.execute.validate(a_signal())
    return [refusal.code for refusal in refusals]


ROWS = {
    **_of_a_table("strategies", {"name": "default"}),
    **_of_a_table("symbols", {"symbol": "SPY"}),
    "accounts.strategies": Effect(["order_quantity"], refused_by(**_only_nine("strategies", name="default"))),
    "accounts.strategies.name": Effect(
        ["order_quantity"], refused_by({"strategy_name": "trend"}, **_only_nine("strategies", name="trend"))
    ),
    "accounts.symbols": Effect(["order_quantity"], refused_by(**_only_nine("symbols", symbol="SPY"))),
    "accounts.symbols.symbol": Effect(["order_quantity"], refused_by({"symbol": "AAPL"}, **_only_nine("symbols", symbol="AAPL"))),
    "risk.position_size": Effect("5", sends("quantity", {"quantity": None}, risk={"position_size": 2500})),
    "risk.max_position_size": Effect(["position_value"], refused_by(risk={"max_position_size": 4999})),
    "risk.max_daily_trades": Effect(["daily_trade_count"], refused_by(risk={"max_daily_trades": 0})),
    "risk.max_order_value": Effect(["order_value"], refused_by(risk={"max_order_value": 4999})),
    "risk.max_order_quantity": Effect(["order_quantity"], refused_by(risk={"max_order_quantity": 9})),
    "risk.max_portfolio_exposure": Effect(["portfolio_exposure"], refused_by(risk={"max_portfolio_exposure": 4999})),
    "risk.max_open_orders": Effect(["open_order_count"], refused_by(risk={"max_open_orders": 0})),
    "risk.max_positions": Effect(["position_count"], staged(_buys_another, risk={"max_positions": 1})),
    "risk.max_daily_loss": Effect(
        ["daily_loss"],
        with_quotes(_losing, *LOSING, risk={"max_daily_loss": 100}),
    ),
    "risk.min_buy_score": Effect(["signal_score"], refused_by({"score": 70}, risk={"min_buy_score": 70})),
    "risk.max_sell_score": Effect(
        ["signal_score"],
        refused_by({"score": -70, "side": "SELL"}, risk={"max_sell_score": -70, "allow_short_selling": True}),
    ),
    "risk.require_score": Effect(["signal_score"], refused_by(risk={"require_score": True})),
    "risk.score_exits": Effect([], staged(_leaves_by(score=-10), risk={"score_exits": False})),
    "risk.exit_cancels_entry": Effect("SUBMITTED", staged(_leaves_an_open_entry, risk={"exit_cancels_entry": False})),
    "risk.exit_question_seconds": Effect(4, staged(_seconds_of_an_exit, SILENT, risk={"exit_question_seconds": 4})),
    "risk.passed_exit_stop": Effect(
        ["stop_already_passed"],
        staged(_leaves_by(order_type="STOP", stop_price=600), risk={"passed_exit_stop": "refuse"}),
    ),
    "risk.price_collar_percent": Effect(
        ["price_collar"], refused_by({"order_type": "LIMIT", "limit_price": 510}, risk={"price_collar_percent": 1})
    ),
    "risk.max_signal_age_seconds": Effect(
        ["stale_signal"], refused_by({"timestamp": "2025-03-10T15:59:50Z"}, risk={"max_signal_age_seconds": 5})
    ),
    "risk.repeat_window_seconds": Effect(["repeated"], staged(_buys_again, risk={"repeat_window_seconds": 60})),
    "risk.max_price_age_seconds": Effect(
        ["no_fresh_price"],
        with_quotes(refused_by, "2025-03-10T15:59:30Z,SPY,500", risk={"max_price_age_seconds": 10}),
    ),
    "risk.check_buying_power": Effect([], refused_by({}, POOR, risk={"check_buying_power": False})),
    "risk.max_account_age_seconds": Effect(
        [], staged(_refused_after_ten_seconds, {**POOR, **UNTOLD}, risk={"max_account_age_seconds": 5})
    ),
    "risk.allowed_symbols": Effect(["allowed_symbols"], refused_by(risk={"allowed_symbols": ["AAPL"]})),
    "risk.allow_short_selling": Effect([], refused_by({"side": "SELL"}, risk={"allow_short_selling": True})),
    "risk.allow_closed_market": Effect(
        [],
        refused_by(risk={"allow_closed_market": True}, simulation={"starts_at": "2025-03-08T16:00:00Z", "hours": "exchange"}),
    ),
}
