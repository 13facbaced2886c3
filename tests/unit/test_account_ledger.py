from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from liveorder.application.ports.order_store import LedgerEntry, LedgerRow
from liveorder.application.recovery.rebook_positions import rebooked_as
from liveorder.application.risk.book import AccountLedger, RiskBook, SessionDay, day_key, entries_between, entries_of, position_key
from liveorder.application.risk.book.entries import FILL
from liveorder.application.risk.book.rows import fees_key, page_key
from liveorder.application.risk.book.tallies import OF_NO_STRATEGY, StrategyTally, tally_key
from liveorder.domain.events import Event
from liveorder.domain.fees_in_kind import Bought, FeesDue
from liveorder.domain.instrument import Instrument
from liveorder.domain.order import LiveOrder
from liveorder.domain.order import events as ev
from liveorder.domain.position import Position
from liveorder.domain.position_adjustment import AdjustmentReason, PositionAdjusted
from liveorder.domain.risk import SentOrder
from liveorder.domain.values import AssetClass, Side
from tests.builders import (
    ACKNOWLEDGED,
    ORDER_ID,
    SENT,
    SESSION,
    START,
    bust,
    correction,
    fill,
    intent,
    order_of,
    seconds,
    submission,
    then,
)

TODAY = date(2026, 11, 23)
OTHER_ID = UUID(int=2)
SPY = position_key("trend", "ARCA:SPY")
COIN = Instrument(symbol="BTC/USD", exchange="CRYPTO", asset_class=AssetClass.CRYPTO)


LOG = count(1, 10)
"""Places of commits."""


def figures(*values: object) -> tuple[object, ...]:
    """Side by side; a `Fraction`, a `Decimal` and an `int` of one value are equal."""
    return values


def step(order: LiveOrder, *events: Event) -> tuple[LedgerEntry, ...]:
    return entries_between(order, then(order, *events), TODAY)


def traded(entry: LedgerEntry) -> tuple[str | None, ...]:
    return tuple(entry.values.get(name) for name in ("quantity", "price", "fee"))


def a_trade(session: date, account_id: str = "U1", **changes: str) -> LedgerEntry:
    """The first attempt of the usual order."""
    sent = {"strategy_name": "trend", "instrument": "ARCA:SPY", "likeness": "BUY", "order_id": str(ORDER_ID)}
    return LedgerEntry(account_id, "trade", session.isoformat(), sent | {"at": START.isoformat()} | changes)


def stored(ledger: AccountLedger, entries: Sequence[LedgerEntry]) -> dict[str, LedgerRow]:
    """The rows of a transaction that went through, by key."""
    first = next(LOG)
    rows = ledger.stage([replace(entry, place=first + entry.place) for entry in entries])
    ledger.keep(rows)
    return {row.key: row for row in rows}


def life_of(ledger: AccountLedger, *events: Event, begin: ev.OrderRequested | None = None) -> tuple[Position, SessionDay]:
    """Position and day after an order's events, each committed by itself."""
    order, rows = order_of(begin or intent(), SENT, ACKNOWLEDGED), {row.key: row for row in ledger.rows()}
    for event in events:
        rows |= stored(ledger, step(order, event))
        order = then(order, event)
    return Position.from_json(rows[SPY].state), SessionDay.from_json(rows[day_key(TODAY)].state)


def inferred(quantity: int, price: int, number: int = 1) -> ev.FillInferred:
    return ev.FillInferred(execution_id=f"inferred-{number}", quantity=Decimal(quantity), price=Decimal(price), evidence="")


SOLD = intent(side=Side.SELL)
CORN = Instrument(symbol="ZC", exchange="CBOT", multiplier=Decimal(50), price_magnifier=Decimal(100))

# --- entries ---------------------------------------------------------------------------------------------------------------------


def test_the_first_attempt_counts_to_the_session_that_its_event_names() -> None:
    entries = entries_between(None, order_of(SENT), TODAY)
    assert entries == (a_trade(SESSION, at=seconds(1).isoformat()),)


