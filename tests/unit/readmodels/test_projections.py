"""What the rows say, by example. That they say the same however they came about is for the properties."""

import asyncio
from datetime import date
from decimal import Decimal
from typing import Any

from liveorder.application.reporting.projections.known_orders import KnownOrders, streams_of
from liveorder.application.reporting.projector import BatchProjector
from liveorder.application.reporting.views import DailySummaryView, OrderView, PositionView
from liveorder.domain.dead_letter import SignalDeadLettered
from liveorder.domain.identifiers import stream_id
from liveorder.domain.instrument import Instrument
from liveorder.domain.order import events as ev
from liveorder.domain.position_adjustment import AdjustmentReason, PositionAdjusted, PositionTransferred, position_stream
from liveorder.domain.trading_halt import HaltReason, TradingHalted
from liveorder.domain.values import AssetClass, Side, TimeInForce
from tests.builders import ACKNOWLEDGED, REFUSED, SENT, SESSION, bust, correction, fill, seconds
from tests.unit.readmodels.logs import SPY, MemoryLog, MemoryViews, order_id, requested

DAY_SECONDS = 24 * 3600.0


def rows_of(log: MemoryLog) -> dict[str, list[Any]]:
    views = MemoryViews()
    asyncio.run(BatchProjector(log, views).advance())  # type: ignore[arg-type]  # the part of a store that a projector uses
    return dict(views.dump())


def position_of(log: MemoryLog) -> PositionView:
    (row,) = rows_of(log)["positions"]
    view: PositionView = row.view(())
    return view


def day_of(log: MemoryLog) -> DailySummaryView:
    (row,) = rows_of(log)["daily_summary"]
    view: DailySummaryView = row.view()
    return view


def bought(quantity: int = 100, price: str = "10", number: int = 1) -> MemoryLog:
    log = MemoryLog()
    log.add(number, requested(number), SENT, ACKNOWLEDGED, fill(f"e{number}", quantity, price, "1"))
    return log


def test_a_position_is_what_was_filled() -> None:
    view = position_of(bought())
    assert (view.side, view.quantity, view.average_price, view.status) == ("LONG", Decimal(100), Decimal(10), "OPEN")
    assert (view.realized_pnl, view.realized_pnl_net, view.commission) == (Decimal(0), Decimal(-1), Decimal(1))


def test_a_round_trip_realizes_its_result() -> None:
    log = bought()
    log.add(2, requested(2, side=Side.SELL), SENT, fill("e2", 100, "10.5", "1"))
    view, day = position_of(log), day_of(log)
    assert (view.side, view.status, view.realized_pnl, view.realized_pnl_net) == ("FLAT", "CLOSED", Decimal(50), Decimal(48))
    assert (day.realized_pnl, day.realized_pnl_net, day.filled_value) == (Decimal(50), Decimal(48), Decimal(2050))


def test_a_busted_fill_was_never_held() -> None:
    log = bought()
    log.add(1, bust("e1"))
    rows = rows_of(log)
    assert (rows["positions"], rows["fills"]) == ([], [])
    assert (day_of(log).fills, day_of(log).commission) == (0, Decimal(0))


def test_a_correction_takes_the_place_of_what_it_corrects() -> None:
    log = bought()
    log.add(2, requested(2, side=Side.SELL), SENT, fill("e2", 100, "11"))
    log.add(1, correction("c1", "e1", 100, 9))
    rows = rows_of(log)
    assert [(row.booked, row.execution_id, row.realized) for row in rows["fills"]] == [(4, "c1", "0"), (7, "e2", "200")]
    assert position_of(log).realized_pnl == Decimal(200)


def test_a_correction_that_comes_first_keeps_its_place() -> None:
    log = MemoryLog()
    log.add(1, requested(1), SENT, correction("c1", "e1", 100, 9), fill("e1", 100, 10))
    assert [(row.booked, row.execution_id) for row in rows_of(log)["fills"]] == [(3, "c1")]


