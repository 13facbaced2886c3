"""Two real services on one store: the second waits, takes over from one that is dead or paused, and the paused one stays out."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from liveorder.domain.execution_report import OrderSnapshot
from liveorder.infrastructure.eventstore.store_by_url import sqlite_path
from tests.contract.event_stores import require_postgres
from tests.crash.cases import BELOW_THE_MARKET, ENGINES, a_signal, key_of
from tests.crash.key_classes import KEY_CLASSES
from tests.crash.processes import Process, ProcessEnded, Refused, eventually
from tests.crash.scene import Scene, staged

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux: pidfd and PR_SET_PDEATHSIG"),
    pytest.mark.asyncio(loop_scope="module"),
]

ACCOUNTS = tuple(f"A{number}" for number in range(100))
_ACCOUNTS = iter(ACCOUNTS)
BEGUN = "append Requested+Approved+SubmissionStarted #1"
SHUT_OUT = (Refused, ProcessEnded)
"""Told that the store is lost, or ended for that reason before it could answer."""
RESTING = a_signal("resting", limit_price=BELOW_THE_MARKET)
SHORT = {"delivery_bound_seconds": 0.3}
"""Soon over."""


def key_classes(*names: str) -> pytest.MarkDecorator:
    """Each of them on SQLite, and the first on PostgreSQL too: what becomes of a request does not depend on where it was stored."""
    cases = [("sqlite", name) for name in names] + [("postgres", names[0])]
    return pytest.mark.parametrize(("scene", "key_class"), cases, indirect=["scene"], scope="module")


@dataclass(frozen=True)
class Outcome:
    """How many orders the venue has in the end, by where the first service slept. `docs/fencing.md` shows them."""

    before: int
    within: int
    beyond: int | None


OUTCOMES = {
    "unique": Outcome(before=1, within=1, beyond=1),
    "searchable": Outcome(before=1, within=1, beyond=2),
    "searchable with lag": Outcome(before=1, within=1, beyond=2),
    "none": Outcome(before=0, within=1, beyond=None),
}
FENCING = Path(__file__).resolve().parents[2] / "docs" / "fencing.md"


async def test_the_table_in_the_documents_is_what_is_tried_here() -> None:
    rows = [f"| {name} | {each.before} | {each.within} | {each.beyond or '–'} |" for name, each in OUTCOMES.items()]
    assert "\n".join(rows) in FENCING.read_text()


@dataclass
class Pair:
    """One store and account, and the services that want them."""

    scene: Scene
    store: str
    account: str
    stack: AsyncExitStack

    def key(self, signal_id: str) -> str:
        return key_of(self.account, signal_id)

    async def service(self, owner: str, key_class: str = "unique", **terms: Any) -> Process:
        return await self.stack.enter_async_context(self.scene.service(self.store, self.account, key_class, owner, **terms))

    async def owner(self, key_class: str = "unique", **terms: Any) -> Process:
        service = await self.service("first", key_class, **terms)
        await service.wait_for("started")
        return service

    async def standby(self, key_class: str = "unique", **terms: Any) -> Process:
        """It says that it stands by, and for whom."""
        service = await self.service("second", key_class, **terms)
        await service.wait_for("log", category="LEASE", sentence="Standing by: this store is owned by first")
        assert service.emitted("started") is None
        return service

    async def at_the_venue(self, signal_id: str, key_class: str = "unique") -> list[OrderSnapshot]:
        return await self.scene.venues[key_class].control.orders_by_key(self.key(signal_id))


@pytest_asyncio.fixture(params=ENGINES, scope="module", loop_scope="module")
async def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """One for all tests on a database: each has a store and an account of its own."""
    if request.param == "postgres":
        require_postgres()
    async with staged(tmp_path_factory.mktemp("scene"), [request.param], KEY_CLASSES, ACCOUNTS) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def pair(scene: Scene) -> AsyncIterator[Pair]:
    account = next(_ACCOUNTS)
    (stores,) = scene.stores.values()
    async with AsyncExitStack() as lives:
        yield Pair(scene, await stores.new_store(account), account, lives)


def sent(service: Process) -> list[str]:
    return [event["key"] for event in service.events if event["event"] == "sent"]


def assert_taken_as_soon_as_it_had_run_out(standby: Process) -> None:
    """By the store's own clock, whatever the machine's load: each try but perhaps the last one in vain met a lease that was held.

    Between two tries lies a fifth of the lease, so that it is taken over within the lease's time and that.
    """
    tries = [event for event in standby.events if event["event"] == "acquire"]
    in_vain = [event for event in tries if event["epoch"] is None]
    assert tries[-1]["epoch"] == 2
    assert {event["holder"] for event in in_vain} == {"first"}
    assert all(event["is_held"] for event in in_vain[:-1])


async def until(service: Process, key: str, status: str) -> dict[str, Any]:
    """The order of this signal, once it has come to that and nothing about it is unanswered."""

    async def found() -> Any:
        order = (await service.ask("state"))["orders"].get(key, {})
        return order if order.get("status") == status and not order["requests"] else None

    order: dict[str, Any] = await eventually(found, f"{key} is {status}")
    return order


async def test_a_standby_takes_over_from_a_killed_service_and_recovers(pair: Pair) -> None:
    first = await pair.owner()
    second = await pair.standby()
    placed = await first.ask("execute", raw=RESTING)
    first.strike(signal.SIGKILL)
    await first.ended()
    assert (await second.wait_for("started"))["recovery"]["unfinished"] == 1
    assert_taken_as_soon_as_it_had_run_out(second)
    assert (await second.ask("execute", raw=RESTING))["order_id"] == placed["order_id"]
    await second.ask("cancel", order_id=placed["order_id"])
    await until(second, pair.key("resting"), "CANCELLED")
    assert len(await pair.at_the_venue("resting")) == 1
    assert (await second.ask("reconcile"))["is_clean"]


async def test_a_standby_takes_over_from_a_paused_service_which_then_can_neither_append_nor_send(pair: Pair) -> None:
    first = await pair.owner(crash_signal="SIGSTOP")
    second = await pair.standby()
    placed = await first.ask("execute", raw=RESTING)
    paused = first.begin("pause")
    await second.wait_for("started")
    assert_taken_as_soon_as_it_had_run_out(second)
    too_late = first.begin("execute", raw=a_signal("late"))
    first.strike(signal.SIGCONT)
    await paused
    with pytest.raises(SHUT_OUT):
        await too_late
    await first.wait_for("lost the store")
    await first.ended()
    assert await pair.at_the_venue("late") == []
    assert sent(first) == [pair.key("resting")]
    await second.ask("execute", raw=a_signal("late"))
    await until(second, pair.key("late"), "FILLED")
    assert (await until(second, pair.key("resting"), "SUBMITTED"))["order_id"] == placed["order_id"]
    assert [len(await pair.at_the_venue(each)) for each in ("late", "resting")] == [1, 1]


@key_classes("unique", "searchable", "searchable with lag")
async def test_a_service_paused_between_its_commit_and_the_call_sends_nothing_when_it_wakes(pair: Pair, key_class: str) -> None:
    """The attempt's deadline has passed by then: it looks once more before it calls."""
    first = await pair.owner(key_class, crash_at=f"after {BEGUN}", crash_signal="SIGSTOP", **SHORT)
    second = await pair.standby(key_class, **SHORT)
    sleeping = first.begin("execute", raw=a_signal("bought"))
    await second.wait_for("started")
    await until(second, pair.key("bought"), "FILLED")
    first.strike(signal.SIGCONT)
    with pytest.raises(SHUT_OUT):
        await sleeping
    await first.ended()
    assert sent(first) == []
    assert len(await pair.at_the_venue("bought", key_class)) == OUTCOMES[key_class].before
    assert (await second.ask("reconcile"))["is_clean"]


