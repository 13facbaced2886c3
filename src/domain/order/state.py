"""A live order: what its events amount to. `LiveOrder.replay` folds a stream; `apply` returns the order after more events.

Applying never refuses and reads no clock. Deciding is elsewhere: `requests` for what we may ask, `reception` for what a broker's
report amounts to. Both only return events; the order changes when those are durable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any, Self, overload
from uuid import UUID

from liveorder.domain.errors import DuplicateClientOrderId
from liveorder.domain.events import PERSON, Event, RecordedEvent
from liveorder.domain.lifecycle import Closing, OrderStatus, condition, next_status
from liveorder.domain.order import events as ev
from liveorder.domain.order.executions import BookedExecution, Executions, split_quantity, value_of
from liveorder.domain.values import ZERO, Money, total


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A request of ours that has no outcome yet. `unknown_since` is set once it may or may not have arrived."""

    request_id: str
    kind: ev.RequestKind
    started_at: datetime
    deadline: datetime | None
    terms: ev.ReplaceRequested | None = None
    cancel_reason: ev.CancelReason | None = None
    unknown_since: datetime | None = None
    unknown_why: str = ""
    is_of_brokers: bool = False
    """It left us, and the broker's side did not say what became of it."""
    is_duplicate: bool = False
    """The broker refused it because it holds an order with our key: it has one, whatever a search finds."""
    is_pending: bool = False
    """The broker reported that it has the request and has not done it yet."""

    @property
    def is_in_doubt(self) -> bool:
        return self.unknown_since is not None


STRAY = frozenset({"acknowledged_after_close", "live_after_close"})
"""Reviews that ask whether an order trades although it is closed here."""


@dataclass(slots=True)
class LiveOrder:
    """State only. Treat as immutable: `apply` works on a copy of its own."""

    intent: ev.Requested
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
    other_ids: tuple[str, ...] = field(default=(), compare=False)
    """Of a suspect order: those keys, as the store that has it knows them (`KeyRing`); no event says them."""
    found_key: str | None = None
    """The client order id under which the broker has it, where that is not ours."""
    is_approved: bool = False
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
    requested_at: datetime | None = None
    is_persons: bool = False
    """Asked for by a person, not by a signal that trades by itself."""
    submitted_at: datetime | None = None
    closed_at: datetime | None = None
    last_update_at: datetime | None = None

    # --- questions -------------------------------------------------------------------------------------------------------------

    @property
    def order_id(self) -> UUID:
        return self.intent.order_id

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
    def was_not_begun(self) -> bool:
        """The last submission that failed did so for a reason of ours."""
        return self.last_failure is not None and self.last_failure.error == ev.NOT_BEGUN

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
        """The order that these events make. The first must be `Requested`."""
        first = stream[0].event
        if not isinstance(first, ev.Requested):
            raise TypeError(f"an order begins with Requested, not {type(first).__name__}")
        return cls(intent=first)._fold(stream)

    def apply(self, recorded: Iterable[RecordedEvent]) -> Self:
        """The order after these events; this one stays as it is."""
        after = type(self)(*_STATE(self))
        after.requests = dict(self.requests)
        return after._fold(recorded)

    def _fold(self, recorded: Iterable[RecordedEvent]) -> Self:
        for item in recorded:
            _APPLY[type(item.event)](self, item.event, item)
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

    def _reach_broker(self) -> None:
        """Whatever a broker tells of the order settles the doubt whether the submission arrived."""
        self.is_at_broker = True
        if self.submission_is_open:
            self.requests = {key: open_ for key, open_ in self.requests.items() if open_.kind is not ev.RequestKind.SUBMIT}

    def _close_as(self, closing: Closing) -> None:
        """The first cause stands; but a rejection that has fills is overruled by a cancel."""
        if self.closing is Closing.NONE or (closing is Closing.CANCELLED and self.filled_quantity > 0):
            self.closing = closing
        self.pending_elsewhere = frozenset()
        self.cancel_wish = None
        self.requests = {}

    def _restate(self, quantity: Decimal | None, limit_price: Decimal | None, stop_price: Decimal | None) -> None:
        if quantity is not None:
            self.quantity = self.quantity_restated(quantity)
        self.limit_price = self.limit_price if limit_price is None else limit_price
        self.stop_price = self.stop_price if stop_price is None else stop_price


