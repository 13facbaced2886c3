"""Defects that a service like this one could have, put into one that is sound: a campaign must report each that it can meet.

Some stand between the engine and a port, in the test's own composition; those of the engine itself are functions here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from liveorder.application.engine.engine import Engine
from liveorder.application.gateway.gateway import Gateway
from liveorder.application.ports.broker import Prepared
from liveorder.application.ports.order_store import LedgerEntry
from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import Refused, WaitReason
from liveorder.domain.position_adjustment import PositionChange
from liveorder.domain.position_figure import LastFill
from liveorder.domain.reversal import Follows, after_first_leg
from liveorder.domain.signal import Signal
from liveorder.domain.values import ZERO
from liveorder.infrastructure.eventstore.lease_row import LeaseRow


def _as_it_is(port: Any) -> Any:
    return port


@dataclass(frozen=True)
class Defect:
    """What the engine gets in the place of what is sound, by default the same; and what is done to the engine itself."""

    broker: Callable[[Any], Any] = _as_it_is
    engine: Callable[[Engine], None] = lambda engine: None
    store: Callable[[Any], Any] = _as_it_is
    lease: Callable[[LeaseRow], LeaseRow] = _as_it_is
    capabilities: Callable[[BrokerCapabilities], BrokerCapabilities] = _as_it_is
    """As the broker declares them."""


SOUND = Defect()


class Altered:
    """A port that works as the one within, but for what a subclass overrides."""

    def __init__(self, port: Any) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


# --- in the engine ---------------------------------------------------------------------------------------------------------------


def _instead(sound: object, **defective: object) -> None:
    """A defect whose place in the engine has another name by now would be none, and its campaign would find others in its place."""
    for name, part in defective.items():
        if not hasattr(sound, name):
            raise AttributeError(f"{type(sound).__name__} has no {name}: the defect has to be moved")
        setattr(sound, name, part)


def asks_for_one_of_the_missing(engine: Engine) -> None:
    """Of the orders that a poll finds missing from the broker's list, the first is asked for."""
    missing = engine.track._missing
    _instead(engine.track, _missing=lambda *found: missing(*found)[:1])


def sends_after_the_deadline(engine: Engine) -> None:
    """A call leaves whenever its commit has returned, however late that is."""
    for gateway in engine.gateways.values():
        _instead(gateway.deadlines, why_not_to_begin=lambda *_: None)


def prepares_each_attempt(engine: Engine) -> None:
    """The bytes of each attempt are made anew, though those of the first are stored."""
    submit = engine.submit

    def anew(gateway: Gateway, order: LiveOrder) -> Prepared | Refused:
        return submit._unless_refused(gateway, order.intent, gateway.broker.prepare)

    _instead(submit, prepare=anew)


def books_what_sales_bring_as_paid(engine: Engine) -> None:
    """A sign error: the risk ledger takes the money of a sale for money that was paid. What is held is right."""
    orders: Any = engine.orders
    entries = orders._entries

    def wrong(*told: Any, **reserving: Any) -> tuple[LedgerEntry, ...]:
        return tuple(
            replace(each, values={**each.values, "price": f"-{each.values['price']}"})
            if each.values.get("quantity", "").startswith("-")
            else each
            for each in entries(*told, **reserving)
        )

    _instead(orders, _entries=wrong)


def forgets_what_is_closing(engine: Engine) -> None:
    """An exit is sized and judged as if no other were open."""
    risk: Any = engine.risk
    own = risk._own
    _instead(risk, _own=lambda *asked: own(*asked)._replace(buys=ZERO, sells=ZERO))


def forgets_what_may_have_moved(engine: Engine) -> None:
    """What a transfer keeps from being closed meanwhile, it keeps for ever where its commit failed and was not stored."""

    class _Nothing(list[PositionChange]):
        def extend(self, changes: Iterable[PositionChange]) -> None:
            """Keep none of them."""

    _instead(engine.orders, may_have_moved=_Nothing())


def believes_what_was_heard_before_the_last_fill(engine: Engine) -> None:
    """What the broker said of a position counts for an exit though something was filled since, if only it is young."""
    _instead(engine.execute._positions, _last=lambda *_: LastFill(-math.inf, -1))


def forgets_what_waits(engine: Engine) -> None:
    """Only the life in which an order began to wait looks whether it is still to wait."""
    waits: Any = engine.execute._waits
    is_due = waits.is_due

    def of_this_life(order: LiveOrder) -> bool:
        return order.intent.session_id == engine.terms.execution.session_id and bool(is_due(order))

    _instead(waits, is_due=of_this_life)


def opens_before_it_has_closed(engine: Engine) -> None:
    """The second leg of a reversal waits for nothing, is taken for an order like any other, and no rule knows that its broker takes
    nothing across zero.
    """
    waits: Any = engine.execute._waits
    gate: Any = engine.execute._gate
    view_of = gate._view

    def crossing(*asked: Any) -> Any:
        view, limits = view_of(*asked)
        return view._replace(crosses_zero=True), limits

    waiting: Any = engine._rooms.trading.waiting
    is_due = waits.is_due

    def at_once(order: LiveOrder) -> bool:
        is_leg = order.wait is not None and order.wait.reason is WaitReason.LEG
        return is_leg or bool(is_due(order))

    def follows(signal: Signal, first: LiveOrder) -> Follows:
        if signal.quantity is None or first.quantity is None:
            return after_first_leg(signal, first)
        return Follows(signal.model_copy(update={"quantity": max(signal.quantity - first.quantity, Decimal(1))}))

    _instead(gate, _view=crossing)
    _instead(waits, is_due=at_once)
    _instead(waiting, _what_follows=follows)


def begins_each_closing_anew(engine: Engine) -> None:
    """A kill that closes counts its number wrongly, and no rule knows of the closing order that is still out."""
    forgets_what_is_closing(engine)
    flatten: Any = engine.kill_all._flatten
    next_one, is_open = flatten._next, flatten._open

    async def another(*asked: Any) -> tuple[str, None]:
        signal_id, before = await next_one(*asked)
        return (signal_id if before is None else f"{signal_id}-again"), None

    _instead(
        flatten,
        _next=another,
        _open=lambda *asked: {
            product: {name: units for name, units in of_product.items() if name not in _shares_out(engine)}
            for product, of_product in is_open(*asked).items()
        },
    )


def _shares_out(engine: Engine) -> set[str]:
    return {name for order in engine.orders.unfinished() if order.intent.shares for name in order.intent.strategies}


def forgets_what_was_transferred(engine: Engine) -> None:
    """A transfer that comes again is another one."""

    async def unknown(*asked: Any) -> None:
        return None

    _instead(engine.transfer, _known=unknown)
