"""The risk rules' memory: every account's positions, open orders and reservations, ready to be asked about one order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from uuid import UUID

from liveorder.application.ports.order_store import LedgerEntry, LedgerRow
from liveorder.application.risk.book.account import AccountBook, without
from liveorder.application.risk.book.entries import entries_between
from liveorder.application.risk.book.funds import Funds
from liveorder.application.risk.book.holding import InstrumentFigures
from liveorder.application.risk.book.kept_fills import is_late
from liveorder.application.risk.book.levels import seen_by
from liveorder.application.risk.book.rows import DAY, FEES_DUE, POSITION, SessionDay, holding_of
from liveorder.application.risk.book.tallies import TALLY
from liveorder.domain.events import Event
from liveorder.domain.fees_in_kind import FeesDue
from liveorder.domain.instrument import Instrument
from liveorder.domain.limit_tables import LimitTable
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import FillCorrected, Filled, FillInferred, OrderRequested
from liveorder.domain.position import Position
from liveorder.domain.position_adjustment import PositionChange
from liveorder.domain.position_booking import HoldingKey
from liveorder.domain.position_owner import FLATTEN, PositionOwner
from liveorder.domain.quotes import Price
from liveorder.domain.risk import OpenExposure, ProductPart, RiskView, SentOrder, Stake, likeness
from liveorder.domain.standing import Standing
from liveorder.domain.values import EXACT, ZERO, Product, Side


class RiskBook:
    """Lives on the event loop, follows the log commit by commit, and answers without waiting.

    Around each commit of an order: `stage` it, then `follow` what came of it, or `release` what failed. In between, the order
    counts where the step adds risk, so that two orders decided at once cannot both pass a limit.
    """

    def __init__(self) -> None:
        self._prices: dict[str, Price] = {}
        self._accounts: dict[str, AccountBook] = {}
        self._absorbed: Sequence[LedgerRow] = ()
        self._positions = PositionOwner.STRATEGY
        self._answered: tuple[tuple[object, ...], Standing] | None = None
        """What was asked for last with `standing`, as of which change, and the answer."""
        self.late: dict[tuple[str, str], None] = {}
        """Accounts, and keys of the rows, of positions that are to be read from the log: see `KeptHolding.is_late`."""
        self.some_is_late = asyncio.Event()

    def judge_by(self, positions: PositionOwner) -> None:
        """Whose positions orders may close; the strategies' own at first."""
        self._positions, self._answered = positions, None

    # --- following the log -------------------------------------------------------------------------------------------------

    def absorb(self, rows: Sequence[LedgerRow]) -> None:
        """Take rows as they stand in the store, in the order of the log. Positions are read when they are needed.

        Commits that shared a transaction share its rows: taking the same rows again costs nothing.
        """
        if rows is self._absorbed:
            return
        self._absorbed = rows
        for row in rows:
            account = self._account(row.account_id)
            if row.key.startswith(POSITION):
                self._hold(account, row)
            elif row.key.startswith(FEES_DUE):
                account.fees_due[row.key.removeprefix(FEES_DUE)] = FeesDue.from_json(row.state)
            elif row.key.startswith(TALLY):
                account.tallies.absorb(row.key, row.state)
            elif row.key.startswith(DAY):
                account.days[date.fromisoformat(row.key.removeprefix(DAY))] = SessionDay.from_json(row.state)

    def _hold(self, account: AccountBook, row: LedgerRow) -> None:
        key = holding_of(row.account_id, row.key)
        account.hold(key.instrument, key.strategy_name, row.key, row.state)
        if is_late(row.state):
            self.late[row.account_id, row.key] = None
            self.some_is_late.set()
        else:
            self.late.pop((row.account_id, row.key), None)

    def track(self, order: LiveOrder) -> None:
        """Count an order as its durable events make it; one that is finished counts no more."""
        self._account(order.intent.account_id).track(order)

    def stage(
        self,
        before: LiveOrder | None,
        after: LiveOrder,
        events: Sequence[Event],
        session_date: date,
        fee_in_kind: Decimal,
        *,
        reserve: bool,
    ) -> tuple[LedgerEntry, ...]:
        """What a step that is about to be stored does to the account's figures: the entries to store with it.

        `reserve`: it adds risk, so the order counts as it will be from now on, until `follow` or `release`.
        """
        if reserve:
            self.reserve(after)
        return entries_between(before, after, session_date, fee_in_kind, _newly_reported(before, events))

    def follow(self, rows: Sequence[LedgerRow], order: LiveOrder) -> None:
        """The step is durable: these are the account's figures after it, and this is the order, in place of what was reserved."""
        self.absorb(rows)
        self._account(order.intent.account_id).follow(order)

    def reserve(self, order: LiveOrder) -> None:
        """Count an order as it will be when it is durable, until `release`."""
        self._account(order.intent.account_id).reserve(order)

    def expect(self, changes: Iterable[PositionChange], *, is_over: bool = False) -> None:
        """These are about to be stored: no order may close what they take. `is_over`: they are booked, or come to nothing."""
        for each in changes:
            self._account(each.account_id).expect(each, is_over=is_over)

    def release(self, order_id: UUID) -> None:
        """What is durable of the order counts again, if anything is. Releasing twice is releasing once."""
        for account in self._accounts.values():
            if account.release(order_id):
                return

    def mark(self, instrument_key: str, price: Price) -> None:
        """The newest price of one unit; an older one than is known changes nothing."""
        known = self._prices.get(instrument_key)
        if known is not None and price.at < known.at:
            return
        self._prices[instrument_key] = price
        if known is None or known.amount != price.amount:
            for account in self._accounts.values():
                account.touch(instrument_key)

    # --- reconciliation ----------------------------------------------------------------------------------------------------

    def set_unreconciled(
        self,
        account_id: str,
        instrument_key: str,
        theirs: Decimal | None,
        by_product: Mapping[Product | None, Decimal] | None = None,
    ) -> None:
        """Our position is not the broker's, which is `theirs` now; None: not known. `by_product`: the broker's less ours, where it
        keeps a position for each product.

        Where it is known, what surely reduces both positions may still go out.
        """
        account = self._account(account_id)
        difference = None if theirs is None else theirs - account.quantity(instrument_key)
        account.differ(instrument_key, difference, by_product)

    def place(self, account_id: str, instrument_key: str, theirs: Mapping[Product | None, Decimal]) -> None:
        """Note where what we hold of no known product is, by what the broker holds under each, as long as that is one place."""
        self._account(account_id).place(instrument_key, theirs)

    def clear_unreconciled(self, account_id: str, instrument_key: str) -> None:
        """Our position is the broker's again."""
        self._account(account_id).agree(instrument_key)

    def unreconciled(self, account_id: str) -> frozenset[str]:
        """Keys of the instruments in which our position is not the broker's."""
        return frozenset(self._account(account_id).differences)

    # --- answers -----------------------------------------------------------------------------------------------------------

    def view(
        self,
        account_id: str,
        strategy_name: str,
        instrument: Instrument,
        *,
        now: datetime,
        session_date: date,
        closed_because: str | None,
        auto_trading: bool,
        halt: str | None,
        price_age_seconds: float | None,
        currency: str,
        atomic_replace: bool,
        judged: UUID | None = None,
        price: Price | None = None,
        price_problem: str = "",
        answer_lag_seconds: float = 0.0,
    ) -> RiskView:
        """The account now, for a strategy's order in `instrument`. The order `judged` does not count, nor do later ones that wait.

        `price`: the newest one of a unit, marked first. `answer_lag_seconds`: the broker's figures of money can be so old.
        """
        if price is not None:
            self.mark(instrument.key, price)
        account = self._account(account_id)
        account.set_atomic_replace(atomic_replace)
        holding = account.holding(instrument.key, instrument.currency)
        account.refresh()
        uncounted = account.uncounted(judged)
        beside, day = account.beside(holding, currency, uncounted), account.days.get(session_date, SessionDay())
        last = self._prices.get(holding.key)
        return RiskView(
            account_id=account_id,
            currency=currency,
            now=now,
            session_date=session_date,
            closed_because=closed_because,
            auto_trading=auto_trading,
            halt=halt,
            exposure=without(holding, account.not_of_held(holding, self.whose(strategy_name), uncounted)),
            own=self._own(holding, strategy_name, uncounted),
            difference=account.differences.get(holding.key, ZERO),
            differs_by_product=holding.key in account.product_differences,
            doubts=tuple(order_id for order_id in holding.doubts if order_id != judged),
            own_doubts=self._own_doubts(holding, strategy_name),
            trades_today=day.trades + len(account.unattempted) - sum(each.order_id in account.unattempted for each in uncounted),
            open_orders=len(account.open) - len(uncounted),
            other_positions=beside.taken,
            other_position_value=beside.sums.position_value,
            other_exposure=beside.sums.gross,
            realized_net_today=day.realized_net.get(currency, ZERO),
            last_price=None if last is None else last.amount,
            price_age_seconds=price_age_seconds,
            price_problem=price_problem,
            buying_power=account.funds.buying_power(instrument, now, answer_lag_seconds, [each.order_id for each in uncounted]),
        )

    def seen_by(self, table: LimitTable, view: RiskView, instrument: Instrument, judged: UUID | None = None) -> RiskView:
        """`view` with the figures of the strategy or the symbol that a table of limits is of."""
        return seen_by(table, self._account(view.account_id), view, instrument, judged)

    def last_alike(self, intent: OrderRequested) -> SentOrder | None:
        """The newest order that is like this one: of its strategy, in its instrument, on its side. Not itself, nor a later one that
        waits.
        """
        account = self._account(intent.account_id)
        return account.last_alike(intent.strategy_name, intent.instrument.key, likeness(intent.terms), intent.order_id)

    def doubts(self, intent: OrderRequested) -> tuple[UUID, ...]:
        """Orders in its instrument, of any strategy, of which a request may or may not have arrived; not itself."""
        holding = self._account(intent.account_id).holding(intent.instrument.key, intent.instrument.currency)
        return tuple(order_id for order_id in holding.doubts if order_id != intent.order_id)

    def _own(self, holding: InstrumentFigures, strategy_name: str, uncounted: Iterable[OpenExposure]) -> Stake:
        stake = holding.stake if (whose := self.whose(strategy_name)) is None else holding.stake_of(whose)
        for each in uncounted:
            if each.instrument_key == holding.key:
                stake = stake.minus(each.side, each.quantity if whose is None else each.units_of(whose))
        return stake

    def part(
        self, intent: OrderRequested, usual: Product | None, theirs: Mapping[Product | None, Decimal] | None = None
    ) -> ProductPart | None:
        """What there is under the product of an order, for that order; None of one without a product. `theirs`: see
        `Standing.hearing`.

        What is of no known product counts for the `usual` one, unless `theirs` says where it is.
        """
        terms = intent.terms
        if terms.product is None:
            return None
        standing = self.standing(intent.account_id, intent.strategy_name, intent.instrument, intent.order_id)
        return (standing if theirs is None else standing.hearing(theirs)).part_under(terms.product, usual)

    def _own_doubts(self, holding: InstrumentFigures, strategy_name: str) -> tuple[UUID, ...]:
        if not holding.doubts or (whose := self.whose(strategy_name)) is None:
            return tuple(holding.doubts)
        return tuple(order_id for order_id in holding.doubts if order_id in holding.orders_of(whose))

    def whose(self, strategy_name: str) -> str | None:
        """The strategy whose holding its orders may close; None: the account's whole."""
        return None if self._positions is PositionOwner.ACCOUNT or strategy_name == FLATTEN else strategy_name

    def standing(self, account_id: str, strategy_name: str, instrument: Instrument, judged: UUID | None = None) -> Standing:
        """What a strategy has of the instrument now, for the order `judged`: without it, and without later ones that wait. Takes as
        long as the strategy has open orders in it; none where nothing of the account changed since it was asked for last.
        """
        account = self._account(account_id)
        holding = account.holding(instrument.key, instrument.currency)
        account.refresh()
        asked = account_id, account.changes, strategy_name, holding.key, judged
        if self._answered is None or self._answered[0] != asked:
            self._answered = asked, self._standing(account, holding, strategy_name, judged)
        return self._answered[1]

    def _standing(self, account: AccountBook, holding: InstrumentFigures, strategy_name: str, judged: UUID | None) -> Standing:
        whose, uncounted = self.whose(strategy_name), account.uncounted(judged)
        orders = holding.orders_of(whose)
        later = tuple([each for each in uncounted if each.order_id != judged and each.order_id in orders])
        not_of_held = account.not_of_held(holding, whose, uncounted)
        left_out = {each.order_id for each in not_of_held}
        own, difference = self._own(holding, strategy_name, uncounted), account.differences.get(holding.key, ZERO)
        others = tuple([each for each in orders.values() if each.may_trade and not (left_out and each.order_id in left_out)])
        difference_of = partial(account.difference_of, holding.key)
        parts = holding.parts_under(None if whose is None else [whose], difference_of, left_out)
        exposure = without(holding, not_of_held)
        is_of_a_kill = strategy_name == FLATTEN
        return Standing(
            whose or f"account {account.account_id}",
            own,
            exposure,
            difference,
            others,
            later=later,
            parts=parts,
            is_of_a_kill=is_of_a_kill,
        )

    def lacking(self, account_id: str, instrument: Instrument, theirs: Decimal) -> Decimal:
        """The broker's signed units, `theirs`, less ours."""
        return EXACT.subtract(theirs, self._account(account_id).quantity(instrument.key))

    def may_be_filling(self, account_id: str, instrument: Instrument, lacking: Decimal) -> bool:
        """Whether open orders can have closed what the broker has less than we (`lacking`): fills that are not reported yet. Not
        where the last comparison found just that much less.
        """
        account = self._account(account_id)
        if not lacking or account.differences.get(instrument.key, ZERO) == lacking:
            return False
        exposure = account.holding(instrument.key, instrument.currency).exposure
        return exposure.may_have_filled(lacking, Side.SELL if exposure.quantity > 0 else Side.BUY)

    def fees_due(self, account_id: str, instrument_key: str) -> FeesDue | None:
        """What the broker may still keep of what was bought; None where it takes no fee in kind."""
        return self._account(account_id).fees_due.get(instrument_key)

    def position(self, account_id: str, instrument_key: str) -> Position | None:
        return self._account(account_id).position(instrument_key)

    def position_of(self, account_id: str, strategy_name: str, instrument: Instrument) -> Position | None:
        """What orders of the strategy may close."""
        holding, whose = self._account(account_id).holding(instrument.key, instrument.currency), self.whose(strategy_name)
        return holding.position if whose is None else holding.position_of(whose)

    def positions(self, account_id: str) -> Mapping[str, Position]:
        """By instrument key, flat ones with their results too."""
        return self._account(account_id).positions()

    def holdings(self, account_id: str, instrument_key: str) -> Mapping[HoldingKey, Position]:
        """The positions that `position` is the sum of, by strategy and contract; flat ones with their results too."""
        return self._account(account_id).holdings(instrument_key)

    def units_by_product(self, account_id: str, instrument_key: str) -> Mapping[HoldingKey, Mapping[Product | None, Decimal]]:
        """Signed units by strategy and contract, then by product; under None what is of no known product."""
        return self._account(account_id).units_by_product(instrument_key)

    def account_by_product(self, account_id: str, instrument_key: str) -> Mapping[Product | None, Decimal]:
        """The same of all strategies together."""
        ours: dict[Product | None, Decimal] = {}
        for parts in self.units_by_product(account_id, instrument_key).values():
            for product, units in parts.items():
                ours[product] = EXACT.add(ours.get(product, ZERO), units)
        return ours

    def open_orders(self, account_id: str) -> tuple[OpenExposure, ...]:
        """What every open, in-doubt and reserved order of the account could still do."""
        return tuple(self._account(account_id).open.values())

    def funds(self, account_id: str) -> Funds:
        """What the account's broker reported of its money, and what our orders have taken of it since."""
        return self._account(account_id).funds

    def _account(self, account_id: str) -> AccountBook:
        if (known := self._accounts.get(account_id)) is None:
            known = self._accounts[account_id] = AccountBook(account_id, self._prices)
        return known


def _newly_reported(before: LiveOrder | None, events: Sequence[Event]) -> dict[str, int]:
    """Ids of the executions that these events are the first to tell, each with the index of the event."""
    places: dict[str, int] = {}
    for index, event in enumerate(events):
        if isinstance(event, (Filled, FillCorrected, FillInferred)):
            places.setdefault(event.execution_id, index)
    known = () if before is None else before.executions.names
    return {name: index for name, index in places.items() if name not in known}
