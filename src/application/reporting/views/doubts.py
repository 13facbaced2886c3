"""A request of which nobody knows whether the broker received it."""

from __future__ import annotations

from uuid import UUID

from liveorder.application.reporting.views.fields import Moment, Number, View, plain
from liveorder.domain.doubt import Doubt
from liveorder.domain.risk import open_exposure
from liveorder.domain.values import ZERO, Side


class DoubtView(View):
    """What is unknown, since when, what it could come to, and what the broker said of it."""

    order_id: UUID
    client_order_id: str
    signal_id: str
    account_id: str
    broker: str
    symbol: str
    side: Side
    currency: str
    request_id: str
    kind: str
    started_at: Moment
    deadline: Moment | None
    unknown_since: Moment | None
    why: str
    exposure_quantity: Number
    """Units that the order could still trade at the worst; kept free of every limit until the doubt is settled."""
    exposure_value: Number
    """Money that those could come to, at the worst price that the order allows."""
    is_being_asked: bool
    """Whether a running service asks the broker about it."""
    asked: int
    last_asked_at: Moment | None
    last_answer: str


def doubt_view(doubt: Doubt, *, is_being_asked: bool) -> DoubtView:
    order, request, intent = doubt.order, doubt.request, doubt.order.intent
    exposure = open_exposure(order, None, atomic_replace=False)
    return DoubtView(
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        signal_id=intent.signal_id,
        account_id=intent.account_id,
        broker=intent.broker,
        symbol=intent.instrument.symbol,
        side=intent.terms.side,
        currency=intent.instrument.currency,
        request_id=request.request_id,
        kind=request.kind.value,
        started_at=request.started_at,
        deadline=request.deadline,
        unknown_since=request.unknown_since,
        why=request.unknown_why,
        exposure_quantity=ZERO if exposure is None else plain(exposure.quantity),
        exposure_value=ZERO if exposure is None else plain(exposure.value),
        is_being_asked=is_being_asked,
        asked=doubt.asked,
        last_asked_at=doubt.last_asked_at,
        last_answer=doubt.last_answer,
    )
