"""What each strategy holds by the stored log alone, and whether an order that says CLOSE could have taken more of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import TypeAlias
from uuid import UUID

from liveorder.domain.events import RecordedEvent
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.order import events as ev
from liveorder.domain.order.shares import OwnExecution, own_executions
from liveorder.domain.own_exits import GUARDS
from liveorder.domain.position_adjustment import PositionEvent
from liveorder.domain.position_owner import FLATTEN
from liveorder.domain.values import PositionEffect, trades_at_once

_DISTURBING = (ev.FillBusted, ev.FillCorrected, ev.FillInferred, ev.Restated)

OPENS = ":opens"
"""With this behind it the id of a reversal's signal is that of its second leg."""

Holding: TypeAlias = tuple[str, str, str]
"""Account, strategy and instrument."""


def holding_of(order: LiveOrder) -> Holding:
    return order.intent.account_id, order.intent.strategy_name, order.intent.instrument.key


def _whose(order: LiveOrder) -> Iterator[OwnExecution]:
    intent, counted = order.intent, [*order.executions.effective()]
    return own_executions(intent.strategy_name, intent.shares, order.executions, counted, intent.instrument.lot_size)


def _only_guards(order: LiveOrder) -> bool:
    """A stop or a take-profit, which stands whatever the target is."""
    return order.terms.role in GUARDS or order.terms.order_type.traits.is_stop