def test_a_second_attempt_is_no_second_trade() -> None:
    failed = ev.SubmissionFailed(request_id="LIVEORDERKEYOFATESTX-s1", error="BrokerConnectionError", message="refused")
    assert step(order_of(SENT, failed), submission(2)) == ()


def test_an_intent_that_is_not_sent_is_no_trade() -> None:
    assert entries_between(None, order_of(), TODAY) == ()


def test_a_fill_is_an_entry_with_everything_that_booking_it_takes() -> None:
    future = Instrument(symbol="ES", exchange="CME", currency="EUR", multiplier=Decimal(50))
    order = order_of(intent(instrument=future), SENT)
    values = {
        "order_id": str(order.order_id),
        "name": "x1",
        "quantity": "40",
        "price": "10",
        "fee": "1.25",
        "fee_currency": "EUR",
        "multiplier": "50",
        "currency": "EUR",
        "session": "2026-11-23",
        "told_at": seconds(2).isoformat(),
        "at": seconds(90).isoformat(),
    }
    key = position_key("trend", "CME:ES", "EUR", "50")
    assert step(order, fill("x1", 40, 10, fee="1.25", at=90)) == (LedgerEntry("U1", "fill", key, values),)


def test_a_position_that_was_booked_as_if_cents_were_dollars_is_closed_for_what_it_is_worth() -> None:
    """By an order of this version, and by one that an earlier version placed, whichever comes first."""
    unknowing = CORN.but(multiplier=Decimal(5000), price_magnifier=Decimal(1))
    orders = [
        (intent(instrument=unknowing), fill("x1", 3, 450)),
        (intent(instrument=CORN, side=Side.SELL), fill("x2", 1, 455)),
        (intent(instrument=unknowing, side=Side.SELL), fill("x3", 2, 460)),
    ]
    ledger, rows = AccountLedger(), dict[str, LedgerRow]()
    for begun, told in orders:
        rows |= stored(ledger, step(order_of(begun, SENT), told))
    position = Position.from_json(rows[position_key("trend", CORN.key, "USD", "5000")].state)
    assert figures(position.quantity, position.multiplier, position.realized_gross) == (0, 50, 250 + 1000)
    assert SessionDay.from_json(rows[day_key(TODAY)].state).realized_net == {"USD": Decimal(1250)}


def test_a_sale_is_negative() -> None:
    assert [traded(entry) for entry in step(order_of(SOLD, SENT), fill("x1", 40, 10, fee="1"))] == [("-40", "10", "1")]


def test_fills_of_one_commit_are_entries_in_the_order_in_which_they_were_told() -> None:
    entries = step(order_of(SENT, fill("x1", 1)), fill("x2", 2), fill("x3", 3), fill("x2", 2))
    assert [traded(entry) for entry in entries] == [("2", "10", None), ("3", "10", None)]


def test_a_fill_with_the_submission_is_a_trade_and_a_fill() -> None:
    assert [entry.kind for entry in entries_between(None, order_of(SENT, fill("x1", 1)), TODAY)] == ["fill", "trade"]


def test_what_changes_no_execution_is_no_entry() -> None:
    assert step(order_of(SENT, fill("x1", 1)), ACKNOWLEDGED, fill("x1", 1), bust("unknown")) == ()


def test_a_bust_takes_its_fill_back() -> None:
    entries = step(order_of(SENT, fill("x1", 3, 10, fee="1"), fill("x2", 4, 12)), bust("x1"))
    assert [(entry.kind, *traded(entry)) for entry in entries] == [("take_back", "3", "10", "1")]


def test_a_fill_that_was_busted_before_it_came_is_no_entry() -> None:
    assert step(order_of(SENT, bust("x1")), fill("x1", 3)) == ()


