"""What all the rules say of a signal, before it is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from pydantic import Field

from liveorder.application.reporting.views.fields import Number, View
from liveorder.domain.order.events import OrderRequested, Refused
from liveorder.domain.values import PositionEffect, Side


class RefusalView(View):
    """`measured` and `limit` are the figures that were compared, the order included."""

    code: str
    message: str
    measured: str | None
    limit: str | None


class VerdictView(View):
    """`refusals` are all that stands in the way; none: it would be sent. `notes` are what its sender must know all the same."""

    signal_id: str
    account_id: str
    instrument: str
    side: Side
    quantity: Number | None
    notional: Number | None
    position_effect: PositionEffect | None = None
    asked: str = ""
    """What the signal asks for, where it comes to another amount."""
    figures: Mapping[str, str] = Field(default_factory=dict)
    """By which it was sized: what is held, what can be closed of it, equity."""
    is_approved: bool
    refusals: tuple[RefusalView, ...]
    notes: tuple[str, ...]


def verdict_view(
    intent: OrderRequested,
    refusals: Sequence[Refused],
    figures: Mapping[str, str] = MappingProxyType({}),
    waits: str = "",
    more: tuple[str, ...] = (),
) -> VerdictView:
    """`more`: notes beside those that follow from the rest."""
    notes = (intent.terms.unattended_note, f"it would wait {waits}, and be sized and judged then" if waits else "", *more)
    return VerdictView(
        signal_id=intent.signal_id,
        account_id=intent.account_id,
        instrument=intent.instrument.key,
        side=intent.terms.side,
        quantity=intent.terms.quantity,
        notional=intent.terms.notional,
        position_effect=intent.terms.position_effect,
        asked=intent.terms.asked_note,
        figures=figures,
        is_approved=not refusals,
        refusals=tuple(_refusal(refusal) for refusal in refusals),
        notes=tuple(note for note in notes if note),
    )


def _refusal(refusal: Refused) -> RefusalView:
    return RefusalView(code=refusal.code, message=refusal.message, measured=refusal.measured, limit=refusal.limit)