_TERMS = ("broker_order_id", "quantity", "limit_price", "stop_price")
"""What a replace may change."""
_STATE = attrgetter(*(each.name for each in fields(LiveOrder)))


def _requested(order: LiveOrder, event: ev.Requested, item: RecordedEvent) -> None:
    order.quantity = event.quantity
    order.limit_price, order.stop_price = event.limit_price, event.stop_price
    order.requested_at = item.envelope.recorded_at
    order.is_persons = item.envelope.actor.startswith(PERSON)


def _refused(order: LiveOrder, event: ev.Refused, item: RecordedEvent) -> None:
    order.reject_reason, order.error_message = event.reason, event.message
    order._close_as(Closing.REJECTED)


def _approved(order: LiveOrder, event: ev.Approved, item: RecordedEvent) -> None:
    order.is_approved = True


def _submission_started(order: LiveOrder, event: ev.SubmissionStarted, item: RecordedEvent) -> None:
    order.starts, order.submission = event.attempt, event
    order.submitted_at = order.submitted_at or item.envelope.recorded_at
    order.requests[event.request_id] = OpenRequest(
        event.request_id, ev.RequestKind.SUBMIT, item.envelope.recorded_at, event.deadline
    )


def _submission_failed(order: LiveOrder, event: ev.SubmissionFailed, item: RecordedEvent) -> None:
    request = order.requests.pop(event.request_id, None)
    order.last_failure, order.error_message = event, event.message
    order.not_begun += order.was_not_begun
    has_left = event.evidence is None or (request is not None and request.is_of_brokers)
    order.failures += has_left and not order.was_not_begun
    if not order.attempts:  # It stands nowhere yet, so that no time of its own runs.
        order.submitted_at = None


def _outcome_unknown(order: LiveOrder, event: ev.OutcomeDoubted, item: RecordedEvent) -> None:
    order.error_message = event.message
    order.is_suspect |= event.error == ev.STORE_RESTORED
    if (known := order.requests.get(event.request_id)) is not None:
        order.requests[event.request_id] = replace(
            known,
            unknown_since=known.unknown_since or item.envelope.recorded_at,
            unknown_why=event.message,
            is_of_brokers=known.is_of_brokers or event.error not in ev.DOUBTS_OF_OURS,
            is_duplicate=known.is_duplicate or event.error == DuplicateClientOrderId.__name__,
        )


def _cancel_requested(order: LiveOrder, event: ev.CancelRequested, item: RecordedEvent) -> None:
    order.cancels += 1
    order.cancel_wish = None
    order.requests[event.request_id] = OpenRequest(
        event.request_id, ev.RequestKind.CANCEL, item.envelope.recorded_at, event.deadline, cancel_reason=event.reason
    )


def _replace_requested(order: LiveOrder, event: ev.ReplaceRequested, item: RecordedEvent) -> None:
    order.replaces = event.number
    order.replace_numbers = {**order.replace_numbers, event.request_id: event.number}
    order.requests[event.request_id] = OpenRequest(
        event.request_id, ev.RequestKind.REPLACE, item.envelope.recorded_at, event.deadline, terms=event
    )


def _acknowledged(order: LiveOrder, event: ev.Acknowledged, item: RecordedEvent) -> None:
    order.is_acknowledged = True
    order.broker_order_id = event.broker_order_id or order.broker_order_id
    order._reach_broker()
    _nothing_pending(order)
    if event.effective_quantity is not None:
        order.quantity = event.effective_quantity


def _found_under_key(order: LiveOrder, event: ev.FoundUnderKey, item: RecordedEvent) -> None:
    order.found_key = event.client_order_id
    order._reach_broker()


