"""What keeps a signal waiting before it is judged, and whether that is over; `domain.waiting` decides by what is gathered here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from liveorder.application.gateway.gateway import Gateway
from liveorder.application.orders.order_register import OrderRegister
from liveorder.application.ports.calendar import TradingCalendar
from liveorder.application.ports.clock import Clock
from liveorder.application.risk.book import RiskBook
from liveorder.application.risk.trading_halts import TradingHalts
from liveorder.application.trading.submit_order import SubmitOrder
from liveorder.domain.amount import Basis
from liveorder.domain.instrument import Instrument
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import WAITS_FOR_ORDERS, WaitBegan, WaitReason
from liveorder.domain.own_exits import GUARDS
from liveorder.domain.position_effect import amount_of
from liveorder.domain.risk import OpenExposure
from liveorder.domain.signal import Signal, SignalHours
from liveorder.domain.sizing import SizedIntent, is_unprotected
from liveorder.domain.values import PositionEffect, TradingHours
from liveorder.domain.waiting import Obstacles, has_lapsed, is_over, is_spared_by_a_kill, to_cancel, wait_for


class Waits:
    """Looks at the clock, the calendar, the connection and the orders that are in the way."""

    def __init__(
        self,
        orders: OrderRegister,
        gateways: Mapping[str, Gateway],
        risk: RiskBook,
        halts: TradingHalts,
        submit: SubmitOrder,
        calendar: TradingCalendar,
        clock: Clock,
        *,
        is_shadow: bool,
    ) -> None:
        self._orders, self._gateways, self._risk = orders, gateways, risk
        self._halts, self._submit = halts, submit
        self._calendar, self._clock, self._is_shadow = calendar, clock, is_shadow

    def wait_of(
        self,
        gateway: Gateway,
        signal: Signal,
        sized: SizedIntent,
        entries: tuple[UUID, ...],
        *,
        needs_leg: bool,
        is_operators: bool,
    ) -> WaitBegan | None:
        """What a signal has to wait for; None where it is judged now, or could not be sent whatever came.

        `needs_leg`: the opening leg of its reversal is not stored yet.
        """
        intent = sized.intent
        is_spared = intent.terms.passes_halt
        obstacles = self._obstacles(gateway, intent.instrument, signal.hours, is_operators=is_operators, is_spared=is_spared)
        obstacles = obstacles._replace(
            entries=entries, needs_leg=needs_leg, others=_ids(sized.in_the_way), doubts=_ids(sized.in_doubt)
        )
        if sized.superseded:  # they may have turned the position round when they are over
            signal = signal.whatever_the_side()
        _, limits = gateway.terms.limits_in(intent.instrument.currency)
        wait = wait_for(obstacles, signal.to_json(), intent.terms, limits.max_signal_age_seconds)
        if wait is None or sized.problem is not None or is_unprotected(intent, gateway.terms.mode):
            return None
        if sized.refusal is not None:  # what it amounts to is seen when the wait is over
            return wait
        return None if self._submit.refusal(gateway, intent) is not None else wait

    def is_due(self, order: LiveOrder) -> bool:
        """Whether its wait ends now, by what came or by what did not come in time.

        A shadow run leaves real orders to the next real run, and the reverse.
        """
        if order.wait is None or order.terms.is_shadow is not self._is_shadow:
            return False
        return has_lapsed(order.wait, self._clock.now()) or self._is_over(order)

    def _is_over(self, order: LiveOrder) -> bool:
        """Whether what a waiting order waits for came."""
        if order.wait is None:
            return False
        hours = SignalHours.NEXT_OPEN if order.wait.reason is WaitReason.OPEN else None
        gateway, instrument = self._gateways[order.intent.account_id], order.intent.instrument
        if order.wait.reason is WaitReason.ENTRY and self._needs_no_more(gateway, order, order.wait):
            return True
        named = map(self._orders.unfinished_with, order.wait.orders)
        known = [each for each in named if each is not None and each.may_trade]
        others, doubts = (tuple(each.order_id for each in those) for those in (known, filter(_is_doubtful, known)))
        is_spared = is_spared_by_a_kill(order.terms)
        obstacles = self._obstacles(gateway, instrument, hours, is_operators=order.is_persons, is_spared=is_spared)
        return is_over(order.wait, obstacles._replace(others=others, doubts=doubts))

    def _needs_no_more(self, gateway: Gateway, order: LiveOrder, wait: WaitBegan) -> bool:
        """Of what guards a position, and of a plain sale: whether so much of its entry is filled by now, or cancelled, that it need
        not wait for the rest. Of an exit on the side that adds to what is held by now: whether none of these can turn that round.
        """
        signal, intent, is_plain = Signal.restored(wait.signal), order.intent, order.terms.position_effect is None
        standing = self._risk.standing(intent.account_id, intent.strategy_name, intent.instrument, order.order_id)
        has = standing.under(intent.terms.product, gateway.terms.default_product)
        if not is_plain and signal.side is not None and has.own.closing_side is signal.side.opposite:
            return not any(each.order_id in wait.orders for each in (*has.entries_for(signal.side), *has.later))
        if signal.quantity is None or not (is_plain or order.terms.role in GUARDS):
            return False
        limits = gateway.terms.sizing_limits(intent.strategy_name, intent.instrument)
        by = Basis(intent.instrument, None, limits, False, standing, product=gateway.terms.default_product, order_id=order.order_id)
        amount = amount_of(signal, by)
        return not amount.awaits_entries if is_plain else amount.guards_held

    def to_cancel(self, order: LiveOrder) -> Sequence[LiveOrder]:
        """Of the orders whose end it waits for, those that are to be cancelled for it now."""
        wait = order.wait
        if wait is None or wait.reason not in WAITS_FOR_ORDERS:
            return []
        intent, gateway = order.intent, self._gateways[order.intent.account_id]
        named = map(self._orders.unfinished_with, wait.orders)
        awaited = [each for each in named if each is not None and not each.status.is_closed]
        standing = self._risk.standing(intent.account_id, intent.strategy_name, intent.instrument, order.order_id)
        own = standing.under(intent.terms.product, gateway.terms.default_product).own
        _, limits = gateway.terms.limits_in(intent.instrument.currency)
        side = Signal.restored(wait.signal).side
        return to_cancel(wait.reason, intent.terms, awaited, own, side, exit_cancels_entry=limits.exit_cancels_entry)

    def successor_of(self, order: LiveOrder) -> UUID | None:
        """The order that waits for a waiting one to make way for it, stored or about to be."""
        intent, gateway = order.intent, self._gateways[order.intent.account_id]
        standing = self._risk.standing(intent.account_id, intent.strategy_name, intent.instrument, order.order_id)
        own = standing.under(intent.terms.product, gateway.terms.default_product).own
        _, limits = gateway.terms.limits_in(intent.instrument.currency)
        for each in (*standing.later, *standing.orders):
            if order.order_id in each.awaits and each.wait is not None and each.terms is not None and not each.awaits_own_entries:
                side = Signal.restored(each.wait.signal).side
                ends = to_cancel(each.wait.reason, each.terms, [order], own, side, exit_cancels_entry=limits.exit_cancels_entry)
                if ends:
                    return each.order_id
        return None

    def may_be_sent_already(self, order: LiveOrder) -> bool:
        """Whether the store may have forgotten that it sent a waiting order, so that its broker has to be asked first."""
        unsent_at = order.failed_at or order.requested_at
        assert unsent_at is not None
        return not order.terms.is_shadow and self._halts.now.may_have_forgotten_sending(order.intent.account_id, unsent_at)

    def is_killed(self, order: LiveOrder) -> bool:
        """Whether a person's kill ends its wait: not of what guards a position, nor of what a person closes during the kill."""
        is_persons_close = order.is_persons and order.terms.position_effect is PositionEffect.CLOSE
        is_spared = is_persons_close or is_spared_by_a_kill(order.terms)
        return self._halts.now.is_killed(order.intent.account_id) and not is_spared

    def _obstacles(
        self, gateway: Gateway, instrument: Instrument, hours: SignalHours | None, *, is_operators: bool, is_spared: bool
    ) -> Obstacles:
        now, opens_at = self._clock.now(), None
        if hours is SignalHours.NEXT_OPEN and not self._calendar.is_open_for(instrument, now, TradingHours.REGULAR):
            opens_at = self._calendar.next_open(instrument.calendar, now)
        is_away = self._halts.now.is_waiting_for_broker(gateway.account_id, is_spared=is_spared)
        return Obstacles(now, opens_at, is_away and not is_operators)


def _ids(orders: tuple[OpenExposure, ...]) -> tuple[UUID, ...]:
    return tuple(each.order_id for each in orders)


def _is_doubtful(order: LiveOrder) -> bool:
    return order.is_in_doubt
