"""Faults between a caller and the venue, on demand: by count, by order or at random."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, PositiveInt, model_validator

from liveorder.testing.venue.chance import Chance
from liveorder.testing.venue.numbers import Price, Probability, Quantity, Seconds


class Point(StrEnum):
    """Where a fault strikes: a kind of request, an outgoing report, or a fill that just happened."""

    CONNECT = "connect"
    SUBMIT = "submit"
    CANCEL = "cancel"
    REPLACE = "replace"
    FIND = "find"
    OPEN_ORDERS = "open_orders"
    EXECUTIONS = "executions"
    POSITIONS = "positions"
    ACCOUNT = "account"
    QUOTE = "quote"
    REPORT = "report"
    """Any report pushed to a stream."""
    FILL_REPORT = "fill_report"
    """A report of a fill pushed to a stream."""
    FILL = "fill"
    """A fill, in the venue's own books."""

    @property
    def is_request(self) -> bool:
        return self not in (Point.REPORT, Point.FILL_REPORT, Point.FILL)


class FaultKind(StrEnum):
    """Kinds of faults: first those of requests, then of reports, then of fills."""

    REQUEST_LOST = "request_lost"
    """The request never arrives; the caller gets no answer."""
    REQUEST_HELD = "request_held"
    """The caller gets no answer, and the request arrives after `seconds`, or when it is released if `seconds` is None."""
    ACKNOWLEDGEMENT_LOST = "acknowledgement_lost"
    """The request is processed; the caller gets no answer."""
    ACKNOWLEDGEMENT_LATE = "acknowledgement_late"
    """The request is processed, and answered `seconds` (default 1) later: reports, including fills, come before the answer."""
    ACKNOWLEDGEMENT_GARBLED = "acknowledgement_garbled"
    """The request is processed, and the answer is unreadable."""
    SERVER_ERROR = "server_error"
    """The request is processed, but the answer is a server error, so the caller cannot know that."""
    QUERY_FAILED = "query_failed"
    """The request is not processed, and the answer is a server error. For queries, which leave nothing in doubt."""
    UNAVAILABLE = "unavailable"
    """The request is refused before it is read, and the answer says so: certainly not received."""
    RATE_LIMITED = "rate_limited"
    """The request is refused for its rate; `seconds` (default 1) is how long to wait."""
    UNAUTHORIZED = "unauthorized"
    """The request is refused because the credentials are invalid or no longer valid."""
    STREAM_DROPPED = "stream_dropped"
    """Every report stream of the account ends; the request itself is processed as usual."""
    RESTART = "restart"
    """The request is processed; then the venue restarts: all streams end and all pending answers are lost."""

    REPORT_LOST = "report_lost"
    REPORT_DUPLICATED = "report_duplicated"
    REPORT_LATE = "report_late"
    """Pushed `seconds` (default 1) later."""
    REPORT_OUT_OF_ORDER = "report_out_of_order"
    """Pushed after the next report of the same account."""

    BUST = "bust"
    """The fill is busted `seconds` (default 0) later."""
    CORRECTION = "correction"
    """The fill is corrected to `quantity` and `price`, where given, `seconds` (default 0) later."""


_OF_REPORTS = frozenset({FaultKind.REPORT_LOST, FaultKind.REPORT_DUPLICATED, FaultKind.REPORT_LATE, FaultKind.REPORT_OUT_OF_ORDER})
_OF_FILLS = frozenset({FaultKind.BUST, FaultKind.CORRECTION})


class Fault(BaseModel):
    """One fault and when it strikes. Counting starts when the fault is set, over the messages that `on` and the order select."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    on: Point = Point.SUBMIT
    nth: PositiveInt | None = None
    """Only the n-th such message, from 1; None: every one."""
    client_order_id: str | None = None
    """Only messages about the order with this key."""
    probability: Probability = 1.0
    """The probability of striking each selected message; the venue's seed decides."""
    seconds: Seconds | None = None
    silent: bool = False
    """If the caller gets no answer: True lets it wait for its own time-out, False breaks the connection at once."""
    quantity: Quantity | None = None
    price: Price | None = None

    @model_validator(mode="after")
    def _strikes_where_it_can(self) -> Fault:
        fits = _OF_REPORTS if self.on in (Point.REPORT, Point.FILL_REPORT) else _OF_FILLS
        if (self.kind not in fits) if not self.on.is_request else (self.kind in _OF_REPORTS | _OF_FILLS):
            raise ValueError(f"on: {self.kind} cannot strike at {self.on}; see FaultKind for where it belongs")
        if self.kind is not FaultKind.CORRECTION and (self.quantity, self.price) != (None, None):
            raise ValueError(f"quantity and price belong to a correction, not to {self.kind}; leave them out")
        return self

    def seconds_or(self, default: float) -> float:
        return default if self.seconds is None else self.seconds


class FaultPlan(BaseModel):
    """Faults set before the venue opens. If several strike one message, the first counts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    faults: tuple[Fault, ...] = ()


class FaultScript:
    """Counts messages for the faults that are set. `on_strike` is called for each strike, with its place and order."""

    def __init__(self, faults: Iterable[Fault], chance: Chance) -> None:
        self._chance = chance
        self.on_strike: Callable[[Fault, Point, str | None], None] = _unheard
        self._laid: list[tuple[Fault, int]] = []
        self._counts: list[int] = []
        for fault in faults:
            self.lay(fault)

    def lay(self, fault: Fault) -> None:
        self._laid.append((fault, len(self._laid)))
        self._counts.append(0)

    def clear(self) -> None:
        self._laid.clear()
        self._counts.clear()

    def strike(self, on: Point, client_order_id: str | None) -> Fault | None:
        """The fault that strikes this message, if any. Every fault that selects the message counts it."""
        struck = [fault for fault, place in self._laid if self._strikes(fault, place, on, client_order_id)]
        if not struck:
            return None
        self.on_strike(struck[0], on, client_order_id)
        return struck[0]

    def _strikes(self, fault: Fault, place: int, on: Point, client_order_id: str | None) -> bool:
        if fault.on is not on or fault.client_order_id not in (None, client_order_id):
            return False
        self._counts[place] += 1
        count = self._counts[place]
        return fault.nth in (None, count) and self._chance.strikes(fault.probability, "fault", place, count)


def _unheard(fault: Fault, on: Point, client_order_id: str | None) -> None:
    """The default observer does nothing."""