def test_a_correction_takes_the_old_fill_back_and_books_the_new_one() -> None:
    entries = step(order_of(SENT, fill("x1", 100, 10, fee="1")), correction("x2", "x1", 99, 15, fee="2"))
    assert [(entry.kind, *traded(entry)) for entry in entries] == [
        ("take_back", "100", "10", "1"),
        ("fill", "99", "15", "2"),
    ]


def test_a_commission_that_comes_late_books_its_fill_anew() -> None:
    late = ev.CommissionReported(execution_id="x1", commission=Decimal("1.50"))
    entries = step(order_of(SENT, fill("x1", 100, 10, fee="1"), fill("x2", 50, 11)), late)
    assert [(entry.kind, *traded(entry)) for entry in entries] == [
        ("take_back", "100", "10", "1"),
        ("fill", "100", "10", "1.50"),
    ]


def test_an_inferred_fill_gives_way_to_the_executions() -> None:
    inferred = ev.FillInferred(execution_id="inferred-30", quantity=Decimal(30), price=Decimal(10), evidence="total of 30")
    order = order_of(SENT)
    assert [traded(entry) for entry in step(order, inferred)] == [("30", "10", None)]
    told = step(then(order, inferred), fill("x1", 20, 11))
    assert [(entry.kind, *traded(entry)) for entry in told] == [
        ("take_back", "30", "10", None),
        ("fill", "20", "11", None),
        ("fill", "10", "10", None),
    ]


def test_an_order_restated_for_a_split_is_held_in_new_units_and_earned_nothing() -> None:
    position, day = life_of(AccountLedger(), fill("x1", 30, 10, fee="1"), ev.Restated(split_ratio=Decimal(2)))
    assert figures(position.quantity, position.cost, position.commission, day.realized_net["USD"]) == (60, 300, 1, -1)


@pytest.mark.parametrize("polled", [((10, 0), (10, 0)), ((10, 0), (10, 10)), ((10, 8), (10, 0))])
def test_other_units_of_the_same_value_are_no_split(polled: tuple[tuple[int, int], ...]) -> None:
    """What is inferred without a price is worth nothing, and fewer units can be worth as much as more were."""
    for reported in ([], [fill("x1", 10, 5)], [fill("x1", 10, 5), fill("x2", 10, 4)]):
        events = [*(inferred(*each, number=number) for number, each in enumerate(polled, 1)), *reported]
        position, _ = life_of(AccountLedger(), *events)
        totals = order_of(SENT, *events).executions.totals
        assert figures(position.quantity, -position.cash_flow) == figures(totals.quantity, totals.value)


# --- booking ---------------------------------------------------------------------------------------------------------------------


def test_fills_make_a_position_and_a_days_result() -> None:
    ledger = AccountLedger()
    life_of(ledger, fill("x1", 60, 10, fee="1"), fill("x2", 40, 11, fee="1"))
    position, day = life_of(ledger, fill("y1", 50, 12, fee="3"), begin=SOLD)
    assert figures(position.quantity, position.average_price, position.realized_net) == (50, Decimal("10.4"), Fraction(75))
    assert day == SessionDay(0, {"USD": Decimal(75)})


def test_the_price_of_an_open_position_can_be_corrected() -> None:
    position, day = life_of(AccountLedger(), fill("x1", 100, 10), correction("x2", "x1", 99, 15))
    assert figures(position.quantity, position.cost, position.realized_net, day.realized_net) == (99, 1485, 0, {})


def test_the_price_of_a_closed_position_can_be_corrected() -> None:
    ledger = AccountLedger()
    bought = order_of(SENT, fill("x1", 100, 10))
    stored(ledger, entries_between(None, bought, TODAY))
    stored(ledger, entries_between(None, order_of(SOLD, SENT, fill("y1", 100, 12)), TODAY))
    rows = stored(ledger, step(bought, correction("x2", "x1", 100, 11)))
    position, day = Position.from_json(rows[SPY].state), SessionDay.from_json(rows[day_key(TODAY)].state)
    assert figures(position.quantity, position.cost, position.realized_net, day.realized_net["USD"]) == (0, 0, 100, 100)


