"""One book: what the risk ledger keeps of each strategy is what the reports show, and what an oracle makes of the same deals.

The ledger keeps few fills here, so that many a change is one of a fill that it no longer has, and it is read back from its rows in
between, as after a restart.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from liveorder.application.ports.order_store import LedgerEntry, LedgerRow
from liveorder.application.recovery import rebook_positions
from liveorder.application.recovery.rebook_positions import RebookPositions
from liveorder.application.reporting.projections.positions import account_positions
from liveorder.application.reporting.projector import BatchProjector
from liveorder.application.risk.book import AccountLedger, Keeping, RiskBook, SessionDay, entries_between, entries_of, holding_of
from liveorder.application.risk.book.rows import POSITION, day_key
from liveorder.domain.events import Event, RecordedEvent
from liveorder.domain.instrument import Instrument
from liveorder.domain.order import LiveOrder
from liveorder.domain.order import events as ev
from liveorder.domain.order.shares import PositionShare
from liveorder.domain.position import Position, PositionSide, shown
from liveorder.domain.position_adjustment import AdjustmentReason, PositionAdjusted, PositionTransferred, position_stream
from liveorder.domain.position_booking import Holding
from liveorder.domain.values import AssetClass, Side
from tests.books import KIND, OWN, Book, Deal, Part, Shared, Standing
from tests.builders import ACKNOWLEDGED, SENT, SESSION, seconds
from tests.unit.readmodels.logs import MemoryLog, MemoryViews, StillClock, requested

COIN = Instrument(symbol="BTC/USD", exchange="CRYPTO", asset_class=AssetClass.CRYPTO)
FEW = Keeping(fills_a_page=2, most_pages=2)
MONEYS = {"USD": OWN, "BTC": KIND, "EUR": "EUR"}
STRATEGIES = ("trend", "carry")
SHARES = {
    number: tuple(PositionShare(strategy_name=name, quantity=Decimal(units)) for name, units in zip(STRATEGIES, parts, strict=True))
    for number, parts in {6: (20, 7), 7: (11, 30)}.items()
}
"""By order: of those that trade for both."""


@dataclass
class Told:
    """A deal of the oracle, and the words by which it was told."""

    order: int
    deal: Deal
    words: list[str] = field(default_factory=list)


class Store(MemoryLog):
    """Of which the risk table is a ledger in memory."""

    def __init__(self, keeping: Keeping) -> None:
        super().__init__()
        self.keeping, self.kept = keeping, AccountLedger(keeping)
        self.table: dict[tuple[str, str], LedgerRow] = {}

    async def log(self, after: int = 0, limit: int | None = None) -> AsyncIterator[Sequence[RecordedEvent]]:
        """In pages so short that a fill and its change are seldom on one."""
        rest = self.events[after:]
        for start in range(0, len(rest), 3):
            yield rest[start : start + 3]

    async def restate(self, entries: Sequence[LedgerEntry]) -> Sequence[LedgerRow]:
        rows = self.kept.stage(entries)
        self.kept.keep(rows)
        self.table |= {(row.account_id, row.key): row for row in rows}
        return rows

    async def ledger(self) -> Sequence[LedgerRow]:
        return self.kept.rows()

    def restart(self) -> None:
        self.kept = AccountLedger(self.keeping)
        self.kept.load([*self.table.values()])


class Account:
    """Orders by number: even ones buy, and every second pair is of the other strategy."""

    def __init__(self, keeping: Keeping = FEW) -> None:
        self.store, self.views, self.risk = Store(keeping), MemoryViews(), RiskBook()
        self.projector = BatchProjector(self.store, self.views)  # type: ignore[arg-type]  # the part of a store that a projector uses
        self.rebook = RebookPositions(self.store, self.risk, Days(), StillClock(), Silent())  # type: ignore[arg-type]  # and this
        self.books = {name: Book() for name in STRATEGIES}
        self.shared: dict[int, Shared] = {}
        """By order."""
        self.orders: dict[int, LiveOrder] = {}
        self.told: list[Told] = []
        self.late = 0
        """Times that the log had to be read."""

    # --- what happens ---

    def _order(self, number: int) -> LiveOrder:
        if number not in self.orders:
            begun = requested(
                number,
                quantity=Decimal(10_000),
                instrument=COIN,
                side=Side.SELL if number % 2 else Side.BUY,
                strategy_name=STRATEGIES[number // 2 % 2],
                shares=SHARES.get(number, ()),
            )
            if number in SHARES:
                units = {share.strategy_name: Fraction(share.quantity) for share in SHARES[number]}
                self.shared[number] = Shared(units, begun.strategy_name)
            self.orders[number] = LiveOrder.replay(self.store.add(number, begun, SENT, ACKNOWLEDGED))
        return self.orders[number]

    async def tell(self, number: int, *events: Event) -> None:
        before = self._order(number)
        recorded = self.store.add(number, *events)
        after = self.orders[number] = before.apply(recorded)
        await self._commit(entries_between(before, after, SESSION, places=_places(before, events)), recorded)

    async def _commit(self, entries: Sequence[LedgerEntry], recorded: Sequence[RecordedEvent]) -> None:
        first = recorded[0].position
        rows = await self.store.restate([replace(entry, place=first + entry.place) for entry in entries])
        self.risk.absorb(rows)
        for account_id, key in [*self.risk.late]:
            self.late += 1
            await self.rebook._rebook(account_id, key)
        await self.projector.advance()

    async def fill(self, number: int, units: int, price: int, fee: tuple[int, str] | None) -> None:
        order, name = self._order(number), f"e{len(self.told)}"
        deal = Deal(Fraction(units) * order.terms.side.sign, Fraction(price), _of(fee))
        if number in self.shared:
            self.shared[number].deals.append(deal)
            for strategy in STRATEGIES:
                self.books[strategy].deals.append(Part(deal, self.shared[number], strategy))
        else:
            self.books[order.intent.strategy_name].deals.append(deal)
        self.told.append(Told(number, deal, [name]))
        await self.tell(number, ev.Filled(**_words(name, units, price, fee)))

    async def correct(self, which: int, units: int, price: int, fee: tuple[int, str] | None) -> None:
        told = self.told[which % len(self.told)]
        if told.deal.is_busted:
            return
        name, before = f"{told.words[0]}.{len(told.words)}", told.words[-1]
        told.words.append(name)
        told.deal.correct(Fraction(units) * self.orders[told.order].intent.terms.side.sign, Fraction(price), _of(fee))
        await self.tell(told.order, ev.FillCorrected(corrects=before, **_words(name, units, price, fee)))

    async def bust(self, which: int) -> None:
        told = self.told[which % len(self.told)]
        told.deal.is_busted = True
        await self.tell(told.order, ev.FillBusted(execution_id=told.words[-1]))

    async def charge(self, which: int, fee: tuple[int, str]) -> None:
        told = self.told[which % len(self.told)]
        if told.deal.is_busted:
            return
        amount, currency = fee
        told.deal.charge((Fraction(amount), MONEYS[currency]))
        charged = ev.CommissionReported(execution_id=told.words[-1], commission=Decimal(amount), commission_currency=currency)
        await self.tell(told.order, charged)

    async def split(self, which: int) -> None:
        number = self.told[which % len(self.told)].order
        for told in self.told:
            if told.order == number:
                told.deal.split(2)
        if number in self.shared:
            self.shared[number].units = {name: units * 2 for name, units in self.shared[number].units.items()}
        await self.tell(number, ev.Restated(split_ratio=Decimal(2)))

    async def keep(self, strategy: int, units: int, price: int) -> None:
        """The broker keeps so many units, which are worth so much, as its fee."""
        name = STRATEGIES[strategy % 2]
        kept = PositionAdjusted(
            account_id="U1",
            strategy_name=name,
            instrument=COIN,
            reason=AdjustmentReason.FEE_IN_KIND,
            quantity=Decimal(-units),
            price=Decimal(price),
            effective_at=seconds(5),
            evidence="it holds less",
        )
        self.books[name].deals.append(Deal(Fraction(0), Fraction(price), (Fraction(units), KIND)))
        recorded = self.store.add_to(position_stream("U1", COIN.key), kept)
        await self._commit(entries_of(kept, SESSION, seconds(5)), recorded)

    async def transfer(self, strategy: int, units: int, price: int) -> None:
        """So many go to the other strategy; what a person may not transfer is still booked exactly."""
        giver, taker = STRATEGIES[strategy % 2], STRATEGIES[1 - strategy % 2]
        gone = PositionTransferred(
            account_id="U1",
            from_strategy=giver,
            to_strategy=taker,
            instrument=COIN,
            quantity=Decimal(units),
            price=Decimal(price),
            effective_at=seconds(5),
            evidence="the wrong one bought",
            transfer_id=f"t{len(self.store.events)}",
        )
        self.books[giver].deals.append(Deal(Fraction(-units), Fraction(price)))
        self.books[taker].deals.append(Deal(Fraction(units), Fraction(price)))
        recorded = self.store.add_to(position_stream("U1", COIN.key), gone)
        await self._commit(entries_of(gone, SESSION, seconds(5)), recorded)

    async def restart(self) -> None:
        self.store.restart()

    async def lives(self, steps: Sequence[tuple[Any, ...]]) -> None:
        for kind, *details in steps:
            if self.told or kind in ("fill", "keep", "transfer", "restart"):
                await getattr(self, kind)(*details)
            self.agrees()

    # --- what must be so ---

    def agrees(self) -> None:
        ledger, reports = self.ledger(), dict(self.reports())
        for name in STRATEGIES:
            flat = Holding(Position.flat("USD", Decimal(1)))
            held = ledger.get(name, flat)
            assert held.position == reports.get(name, flat).position, f"{name}: the ledger is not the report"
            assert (held.opened, held.last) == (reports.get(name, held).opened, reports.get(name, held).last)
            wanted, position = self.books[name].standing(), held.position
            fees = {MONEYS[currency]: Fraction(paid) for currency, paid in position.other_commissions.items()}
            own = {OWN: Fraction(position.commission)} if position.commission else {}
            assert Standing(Fraction(position.quantity), position.cost, position.realized_gross, own | fees) == wanted
        self.sums_agree([held.position for held in ledger.values()])

    def sums_agree(self, positions: Sequence[Position]) -> None:
        """The account is the sum of its strategies, and its day is what they earned."""
        risk = RiskBook()
        risk.absorb(self.store.kept.rows())
        if (account := risk.position("U1", COIN.key)) is not None:
            assert account.quantity == sum(position.quantity for position in positions)
            assert account.realized_net == self._earned()
            if rows := self.views.dump()["positions"]:
                (row,) = account_positions(rows)
                signed = row.quantity if row.side is PositionSide.LONG else -row.quantity
                assert (signed, row.average_price) == (account.quantity, account.average_price)
                assert row.realized_pnl_net == shown(account.realized_net, 8)
        days = [SessionDay.from_json(row.state) for row in self.store.kept.rows() if row.key == day_key(SESSION)]
        earned = sum((day.realized_net.get("USD", Decimal(0)) for day in days), Decimal(0))
        assert abs(Fraction(earned) - self._earned()) < Fraction(1, 10**16)

    def _earned(self) -> Fraction:
        """By the oracle, with what strategies hold against each other closed at what it cost those who hold more, on average."""
        standings = [book.standing() for book in self.books.values()]
        earned = sum((each.earned - each.fees.get(OWN, Fraction(0)) for each in standings), Fraction(0))
        left = sum((each.units for each in standings), Fraction(0))
        alike = [each for each in standings if each.units * left > 0]
        units, cost = sum((each.units for each in alike), Fraction(0)), sum((each.cost for each in alike), Fraction(0))
        return earned - sum((each.cost for each in standings), Fraction(0)) + (cost * left / units if units else 0)

    def ledger(self) -> dict[str, Holding]:
        rows = [row for row in self.store.kept.rows() if row.key.startswith(POSITION)]
        held = {holding_of("U1", row.key).strategy_name: self.store.kept.held("U1", row.key) for row in rows}
        return {name: found.now for name, found in held.items() if found is not None}

    def reports(self) -> Iterator[tuple[str, Holding]]:
        return ((row.strategy_name, Holding.from_text(row.state)) for row in self.views.dump()["positions"])


class Days:
    def session_for(self, *_: object) -> date:
        return SESSION


class Silent:
    def write(self, *_: object, **__: object) -> None:
        pass


def _of(fee: tuple[int, str] | None) -> tuple[Fraction, str] | None:
    return None if fee is None else (Fraction(fee[0]), MONEYS[fee[1]])


def _words(name: str, units: int, price: int, fee: tuple[int, str] | None) -> dict[str, Any]:
    amount, currency = (None, None) if fee is None else (Decimal(fee[0]), fee[1])
    told = {"commission": amount, "commission_currency": currency, "filled_at": seconds(1)}
    return {"execution_id": name, "quantity": Decimal(units), "price": Decimal(price)} | told


def _places(before: LiveOrder, events: Sequence[Event]) -> dict[str, int]:
    names = [getattr(event, "execution_id", "") if isinstance(event, (ev.Filled, ev.FillCorrected)) else "" for event in events]
    return {name: index for index, name in enumerate(names) if name and name not in before.executions.names}


units, prices, which = st.integers(1, 30), st.integers(0, 9), st.integers(0, 60)
fees = st.tuples(st.integers(0, 3), st.sampled_from(["USD", "USD", "EUR", "BTC"]))
steps = st.one_of(
    st.tuples(st.just("fill"), st.integers(0, 7), units, prices, st.none() | fees),
    st.tuples(st.just("fill"), st.integers(0, 5), units, prices, st.none() | fees),
    st.tuples(st.just("correct"), which, st.just(0) | units, prices, st.none() | fees),
    st.tuples(st.just("bust"), which),
    st.tuples(st.just("charge"), which, fees),
    st.tuples(st.just("split"), which),
    st.tuples(st.just("keep"), which, st.integers(1, 3), prices),
    st.tuples(st.just("transfer"), which, units | units.map(lambda count: -count), prices),
    st.tuples(st.just("restart")),
)

BAD_PRINT = [("fill", 0, 10, 500, None), ("fill", 0, 10, 5000, None), ("fill", 1, 9, 500, None), ("bust", 1)]
FILLS = [("fill", 0, 10, 5, None), ("fill", 1, 4, 6, (1, "USD"))] * 4
OLD = [
    *FILLS,
    ("correct", 0, 12, 7, None),
    ("restart",),
    ("bust", 1),
    *FILLS,
    ("charge", 2, (2, "EUR")),
    ("correct", 2, 0, 0, None),
]
SHARED = [
    ("fill", 7, 5, 8, (1, "USD")),
    ("fill", 7, 1, 7, (1, "BTC")),
    ("fill", 6, 9, 3, (3, "EUR")),
    ("restart",),
    ("fill", 7, 30, 9, None),
    ("bust", 0),
    ("fill", 7, 13, 5, (2, "USD")),
    ("correct", 1, 25, 6, None),
    ("split", 1),
    ("charge", 3, (1, "USD")),
    ("fill", 7, 2, 2, None),
]
CHAIN = [*FILLS[:3], ("correct", 0, 3, 9, (1, "BTC")), ("correct", 0, 5, 1, None), ("restart",), ("correct", 0, 7, 2, None)]


@settings(max_examples=150, deadline=None)
@given(st.lists(steps, max_size=25))
@example(BAD_PRINT)
@example(OLD)
@example(CHAIN)
@example(SHARED)
@example([*FILLS, ("transfer", 0, 5, 7), ("bust", 0), ("transfer", 1, -3, 2), ("restart",), *FILLS, ("correct", 0, 9, 9, None)])
@example([*FILLS, ("split", 0), ("bust", 4), ("keep", 0, 2, 3), ("bust", 0)])
def test_the_risk_ledger_is_the_reports_and_both_are_the_oracle(life: list[tuple[Any, ...]]) -> None:
    asyncio.run(Account().lives(life))


def test_a_bad_print_that_is_busted_leaves_what_was_held_at_what_it_cost() -> None:
    account = Account()
    asyncio.run(account.lives(BAD_PRINT))
    position = account.ledger()["trend"].position
    held: tuple[Any, ...] = position.quantity, position.average_price, position.realized_net
    assert held == (1, 500, 0)


def test_a_change_of_a_fill_that_is_no_longer_kept_is_read_from_the_log() -> None:
    account = Account()
    asyncio.run(account.lives(OLD))
    assert account.late == 2
    account = Account(Keeping())
    asyncio.run(account.lives(OLD))
    assert account.late == 0


@pytest.mark.parametrize("defect", ["book", "without"])
@pytest.mark.parametrize("life", [BAD_PRINT, OLD])
def test_a_sign_error_is_found(defect: str, life: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    """In the fold, by the oracle; in what stands until the log was read, by the reports, where it were not read."""
    right: Callable[..., Any] = getattr(Holding, defect)
    monkeypatch.setattr(Holding, defect, lambda self, fill: right(self, fill._replace(quantity=-fill.quantity)))
    if defect == "without" and life is BAD_PRINT:
        return asyncio.run(Account().lives(life))  # all that is changed is kept
    with mock.patch.object(rebook_positions.RebookPositions, "_rebook"), pytest.raises(AssertionError):
        asyncio.run(Account().lives(life))
    return None
