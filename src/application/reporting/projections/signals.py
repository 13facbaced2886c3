"""Signals with what became of them, dead letters among them."""

from __future__ import annotations

from typing import NamedTuple

from liveorder.application.reporting.columns import Column
from liveorder.application.reporting.figures import NOTHING, number, part, status, without_year
from liveorder.application.reporting.projections.draft import RowChanges
from liveorder.application.reporting.projections.read_model import BY_ACCOUNT, BY_STRATEGY, BY_SYMBOL, Batch, Filter, ReadModel
from liveorder.application.reporting.views import SignalView, dead_letter_view, signal_view
from liveorder.application.reporting.views.signals import DEAD_LETTER, RETRIED
from liveorder.domain.dead_letter import SignalDeadLettered, SignalRetried
from liveorder.domain.lifecycle import OrderStatus


class SignalRow(NamedTuple):
    began: int
    """Place in the log of the first event about it."""
    stream_id: str
    """Of its order, or of the dead letter."""
    signal_id: str | None
    account_id: str | None
    strategy_name: str | None
    symbol: str | None
    execution_status: str
    order_id: str | None
    body: str


def _project(batch: Batch, draft: RowChanges) -> None:
    for change in batch.orders:
        draft.put(SIGNALS, _row(change.began, change.order_id, signal_view(change.after)))
    for item in batch.events:
        if isinstance(item.event, SignalDeadLettered):
            draft.put(SIGNALS, _row(item.position, str(item.stream_id), dead_letter_view(item.event, item)))
        elif isinstance(item.event, SignalRetried) and (row := draft.find(SIGNALS, (item.event.dead_letter_position,))) is not None:
            view = SignalView.model_validate_json(row.body).retried(item.event.order_id)
            draft.put(SIGNALS, _row(row.began, row.stream_id, view))


def _row(began: int, stream_id: str, view: SignalView) -> SignalRow:
    return SignalRow(
        began,
        stream_id,
        view.signal_id,
        view.account_id,
        view.strategy_name,
        view.symbol,
        view.execution_status,
        None if view.order_id is None else str(view.order_id),
        view.to_json(),
    )


def _status_of(text: str) -> str:
    """`dead-letter` is DEAD_LETTER. Raises `ValueError` for what no signal becomes."""
    word = text.upper().replace("-", "_")
    if word not in (known := (*OrderStatus, DEAD_LETTER, RETRIED)):
        raise ValueError(f"give one of {', '.join(known)}")
    return word


def _signal_part(signal: SignalView) -> str:
    return NOTHING if signal.quantity is None else part(signal.filled_quantity, signal.quantity)


SIGNALS = ReadModel(
    "signals",
    SignalRow,
    ("began",),
    about="List signals with what became of them, dead letters included.",
    project=_project,
    view=SignalView,
    shown=lambda row: SignalView.model_validate_json(row.body),
    filters=(
        Filter("status", "--status", "Of its order, or DEAD_LETTER.", _status_of, "execution_status"),
        BY_SYMBOL,
        BY_STRATEGY,
        BY_ACCOUNT,
    ),
    columns=(
        Column("Signal", lambda signal: signal.signal_id or NOTHING, tells=True),
        Column("Received", lambda signal: without_year(signal.received_at), rank=2),
        Column("Symbol", lambda signal: signal.symbol or NOTHING),
        Column("Side", lambda signal: signal.side.value if signal.side else NOTHING),
        Column("Strategy", lambda signal: signal.strategy_name or NOTHING, rank=5, tells=True),
        Column("Account", lambda signal: signal.account_id or NOTHING, rank=5, tells=True),
        Column("Score", lambda signal: number(signal.score), rank=3, justify="right"),
        Column("Filled", _signal_part, rank=1, justify="right"),
        Column("Execution", lambda signal: status(signal.execution_status)),
        Column("Order", lambda signal: signal.client_order_id or str(signal.order_id or NOTHING), rank=4, is_id=True),
        Column("Reason", lambda signal: signal.reason or "", rank=6, is_text=True),
    ),
)