def test_a_correction_leaves_the_other_fills_of_an_open_position_alone() -> None:
    position, day = life_of(AccountLedger(), fill("x1", 50, 10), fill("x2", 50, 20), correction("x3", "x1", 50, 11))
    assert figures(position.quantity, position.cost, position.realized_net, day.realized_net) == (100, 1550, 0, {})


def test_a_correction_leaves_the_other_fills_of_a_short_position_alone() -> None:
    sold = (fill("x1", 50, 10), fill("x2", 50, 20), correction("x3", "x1", 50, 11))
    position, day = life_of(AccountLedger(), *sold, begin=SOLD)
    assert figures(position.quantity, position.cost, position.realized_net, day.realized_net) == (-100, -1550, 0, {})


def test_a_position_that_another_strategy_closes_is_a_result_of_the_account() -> None:
    """As by `kill --flatten` or an adoption. What is left of two against each other cost what those who hold it paid."""
    ledger, book = AccountLedger(), RiskBook()
    life_of(ledger, fill("x1", 10, 10))
    closing = order_of(intent(side=Side.SELL, strategy_name="flatten"), SENT)
    rows = stored(ledger, entries_between(closing, then(closing, fill("y1", 4, 8)), TODAY))
    assert SessionDay.from_json(rows[day_key(TODAY)].state).realized_net == {"USD": Decimal(-8)}
    book.absorb(ledger.rows())
    position = book.position("U1", "ARCA:SPY")
    assert position is not None
    assert figures(position.quantity, position.cost, position.realized_net) == (6, 60, -8)
    sold = then(closing, fill("y1", 4, 8))
    rows = stored(ledger, entries_between(sold, then(sold, fill("y2", 6, 8)), TODAY))
    assert SessionDay.from_json(rows[day_key(TODAY)].state).realized_net == {"USD": Decimal(-20)}


def test_a_late_commission_lowers_the_result_and_leaves_the_cost_alone() -> None:
    late = ev.CommissionReported(execution_id="x1", commission=Decimal(2))
    position, day = life_of(AccountLedger(), fill("x1", 50, 10), fill("x2", 50, 20), late)
    assert figures(position.cost, position.commission, day.realized_net) == (1500, 2, {"USD": -2})


def test_a_commission_in_another_currency_is_no_part_of_the_result_and_counts_to_the_day_by_itself() -> None:
    position, day = life_of(AccountLedger(), fill("x1", 50, 10, fee="2 EUR"), fill("x2", 50, 20, fee="1"))
    assert figures(position.commission, position.other_commissions, position.realized_net) == (1, {"EUR": 2}, -1)
    assert day.realized_net == {"USD": Decimal(-1), "EUR": Decimal(-2)}


def test_a_commission_that_turns_out_to_be_in_another_currency_leaves_the_first() -> None:
    late = ev.CommissionReported(execution_id="x1", commission=Decimal(2), commission_currency="EUR")
    position, day = life_of(AccountLedger(), fill("x1", 50, 10, fee="2"), late)
    assert figures(position.commission, position.other_commissions) == (0, {"EUR": 2})
    assert day.realized_net == {"USD": Decimal(0), "EUR": Decimal(-2)}
    assert Position.from_json(position.to_json()) == position


def test_a_bust_takes_back_what_was_paid_in_another_currency() -> None:
    position, day = life_of(AccountLedger(), fill("x1", 50, 10, fee="2 EUR"), bust("x1"))
    assert figures(position.quantity, position.other_commissions, day.realized_net["EUR"]) == (0, {}, 0)