def _rejected(order: LiveOrder, event: ev.Rejected, item: RecordedEvent) -> None:
    order._reach_broker()
    order.reject_reason, order.error_message = ev.RejectReason.BROKER, event.message
    order._close_as(Closing.REJECTED)


def _filled(order: LiveOrder, event: ev.Filled | ev.FillCorrected, item: RecordedEvent) -> None:
    execution = BookedExecution(
        event.execution_id,
        event.quantity,
        event.price,
        value_of(event.quantity, event.price),
        order.money(event.commission, event.commission_currency),
        event.filled_at or item.envelope.recorded_at,
        corrects=event.corrects if isinstance(event, ev.FillCorrected) else None,
        supersedes=event.supersedes if isinstance(event, ev.FillCorrected) else (),
    )
    _count(order, order.executions.filled(execution), item)
    order._reach_broker()


def _count(order: LiveOrder, executions: Executions, item: RecordedEvent) -> None:
    if executions.totals.quantity < order.filled_quantity:
        order.taken_back_at = item.envelope.recorded_at
    order.executions = executions


def _fill_inferred(order: LiveOrder, event: ev.FillInferred, item: RecordedEvent) -> None:
    order.executions = order.executions.infer(
        BookedExecution(
            event.execution_id,
            event.quantity,
            event.price,
            value_of(event.quantity, event.price),
            at=event.filled_at or item.envelope.recorded_at,
            is_inferred=True,
        )
    )
    order._reach_broker()


def _commission_reported(order: LiveOrder, event: ev.CommissionReported, item: RecordedEvent) -> None:
    order.executions = order.executions.charge(event.execution_id, order.money(event.commission, event.commission_currency))
    order._reach_broker()


def _fill_busted(order: LiveOrder, event: ev.FillBusted, item: RecordedEvent) -> None:
    _count(order, order.executions.bust(event.execution_id), item)
    order._reach_broker()


def _cancel_pending(order: LiveOrder, event: ev.CancelPending, item: RecordedEvent) -> None:
    _mark_pending(order, ev.RequestKind.CANCEL, item)
    order._reach_broker()


def _cancel_refused(order: LiveOrder, event: ev.CancelRefused, item: RecordedEvent) -> None:
    order.error_message = event.message
    request = _answer(order, ev.RequestKind.CANCEL, event.request_id)
    if request is not None and (order.submission_is_open or event.is_still_wanted):
        order.cancel_wish = request.cancel_reason


def _cancelled(order: LiveOrder, event: ev.Cancelled, item: RecordedEvent) -> None:
    if order.submission_is_open:  # We cancel by ourselves only what surely never left: so the broker told this.
        order._reach_broker()
    order.cancel_reason = event.reason
    order.error_message = event.message or order.error_message
    order._close_as(Closing.CANCELLED)


def _replace_pending(order: LiveOrder, event: ev.ReplacePending, item: RecordedEvent) -> None:
    _mark_pending(order, ev.RequestKind.REPLACE, item)
    order._reach_broker()


def _replaced(order: LiveOrder, event: ev.Replaced, item: RecordedEvent) -> None:
    order._reach_broker()
    _answer(order, ev.RequestKind.REPLACE, event.request_id)
    if event.request_id is not None:
        order.replaced = order.replaced | {event.request_id}
    number = order.replace_numbers.get(event.request_id or "")
    told = {name: value for name in _TERMS if (value := getattr(event, name)) is not None}
    new = {name: value for name, value in told.items() if number is None or number >= order.terms_from.get(name, 0)}
    if number is not None:
        order.terms_from = {**order.terms_from, **dict.fromkeys(new, number)}
    if "quantity" in told and "quantity" not in new and order.quantity is not None:
        # Its word may be late, or the broker may have done it last: the larger stands until the broker is asked.
        new["quantity"] = max(told["quantity"], order.quantity)
    order.broker_order_id = new.get("broker_order_id", order.broker_order_id)
    order._restate(new.get("quantity"), new.get("limit_price"), new.get("stop_price"))