class HoldingsByLog:
    """Takes in the log, one event after the other."""

    def __init__(self) -> None:
        self.orders: dict[UUID, LiveOrder] = {}
        self.by_key: dict[str, UUID] = {}
        self.beyond_zero: list[str] = []
        """Of orders that say CLOSE: submissions that could have gone beyond zero by what was stored then, and fills that did."""
        self.beyond_target: list[str] = []
        """Orders that were approved and lead further than to the target that they name."""
        self.refused_for_nothing: list[str] = []
        """Exits that were refused since nothing was held, and something was."""
        self.legs: list[str] = []
        """Of reversals: what was sent too early, or for too much."""
        self.disturbed: set[Holding] = set()
        """Whose fills or orders the venue changed by itself."""
        self._moved: defaultdict[Holding, Decimal] = defaultdict(Decimal)
        """Signed units, by what came and went without an order."""

    def take_in(self, item: RecordedEvent) -> None:
        if isinstance(item.event, ev.OrderRequested):
            self.orders[item.stream_id] = LiveOrder.replay([item])
            self.by_key[item.event.client_order_id] = item.stream_id
        elif item.stream_id in self.orders:
            self.orders[item.stream_id] = self.orders[item.stream_id].apply([item])
        if isinstance(item.event, PositionEvent):
            for change in item.event.changes():
                self._moved[change.account_id, change.strategy_name, change.instrument.key] += change.quantity
        if isinstance(item.event, _DISTURBING):
            self.disturbed.add(holding_of(self.orders[item.stream_id]))
        if isinstance(item.event, ev.Filled):
            self._look_whether_it_crossed(self.orders[item.stream_id], item.event)
        if isinstance(item.event, ev.Refused):
            self._look_whether_there_was_nothing(self.orders[item.stream_id], item.event)
        if isinstance(item.event, ev.Approved):
            self._look_whether_it_leads_to_its_target(self.orders[item.stream_id])
        if isinstance(item.event, ev.SubmissionStarted):
            self._look_whether_it_closes(self.orders[item.stream_id])
            self._look_whether_its_first_leg_closed(self.orders[item.stream_id])

    def _look_whether_it_closes(self, order: LiveOrder) -> None:
        """It and what its strategy has open on its side take no more than the strategy holds. What waits is sized again first."""
        key, side = holding_of(order), order.terms.side
        if order.terms.position_effect is not PositionEffect.CLOSE or key in self.disturbed or key[1] == FLATTEN:
            return
        could = self._could_fill(order)
        if could is not None and could > -side.signed(self.held(key)):
            self.beyond_zero.append(f"{order.intent.signal_id}: {side} of {could} in all, and {self.held(key)} is held")

    def _could_fill(self, order: LiveOrder, *, but_for_guards: bool = False) -> Decimal | None:
        """Units of it and of what else its strategy has out on its side; None where one is of an amount of money."""
        key, side = holding_of(order), order.terms.side
        ours = (each for each in self.orders.values() if holding_of(each) == key and each.terms.side is side)
        if but_for_guards:
            ours = (each for each in ours if each is order or not _only_guards(each))
        open_ones = [each for each in ours if not (each.is_finished or each.is_waiting)]
        if any(each.quantity is None for each in open_ones):
            return None
        return sum(((each.quantity or 0) - each.filled_quantity for each in open_ones), Decimal(0))

    def _look_whether_it_leads_to_its_target(self, order: LiveOrder) -> None:
        key, side, target = holding_of(order), order.terms.side, order.terms.target_quantity
        could = self._could_fill(order, but_for_guards=True)
        if target is None or could is None or key in self.disturbed:
            return
        goes_to = self.held(key) + side.signed(could)
        if side.signed(goes_to - target) > 0:
            self.beyond_target.append(f"{order.intent.signal_id} is to lead to {target}, and may lead to {goes_to}")

    def _look_whether_there_was_nothing(self, order: LiveOrder, refusal: ev.Refused) -> None:
        key = holding_of(order)
        is_held = order.terms.side.signed(self.held(key)) < 0
        if "and no order of it is open" in refusal.message and key not in self.disturbed and is_held:
            self.refused_for_nothing.append(f"{order.intent.signal_id}, though {self.held(key)} is held: {refusal.message}")

    def _look_whether_it_crossed(self, order: LiveOrder, fill: ev.Filled) -> None:
        """Of two that trade at once either may be first, it comes to the same. More than was ordered is the venue's doing."""
        key, side, terms = holding_of(order), order.terms.side, order.terms
        if terms.position_effect is not PositionEffect.CLOSE or key in self.disturbed or key[1] == FLATTEN:
            return
        if trades_at_once(terms.order_type, terms.time_in_force):
            return
        is_beyond, is_of_the_order = side.signed(self.held(key)) > 0, order.filled_quantity <= (order.quantity or 0)
        if is_beyond and is_of_the_order:
            self.beyond_zero.append(f"{order.intent.signal_id} left {self.held(key)} by its fill of {fill.quantity}")

    def _look_whether_its_first_leg_closed(self, order: LiveOrder) -> None:
        """What opens the other side leaves when the order before it has closed all that it was to close."""
        name, account_id = order.intent.signal_id, order.intent.account_id
        first_name = name.removesuffix(OPENS)
        if first_name == name or order.starts > 1 or holding_of(order) in self.disturbed:
            return
        named = (each for each in self.orders.values() if each.intent.account_id == account_id)
        first = next(each for each in named if each.intent.signal_id == first_name)
        asked, closed = first.terms.asked_quantity, first.filled_quantity
        if first.terms.position_effect is not PositionEffect.CLOSE or first.status is not OrderStatus.FILLED:
            self.legs.append(f"{name} is sent while {first_name} is {first.status}")
        elif asked is not None and order.quantity not in (asked, asked - closed):
            self.legs.append(f"{name} is for {order.quantity}, though {asked} were asked for and {closed} are closed")

    def held(self, key: Holding) -> Decimal:
        """Signed units, by what the orders filled and what changed without one."""
        filled = (
            order.terms.side.signed(part.execution.quantity)
            for order in self.orders.values()
            if (order.intent.account_id, order.intent.instrument.key) == (key[0], key[2])
            for part in _whose(order)
            if part.strategy_name == key[1]
        )
        return sum(filled, self._moved[key])

    def holdings(self) -> dict[Holding, Decimal]:
        """Of everybody who ever had an order filled, or was given something."""
        filled = {
            (order.intent.account_id, part.strategy_name, order.intent.instrument.key)
            for order in self.orders.values()
            for part in _whose(order)
        }
        return {key: self.held(key) for key in sorted(filled | self._moved.keys())}