async def test_an_order_of_a_paused_service_stays_in_doubt_where_keys_cannot_be_asked_for(pair: Pair) -> None:
    first = await pair.owner("none", crash_at=f"after {BEGUN}", crash_signal="SIGSTOP")
    second = await pair.standby("none")
    sleeping = first.begin("execute", raw=a_signal("bought"))
    await second.wait_for("started")
    first.strike(signal.SIGCONT)
    with pytest.raises(SHUT_OUT):
        await sleeping
    await first.ended()
    assert (await second.ask("execute", raw=a_signal("bought")))["is_in_doubt"]
    assert (await second.ask("state"))["doubts"] == [pair.key("bought")]
    assert [sent(first), sent(second)] == [[], []]
    assert len(await pair.at_the_venue("bought", "none")) == OUTCOMES["none"].before


# --- inside the call -----------------------------------------------------------------------------------------------------------

INSIDE: dict[str, Any] = {"crash_at": "inside submit", "crash_signal": "SIGSTOP"}


@key_classes(*KEY_CLASSES)
async def test_a_call_that_arrives_within_the_delivery_bound_is_the_only_one(pair: Pair, key_class: str) -> None:
    """The next owner waits for the deadline that was stored, and for the bound; meanwhile it finds the order, or is told of it."""
    bound = {"delivery_bound_seconds": 600.0, "call_timeout_seconds": 60.0}  # it wakes within its call, on a busy machine too
    first = await pair.owner(key_class, **INSIDE, **bound)
    second = await pair.standby(key_class, **bound)
    sleeping = first.begin("execute", raw=a_signal("bought"))
    await second.wait_for("started")
    first.strike(signal.SIGCONT)
    with pytest.raises(SHUT_OUT):
        await sleeping
    await first.ended()
    await until(second, pair.key("bought"), "FILLED")
    found = await pair.at_the_venue("bought", key_class)
    assert (len(found), sent(second)) == (OUTCOMES[key_class].within, [])


