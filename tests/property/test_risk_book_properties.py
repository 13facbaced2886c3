"""The book's running sums and the ledger's rows, against the plain ways of finding the same."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from uuid import UUID, uuid4

from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from liveorder.application.ports.order_store import LedgerEntry, LedgerRow
from liveorder.application.risk.book import AccountLedger, RiskBook, SessionDay, day_key, entries_between, position_key
from liveorder.domain.events import Event
from liveorder.domain.instrument import Instrument
from liveorder.domain.order import LiveOrder
from liveorder.domain.order import events as ev
from liveorder.domain.position import Position
from liveorder.domain.quotes import Price
from liveorder.domain.risk import RiskView
from liveorder.domain.values import OrderType, Side
from tests.builders import ACKNOWLEDGED, SENT, SESSION, START, bust, cancelled, correction, fill, intent, order_of, then

INSTRUMENTS = [Instrument(symbol=symbol, exchange="X", multiplier=Decimal(m)) for symbol, m in (("A", 1), ("B", 10))]

units = st.decimals("0.001", "40", places=3)
prices = st.decimals("-5", "30", places=2)
fees = st.none() | st.decimals("0", "2", places=2).map(str)

# --- running sums ----------------------------------------------------------------------------------------------------------------


def look(book: RiskBook, instrument: Instrument) -> RiskView:
    return book.view(
        "U1",
        "trend",
        instrument,
        now=START,
        session_date=SESSION,
        closed_because=None,
        auto_trading=True,
        halt=None,
        price_age_seconds=1.0,
        currency="USD",
        atomic_replace=False,
    )


class RunningSums(RuleBasedStateMachine):
    """A book that followed every change sees what one sees that was filled just now."""

    numbers = st.integers(0, 5)

    def __init__(self) -> None:
        super().__init__()
        self.book = RiskBook()
        self.tracked: dict[int, LiveOrder] = {}
        self.reserved: dict[int, LiveOrder] = {}
        self.rows: dict[str, LedgerRow] = {}
        self.marks: dict[str, Decimal] = {}

    def order(self, number: int, quantity: Decimal, price: Decimal) -> LiveOrder:
        """An order's number decides its instrument and side. A sale is above the market, whose price then does not matter."""
        side = [*Side][number // 2 % 2]
        limit_price = price if side is Side.BUY else price + 60
        return order_of(
            intent(
                order_id=UUID(int=number + 1),
                instrument=INSTRUMENTS[number % 2],
                side=side,
                order_type=OrderType.LIMIT,
                quantity=quantity,
                limit_price=limit_price,
                decision_price=limit_price,
            )
        )

    @rule(number=numbers, quantity=units, price=prices, works=st.booleans())
    def track(self, number: int, quantity: Decimal, price: Decimal, works: bool) -> None:
        order = self.order(number, quantity, price)
        self.tracked[number] = then(order, SENT, ACKNOWLEDGED) if works else order
        self.book.track(self.tracked[number])

    @rule(number=numbers, quantity=units, price=prices)
    def reserve(self, number: int, quantity: Decimal, price: Decimal) -> None:
        self.reserved[number] = self.order(number, quantity, price)
        self.book.reserve(self.reserved[number])

    @rule(number=numbers)
    def release(self, number: int) -> None:
        self.reserved.pop(number, None)
        self.book.release(UUID(int=number + 1))

    @rule(number=numbers)
    def close(self, number: int) -> None:
        if (order := self.tracked.pop(number, None)) is not None:
            self.book.track(then(order, cancelled()))

    @rule(instrument=st.sampled_from(INSTRUMENTS), quantity=units, price=prices, side=st.sampled_from(Side))
    def hold(self, instrument: Instrument, quantity: Decimal, price: Decimal, side: Side) -> None:
        position = Position.flat("USD", instrument.multiplier).fill(quantity * side.sign, price, Decimal(0), START)
        row = self.rows[instrument.key] = LedgerRow("U1", position_key("trend", instrument.key), position.to_json())
        self.book.absorb([row])

    @rule(instrument=st.sampled_from(INSTRUMENTS), price=prices)
    def mark(self, instrument: Instrument, price: Decimal) -> None:
        self.marks[instrument.key] = price
        self.book.mark(instrument.key, Price(price, START))

    @invariant()
    def sees_what_a_new_book_sees(self) -> None:
        fresh = RiskBook()
        fresh.absorb([*self.rows.values()])
        for key, price in self.marks.items():
            fresh.mark(key, Price(price, START))
        for order in self.tracked.values():
            fresh.track(order)
        for order in self.reserved.values():
            fresh.reserve(order)
        for instrument in INSTRUMENTS:
            assert look(self.book, instrument) == look(fresh, instrument)


TestRunningSums = RunningSums.TestCase
TestRunningSums.settings = settings(max_examples=50, stateful_step_count=25)

# --- the ledger ------------------------------------------------------------------------------------------------------------------

events = st.one_of(
    st.builds(fill, st.sampled_from("abcdef"), units.map(str), prices.map(str), fees),
    st.builds(bust, st.sampled_from("abcdefuvw")),
    st.builds(correction, st.sampled_from("uvw"), st.sampled_from("abcuv"), units.map(str), prices.map(str), fees),
    st.builds(ev.CommissionReported, execution_id=st.sampled_from("abcu"), commission=st.decimals("0", "2", places=2)),
    st.builds(ev.FillInferred, execution_id=st.sampled_from(["i", "j"]), quantity=units, price=prices, evidence=st.just("a total")),
)
commits = st.lists(st.lists(events, min_size=1, max_size=4), max_size=8)


def entries_of(
    side: Side, instrument: Instrument, life: Sequence[Sequence[Event]]
) -> tuple[LiveOrder, list[tuple[LedgerEntry, ...]]]:
    """The order in the end, and the entries of each of its commits."""
    order = order_of(intent(order_id=uuid4(), side=side, instrument=instrument, quantity=Decimal(100)), SENT)
    entries = []
    for commit in life:
        after = then(order, *commit)
        entries.append(entries_between(order, after, SESSION))
        order = after
    return order, entries


def position_in(ledger: AccountLedger, instrument: Instrument) -> Position:
    rows = {row.key: row.state for row in ledger.rows()}
    stored = rows.get(position_key("trend", instrument.key, "USD", f"{instrument.multiplier:f}"))
    return Position.flat("USD", instrument.multiplier) if stored is None else Position.from_json(stored)


GIVEN_AWAY = [
    [ev.FillInferred(execution_id="i", quantity=Decimal("0.002"), price=Decimal(0), evidence="a total")],
    [fill("a", "0.001", "0", None)],
]
"""Worth nothing, so that its value does not tell how much of the inferred fill is left."""


@example([(Side.BUY, GIVEN_AWAY)], INSTRUMENTS[0])
@given(st.lists(st.tuples(st.sampled_from(Side), commits), max_size=4), st.sampled_from(INSTRUMENTS))
def test_whatever_was_told_a_position_is_the_sum_of_its_orders(
    lives: list[tuple[Side, list[list[Event]]]], instrument: Instrument
) -> None:
    ledger, orders = AccountLedger(), []
    for side, life in lives:
        order, entries = entries_of(side, instrument, life)
        orders.append(order)
        for commit in entries:
            ledger.keep(ledger.stage(commit))
    position = position_in(ledger, instrument)
    totals = [(order.terms.side.sign, order.executions.totals) for order in orders]
    assert position.quantity == sum(sign * told.quantity for sign, told in totals)
    money = -sum(sign * told.value for sign, told in totals) * instrument.multiplier
    assert abs(position.cash_flow - money) < Decimal("1e-20")  # the price of what was inferred has 28 digits
    assert position.commission == sum(order.commission for order in orders)


fills = st.lists(st.tuples(st.sampled_from(Side), st.lists(st.tuples(units, prices, fees), min_size=1, max_size=3)), max_size=8)


@given(fills, st.sampled_from(INSTRUMENTS))
def test_fills_through_the_ledger_make_the_position_that_they_make_directly(
    told: list[tuple[Side, list[tuple[Decimal, Decimal, str | None]]]], instrument: Instrument
) -> None:
    ledger, direct = AccountLedger(), Position.flat("USD", instrument.multiplier)
    for side, executions in told:
        commit = [fill(f"x{number}", str(q), str(p), fee) for number, (q, p, fee) in enumerate(executions)]
        _, entries = entries_of(side, instrument, [commit])
        ledger.keep(ledger.stage(entries[0]))
        for quantity, price, fee in executions:
            direct = direct.fill(quantity * side.sign, price, Decimal(fee or 0), None)
    position = position_in(ledger, instrument)
    assert (position.quantity, position.cost, position.realized_net) == (direct.quantity, direct.cost, direct.realized_net)


@given(fills, st.sampled_from(INSTRUMENTS))
def test_the_days_result_is_what_its_positions_realised(
    told: list[tuple[Side, list[tuple[Decimal, Decimal, str | None]]]], instrument: Instrument
) -> None:
    ledger = AccountLedger()
    for side, executions in told:
        commit = [fill(f"x{number}", str(q), str(p), fee) for number, (q, p, fee) in enumerate(executions)]
        ledger.keep(ledger.stage(entries_of(side, instrument, [commit])[1][0]))
    rows = {row.key: row.state for row in ledger.rows()}
    day = SessionDay.from_json(rows.get(day_key(SESSION), SessionDay().to_json()))
    realised = position_in(ledger, instrument).realized_net
    assert abs(Fraction(day.realized_net.get("USD", Decimal(0))) - realised) <= Fraction(1, 10**18)


@given(st.lists(st.tuples(st.sampled_from(Side), commits, st.booleans()), max_size=5))
def test_what_was_staged_and_not_kept_leaves_no_trace(lives: list[tuple[Side, list[list[Event]], bool]]) -> None:
    one, other = AccountLedger(), AccountLedger()
    for side, life, is_durable in lives:
        for commit in entries_of(side, INSTRUMENTS[0], life)[1]:
            rows = one.stage(commit)
            if is_durable:
                one.keep(rows)
                assert other.stage(commit) == rows
                other.keep(rows)
    assert one.rows() == other.rows()
