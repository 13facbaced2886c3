"""A live order: what its events amount to. `LiveOrder.replay` folds a stream; `apply` returns the order after more events.

What an event does to an order, its class says (`events`). Applying never refuses and reads no clock. Deciding is elsewhere:
`requests` for what we may ask, `reception` for what a broker's report amounts to. Both only return events; the order changes when
those are durable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Self, overload
from uuid import UUID

from msgspec import Struct, field

from liveorder.domain.events import RecordedEvent
from liveorder.domain.lifecycle import Closing, OrderStatus, condition, next_status
from liveorder.domain.order import events as ev
from liveorder.domain.order.executions import Executions
from liveorder.domain.order.open_request import OpenRequest
from liveorder.domain.order.terms import OrderTerms
from liveorder.domain.values import ZERO, Money, total, trades_at_once

STRAY = frozenset({"acknowledged_after_close", "live_after_close"})
"""Reviews that ask whether an order trades although it is closed here."""


class LiveOrder(Struct):
    """State only. Treat as immutable: `apply` works on a copy of its own."""

    intent: ev.OrderRequested
    version: int = 0
    status: OrderStatus = OrderStatus.PENDING
    closing: Closing = Closing.NONE
    quantity: Decimal | None = None
    """Of the whole order, filled part included; None until a cash order learns it."""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    executions: Executions = field(default_factory=Executions.none)
    taken_back_at: datetime | None = None
    """When a bust or a correction last left less filled than before."""
    broker_order_id: str | None = None
    starts: int = 0
    """Submissions that were stored, to be sent then; each has a number."""
    not_begun: int = 0
    """Of these, those that were not sent, for a reason of ours."""
    failures: int = 0
    """Attempts that left us and surely were not received: failed before our eyes, or unanswered and then not found."""
    replaces: int = 0
    replace_numbers: Mapping[str, int] = field(default_factory=dict)
    """By request id: the place of each replace of ours among them."""
    replaced: frozenset[str] = frozenset()
    """Ids of the replaces that were done: telling of one again is old news."""
    terms_from: Mapping[str, int] = field(default_factory=dict)
    """By term: the number of the newest replace that was done and named it. Word of an earlier one may only be late."""
    cancels: int = 0
    submission: ev.SubmissionStarted | None = None
    """The newest; its reference names the order at the broker."""
    requests: dict[str, OpenRequest] = field(default_factory=dict)
    is_suspect: bool = False
    """Begun in a store that may have forgotten having sent it, under whichever key that life derived."""
    other_ids: tuple[str, ...] = ()
    """Of a suspect order: those keys, as the store that has it knows them (`KeyRing`); no event says them. Not compared."""
    found_key: str | None = None
    """The client order id under which the broker has it, where that is not ours."""
    wait: ev.WaitBegan | None = None
    """What it waits for before it is judged."""
    made_way: tuple[UUID, ...] = ()
    """The orders that had to end before it could be sent, exits that were cancelled for it among them."""
    unguarded: Decimal = ZERO
    """Units that were said to have lost their exit to it."""
    is_approved: bool = False
    position_unconfirmed: bool = False
    """It only reduces, by our book alone: the broker did not say in time what the account holds."""
    is_acknowledged: bool = False
    is_at_broker: bool = False
    """Something that the broker told proves that it has the order, or had it: an acknowledgement, a fill, even a busted one."""
    is_triggered: bool = False
    pending_elsewhere: frozenset[ev.RequestKind] = frozenset()
    """Kinds that the broker reported as pending when no request of ours was open that it could mean."""
    cancel_wish: ev.CancelReason | None = None
    """Of a cancel that never arrived, or was refused while the broker did not have the order: to be asked again."""
    reviews: tuple[str, ...] = ()
    anomalies: frozenset[str] = frozenset()
    reject_reason: ev.RejectReason | None = None
    cancel_reason: ev.CancelReason | None = None
    error_message: str | None = None
    last_failure: ev.SubmissionFailed | None = None
    failed_at: datetime | None = None
    """When it was recorded: then it was at no broker."""
    requested_at: datetime | None = None
    is_persons: bool = False
    """Asked for by a person, not by a signal that trades by itself."""
    submitted_at: datetime | None = None
    closed_at: datetime | None = None
    last_update_at: datetime | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LiveOrder) and _COMPARED(self) == _COMPARED(other)

    __hash__ = None  # type: ignore[assignment]  # it changes while it is folded

    # --- questions -------------------------------------------------------------------------------------------------------------

    @property
    def order_id(self) -> UUID:
        return self.intent.order_id

    @property
    def terms(self) -> OrderTerms:
        """As they were requested. What stands now of quantity and prices is beside them."""
        return self.intent.terms

    @property
    def client_order_id(self) -> str:
        return self.found_key or self.intent.client_order_id

    @property
    def possible_ids(self) -> tuple[str, ...]:
        """Every client order id under which the broker may have it; its own first."""
        return (self.client_order_id, *(self.other_ids if self.found_key is None else ()))

    @property
    def filled_quantity(self) -> Decimal:
        return self.executions.totals.quantity

    @property
    def remaining_quantity(self) -> Decimal:
        """What may still fill; 0 when closed or overfilled, and while a cash order does not know its quantity."""
        if self.status.is_closed or self.quantity is None:
            return ZERO
        return self._could_still_fill(self.quantity)

    @property
    def average_price(self) -> Decimal | None:
        return self.executions.totals.average_price

    @property
    def commission(self) -> Decimal:
        """In the instrument's currency."""
        return self.executions.totals.commissions.get(self.intent.instrument.currency, ZERO)

    @property
    def other_commissions(self) -> Mapping[str, Decimal]:
        """In other currencies, by currency: kept apart, for want of a rate."""
        own, told = self.intent.instrument.currency, self.executions.totals.commissions
        return {currency: amount for currency, amount in told.items() if currency != own}

    @overload
    def money(self, amount: Decimal, currency: str | None) -> Money: ...

    @overload
    def money(self, amount: Decimal | None, currency: str | None) -> Money | None: ...

    def money(self, amount: Decimal | None, currency: str | None) -> Money | None:
        """A commission as it was told: where no currency was, it is in the instrument's."""
        return None if amount is None else Money(amount, currency or self.intent.instrument.currency)

    @property
    def is_sent(self) -> bool:
        """By us, or by others and acknowledged: an adopted order."""
        return self.starts > 0 or self.is_acknowledged

    @property
    def attempts(self) -> int:
        """Submissions that left, or may have."""
        return self.starts - self.not_begun

    @property
    def is_unsent_refusal(self) -> bool:
        """It was refused before anything left for its broker."""
        return self.status is OrderStatus.REJECTED and self.attempts == 0

    @property
    def was_not_begun(self) -> bool:
        """The last submission that failed did so for a reason of ours."""
        return self.last_failure is not None and self.last_failure.error == ev.NOT_BEGUN

    @property
    def is_refused_exit(self) -> bool:
        """It was to take off a position, and was refused, rejected, or not sent after all."""
        if not self.terms.is_exit or self.status is OrderStatus.REJECTED:
            return self.terms.is_exit
        return not self.is_at_broker and self.cancel_reason in (ev.CancelReason.STALE, ev.CancelReason.HALTED)

    @property
    def is_waiting(self) -> bool:
        """It is not judged yet: see `WaitBegan`. While it is asked about whether it was sent, it does not wait."""
        return self.wait is not None and not (self.status.is_closed or self.submission_is_open)

    @property
    def rests(self) -> bool:
        """It may stand in the book, or wait for a price: it does not trade at once."""
        is_set_off = self.is_triggered and not self.terms.order_type.traits.needs_limit_price
        return not (is_set_off or trades_at_once(self.terms.order_type, self.terms.time_in_force))

    @property
    def is_in_doubt(self) -> bool:
        return any(request.is_in_doubt for request in self.requests.values())

    @property
    def needs_review(self) -> bool:
        return bool(self.reviews)

    @property
    def is_stray(self) -> bool:
        """Closed here, and the broker told that it has it live: it may trade although nobody wants it any more."""
        return self.status.is_closed and not STRAY.isdisjoint(self.reviews)

    @property
    def may_trade(self) -> bool:
        """Whether anything more of it could fill. Not once it is closed, though the outcome of a cancel may be unknown still."""
        return not self.status.is_closed or any(each.kind is not ev.RequestKind.CANCEL for each in self.requests.values())

    @property
    def is_finished(self) -> bool:
        """Closed and nothing unanswered: it may leave the index of unfinished orders."""
        return self.status.is_closed and not self.requests

    @property
    def cancel_requested(self) -> bool:
        return any(request.kind is ev.RequestKind.CANCEL for request in self.requests.values())

    @property
    def replace_requested(self) -> bool:
        return any(request.kind is ev.RequestKind.REPLACE for request in self.requests.values())

    @property
    def cancel_pending(self) -> bool:
        """The broker reported that a cancel is under way; that we asked for one is `cancel_requested`."""
        return self.is_pending(ev.RequestKind.CANCEL)

    @property
    def replace_pending(self) -> bool:
        """The broker reported that a replace is under way. One of several that is answered leaves the others pending."""
        return self.is_pending(ev.RequestKind.REPLACE)

    def is_pending(self, kind: ev.RequestKind) -> bool:
        return kind in self.pending_elsewhere or any(each.kind is kind and each.is_pending for each in self.requests.values())

    @property
    def submission_is_open(self) -> bool:
        """A submission has neither been acknowledged nor failed."""
        return any(request.kind is ev.RequestKind.SUBMIT for request in self.requests.values())

    @property
    def reason(self) -> str | None:
        """Beside REJECTED or CANCELLED: why."""
        if self.status is OrderStatus.REJECTED and self.reject_reason:
            return self.reject_reason.value
        if self.status is OrderStatus.CANCELLED and self.cancel_reason:
            return self.cancel_reason.value
        return None

    @property
    def flags(self) -> tuple[str, ...]:
        names = (
            "is_waiting",
            "position_unconfirmed",
            "is_acknowledged",
            "is_in_doubt",
            "cancel_requested",
            "replace_requested",
            "cancel_pending",
            "replace_pending",
            "needs_review",
        )
        return tuple(name.removeprefix("is_") for name in names if getattr(self, name))

    def worst_case_quantity(self, *, atomic_replace: bool) -> Decimal:
        """Units that could still trade, counting what is in doubt: with a replace the larger, or the sum where both could live.

        0 for a cash order that has not learned its quantity: its worst case is its notional.
        """
        if self.status.is_closed and not self.requests:
            return ZERO
        live = self._could_still_fill(self.quantity)
        replacing = [r.terms.quantity or self.quantity for r in self.requests.values() if r.terms is not None]
        wanted = [self._could_still_fill(quantity) for quantity in replacing]
        return max([live, *wanted]) if atomic_replace else total([live, *wanted])

    def _could_still_fill(self, quantity: Decimal | None) -> Decimal:
        return max(self.executions.missing_of(quantity), ZERO) if quantity is not None else ZERO

    @property
    def is_overfilled(self) -> bool:
        return self.quantity is not None and self.filled_quantity > self.quantity

    def quantity_restated(self, quantity: Decimal) -> Decimal:
        """The order's quantity once the broker reports `quantity` as its own: no less than what was filled of it.

        Units filled beyond the order do not raise it: they were not ordered.
        """
        filled = self.filled_quantity
        return max(quantity, filled if self.quantity is None else min(filled, self.quantity))

    # --- folding ---------------------------------------------------------------------------------------------------------------

    @classmethod
    def replay(cls, stream: Sequence[RecordedEvent]) -> Self:
        """The order that these events make. The first must be `OrderRequested`."""
        first = stream[0].event
        if not isinstance(first, ev.OrderRequested):
            raise TypeError(f"an order begins with OrderRequested, not {type(first).__name__}")
        return cls(intent=first)._fold(stream)

    def apply(self, recorded: Iterable[RecordedEvent]) -> Self:
        """The order after these events; this one stays as it is."""
        after = copy(self)
        after.requests = dict(self.requests)
        return after._fold(recorded)

    def _fold(self, recorded: Iterable[RecordedEvent]) -> Self:
        for item in recorded:
            event = item.event
            assert isinstance(event, ev.OrderEvent)
            event.apply(self, item)
            self.version = item.version
            self._settle_status(item)
        return self

    def _settle_status(self, item: RecordedEvent) -> None:
        trigger = condition(self.closing, self.filled_quantity, self.quantity, self.is_sent)
        self.status = next_status(self.status, trigger)
        self.last_update_at = item.envelope.recorded_at
        if not self.status.is_closed:
            self.closed_at = None
        elif self.closed_at is None:
            self.closed_at = item.envelope.recorded_at


_COMPARED = attrgetter(*(name for name in LiveOrder.__struct_fields__ if name != "other_ids"))
