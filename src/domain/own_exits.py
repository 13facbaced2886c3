"""Which of its strategy's own exits are in the way of an order that is to close, and which of them make room for it.

Exits that trade at once share what is held: the first takes its units, and none is cancelled for another. Those that rest make room
for one that is to close now. What guards a position (STOP_LOSS, TAKE_PROFIT) takes what is left and asks for no room.

Two exits never cancel each other: one that trades at once is not cancelled, and of two that rest only the later asks for room.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import groupby
from uuid import UUID

from msgspec import Struct

from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import WAITS_FOR_ORDERS, Approved, LeftUnguarded, Refused, WaitBegan
from liveorder.domain.order.terms import OrderTerms
from liveorder.domain.risk import OpenExposure, Stake
from liveorder.domain.values import EXACT, ZERO, OrderRole, Product, Side, total

GUARDS = (OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT)


class Asking(Struct, frozen=True):
    """The exit that asks for room."""

    side: Side
    product: Product | None
    trades_at_once: bool
    asks_for_room: bool = True
    """What guards a position asks for none."""
    order_id: UUID | None = None
    """None: it is later than all others."""
    role: OrderRole = OrderRole.ENTRY


class OwnExits(Struct, frozen=True):
    """Open and in-doubt orders of the strategy on the side that closes."""

    staying: tuple[OpenExposure, ...]
    """They keep what they take."""
    yielding: tuple[OpenExposure, ...]
    """They can be cancelled for the one that asks; those first that are missed least."""

    @property
    def awaited(self) -> Decimal:
        """Units that those which stay are going to take and do not take yet, since they wait themselves."""
        return total(each.waits_with or ZERO for each in self.staying)

    @property
    def has_stop_loss_waiting(self) -> bool:
        """Whether one of those that stay is still to be sized, and goes before a take-profit."""
        return any(each.waits_with is not None and each.role is OrderRole.STOP_LOSS for each in self.staying)

    @property
    def named(self) -> str:
        """The ids of those that stay."""
        return ", ".join(str(each.order_id) for each in self.staying)

    def room_of(self, units: Decimal) -> tuple[OpenExposure, ...]:
        """Of those that yield, so many that they make room for `units`: those that are missed least, and few of them."""
        chosen, missing = list[OpenExposure](), units
        for _, alike in groupby(self.yielding, key=_how_much_it_is_missed):
            left = [*alike]
            while missing > 0 and left:
                enough = [each for each in left if _units(each) >= missing]
                taken = min(enough, key=_units) if enough else max(left, key=_units)
                left.remove(taken)
                chosen.append(taken)
                missing = EXACT.subtract(missing, _units(taken))
        return tuple(chosen)


def own_exits(orders: Iterable[OpenExposure], asking: Asking) -> OwnExits:
    """`orders`: the strategy's own, without the one that asks."""
    met = [each for each in orders if each.side is asking.side and not each.is_leg and not _is_later_and_waits(each, asking)]
    yielding = [each for each in met if _yields(each, asking)]
    staying = tuple(each for each in met if each not in yielding)
    return OwnExits(staying, tuple(sorted(yielding, key=_how_much_it_is_missed)))


def taken_beyond_zero(own: Stake, orders: Iterable[OpenExposure], side: Side, units: Decimal) -> tuple[OpenExposure, ...]:
    """Exits that rest, and that together with so many units of another order of their side could go beyond zero. `own`: what their
    strategy has, without that order.
    """
    if own.closing_side is not side or units <= own.reducible_by(side):
        return ()
    return tuple(each for each in orders if each.side is side and each.rests and each.closes)


def _is_later_and_waits(order: OpenExposure, asking: Asking) -> bool:
    """Of several that wait the first takes its units first; of the two that guard a position the stop-loss."""
    if order.waits_with is None or asking.order_id is None:
        return False
    if {order.role, asking.role} == {*GUARDS}:
        return order.role is OrderRole.TAKE_PROFIT
    return order.order_id > asking.order_id


def _yields(order: OpenExposure, asking: Asking) -> bool:
    if not asking.asks_for_room or not order.rests or order.terms is None or order.terms.product is not asking.product:
        return False
    return asking.trades_at_once or asking.order_id is None or order.order_id < asking.order_id


def _how_much_it_is_missed(order: OpenExposure) -> int:
    """A stop-loss most, a take-profit next."""
    return GUARDS[::-1].index(order.role) + 1 if order.role in GUARDS else 0


def _units(order: OpenExposure) -> Decimal:
    return order.quantity if order.waits_with is None else order.waits_with


def left_unguarded(
    own: Stake, made_way: Sequence[LiveOrder], order: LiveOrder, becomes: Refused | Approved | WaitBegan, terms: OrderTerms
) -> list[LeftUnguarded]:
    """What lost its exit to an order that is about to be sent and does not close it, or that waits for something else and closes
    nothing yet, beyond what it said before: orders `made_way` for it, and the rest of them is not placed anew. What is refused says
    it at its end, and what still waits for orders once they are over. `own`: what its strategy has, without the order itself.
    """
    is_later = isinstance(becomes, Refused) or (isinstance(becomes, WaitBegan) and becomes.reason in WAITS_FOR_ORDERS)
    if is_later or (side := own.closing_side) is None:
        return []
    lost, closes = _lost(made_way, side), isinstance(becomes, Approved) and terms.side is side
    closing = terms.quantity if closes and terms.quantity is not None else ZERO
    left = EXACT.subtract(own.reducible_by(side), closing)
    return _said(min(left, EXACT.subtract(_missing(lost), order.unguarded)), lost)


def left_at_the_end(own: Stake, made_way: Sequence[LiveOrder], ended: LiveOrder) -> list[LeftUnguarded]:
    """What lost its exit to an order that has ended, beyond what it said before. One that was approved had to close no more than
    its quantity; one that was not has closed nothing. `own`: what its strategy has, without the order.
    """
    if (side := own.closing_side) is None:
        return []
    lost = _lost(made_way, side)
    units = min(own.reducible_by(side), EXACT.subtract(_missing(lost), ended.unguarded))
    if ended.is_approved:
        units = min(units, _missing([ended]) if ended.terms.side is side else ZERO)
    return _said(units, lost)


def left_by_itself(own: Stake, ended: LiveOrder) -> list[LeftUnguarded]:
    """What an exit guarded that made way, once nothing is left that it made way for. `own`: as for `left_at_the_end`."""
    side = own.closing_side
    is_lost = side is not None and ended.is_at_broker and _lost([ended], side)
    return _said(min(own.reducible_by(ended.terms.side), _missing([ended])), ()) if is_lost else []


def _lost(made_way: Sequence[LiveOrder], side: Side) -> list[LiveOrder]:
    return [each for each in made_way if each.terms.side is side and each.status is OrderStatus.CANCELLED]


def _missing(orders: Sequence[LiveOrder]) -> Decimal:
    return total(each.executions.missing_of(each.quantity) for each in orders if each.quantity is not None)


def _said(units: Decimal, lost: Sequence[LiveOrder]) -> list[LeftUnguarded]:
    return [LeftUnguarded(quantity=units, orders=tuple(each.order_id for each in lost))] if units > 0 else []
