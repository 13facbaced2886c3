"""What holds of the risk rules and their book, whatever comes in whatever order."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from liveorder.application.ports.order_store import LedgerRow
from liveorder.application.risk.book import RiskBook, position_key
from liveorder.domain.instrument import Instrument
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.terms import OrderTerms
from liveorder.domain.position import Position
from liveorder.domain.risk import Exposure, OpenSide, Proposal, RiskView, Stake, assess
from liveorder.domain.risk.assessment import EXIT_RULES
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.values import OrderRole, OrderType, Side
from tests.builders import KEY, SENT, SESSION, START, intent, order_of, then, unknown

INSTRUMENTS = [Instrument(symbol=symbol, exchange="X", multiplier=Decimal(m)) for symbol, m in (("A", 1), ("B", 1), ("C", 10))]
UNLIMITED: dict[str, Any] = {
    "max_position_size": None,
    "max_daily_trades": None,
    "max_signal_age_seconds": None,
    "price_collar_percent": None,
    "allow_short_selling": True,
}
units = st.integers(1, 40).map(Decimal)
prices = st.integers(1, 30).map(Decimal)
instruments = st.sampled_from(INSTRUMENTS)
sides = st.sampled_from(Side)
holdings = st.dictionaries(instruments.map(lambda i: i.key), st.tuples(st.integers(-60, 60).map(Decimal), prices))


@dataclass
class Ask:
    """One order that somebody wants to send."""

    instrument: Instrument
    side: Side
    quantity: Decimal
    price: Decimal
    number: int = 0

    @property
    def proposal(self) -> Proposal:
        terms = OrderTerms(
            side=self.side,
            order_type=OrderType.LIMIT,
            quantity=self.quantity,
            limit_price=self.price,
            decision_price=self.price,
        )
        return Proposal("U1", "trend", self.instrument, terms)

    @property
    def order(self) -> LiveOrder:
        return order_of(
            intent(
                order_id=UUID(int=self.number + 1),
                instrument=self.instrument,
                side=self.side,
                order_type=OrderType.LIMIT,
                quantity=self.quantity,
                limit_price=self.price,
                decision_price=self.price,
            )
        )


def numbered(asks: Iterable[Ask]) -> list[Ask]:
    return [Ask(a.instrument, a.side, a.quantity, a.price, number) for number, a in enumerate(asks)]


asks = st.lists(st.builds(Ask, instruments, sides, units, prices), max_size=12).map(numbered)


def book_with(held: dict[str, tuple[Decimal, Decimal]]) -> RiskBook:
    """Positions as (signed units, price)."""
    book = RiskBook()
    for instrument in INSTRUMENTS:
        quantity, price = held.get(instrument.key, (Decimal(0), Decimal(1)))
        position = Position.flat("USD", instrument.multiplier).fill(quantity, price, Decimal(0), START)
        book.absorb([LedgerRow("U1", position_key("trend", instrument.key), position.to_json())])
    return book


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


def reserved(book: RiskBook, wanted: list[Ask], limits: RiskLimits) -> list[Ask]:
    """Those of the asks that the rules let through, each decided before any is durable."""
    taken = []
    for ask in wanted:
        if assess(ask.proposal, look(book, ask.instrument), limits).refusal is None:
            book.reserve(ask.order)
            taken.append(ask)
    return taken


# --- limits ----------------------------------------------------------------------------------------------------------------------


@given(asks, st.integers(1, 3000), st.integers(0, 6), st.integers(0, 6))
def test_orders_decided_at_once_never_pass_a_limit_together(wanted: list[Ask], money: int, count: int, trades: int) -> None:
    limits = RiskLimits(
        **UNLIMITED
        | {"max_position_size": Decimal(money), "max_open_orders": count, "max_daily_trades": trades, "max_order_quantity": 30}
    )
    taken = reserved(RiskBook(), wanted, limits)
    assert worst_value(taken, {}) <= money
    assert len(taken) <= min(count, trades)


@given(holdings, asks, st.integers(1, 3000))
def test_orders_that_add_to_what_is_held_never_pass_the_limits_together(
    held: dict[str, tuple[Decimal, Decimal]], wanted: list[Ask], money: int
) -> None:
    limits = RiskLimits(**UNLIMITED | {"max_position_size": Decimal(money), "max_portfolio_exposure": Decimal(money)})
    before = worst_value([], held)
    taken = reserved(book_with(held), wanted, limits)
    assert worst_value(taken, held) <= max(before, Decimal(money))


def worst_value(taken: list[Ask], held: dict[str, tuple[Decimal, Decimal]]) -> Decimal:
    """By trying, in each instrument, all buys filled and all sells filled, dearest last: nothing netted, nothing averaged."""
    return sum((max(_filled(i, taken, held, side) for side in Side) for i in INSTRUMENTS), Decimal(0))


def _filled(instrument: Instrument, taken: list[Ask], held: dict[str, tuple[Decimal, Decimal]], side: Side) -> Decimal:
    quantity, price = held.get(instrument.key, (Decimal(0), Decimal(1)))
    orders = [ask for ask in taken if ask.instrument == instrument and ask.side is side]
    value, total = sum((ask.quantity * ask.price for ask in orders), Decimal(0)), sum((a.quantity for a in orders), Decimal(0))
    if quantity * side.sign >= 0:
        return (abs(quantity) * price + value) * instrument.multiplier
    beyond = max(total - abs(quantity), Decimal(0))
    turned = value * beyond / total if total else Decimal(0)
    return max(abs(quantity) * price, turned.quantize(Decimal("1E-8"))) * instrument.multiplier


# --- reducing --------------------------------------------------------------------------------------------------------------------

NARROW = RiskLimits(
    position_size=Decimal(1),
    max_position_size=Decimal("0.01"),
    max_daily_trades=0,
    max_order_value=Decimal("0.01"),
    max_order_quantity=Decimal("0.01"),
    max_portfolio_exposure=Decimal("0.01"),
    max_open_orders=0,
    max_daily_loss=Decimal("0.01"),
    require_score=True,
    price_collar_percent=Decimal("0.01"),
    max_price_age_seconds=0.01,
    max_signal_age_seconds=0.01,
    allowed_symbols=frozenset(),
)


@given(
    holdings,
    st.lists(st.builds(Ask, instruments, sides, units, prices), max_size=20).map(numbered),
    st.booleans(),
    st.sampled_from(OrderRole),
)
def test_exits_in_any_mix_are_let_through_until_the_position_is_used_up(
    held: dict[str, tuple[Decimal, Decimal]], wanted: list[Ask], in_doubt: bool, role: OrderRole
) -> None:
    book, left = book_with(held), {key: quantity for key, (quantity, _) in held.items()}
    for ask in wanted:
        key, signed = ask.instrument.key, ask.quantity * ask.side.sign
        can_only_reduce = left.get(key, Decimal(0)) * signed < 0 and abs(signed) <= abs(left[key])
        said = assess(ask.proposal, look(book, ask.instrument), NARROW)
        assert said.is_reducing is can_only_reduce
        assert (said.refusal is None) is can_only_reduce
        if can_only_reduce:
            left[key] += signed
            book.track(then(ask.order, SENT, unknown(f"{KEY}-s1")) if in_doubt else ask.order)


exposures = st.builds(
    Exposure,
    st.integers(-50, 50).map(Decimal),
    st.integers(0, 500).map(Decimal),
    st.builds(OpenSide, st.integers(0, 40).map(Decimal), st.integers(0, 400).map(Decimal)),
    st.builds(OpenSide, st.integers(0, 40).map(Decimal), st.integers(0, 400).map(Decimal)),
)
views = st.builds(
    lambda **seen: RiskView(**seen),  # noqa: PLW0108 - of a NamedTuple itself, values that have a default would be drawn too
    account_id=st.just("U1"),
    currency=st.sampled_from(["USD", "EUR"]),
    now=st.just(START),
    session_date=st.just(SESSION),
    closed_because=st.sampled_from([None, "NYSE is closed"]),
    auto_trading=st.booleans(),
    halt=st.none() | st.just("*"),
    exposure=exposures,
    own=st.builds(Stake, st.integers(-50, 50).map(Decimal), st.integers(0, 40).map(Decimal), st.integers(0, 40).map(Decimal)),
    difference=st.none() | st.just(Decimal(0)) | st.integers(-50, 50).map(Decimal),
    doubts=st.sampled_from([(), (UUID(int=1),)]),
    trades_today=st.integers(0, 20),
    open_orders=st.integers(0, 20),
    realized_net_today=st.integers(-50, 50).map(Decimal),
    last_price=st.none() | prices,
    price_age_seconds=st.none() | st.floats(0, 100),
)
proposals = st.builds(
    lambda **asked: Proposal(**asked),  # noqa: PLW0108 - likewise
    account_id=st.just("U1"),
    strategy_name=st.just("trend"),
    instrument=instruments,
    terms=st.builds(
        lambda **asked: OrderTerms(**asked),  # noqa: PLW0108 - likewise
        side=sides,
        order_type=st.sampled_from(OrderType),
        quantity=units,
        limit_price=st.none() | prices,
        stop_price=st.none() | prices,
        score=st.none() | st.integers(-99, 99).map(Decimal),
        signal_at=st.none() | st.timedeltas(timedelta(days=-2), timedelta(days=2)).map(lambda age: START - age),
        role=st.sampled_from(OrderRole),
        decision_price=st.none() | prices,
    ),
    is_operators=st.booleans(),
)


@given(proposals, views)
def test_an_order_that_only_reduces_is_stopped_by_the_rules_of_exits_alone(order: Proposal, seen: RiskView) -> None:
    said = assess(order, seen, NARROW)
    if said.is_reducing and said.refusal is not None:
        assert said.refusal.code in {rule.__name__ for rule in EXIT_RULES}


@given(proposals, views)
def test_only_a_halt_or_an_old_signal_stops_a_persons_order_that_only_reduces(order: Proposal, seen: RiskView) -> None:
    said = assess(order, seen, NARROW)
    if said.is_reducing and order.is_operators and said.refusal is not None:
        assert said.refusal.code == "stale_signal"