def test_fills_come_in_the_place_of_an_inferred_one() -> None:
    log = MemoryLog()
    guess = ev.FillInferred(execution_id="inferred-100", quantity=Decimal(100), price=Decimal(10), evidence="a total")
    log.add(1, requested(1), SENT, guess, fill("e1", 60, 10))
    fills = [row.view() for row in rows_of(log)["fills"]]
    assert [(each.execution_id, each.quantity, each.is_inferred) for each in fills] == [
        ("inferred-100", Decimal(40), True),
        ("e1", Decimal(60), False),
    ]


def test_strategies_and_contracts_are_held_apart() -> None:
    log = bought()
    log.add(2, requested(2, strategy_name="mean"), SENT, fill("e2", 1))
    log.add(3, requested(3, instrument=SPY.but(multiplier=Decimal(50))), SENT, fill("e3", 1))
    assert len(rows_of(log)["positions"]) == 3


def test_a_contract_that_an_earlier_version_took_to_be_quoted_in_dollars_is_the_same_contract() -> None:
    """What is held of it counts in cents from the first fill on that knows of them."""
    cents = SPY.but(multiplier=Decimal(50), price_magnifier=Decimal(100))
    dollars = SPY.but(multiplier=Decimal(5000))
    log = MemoryLog()
    log.add(1, requested(1, instrument=dollars), SENT, fill("e1", 3, 450))
    log.add(2, requested(2, instrument=cents, side=Side.SELL), SENT, fill("e2", 1, 455))
    log.add(3, requested(3, instrument=dollars, side=Side.SELL), SENT, fill("e3", 2, 460))
    view = position_of(log)
    assert (view.status, view.multiplier, view.realized_pnl) == ("CLOSED", Decimal(50), Decimal(250 + 1000))


def test_orders_of_a_day_are_counted_by_status() -> None:
    log = bought()
    log.add(2, requested(2), SENT)
    log.add(3, requested(3), REFUSED)
    day = day_of(log)
    assert (day.session_date, day.orders, day.fills) == (SESSION, 3, 1)
    assert {status: count for status, count in day.by_status.items() if count} == {"FILLED": 1, "SUBMITTED": 1, "REJECTED": 1}


def test_currencies_are_not_added_up() -> None:
    log = bought()
    log.add(2, requested(2, instrument=SPY.but(currency="INR")), SENT, fill("e2", 1))
    assert [row.currency for row in rows_of(log)["daily_summary"]] == ["INR", "USD"]


def test_fees_in_another_currency_are_told_apart_everywhere() -> None:
    log = MemoryLog()
    log.add(1, requested(1), SENT, fill("e1", 40, "10", "2 EUR"), fill("e2", 60, "10", "1.50 EUR"))
    log.add(2, requested(2, side=Side.SELL), SENT, fill("e3", 100, "11", "1"))
    view, rows = position_of(log), rows_of(log)
    assert (view.realized_pnl, view.realized_pnl_net, view.commission) == (Decimal(100), Decimal(99), Decimal(1))
    assert view.other_commissions == {"EUR": Decimal("3.5")}
    assert [(row.view().commission, row.view().commission_currency) for row in rows["fills"]] == [
        (Decimal(2), "EUR"),
        (Decimal("1.50"), "EUR"),
        (Decimal(1), None),
    ]
    days = [row.view() for row in rows["daily_summary"]]
    assert [(day.currency, day.orders, day.fills, day.commission, day.realized_pnl_net) for day in days] == [
        ("EUR", 0, 0, Decimal("3.5"), Decimal("-3.5")),
        ("USD", 2, 3, Decimal(1), Decimal(99)),
    ]
    bought = OrderView.model_validate_json(rows["orders"][0].body)
    assert (bought.commission, bought.other_commissions) == (Decimal(0), {"EUR": Decimal("3.5")})


