"""A live order: what its facts amount to. `LiveOrder.replay` folds a stream; `apply` returns the order after more facts.

Applying never refuses and reads no clock. Deciding is elsewhere: `requests` for what we may ask, `reception` for what a broker's
report amounts to. Both only return facts; the order changes when those are durable.
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
from liveorder.domain.facts import PERSON, Fact, RecordedFact
from liveorder.domain.lifecycle import Closing, OrderStatus, condition, next_status
from liveorder.domain.order import facts as f
from liveorder.domain.order.executions import BookedExecution, Executions, split_quantity, value_of
from liveorder.domain.values import ZERO, Money, total


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A request of ours that has no outcome yet. `unknown_since` is set once it may or may not have arrived."""

    request_id: str
    kind: f.RequestKind
    started_at: datetime
    deadline: datetime | None
    terms: f.ReplaceRequested | None = None
    cancel_reason: f.CancelReason | None = None
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

    intent: f.Requested
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
    submission: f.SubmissionStarted | None = None
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
    pending_elsewhere: frozenset[f.RequestKind] = frozenset()
    """Kinds that the broker reported as pending when no request of ours was open that it could mean."""
    cancel_wish: f.CancelReason | None = None
    """Of a cancel that never arrived, or was refused while the broker did not have the order: to be asked again."""
    reviews: tuple[str, ...] = ()
    anomalies: frozenset[str] = frozenset()
    reject_reason: f.RejectReason | None = None
    cancel_reason: f.CancelReason | None = None
    error_message: str | None = None
    last_failure: f.SubmissionFailed | None = None
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
        return self.last_failure is not None and self.last_failure.error == f.NOT_BEGUN

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
        return any(request.kind is f.RequestKind.CANCEL for request in self.requests.values())

    @property
    def replace_requested(self) -> bool:
        return any(request.kind is f.RequestKind.REPLACE for request in self.requests.values())

    @property
    def cancel_pending(self) -> bool:
        """The broker reported that a cancel is under way; that we asked for one is `cancel_requested`."""
        return self.is_pending(f.RequestKind.CANCEL)

    @property
    def replace_pending(self) -> bool:
        """The broker reported that a replace is under way. One of several that is answered leaves the others pending."""
        return self.is_pending(f.RequestKind.REPLACE)

    def is_pending(self, kind: f.RequestKind) -> bool:
        return kind in self.pending_elsewhere or any(each.kind is kind and each.is_pending for each in self.requests.values())

    @property
    def submission_is_open(self) -> bool:
        """A submission has neither been acknowledged nor failed."""
        return any(request.kind is f.RequestKind.SUBMIT for request in self.requests.values())

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
    def replay(cls, stream: Sequence[RecordedFact]) -> Self:
        """The order that these facts make. The first must be `Requested`."""
        first = stream[0].fact
        if not isinstance(first, f.Requested):
            raise TypeError(f"an order begins with Requested, not {type(first).__name__}")
        return cls(intent=first)._fold(stream)

    def apply(self, recorded: Iterable[RecordedFact]) -> Self:
        """The order after these facts; this one stays as it is."""
        after = type(self)(*_STATE(self))
        after.requests = dict(self.requests)
        return after._fold(recorded)

    def _fold(self, recorded: Iterable[RecordedFact]) -> Self:
        for item in recorded:
            _APPLY[type(item.fact)](self, item.fact, item)
            self.version = item.version
            self._settle_status(item)
        return self

    def _settle_status(self, item: RecordedFact) -> None:
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
            self.requests = {key: open_ for key, open_ in self.requests.items() if open_.kind is not f.RequestKind.SUBMIT}

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


def _requested(order: LiveOrder, fact: f.Requested, item: RecordedFact) -> None:
    order.quantity = fact.quantity
    order.limit_price, order.stop_price = fact.limit_price, fact.stop_price
    order.requested_at = item.envelope.recorded_at
    order.is_persons = item.envelope.actor.startswith(PERSON)


def _refused(order: LiveOrder, fact: f.Refused, item: RecordedFact) -> None:
    order.reject_reason, order.error_message = fact.reason, fact.message
    order._close_as(Closing.REJECTED)


def _approved(order: LiveOrder, fact: f.Approved, item: RecordedFact) -> None:
    order.is_approved = True


def _submission_started(order: LiveOrder, fact: f.SubmissionStarted, item: RecordedFact) -> None:
    order.starts, order.submission = fact.attempt, fact
    order.submitted_at = order.submitted_at or item.envelope.recorded_at
    order.requests[fact.request_id] = OpenRequest(fact.request_id, f.RequestKind.SUBMIT, item.envelope.recorded_at, fact.deadline)


