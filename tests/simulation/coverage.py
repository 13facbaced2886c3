"""Which fault met orders in which state, counted over histories; and which pairs can never meet, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import RequestKind
from liveorder.testing.venue.faults import FaultKind
from tests.simulation.scenario import CommitFault

Cell = tuple[str, str]

STATES = (
    "waiting",
    "PENDING",
    "UNACKNOWLEDGED",
    "SUBMITTED",
    "PARTIAL",
    "FILLED",
    "CANCELLED",
    "REJECTED",
    "cancel requested",
    "replace requested",
    "in doubt: submit",
    "in doubt: cancel",
    "in doubt: replace",
)
KILLED, PAUSED, STOPPED, CLOCK_FORWARD, CLOCK_BACK = "died at a step", "paused", "stopped", "clock forward", "clock back"
STORE_AWAY, STORE_BLIND, STORE_SLOW = "store away", "store away and blind", "store slow"
HALTED, STREAMS_DROPPED, RECEIVER, BOOKMARK = "halt put", "streams dropped", "receiver fails", "bookmark fails"

OF_THE_WORLD = (
    KILLED,
    PAUSED,
    STOPPED,
    CLOCK_FORWARD,
    CLOCK_BACK,
    STORE_AWAY,
    STORE_BLIND,
    STORE_SLOW,
    HALTED,
    STREAMS_DROPPED,
    RECEIVER,
    BOOKMARK,
)
"""They meet every order that is not over for long."""
KINDS = (*(kind.value for kind in FaultKind), *(fault.value for fault in CommitFault), *OF_THE_WORLD)


_OF_REQUESTS = (
    FaultKind.REQUEST_HELD,
    FaultKind.ACKNOWLEDGEMENT_LOST,
    FaultKind.SERVER_ERROR,
    FaultKind.UNAVAILABLE,
    FaultKind.RATE_LIMITED,
)
"""They are laid for submits, cancels and replaces alone."""
_OF_ONE_ORDER = (
    *_OF_REQUESTS,
    FaultKind.REPORT_LOST,
    FaultKind.REPORT_DUPLICATED,
    FaultKind.REPORT_LATE,
    FaultKind.REPORT_OUT_OF_ORDER,
    FaultKind.BUST,
    FaultKind.CORRECTION,
)


def states_of(order: LiveOrder) -> Iterator[str]:
    """All that is true of it."""
    if order.is_waiting:
        yield "waiting"
    elif order.status is OrderStatus.SUBMITTED and not order.is_at_broker:
        yield "UNACKNOWLEDGED"
    else:
        yield order.status.value
    kinds = {request.kind for request in order.requests.values()}
    if RequestKind.CANCEL in kinds:
        yield "cancel requested"
    if RequestKind.REPLACE in kinds:
        yield "replace requested"
    yield from sorted({f"in doubt: {request.kind.value.lower()}" for request in order.requests.values() if request.is_in_doubt})


class Coverage:
    def __init__(self) -> None:
        self.cells: Counter[Cell] = Counter()

    def met(self, kind: str, orders: Iterable[LiveOrder]) -> None:
        self.cells.update((kind, state) for order in orders for state in states_of(order))

    def table(self) -> str:
        return table(self.cells)


def unreachable(cell: Cell) -> str | None:
    """Why this fault can never meet an order in this state."""
    kind, state = cell
    if kind in _OF_ONE_ORDER and state in ("waiting", "PENDING"):
        return "before it is stored as submitted nothing about an order is on the way, and after that it is not PENDING"
    if kind in _OF_REQUESTS and state in ("FILLED", "CANCELLED", "REJECTED"):
        return "nothing is asked of the broker about an order that is over"
    return None


def missing(cells: Counter[Cell]) -> list[Cell]:
    """What could have met and never did."""
    return [(kind, state) for kind in KINDS for state in STATES if not cells[kind, state] and unreachable((kind, state)) is None]


def table(cells: Counter[Cell]) -> str:
    """One line a fault kind, one column a state; `-` for what cannot be."""
    width = max(len(kind) for kind in KINDS) + 1
    heads = [state.replace("in doubt: ", "?").replace(" requested", "…")[:9] for state in STATES]
    rows = [f"{kind:<{width}}" + "".join(f"{shown(cells, (kind, state)):>10}" for state in STATES) for kind in KINDS]
    return "\n".join([" " * width + "".join(f"{head:>10}" for head in heads), *rows])


def shown(cells: Counter[Cell], cell: Cell) -> str:
    return "-" if not cells[cell] and unreachable(cell) is not None else str(cells[cell])
