"""Order, risk ledger and reports beside the broker's own book: fills, corrections, busts, fees and totals, told in any order.

The book is kept here in the plainest way. While reports are missing the three agree with one another; once all were told, with it.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import reduce
from typing import Any, TypeAlias

from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from liveorder.application.reporting.projector import BatchProjector
from liveorder.application.risk.book import AccountLedger, entries_between, position_key
from liveorder.domain import execution_report as r
from liveorder.domain.instrument import Instrument
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.reception import apply_report
from liveorder.domain.position import Position
from liveorder.domain.position_booking import Holding
from liveorder.domain.values import AssetClass, Money, with_money
from tests.builders import ACKNOWLEDGED, SENT, SESSION, seconds
from tests.unit.readmodels.logs import MemoryLog, MemoryViews, requested

NOTHING = Decimal(0)
COIN = Instrument(symbol="BTC/USD", exchange="CRYPTO", asset_class=AssetClass.CRYPTO)
Fee: TypeAlias = tuple[int, str | None] | None
"""Of so much in its own currency (None) or another; in bitcoins it is taken out of what was bought."""


@dataclass
class Deal:
    """One trade as the broker has it: each word of it, the last of which counts unless it was busted."""

    words: list[r.Execution | r.ExecutionCorrected]
    is_busted: bool = False
    charged: dict[str, Money] = field(default_factory=dict)
    """Fees that were reported apart, by the id of the word that they name."""

    @property
    def quantity(self) -> Decimal:
        return NOTHING if self.is_busted else self.words[-1].quantity

    @property
    def value(self) -> Decimal:
        return self.quantity * self.words[-1].price

    @property
    def fee(self) -> Money | None:
        """The newest that is known; a deal that came to nothing costs what its last word says, or nothing."""
        if self.is_busted:
            return None
        saying = self.words if self.quantity else self.words[-1:]
        known = [self.charged.get(word.execution_id) or _fee_of(word) for word in saying]
        return next((fee for fee in reversed(known) if fee is not None), None)


def _fee_of(word: r.Execution | r.ExecutionCorrected) -> Money | None:
    return None if word.commission is None else Money(word.commission, word.commission_currency or "USD")


class BrokersBook:
    """What happened there, and what it has to report of it."""

    def __init__(self, names_the_original: bool, names_all: bool = False) -> None:
        """Of a correction: by the fill or by the word before it, and by all words before that too."""
        self.names_the_original, self.names_all = names_the_original, names_all
        self.deals: list[Deal] = []
        self.reports: list[r.ExecutionReport] = []
        self.count = 0

    def word(self, quantity: int, price: int, fee: Fee) -> dict[str, Any]:
        self.count += 1
        return {
            "execution_id": f"e{self.count}",
            "quantity": Decimal(quantity),
            "price": Decimal(price),
            "commission": None if fee is None else Decimal(fee[0]),
            "commission_currency": None if fee is None else fee[1],
            "occurred_at": seconds(self.count),
        }

    def trade(self, quantity: int, price: int, fee: Fee) -> None:
        told = r.Execution(**self.word(quantity, price, fee))
        self.deals.append(Deal([told]))
        self.reports.append(told)

    def correct(self, deal: Deal, quantity: int, price: int, fee: Fee) -> None:
        corrects = deal.words[0 if self.names_the_original else -1].execution_id
        before = tuple(word.execution_id for word in reversed(deal.words[:-1])) if self.names_all else ()
        told = r.ExecutionCorrected(corrects=corrects, supersedes=before, **self.word(quantity, price, fee))
        deal.words.append(told)
        self.reports.append(told)

    def bust(self, deal: Deal) -> None:
        deal.is_busted = True
        self.reports.append(r.ExecutionBusted(execution_id=deal.words[-1].execution_id))

    def charge(self, deal: Deal, fee: tuple[int, str | None]) -> None:
        name, (amount, currency) = deal.words[-1].execution_id, fee
        if name not in deal.charged:
            deal.charged[name] = Money(Decimal(amount), currency or "USD")
            self.reports.append(r.Commission(execution_id=name, commission=Decimal(amount), commission_currency=currency))

    def figures(self) -> tuple[Decimal, Decimal, Mapping[str, Decimal]]:
        quantity, value = sum((deal.quantity for deal in self.deals), NOTHING), sum((deal.value for deal in self.deals), NOTHING)
        return quantity, value, reduce(with_money, (deal.fee for deal in self.deals), {})

    def answer(self, lists_executions: bool, is_priced: bool = True) -> r.OrderSnapshot:
        quantity, value, _ = self.figures()
        counted = [deal.words[-1] for deal in self.deals if not deal.is_busted]
        return r.OrderSnapshot(
            status=r.BrokerStatus.WORKING,
            broker_order_id="B-1",
            filled_quantity=quantity,
            average_price=value / quantity if quantity and is_priced else None,
            executions=tuple(counted) if lists_executions else (),
        )


class Ours:
    """The order, the ledger and the read models, all fed by the same events."""

    def __init__(self) -> None:
        self.log, self.views, self.ledger = MemoryLog(), MemoryViews(), AccountLedger()
        self.projector = BatchProjector(self.log, self.views)  # type: ignore[arg-type]  # the part of a store that a projector uses
        begun = requested(1, quantity=Decimal(10_000), instrument=COIN)
        self.order = LiveOrder.replay(self.log.add(1, begun, SENT, ACKNOWLEDGED))

    async def hear(self, report: r.ExecutionReport) -> None:
        if events := apply_report(self.order, report):
            after = self.order.apply(self.log.add(1, *events))
            self.ledger.keep(self.ledger.stage(entries_between(self.order, after, SESSION)))
            self.order = after
        await self.projector.advance()
        assert len({*self.quantities()}) == 1, "order, ledger and reports hold different quantities"
        told, *others = self.fees()
        assert all(fees == told for fees in others), "order, ledger and reports hold different fees"
        charged, *others = self.charges()
        assert all(charges == charged for charges in others), "ledger and reports were charged differently"
        apart = self.held().cash_flow + self.order.executions.totals.value - self.worth_in_kind()
        assert abs(apart) < Decimal("1e-20"), "order and ledger hold different values"

    def quantities(self) -> Iterator[Decimal]:
        """As filled: what fees took out of it is held no more."""
        rows, taken = self.views.dump(), self.order.other_commissions.get("BTC", NOTHING)
        yield self.order.filled_quantity
        yield self.held().quantity + taken
        yield sum((Decimal(row.quantity) for row in rows["fills"]), NOTHING)
        yield sum((held.quantity for held in self.reported()), NOTHING) + taken
        yield sum((row.view().filled_quantity for row in rows["daily_summary"]), NOTHING)

    def fees(self) -> Iterator[Mapping[str, Decimal]]:
        """As they were told."""
        yield self.order.executions.totals.commissions
        told = [Money(Decimal(row.commission or 0), row.commission_currency or "USD") for row in self.views.dump()["fills"]]
        yield reduce(with_money, told, {})

    def charges(self) -> Iterator[Mapping[str, Decimal]]:
        """As they were charged: what was taken in kind at what it was worth."""
        rows = self.views.dump()
        yield reduce(with_money, [row.charged() for row in rows["fills"]], {})
        for positions in ([self.held()], self.reported()):
            own = [Money(held.commission, "USD") for held in positions]
            yield reduce(with_money, own, {name: paid for held in positions for name, paid in held.other_commissions.items()})
        yield reduce(with_money, [Money(row.view().commission, row.currency) for row in rows["daily_summary"]], {})

    def values(self) -> Iterator[Decimal]:
        rows, given = self.views.dump(), self.worth_in_kind()
        yield self.order.executions.totals.value
        yield -self.held().cash_flow + given
        yield sum((-held.cash_flow for held in self.reported()), NOTHING) + given
        yield sum((row.view().filled_value for row in rows["daily_summary"]), NOTHING)

    def worth_in_kind(self) -> Decimal:
        return sum((row.charged().amount for row in self.views.dump()["fills"] if row.is_in_kind), NOTHING)

    def reported(self) -> list[Position]:
        return [Holding.from_text(row.state).position for row in self.views.dump()["positions"]]

    def held(self) -> Position:
        states = [row.state for row in self.ledger.rows() if row.key == position_key("trend", COIN.key)]
        return Position.from_json(states[0]) if states else Position.flat("USD", Decimal(1))


currencies = st.sampled_from([None, None, "EUR", "BTC"])
units, prices = st.integers(1, 50), st.integers(0, 9)
fees = st.none() | st.tuples(st.integers(0, 3), currencies)
which = st.integers(0, 3)
steps = st.one_of(
    st.tuples(st.just("trade"), units, prices, fees),
    st.tuples(st.just("correct"), which, st.just(0) | units, prices, fees),
    st.tuples(st.just("bust"), which),
    st.tuples(st.just("charge"), which, st.tuples(st.integers(0, 3), currencies)),
    st.tuples(st.just("tell"), st.integers(0, 9)),
    st.tuples(st.just("tell"), st.integers(0, 9)),
    st.tuples(st.just("ask"), st.just(False) | st.booleans(), st.booleans()),
)
lives = st.lists(steps, min_size=2, max_size=14)


def takes_place(book: BrokersBook, step: tuple[Any, ...]) -> None:
    kind, *details = step
    if kind == "trade":
        book.trade(*details)
    elif book.deals and not (deal := book.deals[details[0] % len(book.deals)]).is_busted:
        getattr(book, kind)(deal, *details[1:])


UPWARD_AFTER_A_TOTAL = [
    *[("trade", 40, 5, None), ("tell", 0), ("correct", 0, 60, 5, None), ("ask", False, True)],
]
TWICE_UPWARD = [
    *[("trade", 40, 5, None), ("tell", 0), ("correct", 0, 60, 5, None), ("tell", 1), ("correct", 0, 30, 5, None), ("tell", 2)],
    *[("correct", 0, 50, 5, None), ("ask", False, True)],
]
CORRECTED_BEFORE_IT_IS_TOLD = [("trade", 40, 5, None), ("ask", False, True), ("correct", 0, 60, 5, None), ("tell", 1)]
CORRECTED_TO_NOTHING = [("trade", 40, 5, (1, None)), ("tell", 0), ("correct", 0, 0, 5, None), ("tell", 1)]
CHARGED_FOR_NOTHING = [("trade", 40, 5, (1, None)), ("tell", 0), ("correct", 0, 0, 5, (2, "EUR")), ("tell", 1)]
FREE_AFTER_ALL = [("trade", 40, 5, (1, None)), ("tell", 0), ("correct", 0, 40, 5, (0, "EUR")), ("tell", 1)]
PRICED_LATER = [
    *[("trade", 10, 5, None), ("ask", False, False), ("trade", 10, 5, None), ("ask", False, True), ("tell", 0)],
]
A_LINK_AFTER_THE_TOTAL = [
    *[("trade", 50, 9, None), ("correct", 0, 50, 9, None), ("correct", 0, 50, 9, None), ("tell", 0), ("tell", 2)],
    *[("trade", 51, 9, None), ("ask", False, True), ("tell", 1)],
]
FREE_BY_WORD_APART = [("trade", 40, 5, (1, None)), ("tell", 0), ("charge", 0, (0, None)), ("tell", 1)]


IN_TWO_CURRENCIES = [("trade", 40, 5, (1, None)), ("tell", 0), ("charge", 0, (2, "EUR")), ("tell", 1)]
IN_KIND = [("trade", 40, 5, (3, "BTC")), ("tell", 0), ("trade", 7, 9, (1, "BTC")), ("tell", 1), ("bust", 0), ("tell", 2)]


@settings(max_examples=200)
@given(lives, st.booleans(), st.data())
@example(UPWARD_AFTER_A_TOTAL, False, None)
@example(TWICE_UPWARD, False, None)
@example(CORRECTED_BEFORE_IT_IS_TOLD, False, None)
@example(CORRECTED_TO_NOTHING, False, None)
@example(CHARGED_FOR_NOTHING, False, None)
@example(FREE_AFTER_ALL, False, None)
@example(FREE_BY_WORD_APART, False, None)
@example(IN_TWO_CURRENCIES, False, None)
@example(IN_KIND, False, None)
@example(PRICED_LATER, False, None)
@example(A_LINK_AFTER_THE_TOTAL, False, None)
def test_once_all_is_told_order_ledger_and_reports_are_the_brokers_book(
    life: list[tuple[Any, ...]], names_the_original: bool, data: st.DataObject | None
) -> None:
    book = BrokersBook(names_the_original)
    ours = Ours()

    async def lived() -> None:
        for step in life:
            kind, *details = step
            if kind == "tell" and book.reports:
                await ours.hear(book.reports[details[0] % len(book.reports)])
            elif kind == "ask":
                await ours.hear(book.answer(*details))
                assert ours.order.filled_quantity >= book.figures()[0]
            elif kind != "tell":
                takes_place(book, step)
        for report in data.draw(st.permutations(book.reports)) if data is not None else book.reports:
            await ours.hear(report)

    asyncio.run(lived())
    quantity, value, fee = book.figures()
    assert {*ours.quantities()} == {quantity}
    assert {*ours.values()} == {value}
    assert next(ours.fees()) == fee


@given(st.lists(st.tuples(units, prices, fees), min_size=2, max_size=5), st.integers(0, 2), st.booleans(), st.booleans(), st.data())
def test_a_chain_is_reported_in_any_order_with_totals_in_between(
    chain: list[tuple[int, int, Fee]], beside: int, is_priced: bool, has_times: bool, data: st.DataObject
) -> None:
    """Links that come late join what seemed to be several fills: fewer units are known then than before."""
    book, ours = BrokersBook(names_the_original=False), Ours()
    book.trade(*chain[0])
    for corrected in chain[1:]:
        book.correct(book.deals[0], *corrected)
    for _ in range(beside):
        book.trade(30, 7, None)

    async def lived() -> None:
        for report in data.draw(st.permutations(book.reports)):
            await ours.hear(report if has_times else replace(report, occurred_at=None))
            if data.draw(st.booleans()):
                await ours.hear(book.answer(False, is_priced))
                assert ours.order.filled_quantity >= book.figures()[0]

    asyncio.run(lived())
    quantity, value, fee = book.figures()
    assert ({*ours.quantities()}, {*ours.values()}, next(ours.fees())) == ({quantity}, {value}, fee)


BUSTED_UNTOLD = [("trade", 40, 5, None), ("ask", False, True), ("bust", 0)]
CORRECTED_UNTOLD = [("trade", 40, 5, None), ("trade", 7, 5, None), ("ask", False, True), ("correct", 0, 30, 5, None)]


@given(lives, st.booleans())
@example(BUSTED_UNTOLD, False)
@example(CORRECTED_UNTOLD, False)
def test_what_was_inferred_goes_when_the_broker_only_tells_what_became_of_it(
    life: list[tuple[Any, ...]], names_the_original: bool
) -> None:
    """Of a deal that nothing was told of, only its newest word comes: a bust or a correction of what we never heard of."""
    book, ours = BrokersBook(names_the_original), Ours()

    async def lived() -> None:
        for step in life:
            if step[0] == "ask":
                await ours.hear(book.answer(False, step[2]))
            elif step[0] != "tell":
                takes_place(book, step)
        for deal in book.deals:
            await ours.hear(r.ExecutionBusted(execution_id=deal.words[-1].execution_id) if deal.is_busted else deal.words[-1])
        for _ in range(2):
            await ours.hear(book.answer(lists_executions=False))
        assert apply_report(ours.order, book.answer(lists_executions=False)) == []

    asyncio.run(lived())
    assert {*ours.quantities()} == {book.figures()[0]}


@given(lives, st.data())
@example([("trade", 4, 5, None), ("tell", 0), ("correct", 0, 6, 5, None), ("correct", 0, 5, 5, None)], None)
def test_a_word_that_never_comes_makes_no_difference_where_the_next_names_all_before_it(
    life: list[tuple[Any, ...]], data: st.DataObject | None
) -> None:
    """As of a correction that was itself corrected while nobody listened."""
    book, ours = BrokersBook(names_the_original=False, names_all=True), Ours()

    async def lived() -> None:
        for step in life:
            kind, *details = step
            if kind == "tell" and book.reports:
                await ours.hear(book.reports[details[0] % len(book.reports)])
            elif kind == "ask":
                await ours.hear(book.answer(*details))
            elif kind != "tell":
                takes_place(book, step)
        last = [deal.words[-1] for deal in book.deals]
        busts = [each for each in book.reports if isinstance(each, r.ExecutionBusted)]
        for report in data.draw(st.permutations([*last, *busts])) if data is not None else last:
            await ours.hear(report)
        for _ in range(2):
            await ours.hear(book.answer(lists_executions=False))

    asyncio.run(lived())
    quantity, value, _ = book.figures()
    assert {*ours.quantities()} == {quantity}
    assert not quantity or abs(ours.order.executions.totals.value - value) < Decimal("1e-20")