def _submission_failed(order: LiveOrder, fact: f.SubmissionFailed, item: RecordedFact) -> None:
    request = order.requests.pop(fact.request_id, None)
    order.last_failure, order.error_message = fact, fact.message
    order.not_begun += order.was_not_begun
    has_left = fact.evidence is None or (request is not None and request.is_of_brokers)
    order.failures += has_left and not order.was_not_begun
    if not order.attempts:  # It stands nowhere yet, so that no time of its own runs.
        order.submitted_at = None


def _outcome_unknown(order: LiveOrder, fact: f.OutcomeDoubted, item: RecordedFact) -> None:
    order.error_message = fact.message
    order.is_suspect |= fact.error == f.STORE_RESTORED
    if (known := order.requests.get(fact.request_id)) is not None:
        order.requests[fact.request_id] = replace(
            known,
            unknown_since=known.unknown_since or item.envelope.recorded_at,
            unknown_why=fact.message,
            is_of_brokers=known.is_of_brokers or fact.error not in f.DOUBTS_OF_OURS,
            is_duplicate=known.is_duplicate or fact.error == DuplicateClientOrderId.__name__,
        )


def _cancel_requested(order: LiveOrder, fact: f.CancelRequested, item: RecordedFact) -> None:
    order.cancels += 1
    order.cancel_wish = None
    order.requests[fact.request_id] = OpenRequest(
        fact.request_id, f.RequestKind.CANCEL, item.envelope.recorded_at, fact.deadline, cancel_reason=fact.reason
    )


def _replace_requested(order: LiveOrder, fact: f.ReplaceRequested, item: RecordedFact) -> None:
    order.replaces = fact.number
    order.replace_numbers = {**order.replace_numbers, fact.request_id: fact.number}
    order.requests[fact.request_id] = OpenRequest(
        fact.request_id, f.RequestKind.REPLACE, item.envelope.recorded_at, fact.deadline, terms=fact
    )


def _acknowledged(order: LiveOrder, fact: f.Acknowledged, item: RecordedFact) -> None:
    order.is_acknowledged = True
    order.broker_order_id = fact.broker_order_id or order.broker_order_id
    order._reach_broker()
    _nothing_pending(order)
    if fact.effective_quantity is not None:
        order.quantity = fact.effective_quantity


def _found_under_key(order: LiveOrder, fact: f.FoundUnderKey, item: RecordedFact) -> None:
    order.found_key = fact.client_order_id
    order._reach_broker()


def _rejected(order: LiveOrder, fact: f.Rejected, item: RecordedFact) -> None:
    order._reach_broker()
    order.reject_reason, order.error_message = f.RejectReason.BROKER, fact.message
    order._close_as(Closing.REJECTED)


def _filled(order: LiveOrder, fact: f.Filled | f.FillCorrected, item: RecordedFact) -> None:
    execution = BookedExecution(
        fact.execution_id,
        fact.quantity,
        fact.price,
        value_of(fact.quantity, fact.price),
        order.money(fact.commission, fact.commission_currency),
        fact.filled_at or item.envelope.recorded_at,
        corrects=fact.corrects if isinstance(fact, f.FillCorrected) else None,
        supersedes=fact.supersedes if isinstance(fact, f.FillCorrected) else (),
    )
    _count(order, order.executions.filled(execution), item)
    order._reach_broker()


def _count(order: LiveOrder, executions: Executions, item: RecordedFact) -> None:
    if executions.totals.quantity < order.filled_quantity:
        order.taken_back_at = item.envelope.recorded_at
    order.executions = executions


def _fill_inferred(order: LiveOrder, fact: f.FillInferred, item: RecordedFact) -> None:
    order.executions = order.executions.infer(
        BookedExecution(
            fact.execution_id,
            fact.quantity,
            fact.price,
            value_of(fact.quantity, fact.price),
            at=fact.filled_at or item.envelope.recorded_at,
            is_inferred=True,
        )
    )
    order._reach_broker()


def _commission_reported(order: LiveOrder, fact: f.CommissionReported, item: RecordedFact) -> None:
    order.executions = order.executions.charge(fact.execution_id, order.money(fact.commission, fact.commission_currency))
    order._reach_broker()


def _fill_busted(order: LiveOrder, fact: f.FillBusted, item: RecordedFact) -> None:
    _count(order, order.executions.bust(fact.execution_id), item)
    order._reach_broker()


def _cancel_pending(order: LiveOrder, fact: f.CancelPending, item: RecordedFact) -> None:
    _mark_pending(order, f.RequestKind.CANCEL, item)
    order._reach_broker()


def _cancel_refused(order: LiveOrder, fact: f.CancelRefused, item: RecordedFact) -> None:
    order.error_message = fact.message
    request = _answer(order, f.RequestKind.CANCEL, fact.request_id)
    if request is not None and (order.submission_is_open or fact.is_still_wanted):
        order.cancel_wish = request.cancel_reason


