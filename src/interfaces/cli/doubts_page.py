"""Requests without a known outcome, and how a person ends one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from liveorder.application.ports.views import Wanted
from liveorder.application.views import OrderView, View
from liveorder.bootstrap import Reader
from liveorder.domain.order import LiveOrder, OpenRequest
from liveorder.interfaces.cli.figures import moment
from liveorder.interfaces.cli.screen import say, suggest
from liveorder.interfaces.cli.tables import Column, print_table


class DoubtView(View):
    """One request of one order that may or may not have reached the broker."""

    order_id: UUID
    client_order_id: str
    signal_id: str
    account_id: str
    broker: str
    symbol: str
    request_id: str
    kind: str
    started_at: datetime
    deadline: datetime | None
    unknown_since: datetime | None
    why: str


DOUBTS: tuple[Column[DoubtView], ...] = (
    Column("Order", lambda doubt: doubt.client_order_id),
    Column("Symbol", lambda doubt: doubt.symbol),
    Column("Request", lambda doubt: doubt.kind),
    Column("Sent (UTC)", lambda doubt: moment(doubt.started_at)),
    Column("Why", lambda doubt: doubt.why, rank=4),
    Column("Account", lambda doubt: f"{doubt.account_id} at {doubt.broker}", rank=1),
    Column("Request id", lambda doubt: doubt.request_id, rank=2),
    Column("Signal", lambda doubt: doubt.signal_id, rank=3),
)


async def doubts_of(reader: Reader) -> list[DoubtView]:
    found: list[DoubtView] = []
    for view in await reader.views.orders(Wanted(is_open=True)):
        order = LiveOrder.replay(await reader.store.stream(view.order_id))
        found += [_doubt(view, request) for request in order.requests.values() if request.is_in_doubt]
    return found


def _doubt(order: OrderView, request: OpenRequest) -> DoubtView:
    return DoubtView(
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        signal_id=order.signal_id,
        account_id=order.account_id,
        broker=order.broker,
        symbol=order.symbol,
        request_id=request.request_id,
        kind=request.kind.value,
        started_at=request.started_at,
        deadline=request.deadline,
        unknown_since=request.unknown_since,
        why=request.unknown_why,
    )


def print_doubts(doubts: Sequence[DoubtView]) -> None:
    print_table("In doubt", DOUBTS, doubts, "Nothing is in doubt.")
    if doubts:
        say("The service keeps asking. To end a doubt yourself, look at the broker, then either of:")
        suggest("liveorder settle ID --found BROKER_ORDER_ID --evidence 'seen in its order book'")
        suggest("liveorder settle ID --absent --evidence 'its order book of the day has none'")