def test_a_fee_that_was_taken_back_leaves_no_day_of_its_currency() -> None:
    log = MemoryLog()
    log.add(1, requested(1), SENT, fill("e1", 40, "10", "2 EUR"), bust("e1"))
    assert [row.currency for row in rows_of(log)["daily_summary"]] == ["USD"]


COIN = Instrument(symbol="ETH/USD", exchange="CRYPTO", asset_class=AssetClass.CRYPTO)
KEPT = PositionAdjusted(
    account_id="U1",
    strategy_name="trend",
    instrument=COIN,
    reason=AdjustmentReason.FEE_IN_KIND,
    quantity=Decimal("-0.01"),
    price=Decimal(3000),
    effective_at=seconds(2 * DAY_SECONDS),
    evidence="it holds 3.99",
)


def coins_kept() -> MemoryLog:
    """Four were bought, and of these a fee was kept two days later."""
    log = MemoryLog()
    log.add(1, requested(1, instrument=COIN), SENT, fill("e1", 4, "3000"))
    log.add_to(position_stream("U1", COIN.key), KEPT)
    return log


def test_a_fee_in_kind_is_off_the_position_and_a_cost_of_its_day_and_no_fill() -> None:
    view, rows = position_of(coins_kept()), rows_of(coins_kept())
    assert (view.quantity, view.average_price, view.paid_in_kind) == (Decimal("3.99"), Decimal(3000), Decimal("0.01"))
    assert (view.commission, view.realized_pnl, view.realized_pnl_net) == (Decimal(30), Decimal(0), Decimal(-30))
    days = [row.view() for row in rows["daily_summary"]]
    assert [(day.session_date, day.orders, day.fills, day.filled_quantity, day.commission) for day in days] == [
        (SESSION, 1, 1, Decimal(4), Decimal(0)),
        (date(2026, 11, 22), 0, 0, Decimal(0), Decimal(30)),
    ]
    assert [row.adjusted_for for row in rows["fills"]] == ["", "FEE_IN_KIND"]


def test_a_correction_of_an_earlier_fill_books_the_fee_in_kind_anew() -> None:
    log = coins_kept()
    log.add(1, correction("c1", "e1", 4, "2000"))
    log.add(2, requested(2, instrument=COIN, side=Side.SELL), SENT, fill("e2", "3.99", "3100"))
    view = position_of(log)
    assert (view.status, view.quantity, view.commission, view.paid_in_kind) == ("CLOSED", Decimal(0), Decimal(30), Decimal(0))
    assert view.realized_pnl == 10 + Decimal("3.99") * 1100, "what was kept was worth more than it had cost"
    assert sum(row.view().realized_pnl for row in rows_of(log)["daily_summary"]) == view.realized_pnl


def given_away(price: str) -> MemoryLog:
    """A hundred were bought at 10 by trend, and forty of these go to carry."""
    log = bought()
    gone = PositionTransferred(
        account_id="U1",
        from_strategy="trend",
        to_strategy="carry",
        instrument=SPY,
        quantity=Decimal(40),
        price=Decimal(price),
        effective_at=seconds(9),
        evidence="the wrong one bought",
        transfer_id="t1",
    )
    log.add_to(position_stream("U1", SPY.key), gone)
    return log


def test_what_was_transferred_is_held_by_another_and_is_no_trade() -> None:
    rows = rows_of(given_away("12"))
    held = {row.strategy_name: row.view(()) for row in rows["positions"]}
    trend, carry = held["trend"], held["carry"]
    assert (trend.quantity, trend.average_price, trend.realized_pnl) == (Decimal(60), Decimal(10), Decimal(80))
    assert (carry.quantity, carry.average_price, carry.realized_pnl) == (Decimal(40), Decimal(12), Decimal(0))
    (day,) = [row.view() for row in rows["daily_summary"]]
    assert (day.strategy_name, day.orders, day.fills, day.filled_quantity) == ("trend", 1, 1, Decimal(100))
    assert (day.filled_value, day.realized_pnl) == (Decimal(1000), Decimal(80))
    assert [row.adjusted_for for row in rows["fills"]] == ["", "TRANSFER", "TRANSFER"]