def _cancelled(order: LiveOrder, fact: f.Cancelled, item: RecordedFact) -> None:
    if order.submission_is_open:  # We cancel by ourselves only what surely never left: so the broker told this.
        order._reach_broker()
    order.cancel_reason = fact.reason
    order.error_message = fact.message or order.error_message
    order._close_as(Closing.CANCELLED)


def _replace_pending(order: LiveOrder, fact: f.ReplacePending, item: RecordedFact) -> None:
    _mark_pending(order, f.RequestKind.REPLACE, item)
    order._reach_broker()


def _replaced(order: LiveOrder, fact: f.Replaced, item: RecordedFact) -> None:
    order._reach_broker()
    _answer(order, f.RequestKind.REPLACE, fact.request_id)
    if fact.request_id is not None:
        order.replaced = order.replaced | {fact.request_id}
    number = order.replace_numbers.get(fact.request_id or "")
    told = {name: value for name in _TERMS if (value := getattr(fact, name)) is not None}
    new = {name: value for name, value in told.items() if number is None or number >= order.terms_from.get(name, 0)}
    if number is not None:
        order.terms_from = {**order.terms_from, **dict.fromkeys(new, number)}
    if "quantity" in told and "quantity" not in new and order.quantity is not None:
        # Its word may be late, or the broker may have done it last: the larger stands until the broker is asked.
        new["quantity"] = max(told["quantity"], order.quantity)
    order.broker_order_id = new.get("broker_order_id", order.broker_order_id)
    order._restate(new.get("quantity"), new.get("limit_price"), new.get("stop_price"))


def _replace_refused(order: LiveOrder, fact: f.ReplaceRefused, item: RecordedFact) -> None:
    order.error_message = fact.message
    _answer(order, f.RequestKind.REPLACE, fact.request_id)


def _restated(order: LiveOrder, fact: f.Restated, item: RecordedFact) -> None:
    order._reach_broker()
    if fact.split_ratio is not None:
        order.executions = order.executions.restated(fact.split_ratio)
        if order.quantity is not None:
            order.quantity = split_quantity(order.quantity, fact.split_ratio)
    order._restate(fact.quantity, fact.limit_price, fact.stop_price)


def _triggered(order: LiveOrder, fact: f.Triggered, item: RecordedFact) -> None:
    order.is_triggered = True
    order._reach_broker()


def _anomaly_noted(order: LiveOrder, fact: f.AnomalyNoted, item: RecordedFact) -> None:
    order.anomalies = order.anomalies | {fact.code}


def _review_requested(order: LiveOrder, fact: f.ReviewRequested, item: RecordedFact) -> None:
    order.reviews = (*order.reviews, fact.code)


def _review_resolved(order: LiveOrder, fact: f.ReviewResolved, item: RecordedFact) -> None:
    order.reviews = ()


def _answer(order: LiveOrder, kind: f.RequestKind, request_id: str | None) -> OpenRequest | None:
    """An answer settles the request that it names, or the oldest of its kind when it names none; that request, if any.

    One that settles none of ours was given to others, and what they asked for is pending no more.
    """
    if request_id is None:
        request_id = next((key for key, request in order.requests.items() if request.kind is kind), None)
    request = order.requests.pop(request_id, None) if request_id is not None else None
    if request is None:
        order.pending_elsewhere -= {kind}
    return request


def _mark_pending(order: LiveOrder, kind: f.RequestKind, item: RecordedFact) -> None:
    """Of several requests, the one that caused the fact; where the broker named none, the oldest that is not pending yet."""
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


_APPLY: dict[type[Fact], Callable[[LiveOrder, Any, RecordedFact], None]] = {
    f.Requested: _requested,
    f.Refused: _refused,
    f.Approved: _approved,
    f.SubmissionStarted: _submission_started,
    f.SubmissionFailed: _submission_failed,
    f.OutcomeDoubted: _outcome_unknown,
    f.CancelRequested: _cancel_requested,
    f.ReplaceRequested: _replace_requested,
    f.Acknowledged: _acknowledged,
    f.FoundUnderKey: _found_under_key,
    f.Rejected: _rejected,
    f.Filled: _filled,
    f.FillInferred: _fill_inferred,
    f.CommissionReported: _commission_reported,
    f.FillCorrected: _filled,
    f.FillBusted: _fill_busted,
    f.CancelPending: _cancel_pending,
    f.CancelRefused: _cancel_refused,
    f.Cancelled: _cancelled,
    f.ReplacePending: _replace_pending,
    f.Replaced: _replaced,
    f.ReplaceRefused: _replace_refused,
    f.Restated: _restated,
    f.Triggered: _triggered,
    f.AnomalyNoted: _anomaly_noted,
    f.ReviewRequested: _review_requested,
    f.ReviewResolved: _review_resolved,
}
