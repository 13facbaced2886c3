"""How each step of a scenario comes about."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from decimal import Decimal
from functools import partial, singledispatch
from typing import Any
from uuid import UUID

from liveorder.application.ports.order_store import StoredCommand
from liveorder.domain.errors import BrokerError
from liveorder.domain.values import Side
from liveorder.infrastructure.eventstore.command_table import CommandTable
from liveorder.infrastructure.eventstore.moments import text_of
from tests.simulation import coverage as c
from tests.simulation import scenario as s
from tests.simulation.environment import Environment

_PUT_HALT = "INSERT INTO halts VALUES (:scope, :reason, :at) ON CONFLICT DO NOTHING"


@singledispatch
async def carry_out(step: s.Step, environment: Environment, number: int) -> None:
    raise TypeError(step)


@carry_out.register
async def _(step: s.Delivered, environment: Environment, number: int) -> None:
    environment.feed.deliver(step.text)


@carry_out.register
async def _(step: s.DeliveredTogether, environment: Environment, number: int) -> None:
    for text in step.texts:
        environment.feed.deliver(text)


@carry_out.register
async def _(step: s.Commanded, environment: Environment, number: int) -> None:
    order = environment.order_of_signal(step.signal_id)
    if step.signal_id is not None and order is None:
        return
    about = {} if order is None else {"order_id": str(order.order_id)}
    await command(environment, number, step.kind, {**about, **dict(step.arguments)})


async def command(environment: Environment, number: int, kind: str, arguments: dict[str, Any]) -> None:
    """As another process asks for it."""
    text = json.dumps(arguments)
    environment.trace.note("person", f"{kind} {text}")
    asked = StoredCommand(UUID(int=number + 1), kind, text, "person:tester", environment.clock.now())
    await CommandTable(environment.person).insert(asked)


@carry_out.register
async def _(step: s.HaltPut, environment: Environment, number: int) -> None:
    await environment.person.write(_PUT_HALT, {"scope": "*", "reason": "KILL_SWITCH", "at": text_of(environment.clock.now())})
    environment.trace.note("person", "puts a halt in its place")
    environment.auditor.halted_since.setdefault("*", environment.trace.moment)
    environment.coverage.met(c.HALTED, environment.auditor.orders.values())


@carry_out.register
async def _(step: s.Laid, environment: Environment, number: int) -> None:
    environment.floor.gateway.faults.lay(step.fault)


@carry_out.register
async def _(step: s.Killed, environment: Environment, number: int) -> None:
    environment.newest.arm(step.callbacks, environment.newest.process.kill)
    environment.rest_seconds = step.rest


@carry_out.register
async def _(step: s.Paused, environment: Environment, number: int) -> None:
    environment.newest.arm(step.callbacks, partial(environment.pause, step.seconds))


@carry_out.register
async def _(step: s.Stopped, environment: Environment, number: int) -> None:
    environment.trace.note("person", "stops the service")
    environment.coverage.met(c.STOPPED, environment.auditor.orders.values())
    environment.rest_seconds = step.rest
    environment.newest.stopping.set()


@carry_out.register
async def _(step: s.ClockJumped, environment: Environment, number: int) -> None:
    environment.clock.jump(step.seconds)
    environment.trace.note("fault", f"the clock jumps by {step.seconds:g} s")
    environment.coverage.met(c.CLOCK_FORWARD if step.seconds > 0 else c.CLOCK_BACK, environment.auditor.orders.values())


@carry_out.register
async def _(step: s.CommitFails, environment: Environment, number: int) -> None:
    environment.store_faults.arm(step)


@carry_out.register
async def _(step: s.StoreAway, environment: Environment, number: int) -> None:
    environment.store_faults.go_away(step.seconds, is_blind=step.is_blind)
    how = "written or read" if step.is_blind else "written"
    environment.trace.note("fault", f"the store cannot be {how} for {step.seconds:g} s")
    environment.coverage.met(c.STORE_BLIND if step.is_blind else c.STORE_AWAY, environment.auditor.orders.values())


@carry_out.register
async def _(step: s.StoreSlow, environment: Environment, number: int) -> None:
    environment.store_faults.slow_down(step.seconds, step.lasts)
    environment.trace.note("fault", f"a commit takes {step.seconds:g} s, for {step.lasts:g} s")
    environment.coverage.met(c.STORE_SLOW, environment.auditor.orders.values())


@carry_out.register
async def _(step: s.ReceiverFails, environment: Environment, number: int) -> None:
    environment.receiver.failures.append(step.is_taken)
    environment.coverage.met(c.RECEIVER, environment.auditor.orders.values())


@carry_out.register
async def _(step: s.AcknowledgementFails, environment: Environment, number: int) -> None:
    environment.feed.failures += 1
    environment.coverage.met(c.BOOKMARK, environment.auditor.orders.values())


@carry_out.register
async def _(step: s.PriceMoved, environment: Environment, number: int) -> None:
    environment.trace.note("venue", f"{step.instrument} trades at {step.price}")
    await environment.control.post_price(step.instrument, step.price)


@carry_out.register
async def _(step: s.VenueActed, environment: Environment, number: int) -> None:
    theirs = _venue_order(environment, step.signal_id)
    with suppress(BrokerError):
        await _ACTS[step.act](environment, theirs, step.number or Decimal(1))


@carry_out.register
async def _(step: s.TradedByHand, environment: Environment, number: int) -> None:
    side = Side.BUY if step.units > 0 else Side.SELL
    try:
        name = await environment.control.place(step.account_id, step.instrument, side, abs(step.units))
    except BrokerError as error:
        environment.trace.note("venue", f"a person's {step.units} {step.instrument} are refused: {error}")
        return
    environment.trace.note("venue", f"a person trades {step.units} {step.instrument} as {name}")
    environment.outsiders.add(name)


def _venue_order(environment: Environment, signal_id: str | None) -> dict[str, Any] | None:
    order = environment.order_of_signal(signal_id)
    if order is None:
        return None
    gateway = environment.floor.gateway
    shown = gateway.venue.questions.orders_by_key(order.client_order_id, gateway.venue.now)
    return shown[0] if shown else None


async def _close(environment: Environment, theirs: dict[str, Any] | None, number: Decimal) -> None:
    if theirs is not None:
        environment.trace.note("venue", f"closes {theirs['broker_order_id']}")
        await environment.control.close_order(theirs["broker_order_id"], "DONE_FOR_DAY" if number > 5 else "BY_BROKER")


async def _restate(environment: Environment, theirs: dict[str, Any] | None, number: Decimal) -> None:
    if theirs is not None:
        environment.trace.note("venue", f"restates {theirs['broker_order_id']} to {number}")
        await environment.control.restate(theirs["broker_order_id"], quantity=number)


async def _bust(environment: Environment, theirs: dict[str, Any] | None, number: Decimal) -> None:
    if theirs is not None and theirs["executions"]:
        environment.trace.note("venue", f"busts {theirs['executions'][0]['execution_id']}")
        await environment.control.bust(theirs["executions"][0]["execution_id"])


async def _fill(environment: Environment, theirs: dict[str, Any] | None, number: Decimal) -> None:
    if theirs is not None:
        environment.trace.note("venue", f"fills {number} of {theirs['broker_order_id']} by hand")
        await environment.control.fill(theirs["broker_order_id"], number, Decimal(333))


async def _place(environment: Environment, theirs: dict[str, Any] | None, number: Decimal) -> None:
    name = await environment.control.place("SIM", "NASDAQ:TSLA", Side.BUY, number, Decimal(10))
    environment.trace.note("venue", f"somebody else places {name}")
    environment.outsiders.add(name)


async def _drop(environment: Environment, theirs: dict[str, Any] | None, number: Decimal) -> None:
    environment.trace.note("venue", "drops all streams")
    environment.coverage.met(c.STREAMS_DROPPED, environment.auditor.orders.values())
    await environment.control.drop_streams(None, float(number) / 4)


_ACTS: dict[str, Callable[[Environment, dict[str, Any] | None, Decimal], Awaitable[None]]] = {
    "close": _close,
    "restate": _restate,
    "bust": _bust,
    "fill": _fill,
    "place": _place,
    "drop": _drop,
}