def test_a_strategy_that_earned_by_a_transfer_alone_has_a_day() -> None:
    log = given_away("12")
    back = log.events[-1].event
    assert isinstance(back, PositionTransferred)
    turned = back.but(from_strategy="carry", to_strategy="trend", price=Decimal(13), transfer_id="t2")
    log.add_to(position_stream("U1", SPY.key), turned)
    days = {row.strategy_name: row.view() for row in rows_of(log)["daily_summary"]}
    assert (days["carry"].fills, days["carry"].orders, days["carry"].realized_pnl) == (0, 0, Decimal(40))


def test_a_bust_of_what_was_given_away_leaves_the_giver_short_and_the_taker_as_it_was() -> None:
    log = given_away("10")
    log.add(1, bust("e1"))
    held = {row.strategy_name: row.view(()) for row in rows_of(log)["positions"]}
    assert [(held[name].side, held[name].quantity) for name in ("trend", "carry")] == [("SHORT", 40), ("LONG", 40)]


def test_what_an_order_that_lasts_days_fills_later_counts_to_that_day() -> None:
    log = MemoryLog()
    log.add(1, requested(1, time_in_force=TimeInForce.GTC), SENT, fill("e1", 40), fill("e2", 60, at=3 * DAY_SECONDS))
    days = [row.view() for row in rows_of(log)["daily_summary"]]
    assert [(day.session_date, day.orders, day.filled_quantity) for day in days] == [
        (SESSION, 1, Decimal(40)),
        (date(2026, 11, 23), 0, Decimal(60)),
    ]


def test_a_fill_of_a_day_order_counts_to_its_session_though_midnight_has_passed() -> None:
    log = MemoryLog()
    log.add(1, requested(1), SENT, fill("e1", 100, at=12 * 3600.0))
    assert (day_of(log).session_date, day_of(log).fills) == (SESSION, 1)


def test_an_unusable_signal_is_listed_beside_those_that_became_orders() -> None:
    log = bought()
    log.add_to(stream_id("letter"), SignalDeadLettered(source="file", offset="7", line="{", reason="not JSON"))
    log.add_to(stream_id("halt"), TradingHalted(scope="*", reason=HaltReason.KILL_SWITCH))
    assert [(row.signal_id, row.execution_status) for row in rows_of(log)["signals"]] == [
        ("signal-1", "FILLED"),
        (None, "DEAD_LETTER"),
    ]
    assert len(rows_of(log)["order_history"]) == 4


def test_an_order_stays_open_while_a_request_of_it_is_unanswered() -> None:
    log = bought(40)
    assert [row.is_open for row in rows_of(log)["orders"]] == [1]
    log.add(1, fill("e9", 60))
    assert [row.is_open for row in rows_of(log)["orders"]] == [0]


def test_an_order_forgotten_for_want_of_room_is_learned_again_before_it_is_needed() -> None:
    log, known = MemoryLog(), KnownOrders(capacity=1)
    for number in (1, 2, 3):
        log.add(number, requested(number), SENT)
    known.unknown(streams_of(log.events))
    known.advance(streams_of(log.events))
    later = [*log.add(1, ACKNOWLEDGED), *log.add(3, ACKNOWLEDGED), *log.add(4, requested(4)), *log.add(3, fill("e3", 1))]
    assert known.unknown(streams_of(later)) == {order_id(1): 3}
    known.learn([item for item in log.events if item.stream_id == order_id(1)][:2])
    changed = [change for item in later for change in known.advance(streams_of([item]))]
    assert [(change.order_id, change.after.version) for change in changed] == [
        (str(order_id(1)), 3),
        (str(order_id(3)), 3),
        (str(order_id(4)), 1),
        (str(order_id(3)), 4),
    ]
