"""How each happening of a scenario comes about."""

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
from tests.simulation.world import World

_PUT_HALT = "INSERT INTO halts VALUES (:scope, :reason, :at) ON CONFLICT DO NOTHING"


@singledispatch
async def come_about(happening: s.Happening, world: World, number: int) -> None:
    raise TypeError(happening)


@come_about.register
async def _(happening: s.Delivered, world: World, number: int) -> None:
    world.wire.deliver(happening.text)


@come_about.register
async def _(happening: s.DeliveredTogether, world: World, number: int) -> None:
    for text in happening.texts:
        world.wire.deliver(text)


@come_about.register
async def _(happening: s.Commanded, world: World, number: int) -> None:
    order = world.order_of_signal(happening.signal_id)
    if happening.signal_id is not None and order is None:
        return
    about = {} if order is None else {"order_id": str(order.order_id)}
    await command(world, number, happening.kind, {**about, **dict(happening.arguments)})


async def command(world: World, number: int, kind: str, arguments: dict[str, Any]) -> None:
    """As another process asks for it."""
    text = json.dumps(arguments)
    world.trace.note("person", f"{kind} {text}")
    asked = StoredCommand(UUID(int=number + 1), kind, text, "person:tester", world.clock.now())
    await CommandTable(world.person).insert(asked)


@come_about.register
async def _(happening: s.HaltPut, world: World, number: int) -> None:
    await world.person.write(_PUT_HALT, {"scope": "*", "reason": "KILL_SWITCH", "at": text_of(world.clock.now())})
    world.trace.note("person", "puts a halt in its place")
    world.witness.halted_since.setdefault("*", world.trace.moment)
    world.coverage.met(c.HALTED, world.witness.orders.values())


@come_about.register
async def _(happening: s.Laid, world: World, number: int) -> None:
    world.floor.gateway.faults.lay(happening.fault)


@come_about.register
async def _(happening: s.Died, world: World, number: int) -> None:
    world.newest.arm(happening.steps, world.newest.life.die)
    world.rest_seconds = happening.rest


@come_about.register
async def _(happening: s.Paused, world: World, number: int) -> None:
    world.newest.arm(happening.steps, partial(world.pause, happening.seconds))


@come_about.register
async def _(happening: s.Stopped, world: World, number: int) -> None:
    world.trace.note("person", "stops the service")
    world.coverage.met(c.STOPPED, world.witness.orders.values())
    world.rest_seconds = happening.rest
    world.newest.stopping.set()


@come_about.register
async def _(happening: s.ClockJumped, world: World, number: int) -> None:
    world.clock.jump(happening.seconds)
    world.trace.note("fault", f"the clock jumps by {happening.seconds:g} s")
    world.coverage.met(c.CLOCK_FORWARD if happening.seconds > 0 else c.CLOCK_BACK, world.witness.orders.values())


@come_about.register
async def _(happening: s.CommitHurt, world: World, number: int) -> None:
    world.troubles.arm(happening)


@come_about.register
async def _(happening: s.StoreAway, world: World, number: int) -> None:
    world.troubles.go_away(happening.seconds, is_blind=happening.is_blind)
    how = "written or read" if happening.is_blind else "written"
    world.trace.note("fault", f"the store cannot be {how} for {happening.seconds:g} s")
    world.coverage.met(c.STORE_BLIND if happening.is_blind else c.STORE_AWAY, world.witness.orders.values())


@come_about.register
async def _(happening: s.StoreSlow, world: World, number: int) -> None:
    world.troubles.slow_down(happening.seconds, happening.lasts)
    world.trace.note("fault", f"a commit takes {happening.seconds:g} s, for {happening.lasts:g} s")
    world.coverage.met(c.STORE_SLOW, world.witness.orders.values())


@come_about.register
async def _(happening: s.ReceiverFails, world: World, number: int) -> None:
    world.receiver.failures.append(happening.is_taken)
    world.coverage.met(c.RECEIVER, world.witness.orders.values())


@come_about.register
async def _(happening: s.AcknowledgementFails, world: World, number: int) -> None:
    world.wire.failures += 1
    world.coverage.met(c.BOOKMARK, world.witness.orders.values())


@come_about.register
async def _(happening: s.PriceMoved, world: World, number: int) -> None:
    world.trace.note("venue", f"{happening.instrument} trades at {happening.price}")
    await world.control.post_price(happening.instrument, happening.price)


@come_about.register
async def _(happening: s.VenueActed, world: World, number: int) -> None:
    theirs = _venue_order(world, happening.signal_id)
    with suppress(BrokerError):
        await _ACTS[happening.act](world, theirs, happening.number or Decimal(1))


def _venue_order(world: World, signal_id: str | None) -> dict[str, Any] | None:
    order = world.order_of_signal(signal_id)
    if order is None:
        return None
    gateway = world.floor.gateway
    shown = gateway.venue.questions.orders_by_key(order.client_order_id, gateway.venue.now)
    return shown[0] if shown else None


async def _close(world: World, theirs: dict[str, Any] | None, number: Decimal) -> None:
    if theirs is not None:
        world.trace.note("venue", f"closes {theirs['broker_order_id']}")
        await world.control.close_order(theirs["broker_order_id"], "DONE_FOR_DAY" if number > 5 else "BY_BROKER")


async def _restate(world: World, theirs: dict[str, Any] | None, number: Decimal) -> None:
    if theirs is not None:
        world.trace.note("venue", f"restates {theirs['broker_order_id']} to {number}")
        await world.control.restate(theirs["broker_order_id"], quantity=number)


async def _bust(world: World, theirs: dict[str, Any] | None, number: Decimal) -> None:
    if theirs is not None and theirs["executions"]:
        world.trace.note("venue", f"busts {theirs['executions'][0]['execution_id']}")
        await world.control.bust(theirs["executions"][0]["execution_id"])


async def _fill(world: World, theirs: dict[str, Any] | None, number: Decimal) -> None:
    if theirs is not None:
        world.trace.note("venue", f"fills {number} of {theirs['broker_order_id']} by hand")
        await world.control.fill(theirs["broker_order_id"], number, Decimal(333))


async def _place(world: World, theirs: dict[str, Any] | None, number: Decimal) -> None:
    name = await world.control.place("SIM", "NASDAQ:TSLA", Side.BUY, number, Decimal(10))
    world.trace.note("venue", f"somebody else places {name}")
    world.outsiders.add(name)


async def _drop(world: World, theirs: dict[str, Any] | None, number: Decimal) -> None:
    world.trace.note("venue", "drops all streams")
    world.coverage.met(c.STREAMS_DROPPED, world.witness.orders.values())
    await world.control.drop_streams(None, float(number) / 4)


_ACTS: dict[str, Callable[[World, dict[str, Any] | None, Decimal], Awaitable[None]]] = {
    "close": _close,
    "restate": _restate,
    "bust": _bust,
    "fill": _fill,
    "place": _place,
    "drop": _drop,
}
