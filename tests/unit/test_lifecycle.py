"""The function that replay uses, the declaration that is drawn, and what can happen at all: three ways to one table."""

from decimal import Decimal
from itertools import product

import pytest
from statemachine.exceptions import TransitionNotAllowed
from statemachine.graph import iterate_states_and_transitions
from statemachine.transition import Transition

from liveorder.domain.events import Event
from liveorder.domain.lifecycle import TRANSITIONS, Closing, OrderLifecycle, OrderStatus, condition, diagram, next_status
from liveorder.domain.order import LiveOrder
from liveorder.domain.order import events as ev
from tests.builders import (
    ACKNOWLEDGED,
    REFUSED,
    REJECTED,
    SENT,
    acknowledged,
    bust,
    cancelled,
    correction,
    fill,
    intent,
    order_of,
    then,
)

TRIGGERS = sorted({trigger for _, trigger in TRANSITIONS})
CONDITIONS = list(product(Closing, [Decimal(0), Decimal(1), Decimal(2), Decimal(3)], [None, Decimal(2)], [False, True]))


def status_by_precedence(closing: Closing, filled: Decimal, quantity: Decimal | None, is_sent: bool) -> OrderStatus:
    """The rule in its own words: wholly filled, cancelled, part filled, rejected, sent, intended; the first that holds."""
    holds = {
        OrderStatus.FILLED: quantity is not None and filled >= quantity,
        OrderStatus.CANCELLED: closing is Closing.CANCELLED,
        OrderStatus.PARTIAL: filled > 0,
        OrderStatus.REJECTED: closing is Closing.REJECTED,
        OrderStatus.SUBMITTED: is_sent,
        OrderStatus.PENDING: True,
    }
    return next(status for status, is_so in holds.items() if is_so)


@pytest.mark.parametrize(("closing", "filled", "quantity", "is_sent"), CONDITIONS)
def test_every_condition_has_one_status_by_precedence(
    closing: Closing, filled: Decimal, quantity: Decimal | None, is_sent: bool
) -> None:
    trigger = condition(closing, filled, quantity, is_sent)
    led_to = {next_status(status, trigger) for status in OrderStatus if (status, trigger) in TRANSITIONS}
    assert led_to == {status_by_precedence(closing, filled, quantity, is_sent)}


@pytest.mark.parametrize(("status", "trigger"), list(product(OrderStatus, TRIGGERS)))
def test_the_table_and_the_machine_agree(status: OrderStatus, trigger: str) -> None:
    machine = OrderLifecycle(start_value=status)
    if (status, trigger) in TRANSITIONS:
        machine.send(trigger)
        assert [state.value for state in machine.configuration] == [next_status(status, trigger)]
    else:
        with pytest.raises(TransitionNotAllowed):
            machine.send(trigger)


def test_the_declaration_has_no_guards_and_no_actions() -> None:
    transitions = [item for item in iterate_states_and_transitions(OrderLifecycle.states) if isinstance(item, Transition)]
    assert len(transitions) == len(TRANSITIONS)
    callbacks = [each for one in transitions for each in (*one.cond, *one.validators, *one.on) if not each.is_convention]
    assert callbacks == []


def test_every_declared_way_can_be_gone_and_no_other() -> None:
    assert ways_by_trying() == set(TRANSITIONS)


@pytest.mark.parametrize("status", OrderStatus)
def test_filled_rejected_and_cancelled_are_closed(status: OrderStatus) -> None:
    assert status.is_closed == (status.value in {"FILLED", "REJECTED", "CANCELLED"})


def test_the_diagram_shows_every_status() -> None:
    assert [status for status in OrderStatus if status not in diagram()] == []


ANYTHING: list[Event] = [
    SENT,
    ACKNOWLEDGED,
    acknowledged("2"),
    REJECTED,
    REFUSED,
    cancelled(),
    fill("a", 1),
    fill("b", 2),
    correction("c", "a", 0),
    correction("d", "b", 1),
    bust("a"),
    bust("b"),
    ev.FillInferred(execution_id="i", quantity=Decimal(1), price=Decimal(1), evidence=""),
    ev.Replaced(request_id=None, quantity=Decimal(1)),
    ev.Replaced(request_id=None, quantity=Decimal(3)),
    ev.Restated(quantity=Decimal(3)),
]


def ways_by_trying() -> set[tuple[OrderStatus, str]]:
    """Apply anything to anything, a few events deep, and note which trigger fires in which status."""
    ways: set[tuple[OrderStatus, str]] = set()
    newest = [order_of(intent(quantity=Decimal(2))), order_of(intent(notional=Decimal(20)))]
    seen = {essence(order) for order in newest}
    while newest:
        found = []
        for order, event in product(newest, ANYTHING):
            after = then(order, event)
            ways.add((order.status, condition(after.closing, after.filled_quantity, after.quantity, after.is_sent)))
            if essence(after) not in seen and (after.quantity or 0) <= 3:
                seen.add(essence(after))
                found.append(after)
        newest = found
    return ways


def essence(order: LiveOrder) -> tuple[object, ...]:
    """All that later statuses can depend on."""
    executions = order.executions
    told = (frozenset(executions.reported), executions.busted, len(executions.inferred), executions.inferred_up_to)
    return order.status, order.closing, order.quantity, order.is_sent, *told