def test_a_commission_in_the_coin_that_was_bought_is_held_no_more_and_costs_what_it_was_worth() -> None:
    ledger = AccountLedger()
    stored(ledger, step(coins(SENT), fill("x1", "0.1", 60000, fee="0.00025 BTC")))
    rows = {row.key: row.state for row in ledger.rows()}
    position, day = Position.from_json(rows[position_key("trend", COIN.key)]), SessionDay.from_json(rows[day_key(TODAY)])
    assert figures(position.quantity, position.average_price, position.commission) == (Decimal("0.09975"), 60000, 15)
    assert figures(position.realized_gross, position.paid_in_kind, day.realized_net["USD"]) == (0, Decimal("0.00025"), -15)


FEE = Decimal("0.0025")


def coins(*events: Event, **changes: Any) -> LiveOrder:
    return order_of(intent(instrument=COIN, **changes), *events)


def due_after(*steps: tuple[LiveOrder, Event]) -> FeesDue:
    """What may be kept after orders of a broker that keeps 0.25 % have taken these steps."""
    ledger = AccountLedger()
    for order, event in steps:
        stored(ledger, entries_between(order, then(order, event), TODAY, FEE))
    rows = {row.key: row.state for row in ledger.rows()}
    return FeesDue.from_json(rows[fees_key(COIN.key)])


def test_a_buy_where_the_broker_keeps_a_part_leaves_a_fee_due_for_its_strategy() -> None:
    due = due_after((coins(SENT), fill("x1", 4, 3000)), (coins(SENT), fill("x2", 4, 3100)))
    assert due.instrument == COIN
    assert due.bought == (Bought(TODAY, "trend", Decimal(8), Decimal(24400), Decimal("0.02")),)


def test_what_was_taken_back_corrected_or_charged_at_once_leaves_no_such_fee() -> None:
    bought = coins(SENT, fill("x1", 4, 3000))
    assert due_after((coins(SENT), fill("x1", 4, 3000)), (bought, bust("x1"))).bought == ()
    (lot,) = due_after((coins(SENT), fill("x1", 4, 3000)), (bought, correction("x2", "x1", 2, 3000))).bought
    assert figures(lot.quantity, lot.value, lot.most) == (2, 6000, Decimal("0.005"))
    told = entries_between(coins(SENT), then(coins(SENT), fill("x1", 4, 3000, fee="0.01 BTC")), TODAY, FEE)
    assert [entry.kind for entry in told] == ["fill"]


@pytest.mark.parametrize("order", [coins(SENT, side=Side.SELL), coins(), order_of(SENT)], ids=["sold", "adopted", "no fee in kind"])
def test_no_fee_in_kind_is_due_on_what_was_not_bought_there(order: LiveOrder) -> None:
    rate = Decimal(0) if order.intent.instrument != COIN else FEE
    entries = entries_between(order, then(order, fill("x1", 4, 3000)), TODAY, rate)
    assert [entry.kind for entry in entries] == ["fill"]


def test_a_fee_that_was_kept_is_off_the_holding_and_a_loss_of_the_session_and_due_no_more() -> None:
    ledger = AccountLedger()
    stored(ledger, entries_between(coins(SENT), then(coins(SENT), fill("x1", 4, 3000)), TODAY, FEE))
    kept = PositionAdjusted(
        account_id="U1",
        strategy_name="trend",
        instrument=COIN,
        reason=AdjustmentReason.FEE_IN_KIND,
        quantity=Decimal("-0.01"),
        price=Decimal(3000),
        effective_at=seconds(90),
        evidence="it holds 3.99",
    )
    rows = stored(ledger, entries_of(kept, TODAY, seconds(90)))
    position, day = (
        Position.from_json(rows[position_key("trend", COIN.key)].state),
        SessionDay.from_json(rows[day_key(TODAY)].state),
    )
    assert figures(position.quantity, position.average_price, position.commission) == (Decimal("3.99"), 3000, 30)
    assert figures(position.realized_gross, position.paid_in_kind) == (0, Decimal("0.01"))
    assert day == SessionDay(0, {"USD": Decimal(-30)})
    assert FeesDue.from_json(rows[fees_key(COIN.key)].state).left(TODAY) == 0


