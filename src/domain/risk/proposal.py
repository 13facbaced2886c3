"""What a rule is given: the order that is about to be sent, what is known of its account, and how it says no."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple, TypeAlias
from uuid import UUID

from liveorder.domain.errors import InvalidInput
from liveorder.domain.instrument import Instrument
from liveorder.domain.order.events import OrderRequested
from liveorder.domain.order.terms import OrderTerms
from liveorder.domain.risk.exposure import Exposure, ProductPart, Stake, with_trail, worst_price
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.values import EXACT, ZERO, Side


class Proposal(NamedTuple):
    """An order that nobody has sent yet. Quantities in units, money in the instrument's currency."""

    account_id: str
    strategy_name: str
    instrument: Instrument
    terms: OrderTerms
    is_operators: bool = False
    """A person's own order, not a signal's."""
    renewed: frozenset[str] | None = None
    """Of new terms for a working order: the names of those that change. None: it is a new order."""

    @classmethod
    def of(cls, intent: OrderRequested, *, is_operators: bool, renewed: frozenset[str] | None = None) -> Proposal:
        return cls(intent.account_id, intent.strategy_name, intent.instrument, intent.terms, is_operators, renewed)

    @property
    def is_new(self) -> bool:
        return self.renewed is None

    def renews(self, *names: str) -> bool:
        """Whether any of these terms is new: of a new order all are."""
        return self.renewed is None or not self.renewed.isdisjoint(names)

    @property
    def units(self) -> Decimal | None:
        """The quantity, or what `notional` comes to at the price that it was sized by; None while neither is known."""
        terms = self.terms
        if terms.quantity is not None:
            return terms.quantity
        if terms.notional is None or not terms.decision_price:
            return None
        return abs(terms.notional / (terms.decision_price * self.instrument.multiplier))

    @property
    def whole_units(self) -> Decimal | None:
        """The same in whole lots: no more is made of an amount of money at that price."""
        try:
            return None if self.units is None else self.instrument.round_quantity(self.units)
        except InvalidInput:
            return ZERO

    def value(self, last_price: Decimal | None) -> Decimal | None:
        """Money: the notional, or the quantity at the worst price that the order allows; None while no price is known."""
        terms = self.terms
        if terms.quantity is None:
            return terms.notional
        price = worst_price(terms.side, terms.order_type, terms.limit_price, terms.stop_price, terms.decision_price, last_price)
        price = with_trail(terms.side, price, terms.trail_amount, terms.trail_percent, terms.limit_offset)
        return None if price is None else abs(self.instrument.value_of(terms.quantity, price))


class BuyingPower(NamedTuple):
    """What the account can still buy for: the broker's figure, less what our orders have taken since it was asked."""

    amount: Decimal
    age_seconds: float
    is_settled: bool = True
    """Whether nothing of ours that frees money happened since, or so shortly before that the broker may not have counted it."""


class SentOrder(NamedTuple):
    """An order that was sent, or is about to be."""

    order_id: UUID
    at: datetime
    """When its first attempt began, or before that when it was requested."""