def _replace_refused(order: LiveOrder, event: ev.ReplaceRefused, item: RecordedEvent) -> None:
    order.error_message = event.message
    _answer(order, ev.RequestKind.REPLACE, event.request_id)


def _restated(order: LiveOrder, event: ev.Restated, item: RecordedEvent) -> None:
    order._reach_broker()
    if event.split_ratio is not None:
        order.executions = order.executions.restated(event.split_ratio)
        if order.quantity is not None:
            order.quantity = split_quantity(order.quantity, event.split_ratio)
    order._restate(event.quantity, event.limit_price, event.stop_price)


def _triggered(order: LiveOrder, event: ev.Triggered, item: RecordedEvent) -> None:
    order.is_triggered = True
    order._reach_broker()


def _anomaly_noted(order: LiveOrder, event: ev.AnomalyNoted, item: RecordedEvent) -> None:
    order.anomalies = order.anomalies | {event.code}


def _review_requested(order: LiveOrder, event: ev.ReviewRequested, item: RecordedEvent) -> None:
    order.reviews = (*order.reviews, event.code)


def _review_resolved(order: LiveOrder, event: ev.ReviewResolved, item: RecordedEvent) -> None:
    order.reviews = ()


def _answer(order: LiveOrder, kind: ev.RequestKind, request_id: str | None) -> OpenRequest | None:
    """An answer settles the request that it names, or the oldest of its kind when it names none; that request, if any.

    One that settles none of ours was given to others, and what they asked for is pending no more.
    """
    if request_id is None:
        request_id = next((key for key, request in order.requests.items() if request.kind is kind), None)
    request = order.requests.pop(request_id, None) if request_id is not None else None
    if request is None:
        order.pending_elsewhere -= {kind}
    return request


def _mark_pending(order: LiveOrder, kind: ev.RequestKind, item: RecordedEvent) -> None:
    """Of several requests, the one that caused the event; where the broker named none, the oldest that is not pending yet."""
    waiting = {key: each for key, each in order.requests.items() if each.kind is kind and not each.is_pending}
    request = waiting.get(item.envelope.causation_id or "", next(iter(waiting.values()), None))
    if request is None:
        order.pending_elsewhere |= {kind}
    else:
        order.requests[request.request_id] = replace(request, is_pending=True)


def _nothing_pending(order: LiveOrder) -> None:
    order.pending_elsewhere = frozenset()
    for key, request in order.requests.items():
        if request.is_pending:
            order.requests[key] = replace(request, is_pending=False)


_APPLY: dict[type[Event], Callable[[LiveOrder, Any, RecordedEvent], None]] = {
    ev.Requested: _requested,
    ev.Refused: _refused,
    ev.Approved: _approved,
    ev.SubmissionStarted: _submission_started,
    ev.SubmissionFailed: _submission_failed,
    ev.OutcomeDoubted: _outcome_unknown,
    ev.CancelRequested: _cancel_requested,
    ev.ReplaceRequested: _replace_requested,
    ev.Acknowledged: _acknowledged,
    ev.FoundUnderKey: _found_under_key,
    ev.Rejected: _rejected,
    ev.Filled: _filled,
    ev.FillInferred: _fill_inferred,
    ev.CommissionReported: _commission_reported,
    ev.FillCorrected: _filled,
    ev.FillBusted: _fill_busted,
    ev.CancelPending: _cancel_pending,
    ev.CancelRefused: _cancel_refused,
    ev.Cancelled: _cancelled,
    ev.ReplacePending: _replace_pending,
    ev.Replaced: _replaced,
    ev.ReplaceRefused: _replace_refused,
    ev.Restated: _restated,
    ev.Triggered: _triggered,
    ev.AnomalyNoted: _anomaly_noted,
    ev.ReviewRequested: _review_requested,
    ev.ReviewResolved: _review_resolved,
}