def test_a_bust_of_more_than_is_held_leaves_what_the_other_fills_make() -> None:
    ledger = AccountLedger()
    bought = order_of(SENT, fill("x1", 100, 10, fee="1"), fill("x2", 50, 20))
    stored(ledger, entries_between(None, bought, TODAY))
    stored(ledger, entries_between(None, order_of(SOLD, SENT, fill("y1", 120, 30)), TODAY))
    rows = stored(ledger, step(bought, bust("x1")))
    position = Position.from_json(rows[SPY].state)
    assert figures(position.quantity, position.cost, position.cash_flow, position.commission) == (-70, -2100, 2600, 0)


def test_a_fill_and_its_bust_leave_nothing() -> None:
    position, day = life_of(AccountLedger(), fill("x1", 100, "10.03", fee="1.1"), bust("x1"))
    assert figures(position.quantity, position.cost, position.realized_net, position.commission) == (0, 0, 0, 0)
    assert day.realized_net["USD"] == 0


def test_a_result_that_never_ends_does_not_add_up_to_an_error() -> None:
    ledger = AccountLedger()
    life_of(ledger, fill("x1", 1, 10), fill("x2", 2, 11))
    position, day = life_of(ledger, *(fill(f"y{number}", 1, 12) for number in range(3)), begin=SOLD)
    assert position.realized_net == day.realized_net["USD"] == 4


def test_trades_and_results_of_one_session_share_its_row() -> None:
    ledger = AccountLedger()
    rows = ledger.stage([a_trade(TODAY), *step(order_of(SENT), fill("x1", 5, 10, fee="2"))])
    assert [(row.account_id, row.key) for row in rows] == [
        ("U1", "day:2026-11-23"),
        ("U1", 'tally:["trend", "ARCA:SPY"]'),
        ("U1", page_key(SPY, 0)),
        ("U1", SPY),
    ]
    assert SessionDay.from_json(rows[0].state) == SessionDay(1, {"USD": Decimal(-2)})


# --- tallies ---------------------------------------------------------------------------------------------------------------------


def tally_of(ledger: AccountLedger, strategy_name: str = "trend") -> StrategyTally:
    rows = {row.key: row.state for row in ledger.rows()}
    return StrategyTally.from_json(rows[tally_key(strategy_name, "ARCA:SPY")])


def test_trades_and_results_are_told_apart_by_strategy_and_add_up_to_the_accounts() -> None:
    ledger = AccountLedger()
    stored(ledger, [a_trade(TODAY), *step(order_of(SENT), fill("x1", 5, 10, fee="2"))])
    other = order_of(intent(strategy_name="swing", order_id=OTHER_ID), SENT)
    stored(ledger, [a_trade(TODAY, strategy_name="swing"), *step(other, fill("x2", 5, 10, fee="3"))])
    assert tally_of(ledger).day(TODAY) == SessionDay(1, {"USD": Decimal(-2)})
    assert tally_of(ledger, "swing").day(TODAY) == SessionDay(1, {"USD": Decimal(-3)})
    rows = {row.key: row.state for row in ledger.rows()}
    assert SessionDay.from_json(rows[day_key(TODAY)]) == SessionDay(2, {"USD": Decimal(-5)})


def test_what_strategies_earn_against_each_other_is_no_strategys() -> None:
    ledger = AccountLedger()
    stored(ledger, step(order_of(SENT), fill("x1", 5, 10)))
    short = order_of(intent(strategy_name="swing", order_id=OTHER_ID, side=Side.SELL), SENT)
    stored(ledger, step(short, fill("x2", 5, 12)))
    assert tally_of(ledger, OF_NO_STRATEGY).day(TODAY) == SessionDay(0, {"USD": Decimal(10)})
    rows = {row.key: row.state for row in ledger.rows()}
    assert SessionDay.from_json(rows[day_key(TODAY)]) == SessionDay(0, {"USD": Decimal(10)})


