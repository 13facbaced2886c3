"""A submission, what became of it, and how the broker has the order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING

from msgspec import field
from msgspec.structs import replace

from liveorder.domain.errors import DuplicateClientOrderId
from liveorder.domain.events import RecordedEvent
from liveorder.domain.lifecycle import Closing
from liveorder.domain.notice_event import NoticeEvent
from liveorder.domain.order.changes import close_as, nothing_pending, reach_broker
from liveorder.domain.order.events.base import LineType, OrderEvent
from liveorder.domain.order.open_request import OpenRequest
from liveorder.domain.order.vocabulary import DOUBTS_OF_OURS, NOT_BEGUN, STORE_RESTORED, RejectReason, RequestKind
from liveorder.domain.values import Quantity
from liveorder.domain.wording import in_brackets, listed, plain

if TYPE_CHECKING:
    from liveorder.domain.order.state import LiveOrder


class SubmissionStarted(OrderEvent):
    """Stored before the broker is called; a resend sends `payload` as it stands here."""

    topic = "liveorder.SubmissionStarted@1"

    request_id: str
    attempt: int
    reference: Mapping[str, str] = field(default_factory=dict)
    payload: str
    deadline: datetime
    """No later than this is the call waited for; it begins only while all of its time is left before it."""
    session_date: date
    """The exchange session that the order counts to."""

    @property
    def log_type(self) -> LineType:
        return LineType.SUBMISSION if self.attempt == 1 else LineType.RETRY

    def log_sentence(self, before: LiveOrder | None, after: LiveOrder) -> str:
        terms, instrument = after.intent.terms, after.intent.instrument
        amount = plain(terms.quantity) if terms.quantity is not None else f"{plain(terms.notional)} {instrument.currency} of"
        what, request = (
            f"{terms.side.value} {amount} {instrument.symbol} {terms.order_type.value}",
            after.requests.get(self.request_id),
        )
        if request is not None and request.is_in_doubt:  # by the same commit: an earlier life may have sent it
            return f"Not placed before the broker was asked for it: {what}"
        again = f", attempt {self.attempt}" if self.attempt > 1 else ""
        return f"Placing order{again}: {what}"

    def log_fields(self) -> Mapping[str, object]:
        return {"attempt": self.attempt}

    def sentence(self) -> str:
        return f"Order submitted, attempt {self.attempt}, for the session of {self.session_date.isoformat()}"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        at = item.envelope.recorded_at
        order.starts, order.submission = self.attempt, self
        order.submitted_at = order.submitted_at or at
        order.requests[self.request_id] = OpenRequest(self.request_id, RequestKind.SUBMIT, at, self.deadline)


class SubmissionFailed(OrderEvent):
    """Surely not received, and never will be."""

    topic = "liveorder.SubmissionFailed@1"
    category = "BROKER"
    line_type = LineType.ERROR

    request_id: str
    error: str
    message: str
    evidence: str | None = None
    """What proves the absence, where it was found by asking."""

    @property
    def log_category(self) -> str:
        return "WARNING" if self.error == NOT_BEGUN else self.category

    def sentence(self) -> str:
        if self.error == NOT_BEGUN:
            return f"Submission {self.request_id} {self.message}"
        what = f"{self.error}: {self.message}{in_brackets(self.evidence or '')}"
        return f"Submission {self.request_id} surely did not arrive: {what}"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        request = order.requests.pop(self.request_id, None)
        order.last_failure, order.failed_at, order.error_message = self, item.envelope.recorded_at, self.message
        order.not_begun += order.was_not_begun
        has_left = self.evidence is None or (request is not None and request.is_of_brokers)
        order.failures += has_left and not order.was_not_begun
        if not order.attempts:  # It stands nowhere yet, so that no time of its own runs.
            order.submitted_at = None


class OutcomeDoubted(OrderEvent):
    """The request may have arrived. It stays in doubt until a report, an answer or a person settles it."""

    topic = "liveorder.OutcomeUnknown@1"
    category = "DOUBT"
    notice = NoticeEvent.DOUBT
    line_type = LineType.ERROR

    request_id: str
    kind: RequestKind
    error: str
    message: str

    def sentence(self) -> str:
        return f"Outcome of {self.kind.lower()} {self.request_id} unknown, asking the broker: {self.message}"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        order.error_message = self.message
        order.is_suspect |= self.error == STORE_RESTORED
        if (known := order.requests.get(self.request_id)) is not None:
            order.requests[self.request_id] = replace(
                known,
                unknown_since=known.unknown_since or item.envelope.recorded_at,
                unknown_why=self.message,
                is_of_brokers=known.is_of_brokers or self.error not in DOUBTS_OF_OURS,
                is_duplicate=known.is_duplicate or self.error == DuplicateClientOrderId.__name__,
            )


class Acknowledged(OrderEvent):
    """The broker has the order as it stands; what was pending of it is so no more. Once more when an answer shows just that."""

    topic = "liveorder.Acknowledged@1"

    broker_order_id: str | None
    effective_quantity: Quantity | None = None
    """The broker's quantity where it fixes it: a cash order learns its own here."""

    def log_sentence(self, before: LiveOrder | None, after: LiveOrder) -> str:
        is_first = before is None or not before.is_acknowledged
        return f"Order submitted: {self.broker_order_id}" if self.broker_order_id and is_first else self.sentence()

    def sentence(self) -> str:
        as_id = f" as {self.broker_order_id}" if self.broker_order_id else ""
        return f"Order acknowledged by the broker{as_id}{listed({'quantity': self.effective_quantity})}"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        order.is_acknowledged = True
        order.broker_order_id = self.broker_order_id or order.broker_order_id
        reach_broker(order)
        nothing_pending(order)
        if self.effective_quantity is not None:
            order.quantity = self.effective_quantity


class FoundUnderKey(OrderEvent):
    """The broker has it under another client order id: a release that derives keys otherwise sent it, and the store forgot that."""

    topic = "liveorder.FoundUnderKey@1"

    client_order_id: str

    def sentence(self) -> str:
        return f"Found at the broker under {self.client_order_id}, which an earlier release gave it"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        order.found_key = self.client_order_id
        reach_broker(order)


class Rejected(OrderEvent):
    """Theirs, of the order. A refused request is not a rejected order."""

    topic = "liveorder.Rejected@1"
    category = "REJECTED"
    notice = NoticeEvent.REJECTED

    message: str
    error: str = ""

    def sentence(self) -> str:
        return f"Order rejected by the broker: {self.message or self.error or 'no reason given'}"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        reach_broker(order)
        order.reject_reason, order.error_message = RejectReason.BROKER, self.message
        close_as(order, Closing.REJECTED)


class Triggered(OrderEvent):
    topic = "liveorder.Triggered@1"

    def sentence(self) -> str:
        return "Stop triggered: the order works in the market"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        order.is_triggered = True
        reach_broker(order)