@key_classes("unique", "searchable", "searchable with lag")
async def test_a_call_that_slept_beyond_the_delivery_bound_meets_the_unique_key_or_is_a_second_order(
    pair: Pair, key_class: str
) -> None:
    """What no store can prevent, and the only way: stopped on the last instruction before the wire, for longer than the bound."""
    first = await pair.owner(key_class, **INSIDE, **SHORT)
    second = await pair.standby(key_class, **SHORT)
    sleeping = first.begin("execute", raw=a_signal("bought"))
    await second.wait_for("started")
    await until(second, pair.key("bought"), "FILLED")
    first.strike(signal.SIGCONT)
    with pytest.raises(SHUT_OUT):
        await sleeping
    await first.ended()
    expected = OUTCOMES[key_class].beyond or 0

    async def all_arrived() -> bool:
        return len(await pair.at_the_venue("bought", key_class)) == expected

    await eventually(all_arrived, f"{expected} orders at the venue")

    async def all_is_booked() -> Any:
        order = (await second.ask("state"))["orders"][pair.key("bought")]
        return order if order["filled"] == str(10 * expected) else None

    order = await eventually(all_is_booked, "what was filled is booked, also of a second order")
    assert ("overfill" in order["anomalies"]) == (expected > 1)


# --- the store -----------------------------------------------------------------------------------------------------------------


async def test_a_standby_outlasts_a_store_that_is_locked(pair: Pair) -> None:
    """As by a process that was stopped inside a transaction, whose locks nobody can take from it."""
    if not pair.store.startswith("sqlite"):
        pytest.skip("PostgreSQL's server gives up a client's transaction by itself")
    first = await pair.owner()
    second = await pair.standby()
    with closing(sqlite3.connect(sqlite_path(pair.store), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        first.strike(signal.SIGKILL)
        await second.wait_for(
            "log", category="LEASE", sentence="Standing by: the order store cannot be written (database is locked)"
        )
        other.execute("COMMIT")
    await second.wait_for("started")