def test_of_orders_that_are_alike_the_newest_is_known_and_of_sessions_the_newest_three() -> None:
    ledger = AccountLedger()
    days = [TODAY + timedelta(days=days) for days in range(4)]
    for number, day in enumerate(days):
        at = (START + timedelta(days=number)).isoformat()
        stored(ledger, [a_trade(day, order_id=str(UUID(int=number)), at=at)])
    stored(ledger, [a_trade(days[-1], likeness="SELL", order_id=str(OTHER_ID))])
    stored(ledger, [a_trade(days[-1], order_id=str(UUID(int=77)), at=START.isoformat())])
    tally = tally_of(ledger)
    assert [tally.day(day).trades for day in days] == [0, 1, 1, 3]
    newest = SentOrder(UUID(int=3), START + timedelta(days=3))
    assert (tally.last_alike("BUY"), tally.last_alike("SELL")) == (newest, SentOrder(OTHER_ID, START))
    assert tally.last_alike("SELL:CLOSE") is None
    assert StrategyTally.from_json(tally.to_json()) == tally


# --- staging ---------------------------------------------------------------------------------------------------------------------

BOUGHT = step(order_of(SENT), fill("x1", 5, 10))


def test_what_is_staged_and_not_kept_leaves_no_trace() -> None:
    ledger = AccountLedger()
    kept = stored(ledger, BOUGHT)
    ledger.stage([*BOUGHT, a_trade(TODAY), a_trade(TODAY, "U2")])
    assert {row.key: row for row in ledger.rows()} == kept
    assert Position.from_json(stored(ledger, BOUGHT)[SPY].state).quantity == 10


def test_a_loaded_ledger_goes_on_as_the_one_that_stored_the_rows() -> None:
    first, second = AccountLedger(), AccountLedger()
    stored(first, BOUGHT)
    second.load(first.rows())
    assert {*second.rows()} == {*first.rows()}
    assert second.stage(BOUGHT) == first.stage(BOUGHT)


def test_rows_that_were_not_staged_here_can_be_kept() -> None:
    first, second = AccountLedger(), AccountLedger()
    second.stage(BOUGHT)
    second.keep(first.stage([*BOUGHT, *BOUGHT]))
    assert Position.from_json(stored(second, BOUGHT)[SPY].state).quantity == 15


def test_loading_forgets_what_was_there() -> None:
    ledger = AccountLedger()
    stored(ledger, BOUGHT)
    ledger.load([])
    assert ledger.rows() == ()


def a_fill(strategy: str, quantity: str, price: str, name: str, place: int) -> LedgerEntry:
    values = {"currency": "USD", "multiplier": "1", "order_id": name, "name": name, "quantity": quantity, "price": price}
    times = {"session": SESSION.isoformat(), "told_at": seconds(1).isoformat()}
    return LedgerEntry("acc-1", FILL, position_key(strategy, "NYSE:X"), values | times, place)


def test_what_was_booked_from_the_log_is_netted_between_strategies_as_after_a_restart() -> None:
    """A has bought 10 at 100 and B sold 10 at 110; B buys back at 120: a loss of 100 for B, 100 more than the two had netted."""
    read = AccountLedger()
    read.keep(read.stage([a_fill("A", "10", "100", "1", 1), a_fill("B", "-10", "110", "2", 2)]))
    migrated = AccountLedger()
    migrated.load([])
    for strategy in "AB":
        key = position_key(strategy, "NYSE:X")
        held = read.held("acc-1", key)
        assert held is not None
        migrated.keep(migrated.stage([rebooked_as("acc-1", key, held, 2)]))
    restarted = AccountLedger()
    restarted.load(migrated.rows())
    days = []
    for ledger in (migrated, restarted):
        rows = ledger.stage([a_fill("B", "10", "120", "3", 3)])
        days.append([row.state for row in rows if row.key == day_key(SESSION)])
    assert days[0] == days[1]
    assert SessionDay.from_json(days[0][0]).realized_net == {"USD": Decimal(-200)}
