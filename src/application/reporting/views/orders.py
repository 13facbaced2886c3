"""An order and its fills, as shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import reduce
from itertools import takewhile
from operator import or_
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec
from pydantic import Field, create_model

from liveorder.application.reporting.views.fields import Moment, Number, Numbers, View, plain, rounded
from liveorder.application.reporting.views.fills import FillView, fill_view
from liveorder.domain.events import RecordedEvent
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import OrderRequested
from liveorder.domain.order.executions import BookedExecution
from liveorder.domain.order.terms import OrderTerms
from liveorder.domain.values import AssetClass


class _Identified(View):
    order_id: UUID
    version: int
    """Number of events that this is made from."""
    client_order_id: str
    broker_order_id: str | None
    signal_id: str
    session_id: str
    account_id: str
    strategy_name: str
    broker: str
    symbol: str
    exchange: str
    asset_class: AssetClass
    instrument: str
    """Key of the contract: exchange, symbol, expiry, strike, right."""
    currency: str
    multiplier: Number


_PLACED_ELSEWHERE = ("quantity", "notional", "is_shadow")
_NOT_SHOWN = ("score", "signal_at", "valid_until", "timeout_seconds", "reduces_only", "passes_halt")
_KINDS: dict[Any, Any] = {Decimal: Number, datetime: Moment}


def _shown_terms() -> dict[str, Any]:
    """Each of the terms as a field of a view. One that came later is as by default in rows that were written before it."""
    kinds = get_type_hints(OrderTerms)
    shown = {name: kind for name, kind in kinds.items() if name not in (*_PLACED_ELSEWHERE, *_NOT_SHOWN)}
    defaults = {each.name: each.default for each in msgspec.structs.fields(OrderTerms) if not each.required}
    return {name: (_shown(kind), defaults.get(name, ...)) for name, kind in shown.items()}


def _shown(kind: Any) -> Any:
    if get_origin(kind) in (Union, UnionType):
        return reduce(or_, map(_shown, get_args(kind)))
    return _KINDS.get(kind, kind)


if TYPE_CHECKING:

    class _Asked(_Identified, OrderTerms):  # type: ignore[misc, metaclass]  # it lends its names and types
        pass

else:
    _Asked = create_model("_Asked", __base__=_Identified, **_shown_terms())


class OrderView(_Asked):
    """An order as its events make it. Quantities in units, filled part included; prices in `currency`."""

    quantity: Number | None
    """None until a cash order learns it."""
    notional: Number | None
    filled_quantity: Number
    remaining_quantity: Number
    average_price: Number | None
    commission: Number
    """In `currency`."""
    other_commissions: Numbers = Field(default_factory=dict)
    """What was charged in other currencies, by currency, as reported with the fills. A fee that was taken out of the coin
    that is traded stands here in units of the coin; in the position it is part of `commission`, at what it was worth. A fee that
    is not reported with the fill is in the position alone."""
    status: OrderStatus
    reason: str | None
    flags: tuple[str, ...]
    reviews: tuple[str, ...]
    anomalies: tuple[str, ...]
    attempts: int
    is_shadow: bool
    session_date: date | None
    """The exchange session that it counts to; None while it was never submitted."""
    requested_at: Moment | None
    submitted_at: Moment | None
    closed_at: Moment | None
    last_update_at: Moment | None
    error_message: str | None
    fills: tuple[FillView, ...]

    @property
    def avg_fill_price(self) -> Decimal | None:
        """Another name of `average_price`; so are the three below of what they return. They are in no JSON."""
        return self.average_price

    @property
    def submission_time(self) -> datetime | None:
        """`submitted_at`."""
        return self.submitted_at

    @property
    def last_update_time(self) -> datetime | None:
        """`last_update_at`."""
        return self.last_update_at

    @property
    def retry_count(self) -> int:
        """Attempts after the first one."""
        return max(0, self.attempts - 1)


def order_view(order: LiveOrder, effective: Sequence[BookedExecution] | None = None) -> OrderView:
    """`effective`: its executions that count, where they are known already."""
    return OrderView(**order_fields(order, tuple(order.executions.effective()) if effective is None else effective))


def order_fields(order: LiveOrder, effective: Iterable[BookedExecution]) -> dict[str, Any]:
    """The values of an `OrderView`."""
    return _wanted(order.intent) | _done(order, effective)


def _wanted(intent: OrderRequested) -> dict[str, Any]:
    """What never changes."""
    instrument, terms = intent.instrument, intent.terms
    named = {name: getattr(intent, name) for name in _OF_REQUEST} | {name: getattr(terms, name) for name in _OF_TERMS}
    return named | {
        "symbol": instrument.symbol,
        "exchange": instrument.exchange,
        "asset_class": instrument.asset_class,
        "instrument": instrument.key,
        "currency": instrument.currency,
        "multiplier": instrument.multiplier,
    }


def _done(order: LiveOrder, effective: Iterable[BookedExecution]) -> dict[str, Any]:
    return {name: getattr(order, name) for name in _AS_IT_STANDS} | {
        "average_price": rounded(order.average_price),
        "commission": order.commission,
        "other_commissions": {currency: plain(amount) for currency, amount in order.other_commissions.items()},
        "anomalies": tuple(sorted(order.anomalies)),
        "session_date": session_date(order),
        "fills": tuple(fill_view(execution, order.intent.instrument.currency) for execution in effective),
    }


_AS_IT_STANDS = (
    "version",
    "broker_order_id",
    "limit_price",
    "stop_price",
    "quantity",
    "filled_quantity",
    "remaining_quantity",
    "status",
    "reason",
    "flags",
    "reviews",
    "attempts",
    "requested_at",
    "submitted_at",
    "closed_at",
    "last_update_at",
    "error_message",
)


_ASKED = tuple(name for name in OrderView.model_fields if name not in _AS_IT_STANDS)
_OF_REQUEST = tuple(name for name in _ASKED if name in OrderRequested.__struct_fields__ and name != "instrument")
_OF_TERMS = tuple(name for name in _ASKED if name in OrderTerms.__struct_fields__)


def as_of(stream: Sequence[RecordedEvent], at: datetime) -> LiveOrder | None:
    """The order as we knew it at that time; None when it was not there yet. Our own record counts, not the broker's times."""
    known = list(takewhile(lambda item: item.envelope.recorded_at <= at, stream))
    return LiveOrder.replay(known) if known else None


def session_date(order: LiveOrder) -> date | None:
    """Session of the newest submission; None while there was none."""
    return order.submission.session_date if order.submission is not None else None
