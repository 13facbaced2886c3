"""Our intent, and what the rules make of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from msgspec import field

from liveorder.domain.events import PERSON, RecordedEvent
from liveorder.domain.instrument import Instrument
from liveorder.domain.lifecycle import Closing
from liveorder.domain.notice_event import NoticeEvent
from liveorder.domain.order.changes import close_as
from liveorder.domain.order.events.base import OrderEvent
from liveorder.domain.order.shares import PositionShare
from liveorder.domain.order.terms import OrderTerms
from liveorder.domain.order.vocabulary import RejectReason
from liveorder.domain.record import Flat, Later
from liveorder.domain.wording import in_brackets, listed, plain

if TYPE_CHECKING:
    from liveorder.domain.order.state import LiveOrder


class OrderRequested(OrderEvent):
    """The whole intent. Its terms are stored flat, among its own fields."""

    topic = "liveorder.Requested@1"
    category = "SIGNAL"

    order_id: UUID
    client_order_id: str
    signal_id: str
    signal_fingerprint: str
    namespace: str
    session_id: str
    """The run of the service that took the signal."""
    account_id: str
    strategy_name: str
    broker: str
    instrument: Instrument
    terms: Flat[OrderTerms]
    shares: Later[tuple[PositionShare, ...]] = ()
    """Of an order that closes what several strategies hold: whose its fills are. Without any they are `strategy_name`'s."""

    @property
    def strategies(self) -> tuple[str, ...]:
        """Whose positions its fills change; more than is shared is its own."""
        return (*(share.strategy_name for share in self.shares), self.strategy_name)

    def with_terms(self, **changes: Any) -> Self:
        """The same with other terms."""
        return self.but(terms=self.terms.but(**changes))

    def sentence(self) -> str:
        wanted = self.terms.in_words(self.instrument.key, self.instrument.currency)
        shares = ", ".join(f"{plain(share.quantity)} of {share.strategy_name}" for share in self.shares)
        return f"Order requested by {self.strategy_name}: {wanted}{in_brackets(shares)}"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        terms = self.terms
        order.quantity, order.limit_price, order.stop_price = terms.quantity, terms.limit_price, terms.stop_price
        order.requested_at = item.envelope.recorded_at
        order.is_persons = item.envelope.actor.startswith(PERSON)


class Refused(OrderEvent):
    """We will not send it: a rule, an invalid order, or no attempts left."""

    topic = "liveorder.Refused@1"
    category = "RISK"
    notice = NoticeEvent.REFUSED

    reason: RejectReason
    code: str
    """The rule's name: `daily_trade_count`, `stale_signal`, `retries_exhausted`."""
    message: str
    measured: str | None = None
    limit: str | None = None

    def sentence(self) -> str:
        measured = in_brackets(f"measured {self.measured}, limit {self.limit}") if self.measured is not None else ""
        return f"Order refused by {self.code}: {self.message}{measured}"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        order.reject_reason, order.error_message = self.reason, self.message
        close_as(order, Closing.REJECTED)


class PositionUnconfirmed(OrderEvent):
    """It goes out since it only reduces, by our book alone: its broker did not say in time what the account holds."""

    topic = "liveorder.PositionUnconfirmed@1"
    category = "WARNING"
    notice = NoticeEvent.POSITION_UNCONFIRMED

    message: str
    """Why nothing was heard."""

    def sentence(self) -> str:
        return f"What the account holds was not confirmed by the broker, our own book decided: {self.message}"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        order.position_unconfirmed = True


class Approved(OrderEvent):
    """Every rule passed, on these figures."""

    topic = "liveorder.Approved@1"
    category = "RISK"

    figures: Mapping[str, str] = field(default_factory=dict)

    def sentence(self) -> str:
        return f"Risk rules passed{listed(self.figures)}"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        order.is_approved = True