class RiskView(NamedTuple):
    """What is known of one account at one moment, as one instrument needs it. Money in `currency`.

    Orders that are decided and not yet durable count like open ones, so that two orders decided at once cannot both pass a limit.
    """

    account_id: str
    currency: str
    """Of the limits, and of every amount here."""
    now: datetime
    session_date: date
    closed_because: str | None
    """Why no order may trade now, for people; None: its market is open, or it waits for the open."""
    auto_trading: bool
    """Whether signals trade by themselves."""
    halt: str | None
    """What stops the account, for people; None: nothing."""
    exposure: Exposure
    """The account's position and open orders in this instrument."""
    own: Stake
    """What of them is the strategy's that orders; all of it where positions are the account's."""
    is_killed: bool = False
    """Whether what stops the account is a person's kill and nothing else."""
    difference: Decimal | None = ZERO
    """The broker's quantity of this instrument less the account's as we have it, when they were compared last; zero as far as is
    known, None: not known."""
    heard_difference: Decimal | None = None
    """The same, as the broker said after our last fill, where an exit asked; None: nothing of that kind was heard."""
    differs_by_product: bool = False
    """Whether the broker holds as much as we have, under other products, when they were compared last."""
    doubts: tuple[UUID, ...] = ()
    """Orders in this instrument of which a request may or may not have arrived."""
    part: ProductPart | None = None
    """Of an order under a product: what there is under that; None: a position is kept over all products."""
    own_doubts: tuple[UUID, ...] = ()
    """Those of them that are the strategy's that orders."""
    last_alike: SentOrder | None = None
    """The newest order of the strategy in this instrument that is alike, where repeats are looked at."""
    trades_today: int = 0
    """Orders of the session that were attempted, and open ones that will be."""
    open_orders: int = 0
    other_positions: int = 0
    """Other instruments that are held or being opened."""
    other_position_value: Decimal = ZERO
    """What the positions in all other instruments could be worth, open orders included."""
    other_exposure: Decimal = ZERO
    """The gross exposure in all other instruments."""
    realized_net_today: Decimal = ZERO
    """Earned in the session by what was closed, net of fees; negative is lost."""
    last_price: Decimal | None = None
    price_age_seconds: float | None = None
    """Of `last_price`; None when there is no price."""
    last_trade: Decimal | None = None
    """What the last trade was made at, where it is fresh: `last_price` is what the order would meet."""
    crosses_zero: bool = True
    """Whether its broker takes one order that closes and opens."""
    price_problem: str = ""
    """Why no price could be asked for, in the source's own words; empty where it answered."""
    buying_power: BuyingPower | None = None
    """The buying power for this instrument. None if the broker reports none in its currency."""

    @property
    def is_reconciled(self) -> bool:
        """Whether our position in this instrument is the broker's, as far as is known."""
        return self.difference == 0 and not self.differs_by_product

    def hearing(self, theirs: Decimal, part: ProductPart | None) -> RiskView:
        """With the signed units that the broker said that it holds, after our last fill; `part`: what there is by that answer under
        the order's product.
        """
        return self._replace(heard_difference=EXACT.subtract(theirs, self.exposure.quantity), part=part)

    @property
    def of_order(self) -> ProductPart:
        """What an order that reduces is judged by: what there is under its product, else of the instrument."""
        return self.part or ProductPart(self.own, self.exposure, self.difference, self.heard_difference)

    @property
    def agreed_quantity(self) -> Decimal:
        """See `ProductPart.agreed_quantity`."""
        return self.of_order.agreed_quantity

    def closable_by(self, side: Side, *, may_be_short: bool) -> Decimal:
        """Units that a new order of `side` surely only takes off what its strategy holds: see `closable`."""
        return self.of_order.closable_by(side, may_be_short=may_be_short, crosses_zero=self.crosses_zero)


@dataclass(frozen=True, slots=True)
class RiskRefusal:
    """Which rule says no, and the two figures that it compared, the order included."""

    code: str
    message: str
    measured: str | None = None
    limit: str | None = None


def is_reducing(proposal: Proposal, view: RiskView, *, may_be_short: bool = False) -> bool:
    """Whether the order can only bring its strategy's position nearer to zero, whatever else happens.

    Arithmetic decides and not the role, which is only a claim: the units must fit into `RiskView.closable_by`. An unknown size
    proves nothing.
    """
    units = proposal.units
    return units is not None and ZERO < units <= view.closable_by(proposal.terms.side, may_be_short=may_be_short)


class RiskCase(NamedTuple):
    """What the rules judge: an order beside what is known of its account, and what both come to, reckoned once for all rules."""

    proposal: Proposal
    view: RiskView
    is_reducing: bool
    value: Decimal | None
    """Of the order, at the worst price that it allows; None while no price is known."""
    position_value: Decimal
    """What all positions could be worth with the order, by its rule. Without a known price the order counts nothing here."""
    exposure: Decimal
    """The gross exposure with the order, likewise."""

    @classmethod
    def of(cls, proposal: Proposal, view: RiskView, limits: RiskLimits) -> RiskCase:
        value = proposal.value(view.last_price)
        after = view.exposure.plus(proposal.terms.side, proposal.units or ZERO, value or ZERO)
        own_value, own_gross = after.sums
        position_value, exposure = view.other_position_value + own_value, view.other_exposure + own_gross
        reduces = is_reducing(proposal, view, may_be_short=limits.allow_short_selling)
        return cls(proposal, view, reduces, value, position_value, exposure)


Rule: TypeAlias = Callable[[RiskCase, RiskLimits], RiskRefusal | None]
