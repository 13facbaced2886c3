"""A scenario carried out to its end: all steps, then no more faults, the last life settles what is left, promises are checked."""

from __future__ import annotations

import asyncio
import gc
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from uuid import UUID

from liveorder.application.engine.service import Service
from liveorder.domain.order import LiveOrder
from liveorder.infrastructure.clock import SystemClock
from liveorder.infrastructure.eventstore.schema import PLACE
from liveorder.infrastructure.eventstore.store_by_url import create_store
from tests.harness.defects import SOUND, Defect
from tests.memory import memory
from tests.simulation.coverage import Cell
from tests.simulation.environment import ACCOUNT, NAMESPACE, Environment, Violation
from tests.simulation.generator import CHAOS_SECONDS
from tests.simulation.promises import check_at_rest, check_log, waits_for_what_rests
from tests.simulation.scenario import ClockJumped, Scenario
from tests.simulation.simulated_processes import ProcessLoop
from tests.simulation.steps import carry_out, command

PATIENCE_SECONDS = 900.0
"""All that is left must be settled within this, once faults have ceased; and a clock that was set back has come as far again."""
UNCHANGED_SECONDS = 6.0
MOST_AGREEMENTS = 30
STORE = "orders.db"


@dataclass(frozen=True)
class History:
    scenario: Scenario
    violations: tuple[Violation, ...]
    cells: Counter[Cell]
    digest: str
    trace: tuple[str, ...]
    figures: Mapping[str, int]

    @property
    def code(self) -> str | None:
        """How it failed; None when every promise was kept."""
        return self.violations[0].code if self.violations else None


def simulate(scenario: Scenario, defect: Defect = SOUND) -> History:
    """The same every time, in every process."""
    loop = ProcessLoop()
    folder = Path(tempfile.mkdtemp(dir=memory(), prefix="liveorder-simulation-"))
    (folder / STORE).write_bytes(_empty_store())
    was_collecting = gc.isenabled()
    gc.disable()  # a cycle's end must not depend on what ran before
    try:
        return loop.run_until_complete(_simulated(scenario, folder, loop, defect))
    finally:
        loop.abandon()
        loop.close()
        if was_collecting:
            gc.enable()
        shutil.rmtree(folder)


async def _simulated(scenario: Scenario, folder: Path, loop: ProcessLoop, defect: Defect) -> History:
    environment = Environment(scenario, folder / STORE, loop, defect)
    try:
        keeping = asyncio.create_task(environment.keep_alive())
        await _go_through(environment)
        _cease(environment)
        await _settle(environment)
        environment.end()
        await keeping
        await check_log(environment)
    finally:
        await environment.close()
    figures = {
        "lives": len(environment.lives),
        "orders": len(environment.auditor.orders),
        "steps": sum(1 for _ in environment.trace.lines),
    }
    return History(
        scenario,
        tuple(environment.violations),
        environment.coverage.cells,
        environment.trace.digest(),
        tuple(environment.trace.lines),
        figures,
    )


@cache
def _empty_store() -> bytes:
    with tempfile.TemporaryDirectory(dir=memory()) as folder:
        path = Path(folder) / STORE
        asyncio.run(
            create_store(
                f"sqlite:///{path}",
                clock=SystemClock(),
                namespace=NAMESPACE,
                default_account=ACCOUNT,
                mode="SIMULATION",
                account_ids=["SIM", "OTHER"],
                store_id=UUID(int=1),
            )
        )
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("DELETE FROM checkpoints WHERE name=?", (PLACE,))
        return path.read_bytes()


async def _go_through(environment: Environment) -> None:
    begun = environment.loop.time()
    for number, step in environment.scenario.steps:
        await asyncio.sleep(max(begun + step.at - environment.loop.time(), 0.0))
        await carry_out(step, environment, number)
    await asyncio.sleep(max(begun + CHAOS_SECONDS - environment.loop.time(), 0.0))


def _cease(environment: Environment) -> None:
    environment.trace.note("fault", "faults cease")
    environment.floor.gateway.faults.clear()
    environment.floor.gateway.release()
    environment.store_faults.cease()
    environment.receiver.failures.clear()
    environment.feed.failures = 0
    environment.newest.process.interrupt_at = None


async def _settle(environment: Environment) -> None:
    may_doubt = environment.scenario.key_class == "none"
    service = await _agreed(environment, may_doubt)
    if service is not None and (doubts := service.engine.doubts.standing()):
        await check_at_rest(environment, service, may_doubt=may_doubt)
        for place, doubt in enumerate(doubts):
            await _settle_by_hand(environment, 10_000 + place, doubt.order.order_id)
    if service is not None and may_doubt:
        service = await _agreed(environment, may_doubt=False)
    if service is not None:
        await check_at_rest(environment, service, may_doubt=False)


