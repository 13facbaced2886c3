"""The risk rules, asked of an intent: what they are to be judged by is gathered here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from liveorder.application.gateway.gateway import Gateway
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.sessions import Sessions
from liveorder.application.risk.account_figures import AccountFigures
from liveorder.application.risk.book import RiskBook
from liveorder.application.risk.trading_halts import TradingHalts
from liveorder.domain.errors import InvalidInput
from liveorder.domain.instrument import Instrument
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import Requested
from liveorder.domain.quotes import Priced
from liveorder.domain.risk import (
    GATES,
    REPLACEMENT_RULES,
    Assessment,
    Proposal,
    RiskRefusal,
    RiskView,
    assess,
    assess_all,
    is_paid_in_full,
    is_short,
)
from liveorder.domain.values import OrderType, Side, TimeInForce, TradingHours


@dataclass(frozen=True, slots=True)
class Amendment:
    """What a replace asks for; None leaves a term as it is. `quantity` is of the whole order, filled part included."""

    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None

    def on_grid(self, instrument: Instrument, side: Side, kind: OrderType) -> Amendment:
        """The quantity toward zero to the lot, prices to the tick, as of a new order. `InvalidInput` where nothing is left."""
        quantity, limit_price, stop_price = self.quantity, self.limit_price, self.stop_price
        return Amendment(
            None if quantity is None else instrument.round_quantity(quantity),
            None if limit_price is None else instrument.round_price(limit_price, side),
            None if stop_price is None else instrument.round_stop(stop_price, side, kind),
        )


class RiskGate:
    """Judges new orders and new terms of working ones against the account as it is now."""

    def __init__(self, risk: RiskBook, figures: AccountFigures, halts: TradingHalts, sessions: Sessions, clock: Clock) -> None:
        self._risk, self._figures, self._halts, self._sessions, self._clock = risk, figures, halts, sessions, clock

    async def look_at_money(self, gateway: Gateway, intent: Requested, priced: Priced, without: UUID | None = None) -> None:
        """Before it is judged: where what was reported last does not cover the order, the broker is asked for its money again.

        An order that is covered waits for no question.
        """
        is_purchase = is_paid_in_full(intent.instrument, intent.side, intent.product)
        if not is_purchase or self._risk.funds(gateway.account_id).figure_for(intent.instrument) is None:
            return
        currency, limits = gateway.terms.limits_in(intent.instrument.currency)
        view = self._view(gateway, intent, priced, currency, without)
        if is_short(_proposal(intent, is_operators=False), view, limits):
            await self._figures.look_again(gateway.account_id)

    async def look_at_money_to_replace(self, gateway: Gateway, order: LiveOrder, priced: Priced, terms: Amendment) -> None:
        """The same for new terms of an order."""
        await self.look_at_money(gateway, _replaced(order, terms), priced, order.order_id)

    def judge(self, gateway: Gateway, intent: Requested, priced: Priced, *, is_operators: bool) -> Assessment:
        """The first refusal, if any, and the figures that were measured."""
        currency, limits = gateway.terms.limits_in(intent.instrument.currency)
        return assess(_proposal(intent, is_operators), self._view(gateway, intent, priced, currency), limits)

    def refusals(self, gateway: Gateway, intent: Requested, priced: Priced, *, is_operators: bool) -> Sequence[RiskRefusal]:
        """Everything that stands in the way."""
        currency, limits = gateway.terms.limits_in(intent.instrument.currency)
        return assess_all(_proposal(intent, is_operators), self._view(gateway, intent, priced, currency), limits)

    def judge_again(self, gateway: Gateway, order: LiveOrder) -> RiskRefusal | None:
        """What keeps an approved order from being sent at all; one without a time of its own counts from when it was requested.

        A halt that ends by itself is no reason: the order waits for that.
        """
        currency, limits = gateway.terms.limits_in(order.intent.instrument.currency)
        intent = order.intent.model_copy(update={"signal_at": order.intent.signal_at or order.requested_at})
        view = self._view(gateway, intent, Priced(), currency, without=order.order_id)
        if self._halts.is_waiting_for_broker(gateway.account_id):
            view = view._replace(halt=None)
        return assess(_proposal(intent, is_operators=order.is_persons), view, limits, GATES).refusal

    def judge_replacement(
        self, gateway: Gateway, order: LiveOrder, priced: Priced, terms: Amendment, *, is_operators: bool
    ) -> Assessment:
        """The order with its new terms, in place of itself: what is filled already does not count again."""
        intent = _replaced(order, terms)
        currency, limits = gateway.terms.limits_in(intent.instrument.currency)
        view = self._view(gateway, intent, priced, currency, without=order.order_id)
        return assess(_proposal(intent, is_operators), view, limits, REPLACEMENT_RULES)

    def _closed_because(self, intent: Requested, now: datetime) -> str | None:
        """Never of an order for the opening auction, which is sent before that."""
        if intent.time_in_force is TimeInForce.OPG:
            return None
        try:
            is_open = self._sessions.is_open(intent.instrument, now, intent.hours)
        except InvalidInput as ended:
            return str(ended)
        hours = "its extended hours" if intent.hours is TradingHours.EXTENDED else "its session"
        return None if is_open else f"{intent.instrument.exchange} is closed; wait for {hours}"

    def _view(self, gateway: Gateway, intent: Requested, priced: Priced, currency: str, without: UUID | None = None) -> RiskView:
        now, instrument = self._clock.now(), intent.instrument
        halted = self._halts.stands_for(gateway.account_id)
        if (price := priced.price) is not None:
            self._risk.mark(instrument.key, price)
        return self._risk.view(
            gateway.account_id,
            instrument,
            now=now,
            session_date=self._sessions.session_of(instrument, now),
            closed_because=self._closed_because(intent, now),
            auto_trading=self._halts.auto_trading,
            halt=f"{halted.scope}: {halted.detail or halted.reason}" if halted is not None else None,
            price_age_seconds=None if price is None else price.age_seconds(now),
            price_problem=priced.problem,
            currency=currency,
            atomic_replace=gateway.broker.capabilities.atomic_replace,
            answer_lag_seconds=gateway.broker.capabilities.money_lag_seconds,
            without=without,
        )


def _ends(intent: Requested) -> datetime | None:
    """After this nothing is sent: not after the order's own end either."""
    return min((each for each in (intent.valid_until, intent.expires_at) if each is not None), default=None)


def _replaced(order: LiveOrder, terms: Amendment) -> Requested:
    """What is left to fill under the new terms, as if it were ordered now."""
    wanted = terms.quantity or order.quantity
    changes = {
        "quantity": None if wanted is None else wanted - order.filled_quantity,
        "limit_price": terms.limit_price if terms.limit_price is not None else order.limit_price,
        "stop_price": terms.stop_price if terms.stop_price is not None else order.stop_price,
        "decision_price": terms.limit_price or terms.stop_price or order.intent.decision_price,
    }
    return order.intent.model_copy(update=changes)


def _proposal(intent: Requested, is_operators: bool) -> Proposal:
    return Proposal(
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
        valid_until=_ends(intent),
        role=intent.role,
        is_operators=is_operators,
        product=intent.product,
        price=intent.decision_price,
    )
