"""The risk rules, asked of an intent: what they are to be judged by is gathered here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from msgspec.structs import replace

from liveorder.application.gateway.gateway import Gateway
from liveorder.application.ports.calendar import TradingCalendar
from liveorder.application.ports.clock import Clock
from liveorder.application.risk.account_figures import AccountFigures
from liveorder.application.risk.book import RiskBook
from liveorder.application.risk.position_figures import PositionFigures
from liveorder.application.risk.trading_halts import TradingHalts
from liveorder.domain.errors import InvalidInput
from liveorder.domain.events import Event
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.amendment import Amendment
from liveorder.domain.order.events import OrderRequested, PositionUnconfirmed
from liveorder.domain.own_exits import taken_beyond_zero
from liveorder.domain.quotes import Priced
from liveorder.domain.risk import (
    GATES,
    REPLACEMENT_RULES,
    RULES,
    Assessment,
    Level,
    Proposal,
    RiskRefusal,
    RiskView,
    assess,
    assess_all,
    assess_opening,
    assess_wait,
    is_reducing,
    is_short,
)
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.standing import Standing
from liveorder.domain.values import ZERO, PositionEffect, Product, TimeInForce, TradingHours, total
from liveorder.domain.wording import plain


class RiskGate:
    """Judges new orders and new terms of working ones against the account as it is now."""

    def __init__(
        self,
        risk: RiskBook,
        figures: AccountFigures,
        positions: PositionFigures,
        halts: TradingHalts,
        calendar: TradingCalendar,
        clock: Clock,
    ) -> None:
        self._risk, self._figures, self._positions = risk, figures, positions
        self._halts, self._calendar, self._clock = halts, calendar, clock

    async def judge(
        self,
        gateway: Gateway,
        intent: OrderRequested,
        priced: Priced,
        *,
        is_operators: bool,
        once: Standing | None = None,
        opens: Decimal | None = None,
    ) -> Assessment:
        """The first refusal, if any, and the figures that were measured; nothing is awaited after they were.

        `once`: what its strategy will have once orders that are in the way are cancelled, where some are. `opens`: of the closing
        leg of a reversal, the units that are to be opened after it.
        """
        view, limits = await self.look(gateway, intent, priced)
        view = self._once(gateway, intent, view, once)
        levels, proposal = self._levels(gateway, intent, view), Proposal.of(intent, is_operators=is_operators)
        judged = assess(proposal, view, limits, RULES, levels)
        if not opens or judged.refusal is not None:
            return judged
        opening = intent.with_terms(position_effect=PositionEffect.OPEN)
        view, limits = self._view(gateway, opening, priced)
        view = self._once(gateway, opening, view, once)
        return replace(judged, refusal=assess_opening(proposal, opens, view, limits, self._levels(gateway, opening, view)))

    @staticmethod
    def _once(gateway: Gateway, intent: OrderRequested, view: RiskView, once: Standing | None) -> RiskView:
        if once is None:
            return view
        part = None if view.part is None else once.part_under(intent.terms.product, gateway.terms.default_product)
        heard = view.exposure.unexplained(view.heard_difference, intent.terms.side)
        return view._replace(own=once.own, exposure=once.account, part=part, heard_difference=heard)

    async def judge_all(
        self, gateway: Gateway, intent: OrderRequested, priced: Priced, *, is_operators: bool
    ) -> tuple[Assessment, Sequence[RiskRefusal]]:
        """The same, and everything that stands in the way."""
        view, limits = await self.look(gateway, intent, priced)
        proposal, levels = Proposal.of(intent, is_operators=is_operators), self._levels(gateway, intent, view)
        return assess(proposal, view, limits, levels=levels), assess_all(proposal, view, limits, levels)

    async def look(self, gateway: Gateway, intent: OrderRequested, priced: Priced) -> tuple[RiskView, RiskLimits]:
        """The account as it is now, without the order itself and later ones that wait. Of one that would take off what its strategy
        holds, the broker is asked what the account holds; and for its money, where that as reported last does not cover the order.

        Any other order that is covered waits for no question.
        """
        view, limits = self._view(gateway, intent, priced)
        if _may_reduce(intent, view) and view.heard_difference is None:
            await self._positions.confirm(gateway, intent.instrument)
            view, limits = self._view(gateway, intent, priced)
        if view.buying_power is not None and is_short(Proposal.of(intent, is_operators=False), view, limits):
            await self._figures.look_again(gateway.account_id)
            view, limits = self._view(gateway, intent, priced)
        return view, limits

    async def confirm(self, gateway: Gateway, order: LiveOrder) -> None:
        """Before an order that reduces is sent again: ask the broker what the account holds, as for a new one."""
        view, _ = self._view(gateway, order.intent, Priced())
        if _may_reduce(order.intent, view) and view.heard_difference is None:
            await self._positions.confirm(gateway, order.intent.instrument)

    def unconfirmed(self, gateway: Gateway, order: LiveOrder) -> list[Event]:
        """What is to be stored of an order that is sent again though the broker did not say what the account holds, once."""
        view, limits = self._view(gateway, order.intent, Priced())
        is_known = order.position_unconfirmed or view.heard_difference is not None
        reduces = is_reducing(
            Proposal.of(order.intent, is_operators=order.is_persons), view, may_be_short=limits.allow_short_selling
        )
        return [] if is_known or not reduces else [self.why_unconfirmed(order.intent)]

    def why_unconfirmed(self, intent: OrderRequested) -> PositionUnconfirmed:
        return PositionUnconfirmed(message=self._positions.why_unconfirmed(intent.account_id, intent.instrument.key))

    def judge_wait(
        self,
        gateway: Gateway,
        intent: OrderRequested,
        priced: Priced,
        *,
        is_operators: bool,
        ages: bool,
        meets_market: bool,
    ) -> RiskRefusal | None:
        """What refuses an order now that would have to wait: see `assess_wait`. A halt that ends by itself is waited for."""
        view, limits = self._view(gateway, intent, priced)
        if self._halts.now.is_waiting_for_broker(gateway.account_id, is_spared=intent.terms.passes_halt):
            view = view._replace(halt=None)
        levels = self._levels(gateway, intent, view)
        proposal = Proposal.of(intent, is_operators=is_operators)
        return assess_wait(proposal, view, limits, levels, ages=ages, meets_market=meets_market)

    def judge_again(self, gateway: Gateway, order: LiveOrder) -> RiskRefusal | None:
        """What keeps an approved order from being sent at all; one without a time of its own counts from when it was requested.

        A halt that ends by itself is no reason: the order waits for that.
        """
        intent = order.intent.with_terms(signal_at=order.terms.signal_at or order.requested_at)
        view, limits = self._view(gateway, intent, Priced())
        if self._halts.now.is_waiting_for_broker(gateway.account_id):
            view = view._replace(halt=None)
        levels = self._levels(gateway, intent, view)
        return assess(Proposal.of(intent, is_operators=order.is_persons), view, limits, GATES, levels).refusal

    def judge_replacement(
        self, gateway: Gateway, order: LiveOrder, priced: Priced, terms: Amendment, *, is_operators: bool
    ) -> Assessment:
        """The order with its new terms, in place of itself: what is filled already does not count again."""
        intent = terms.rest_of(order)
        view, limits = self._view(gateway, intent, priced)
        proposal = Proposal.of(intent, is_operators=is_operators, renewed=terms.changed)
        judged = assess(proposal, view, limits, REPLACEMENT_RULES, self._levels(gateway, intent, view))
        if judged.refusal is None and terms.quantity is not None and terms.quantity > (order.quantity or ZERO):
            return replace(judged, refusal=self._exits_crossed(intent, gateway.terms.default_product))
        return judged

    def _exits_crossed(self, intent: OrderRequested, usual: Product | None) -> RiskRefusal | None:
        """What rests to close does not make way for more units of another order: it is for the person who amends that."""
        terms, units = intent.terms, intent.terms.quantity or ZERO
        standing = self._risk.standing(intent.account_id, intent.strategy_name, intent.instrument, intent.order_id)
        standing = standing.under(terms.product, usual)
        if not (exits := taken_beyond_zero(standing.own, standing.orders, terms.side, units)):
            return None
        named, left = ", ".join(str(each.order_id) for each in exits), plain(standing.own.reducible_by(terms.side))
        beside = f"beside order {named}, which closes, {left} of {intent.instrument.symbol} are left to {terms.side}"
        message = f"{beside}, and this is for {plain(units)}; cancel that one first"
        return RiskRefusal("beyond_zero", message, plain(units), left)

    def _view(self, gateway: Gateway, intent: OrderRequested, priced: Priced) -> tuple[RiskView, RiskLimits]:
        now, instrument, can, price = self._clock.now(), intent.instrument, gateway.broker.capabilities, priced.price
        currency, limits = gateway.terms.limits_in(instrument.currency)
        halted = self._halts.now.stands_for(gateway.account_id)
        view = self._risk.view(
            gateway.account_id,
            intent.strategy_name,
            instrument,
            now=now,
            session_date=self._calendar.session_for(instrument, now),
            closed_because=self._closed_because(intent, now),
            auto_trading=self._halts.now.auto_trading,
            halt=f"{halted.scope}: {halted.detail or halted.reason}" if halted is not None else None,
            price=price,
            price_age_seconds=None if price is None else price.age_seconds(now),
            price_problem=priced.problem,
            currency=currency,
            atomic_replace=can.atomic_replace,
            answer_lag_seconds=can.money_lag_seconds,
            judged=intent.order_id,
        )
        last_trade = None if priced.last_trade is None else priced.last_trade.amount
        tables = gateway.terms.tables_of(intent.strategy_name, instrument)
        has_window = any(each.repeat_window_seconds is not None for each in (limits, *(table.limits for table in tables)))
        last_alike = self._risk.last_alike(intent) if has_window else None
        is_killed = self._halts.now.is_killed(gateway.account_id, by_that_alone=True)
        usual = gateway.terms.default_product
        part = None if intent.terms.product is None else self._risk.part(intent, usual)
        view = view._replace(
            last_trade=last_trade, last_alike=last_alike, is_killed=is_killed, part=part, crosses_zero=can.crosses_zero
        )
        if (
            _may_reduce(intent, view)
            and (theirs := self._positions.latest_by_product(gateway.account_id, instrument.key)) is not None
        ):
            view = view.hearing(total(theirs.values()), self._risk.part(intent, usual, theirs))
        return view, limits

    def _levels(self, gateway: Gateway, intent: OrderRequested, view: RiskView) -> tuple[Level, ...]:
        tables = gateway.terms.tables_of(intent.strategy_name, intent.instrument)
        return tuple(Level(table, self._risk.seen_by(table, view, intent.instrument, intent.order_id)) for table in tables)

    def _closed_because(self, intent: OrderRequested, now: datetime) -> str | None:
        """Never of an order for the opening auction, which is sent before that."""
        if intent.terms.time_in_force is TimeInForce.OPG:
            return None
        try:
            is_open = self._calendar.is_open_for(intent.instrument, now, intent.terms.hours)
        except InvalidInput as ended:
            return str(ended)
        hours = "its extended hours" if intent.terms.hours is TradingHours.EXTENDED else "its session"
        return None if is_open else f"{intent.instrument.exchange} is closed; wait for {hours}"


def _may_reduce(intent: OrderRequested, view: RiskView) -> bool:
    """Whether it says CLOSE, or is on the side that takes off what its strategy holds."""
    effect = intent.terms.position_effect
    return effect is PositionEffect.CLOSE or (effect is None and intent.terms.side is view.of_order.own.closing_side)