async def _agreed(environment: Environment, may_doubt: bool) -> Service | None:
    """The service at rest, just reconciled, with nothing changed by that or meanwhile."""
    for _ in range(MOST_AGREEMENTS):
        service = await _at_rest(environment, may_doubt)
        if service is None:
            return None
        position = environment.auditor.position
        await service.engine.reconcile.reconcile_all()
        if (
            environment.auditor.position == position
            and service is environment.service
            and not await _what_is_left(environment, may_doubt)
        ):
            return service
    environment.violations.append(Violation("does not settle", "something changes whenever it is reconciled"))
    return None


async def _settle_by_hand(environment: Environment, number: int, order_id: UUID) -> None:
    """A person looks at the broker's books, and says what is there."""
    key = environment.auditor.orders[order_id].client_order_id
    gateway = environment.floor.gateway
    theirs = gateway.venue.questions.orders_by_key(key, gateway.venue.now)
    arguments = {"order_id": str(order_id), "evidence": "seen in the broker's books"}
    if theirs:
        await command(environment, number, "settle_found", arguments | {"broker_order_id": theirs[0]["broker_order_id"]})
    else:
        await command(environment, number, "settle_absent", arguments)


async def _at_rest(environment: Environment, may_doubt: bool) -> Service | None:
    """The service once nothing changes any more; None, and a violation, when that does not come."""
    give_up_at = environment.loop.time() + PATIENCE_SECONDS + _seconds_set_back(environment.scenario)
    seen, since = -1, environment.loop.time()
    while environment.loop.time() < give_up_at:
        await asyncio.sleep(0.5)
        position = environment.auditor.position
        if position != seen or (why := await _what_is_left(environment, may_doubt)):
            seen, since = position, environment.loop.time()
        elif environment.loop.time() - since >= UNCHANGED_SECONDS:
            return environment.service
    why = await _what_is_left(environment, may_doubt) or "the log grows and grows"
    environment.violations.append(Violation("does not settle", why))
    return None


def _seconds_set_back(scenario: Scenario) -> float:
    """A lease ends by the clock: a dead owner's holds the longer for it."""
    jumps = [step.seconds for _, step in scenario.steps if isinstance(step, ClockJumped)]
    return -sum(seconds for seconds in jumps if seconds < 0)


async def _what_is_left(environment: Environment, may_doubt: bool) -> str:
    service = environment.service
    if service is None:
        return "no service lives"
    if not environment.feed.is_read:
        return f"of {len(environment.feed.delivered)} messages not all are acknowledged"
    if (await environment.person.fetch("SELECT count(*) FROM commands WHERE answer IS NULL"))[0][0]:
        return "a command is not answered"
    if not service.engine.dispatcher.is_idle:
        return "the desk is busy"
    if _is_more_to_come(environment):
        return "something at the venue, or on the way there or back, is postponed"
    stored = (order for order in environment.auditor.orders.values() if not order.is_finished)
    for order in (*service.engine.orders.unfinished(), *stored):
        if left := _left_open(order, may_doubt, may_doubt or waits_for_what_rests(order, environment)):
            return left
    return ""


def _is_more_to_come(environment: Environment) -> bool:
    """Whether anything is due later than what is asked now would be answered: a bust or a report that a fault postponed, say.

    The end of a session is no such thing: it is hours away.
    """
    gateway, now, venue = environment.floor.gateway, environment.steady.now(), environment.scenario.venue
    postponed = [at for at, _, item in gateway._agenda._appointments if not item.is_off]
    due = gateway.venue.next_due()
    is_due = due is not None and due < now + timedelta(seconds=PATIENCE_SECONDS)
    return is_due or max(postponed, default=now) > now + timedelta(seconds=venue.latency_seconds)


def _left_open(order: LiveOrder, may_doubt: bool, may_wait: bool) -> str:
    """All of its requests must be in doubt, where one may be: a person is asked about an order once. Until then an exit waits for
    the entry that is in doubt. Some wait for what rests.
    """
    name = order.intent.signal_id
    if order.status.value == "PENDING" and not (may_wait and order.is_waiting):
        return f"{name} is neither sent nor refused"
    if order.requests and not (may_doubt and all(request.is_in_doubt for request in order.requests.values())):
        return f"{name} has requests open: {', '.join(f'{key} {request.unknown_why}' for key, request in order.requests.items())}"
    return ""
