"""Fills, what corrects them, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from liveorder.domain.events import RecordedEvent
from liveorder.domain.notice_event import NoticeEvent
from liveorder.domain.order.changes import count, reach_broker
from liveorder.domain.order.events.base import LineType, OrderEvent
from liveorder.domain.order.executions import BookedExecution, value_of
from liveorder.domain.record import Later
from liveorder.domain.values import Amount, FilledQuantity, Price, Quantity
from liveorder.domain.wording import in_currency, listed, plain

if TYPE_CHECKING:
    from liveorder.domain.order.state import LiveOrder

ForeignCurrency = Later[str | None]
"""Of a commission that is not in the instrument's currency; the coin that was bought, where the broker kept some of it. None, which
is not written: it is in the instrument's.
"""


class Filled(OrderEvent):
    topic = "liveorder.Filled@1"
    notice = NoticeEvent.FILL
    line_type = LineType.FILL

    execution_id: str
    quantity: Quantity
    price: Price
    commission: Amount | None = None
    """Negative for a rebate. None is not known, 0 is known to be nothing."""
    commission_currency: ForeignCurrency = None
    filled_at: datetime | None = None
    """UTC, by the broker's clock."""

    def log_sentence(self, before: LiveOrder | None, after: LiveOrder) -> str:
        return f"Order filled: {plain(self.quantity)} @ {in_currency(self.price, after.intent.instrument.currency)}"

    def log_fields(self) -> Mapping[str, object]:
        return _figures_of(self)

    def sentence(self) -> str:
        return f"Order filled: {plain(self.quantity)} @ {plain(self.price)}{listed({'commission': _commission(self)})}"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        count(order, order.executions.filled(_booked(self, order, item)), item)
        reach_broker(order)


class FillInferred(OrderEvent):
    """The broker reported a total that its executions do not reach: `quantity` more at `price`, until the executions come."""

    topic = "liveorder.FillInferred@1"
    notice = NoticeEvent.FILL
    line_type = LineType.FILL

    execution_id: str
    quantity: Quantity
    price: Price
    evidence: str
    filled_at: datetime | None = None

    def log_fields(self) -> Mapping[str, object]:
        return {"execution_id": self.execution_id, "fill_quantity": self.quantity, "fill_price": self.price}

    def sentence(self) -> str:
        return f"Fill inferred: {plain(self.quantity)} @ {plain(self.price)}, because {self.evidence}"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        order.executions = order.executions.infer(
            BookedExecution(
                self.execution_id,
                self.quantity,
                self.price,
                value_of(self.quantity, self.price),
                at=self.filled_at or item.envelope.recorded_at,
                is_inferred=True,
            )
        )
        reach_broker(order)


class CommissionReported(OrderEvent):
    """Replaces what was known of the commission of `execution_id`; 0 is known to be nothing."""

    topic = "liveorder.CommissionReported@1"
    line_type = LineType.FILL

    execution_id: str
    commission: Amount
    commission_currency: ForeignCurrency = None

    def log_fields(self) -> Mapping[str, object]:
        return {"execution_id": self.execution_id, "fill_commission": self.commission}

    def sentence(self) -> str:
        return f"Commission of execution {self.execution_id}: {_commission(self)}"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        order.executions = order.executions.charge(self.execution_id, order.money(self.commission, self.commission_currency))
        reach_broker(order)


class FillCorrected(OrderEvent):
    """`execution_id` stands for `corrects` from here on, and for `supersedes`. May come before the fill that it corrects."""

    topic = "liveorder.FillCorrected@1"
    notice = NoticeEvent.CORRECTED
    line_type = LineType.FILL

    execution_id: str
    corrects: str
    supersedes: Later[tuple[str, ...]] = ()
    """What `corrects` corrects, and so on back to the fill. Not written where the broker reports none of it."""
    quantity: FilledQuantity
    price: Price
    commission: Amount | None = None
    """None leaves the commission of `corrects` standing, or takes it back where `quantity` is 0; a figure, 0 too, replaces it."""
    commission_currency: ForeignCurrency = None
    filled_at: datetime | None = None

    def log_fields(self) -> Mapping[str, object]:
        return {"corrects": self.corrects, **_figures_of(self)}

    def sentence(self) -> str:
        return f"Execution {self.corrects} corrected by {self.execution_id}: {plain(self.quantity)} @ {plain(self.price)}"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        booked = _booked(self, order, item)._replace(corrects=self.corrects, supersedes=self.supersedes)
        count(order, order.executions.filled(booked), item)
        reach_broker(order)


class FillBusted(OrderEvent):
    """`execution_id` did not happen, and its commission is taken back. May come before the fill that it takes back."""

    topic = "liveorder.FillBusted@1"
    notice = NoticeEvent.CORRECTED
    line_type = LineType.FILL

    execution_id: str

    def log_fields(self) -> Mapping[str, object]:
        return {"execution_id": self.execution_id}

    def sentence(self) -> str:
        return f"Execution {self.execution_id} busted: it did not happen"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        count(order, order.executions.bust(self.execution_id), item)
        reach_broker(order)


def _booked(event: Filled | FillCorrected, order: LiveOrder, item: RecordedEvent) -> BookedExecution:
    return BookedExecution(
        event.execution_id,
        event.quantity,
        event.price,
        value_of(event.quantity, event.price),
        order.money(event.commission, event.commission_currency),
        event.filled_at or item.envelope.recorded_at,
    )


def _figures_of(event: Filled | FillCorrected) -> Mapping[str, object]:
    return {
        "execution_id": event.execution_id,
        "fill_quantity": event.quantity,
        "fill_price": event.price,
        "fill_commission": event.commission,
    }


def _commission(event: Filled | CommissionReported) -> str | None:
    if event.commission is None or event.commission_currency is None:
        return None if event.commission is None else plain(event.commission)
    return f"{plain(event.commission)} {event.commission_currency}"
