"""What a rule is given: the order that is about to be sent, what is known of its account, and how it says no."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple, TypeAlias
from uuid import UUID

from liveorder.domain.instrument import Instrument
from liveorder.domain.order.events import Requested
from liveorder.domain.risk.exposure import Exposure, with_trail, worst_price
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.values import ZERO, OrderRole, OrderType, Product, Side


class Proposal(NamedTuple):
    """An order that nobody has sent yet. Quantities in units, money in the instrument's currency."""

    account_id: str
    strategy_name: str
    instrument: Instrument
    side: Side
    order_type: OrderType
    quantity: Decimal | None = None
    notional: Decimal | None = None
    """Money to spend or to raise, where no quantity is told."""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_amount: Decimal | None = None
    trail_percent: Decimal | None = None
    limit_offset: Decimal | None = None
    score: Decimal | None = None
    signal_at: datetime | None = None
    """When the signal was made, or failing that published: its age counts from here."""
    valid_until: datetime | None = None
    """Not after this, nor after the order's own end."""
    role: OrderRole = OrderRole.ENTRY
    is_operators: bool = False
    """A person's own order, not a signal's."""
    product: Product | None = None
    price: Decimal | None = None
    """What one unit was reckoned to cost when the order was sized: its own price, else the last one."""

    @classmethod
    def of(cls, intent: Requested, *, is_operators: bool) -> Proposal:
        ends = [each for each in (intent.valid_until, intent.expires_at) if each is not None]
        return cls(
            account_id=intent.account_id,
            strategy_name=intent.strategy_name,
            instrument=intent.instrument,
            side=intent.side,
            order_type=intent.order_type,
            quantity=intent.quantity,
            notional=intent.notional,
            limit_price=intent.limit_price,
            stop_price=intent.stop_price,
            trail_amount=intent.trail_amount,
            trail_percent=intent.trail_percent,
            limit_offset=intent.limit_offset,
            score=intent.score,
            signal_at=intent.signal_at,
            valid_until=min(ends, default=None),
            role=intent.role,
            is_operators=is_operators,
            product=intent.product,
            price=intent.decision_price,
        )

    @property
    def units(self) -> Decimal | None:
        """The quantity, or what `notional` comes to at `price`; None while neither is known."""
        if self.quantity is not None:
            return self.quantity
        if self.notional is None or not self.price:
            return None
        return abs(self.notional / (self.price * self.instrument.multiplier))

    def value(self, last_price: Decimal | None) -> Decimal | None:
        """Money: the notional, or the quantity at the worst price that the order allows; None while no price is known."""
        if self.quantity is None:
            return self.notional
        price = worst_price(self.side, self.order_type, self.limit_price, self.stop_price, self.price, last_price)
        price = with_trail(self.side, price, self.trail_amount, self.trail_percent, self.limit_offset)
        return None if price is None else abs(self.instrument.value_of(self.quantity, price))


class BuyingPower(NamedTuple):
    """What the account can still buy for: the broker's figure, less what our orders have taken since it was asked."""

    amount: Decimal
    age_seconds: float
    is_settled: bool = True
    """Whether nothing of ours that frees money happened since, or so shortly before that the broker may not have counted it."""


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
    """This instrument's position and open orders."""
    agreed_quantity: Decimal
    """Signed units that our book and the broker's both have: our position, unless a reconciliation found them to differ."""
    is_reconciled: bool
    """Whether our position in this instrument is the broker's, as far as is known."""
    doubts: tuple[UUID, ...] = ()
    """Orders in this instrument of which a request may or may not have arrived."""
    trades_today: int = 0
    """Orders of the session that were attempted, and open ones that will be."""
    open_orders: int = 0
    other_position_value: Decimal = ZERO
    """What the positions in all other instruments could be worth, open orders included."""
    other_exposure: Decimal = ZERO
    """The gross exposure in all other instruments."""
    realized_net_today: Decimal = ZERO
    """Earned in the session by what was closed, net of fees; negative is lost."""
    last_price: Decimal | None = None
    price_age_seconds: float | None = None
    """Of `last_price`; None when there is no price."""
    price_problem: str = ""
    """Why no price could be asked for, in the source's own words; empty where it answered."""
    buying_power: BuyingPower | None = None
    """For this instrument; None where the broker tells none in its currency."""


@dataclass(frozen=True, slots=True)
class RiskRefusal:
    """Which rule says no, and the two figures that it compared, the order included."""

    code: str
    message: str
    measured: str | None = None
    limit: str | None = None


def is_reducing(proposal: Proposal, view: RiskView) -> bool:
    """Whether the order can only bring the position nearer to zero, whatever else happens.

    Arithmetic decides and not the role, which is only a claim: the units must fit into what is held, by our book and by the
    broker's, less all that open and in-doubt orders of the same side could still take. An unknown size proves nothing.
    """
    units = proposal.units
    return units is not None and ZERO < units <= view.exposure.reducible_by(proposal.side, view.agreed_quantity)


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
    def of(cls, proposal: Proposal, view: RiskView) -> RiskCase:
        value = proposal.value(view.last_price)
        after = view.exposure.plus(proposal.side, proposal.units or ZERO, value or ZERO)
        own_value, own_gross = after.sums
        position_value, exposure = view.other_position_value + own_value, view.other_exposure + own_gross
        return cls(proposal, view, is_reducing(proposal, view), value, position_value, exposure)


Rule: TypeAlias = Callable[[RiskCase, RiskLimits], RiskRefusal | None]
