"""What every order store promises, whatever it stores in."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4
from zlib import crc32

import pytest
from msgspec import structs

from liveorder.application.ports.order_store import BrokerName, Commit, HaltRow, StoredCommand
from liveorder.domain.errors import (
    DeadLetterStands,
    LeaseLost,
    LiveOrderError,
    SettingsError,
    SignalAlreadyKnown,
    StoreError,
    StoreRefused,
    StoreUnavailable,
    TradingIsHalted,
    VersionConflict,
)
from liveorder.domain.events import RecordedEvent
from liveorder.domain.order.events import Filled
from liveorder.infrastructure.eventstore.database import Row, Values
from liveorder.infrastructure.eventstore.file_identity import identity_of
from liveorder.infrastructure.eventstore.identity import Expectation, remember
from liveorder.infrastructure.eventstore.network_file_systems import refuse_network_file_system
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.infrastructure.eventstore.shapes import sealed
from liveorder.infrastructure.eventstore.sqlite import Placement
from liveorder.infrastructure.eventstore.store_by_url import sqlite_path, store_at, store_exists
from liveorder.infrastructure.eventstore.transaction import MAX_EVENTS, NotStored, Stored, Transaction
from tests.builders import acknowledged, intent, submission
from tests.contract.event_stores import (
    EXPECTED,
    MAPPER,
    CountingLedger,
    PostgresSite,
    Site,
    SQLiteSite,
    WallClock,
    claim,
    commit,
    create,
    entry,
    recorded,
    require_postgres,
)

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture(params=["sqlite inline", "sqlite thread", "postgres"])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    made = site_of(request.param, tmp_path)
    await create(made)
    yield made
    await made.remove()


def site_of(kind: str, folder: Path) -> Site:
    if kind == "postgres":
        require_postgres()
        return PostgresSite()
    return SQLiteSite(folder, Placement(kind.removeprefix("sqlite ")))


@pytest.fixture
async def sqlite_site(tmp_path: Path) -> SQLiteSite:
    made = SQLiteSite(tmp_path, Placement.INLINE)
    await create(made)
    return made


@asynccontextmanager
async def opened(store: DatabaseOrderStore, ledger: CountingLedger | None = None) -> AsyncIterator[DatabaseOrderStore]:
    await store.open(ledger or CountingLedger())
    try:
        yield store
    finally:
        await store.close()


async def outcomes(store: DatabaseOrderStore, *commits: Commit) -> list[object]:
    """Of commits appended at once: the names of what they raised, or None."""
    results = await asyncio.gather(*map(store.append, commits), return_exceptions=True)
    return [type(result) if isinstance(result, BaseException) else None for result in results]


async def versions(store: DatabaseOrderStore, stream_id: UUID) -> list[int]:
    return [each.version for each in await store.stream(stream_id)]


# --- appending and reading ----------------------------------------------------------------------------------------------------


async def test_events_come_back_as_they_were_stored(site: Site) -> None:
    order_id = uuid4()
    events = (recorded(order_id, 1, intent()), recorded(order_id, 2, submission()))
    async with opened(site.store()) as store:
        committed = await store.append(Commit(events))
        stored = await store.stream(order_id)
    assert committed.positions == (1, 2)
    assert stored == [structs.replace(each, position=each.version) for each in events]


async def test_what_was_appended_is_there_after_reopening(site: Site) -> None:
    order_id = uuid4()
    async with opened(site.store()) as store:
        await store.append(commit(order_id, 1, 2, is_open=True))
    async with opened(site.store()) as store:
        await store.append(commit(order_id, 3))
        assert await versions(store, order_id) == [1, 2, 3]
        assert await store.head() == 3


async def test_an_unknown_stream_is_empty(site: Site) -> None:
    async with opened(site.store()) as store:
        assert await store.stream(uuid4()) == []
        assert await store.head() == 0
        assert [page async for page in store.log()] == []


async def test_commits_of_one_stream_are_stored_in_the_order_in_which_they_were_called(site: Site) -> None:
    streams = [uuid4() for _ in range(20)]
    async with opened(site.store()) as store:
        await asyncio.gather(*(store.append(commit(stream, version)) for version in range(1, 6) for stream in streams))
        log = [each async for page in store.log() for each in page]
        report = await store.check()
    assert [each.position for each in log] == list(range(1, 101))
    assert all([each.version for each in log if each.stream_id == stream] == [1, 2, 3, 4, 5] for stream in streams)
    assert report.problems == ()
    assert (report.events, report.streams) == (100, 20)


async def test_the_log_comes_in_pages_from_any_position(site: Site) -> None:
    order_id = uuid4()
    async with opened(site.store()) as store:
        await store.append(commit(order_id, *range(1, 1102)))
        whole = [[each.position for each in page] async for page in store.log()]
        part = [[each.position for each in page] async for page in store.log(after=1098, limit=2)]
    assert [len(page) for page in whole] == [500, 500, 101]
    assert part == [[1099, 1100]]


async def test_no_transaction_holds_more_than_512_events(site: Site) -> None:
    store = site.store()
    sizes: list[int] = []
    transact = store._database.transact

    async def counted(transaction: Transaction) -> Stored | NotStored:
        sizes.append(len(list(transaction.events())))
        return await transact(transaction)

    store._database.transact = counted  # type: ignore[method-assign]  # to count what goes through
    async with opened(store):
        await asyncio.gather(*(store.append(commit(uuid4(), 1, 2, 3)) for _ in range(400)))
    assert sum(sizes) == 1200
    assert max(sizes) <= MAX_EVENTS
    assert len(sizes) < 10


async def test_a_cancelled_caller_stores_nothing_that_was_not_begun(site: Site) -> None:
    order_id, other = uuid4(), uuid4()
    async with opened(site.store()) as store:
        gone = asyncio.create_task(store.append(commit(order_id, 1)))
        stays = asyncio.create_task(store.append(commit(other, 1)))
        await asyncio.sleep(0)
        gone.cancel()
        await stays
        assert await versions(store, other) == [1]
        assert (await store.check()).problems == ()


async def test_a_store_that_is_not_open_takes_nothing(site: Site) -> None:
    with pytest.raises(StoreUnavailable, match="not open"):
        await site.store().append(commit(uuid4(), 1))


# --- what is refused ----------------------------------------------------------------------------------------------------------


async def test_a_conflict_fails_only_its_order_and_that_orders_later_commits(site: Site) -> None:
    order_id, other = uuid4(), uuid4()
    async with opened(site.store()) as store:
        await store.append(commit(order_id, 1, 2))
        results = await outcomes(
            store, commit(other, 1), commit(order_id, 2), commit(order_id, 3), commit(other, 2), commit(order_id, 4)
        )
        assert results == [None, VersionConflict, VersionConflict, None, VersionConflict]
        assert await versions(store, order_id) == [1, 2]
        assert await versions(store, other) == [1, 2]


async def test_later_commits_of_a_failed_stream_say_so(site: Site) -> None:
    order_id = uuid4()
    async with opened(site.store()) as store:
        await store.insert_halt("*", "stop", NOON)
        first, second = await asyncio.gather(
            store.append(commit(order_id, 1, unless_halted=("*",))), store.append(commit(order_id, 1)), return_exceptions=True
        )
        assert isinstance(first, TradingIsHalted)
        assert "an earlier commit of this stream failed" in str(second)


async def test_a_stream_takes_commits_again_once_its_failure_was_seen(site: Site) -> None:
    order_id = uuid4()
    async with opened(site.store()) as store:
        with pytest.raises(VersionConflict):
            await store.append(commit(order_id, 2))
        await store.append(commit(order_id, 1))
        assert await versions(store, order_id) == [1]


async def test_a_gap_is_refused(site: Site) -> None:
    order_id = uuid4()
    async with opened(site.store()) as store:
        await store.append(commit(order_id, 1))
        with pytest.raises(VersionConflict, match="leaves a gap behind version 1"):
            await store.append(commit(order_id, 3))
        assert await versions(store, order_id) == [1]


async def test_events_of_a_commit_must_follow_each_other_in_one_stream(site: Site) -> None:
    order_id = uuid4()
    async with opened(site.store()) as store:
        with pytest.raises(VersionConflict):
            await store.append(commit(order_id, 1, 3))
        with pytest.raises(VersionConflict):
            await store.append(Commit((recorded(order_id, 1), recorded(uuid4(), 2))))
        assert await store.head() == 0


async def test_the_same_commit_again_is_answered_with_where_it_is(site: Site) -> None:
    order_id = uuid4()
    once = commit(order_id, 1, 2, claim=claim(order_id))
    async with opened(site.store()) as store:
        first = await store.append(once)
        again = await store.append(once)
        assert again.positions == first.positions == (1, 2)
        assert await store.head() == 2


async def test_a_signal_claimed_twice_is_answered_with_the_order_that_exists(site: Site) -> None:
    order_id, twin = uuid4(), uuid4()
    async with opened(site.store()) as store:
        await store.append(commit(order_id, 1, claim=claim(order_id)))
        with pytest.raises(SignalAlreadyKnown) as known:
            await store.append(commit(twin, 1, claim=claim(twin)))
        assert known.value.claims == (claim(order_id).claim,)
        assert await store.stream(twin) == []
        assert await store.claim_of("SIGNAL1") == claim(order_id).claim
        assert await store.claim_of("SIGNAL2") is None


async def test_of_two_claims_at_once_the_first_wins(site: Site) -> None:
    order_id, twin, other = uuid4(), uuid4(), uuid4()
    async with opened(site.store()) as store:
        results = await outcomes(
            store,
            commit(order_id, 1, claim=claim(order_id)),
            commit(twin, 1, claim=claim(twin)),
            commit(other, 1, claim=claim(other, "SIGNAL2")),
        )
        assert results == [None, SignalAlreadyKnown, None]
        assert await store.head() == 2


async def test_a_signal_that_names_no_account_meets_its_claim_on_any(site: Site) -> None:
    there, here, unnamed = uuid4(), uuid4(), uuid4()
    async with opened(site.store()) as store:
        await store.append(commit(there, 1, claim=claim(there, account_id="B")))
        await store.append(commit(here, 1, claim=claim(here)))  # another account that it names: another signal
        with pytest.raises(SignalAlreadyKnown) as known:
            await store.append(commit(unnamed, 1, claim=claim(unnamed, names_account=False)))
        assert {each.account_id for each in known.value.claims} == {"B", "main"}
        assert set(await store.claims(claim(unnamed, names_account=False).known_by)) == set(known.value.claims)
        assert [each.order_id for each in await store.claims(claim(unnamed).known_by)] == [here]


async def test_a_claim_of_another_namespace_or_under_another_key_is_of_the_same_signal(site: Site) -> None:
    """What earlier releases wrote, and what a person adopted."""
    first, other_namespace, other_key = uuid4(), uuid4(), uuid4()
    async with opened(site.store()) as store:
        await store.append(commit(first, 1, claim=claim(first)))
        elsewhere = structs.replace(claim(other_namespace).claim, namespace="x", client_order_id="ANOTHER")
        with pytest.raises(SignalAlreadyKnown):
            await store.append(commit(other_namespace, 1, claim=structs.replace(claim(other_namespace), claim=elsewhere)))
        adopted = claim(other_key, "adopted-order-7")
        known_by = structs.replace(adopted.known_by, client_order_ids=("UNHEARD", "SIGNAL1"))
        with pytest.raises(SignalAlreadyKnown) as known:
            await store.append(commit(other_key, 1, claim=structs.replace(adopted, known_by=known_by)))
        assert [each.order_id for each in known.value.claims] == [first]


async def test_of_an_adoption_and_its_signal_at_once_the_first_wins(site: Site) -> None:
    """The order was adopted under a key that an earlier release derived; the ids of the two claims have nothing in common."""
    order_id, signal = uuid4(), uuid4()
    adopted, known = claim(order_id, "adopted-order-7"), claim(signal)
    known_by = structs.replace(known.known_by, client_order_ids=("SIGNAL1", "adopted-order-7"))
    async with opened(site.store()) as store:
        results = await outcomes(
            store, commit(order_id, 1, claim=adopted), commit(signal, 1, claim=structs.replace(known, known_by=known_by))
        )
        assert results == [None, SignalAlreadyKnown]
        assert [each.order_id for each in await store.claims(known_by)] == [order_id]


async def test_where_the_dead_letter_of_its_message_stands_nothing_is_claimed_but_what_is_known_is_answered(site: Site) -> None:
    letter, order_id, again = uuid4(), uuid4(), uuid4()
    async with opened(site.store()) as store:
        await store.append(commit(letter, 1))
        with pytest.raises(DeadLetterStands) as stands:
            await store.append(commit(order_id, 1, claim=structs.replace(claim(order_id), dead_letter=letter)))
        assert stands.value.dead_letter == letter
        await store.append(commit(order_id, 1, claim=structs.replace(claim(order_id), dead_letter=uuid4())))
        with pytest.raises(SignalAlreadyKnown):
            await store.append(commit(again, 1, claim=structs.replace(claim(again), dead_letter=letter)))


async def test_claims_of_one_signal_wait_for_each_other_and_others_pass_them(site: Site) -> None:
    """What follows in the stream of one that waits, waits with it."""
    twins, others = [uuid4() for _ in range(5)], [uuid4() for _ in range(5)]
    async with opened(site.store()) as store:
        transactions: list[int] = []
        transact = store._writing()._transact

        async def counted(transaction: Transaction) -> Stored | NotStored:
            transactions.append(len(transaction.drafts))
            return await transact(transaction)

        store._writing()._transact = counted
        first = [commit(each, 1, claim=claim(each)) for each in twins]
        second = [commit(twins[0], 2), commit(twins[4], 2)]
        rest = [commit(each, 1, claim=claim(each, str(each))) for each in others]
        results = await outcomes(store, *first, *second, *rest)
        known = [SignalAlreadyKnown] * 4
        assert results == [None, *known, None, VersionConflict, *[None] * 5]
        assert transactions[0] == 1 + 1 + 5
        assert (await store.check()).problems == ()


async def test_the_shape_of_each_kind_of_event_is_stamped_with_its_first(site: Site) -> None:
    order_id = uuid4()
    shape = MAPPER.shapes[Filled.topic]
    async with opened(site.store()) as store:
        assert await store._database.fetch("SELECT shape FROM event_shapes") == []
        await store.append(commit(order_id, 1))
        await store.append(commit(order_id, 2))
        assert await store._database.fetch("SELECT shape FROM event_shapes") == [(shape,)]
    async with opened(site.store()) as store:
        await store.append(commit(order_id, 3))
        assert await store._database.fetch("SELECT shape FROM event_shapes") == [(shape,)]


@pytest.mark.parametrize(
    ("stamp", "problem"),
    [
        (
            sealed(f"{MAPPER.shapes[Filled.topic].rpartition(' ')[0]} venue"),
            r"newer version .*its liveorder\.Filled@1 events have venue",
        ),
        (sealed(MAPPER.shapes[Filled.topic].rpartition(" ")[0].replace("price", "meta.zone price")), r"newer version .*meta\.zone"),
        (sealed("liveorder.Invented@1 a b"), r"newer version .*holds liveorder\.Invented@1 events"),
        (MAPPER.shapes[Filled.topic].replace("price", "prlce"), "stamps of this store are damaged"),
    ],
    ids=["a field", "of the envelope", "an event", "damage"],
)
async def test_a_stamp_that_this_version_does_not_know_is_a_newer_versions(site: Site, stamp: str, problem: str) -> None:
    async with opened(site.store()) as store:
        await store.append(commit(uuid4(), 1))
    site.tamper(f"UPDATE event_shapes SET shape = '{stamp}'")  # noqa: S608 -- made here
    with pytest.raises(StoreRefused, match=problem):
        await site.store(None).open()


async def test_an_event_that_is_whole_and_cannot_be_read_was_written_by_a_newer_version(site: Site) -> None:
    """Also where a reader opened the store before it came, and so saw no stamp."""
    order_id = uuid4()
    async with opened(site.store()) as store:
        await store.append(commit(order_id, 1))
        ((state,),) = await store._database.fetch("SELECT state FROM stored_events")
        plain = bytes(state).rpartition(b',"crc"')[0].replace(b'"price":', b'"venue":"X","price":')
        newer = plain + b',"crc":"%08x"}' % crc32(plain)
        literal = f"'\\x{newer.hex()}'" if isinstance(site, PostgresSite) else f"X'{newer.hex()}'"
        site.tamper(f"UPDATE stored_events SET state = {literal}")  # noqa: S608 -- made here
        with pytest.raises(StoreRefused, match=r"newer version of liveorder .*venue"):
            await store.stream(order_id)


async def test_a_halt_from_another_connection_stops_the_next_submission(site: Site) -> None:
    order_id = uuid4()
    halt = HaltRow("*", True, "kill switch", NOON)
    async with opened(site.store()) as store, opened(site.store()) as other:
        await store.append(commit(order_id, 1, unless_halted=("*", "main")))
        await other.insert_halt(halt.scope, halt.reason, halt.at)
        with pytest.raises(TradingIsHalted) as halted:
            await store.append(commit(order_id, 2, unless_halted=("main", "*")))
        assert halted.value.scope == "*"
        assert await store.halts() == [halt]
        await store.append(commit(order_id, 2))
        await store.append(commit(uuid4(), 1, halt=replace(halt, stands=False)))
        await store.append(commit(order_id, 3, unless_halted=("*",)))
        assert await store.halts() == []


@pytest.mark.parametrize(
    ("first", "second", "left"),
    [
        ("KILL_SWITCH", "KILL_SWITCH", "KILL_SWITCH"),
        ("restored", "KILL_SWITCH", "restored"),
        ("KILL_SWITCH", "restored", "restored"),
    ],
)
async def test_of_two_halts_from_outside_that_of_a_restored_store_stays(site: Site, first: str, second: str, left: str) -> None:
    async with opened(site.store()) as store:
        for reason in (first, second):
            await store.insert_halt("*", reason, NOON)
        assert [row.reason for row in await store.halts()] == [left]


async def test_a_halt_of_one_scope_leaves_the_others_alone(site: Site) -> None:
    order_id = uuid4()
    async with opened(site.store()) as store:
        await store.insert_halt("other", "five failures", NOON)
        await store.append(commit(order_id, 1, unless_halted=("*", "main")))


async def test_a_halt_stands_for_commits_behind_it_in_the_same_transaction(site: Site) -> None:
    order_id, halt_id = uuid4(), uuid4()
    async with opened(site.store()) as store:
        results = await outcomes(
            store,
            commit(order_id, 1, unless_halted=("*",)),
            commit(halt_id, 1, halt=HaltRow("*", True, "tripped", NOON)),
            commit(order_id, 2, unless_halted=("*",)),
        )
        assert results == [None, None, TradingIsHalted]
        await store.append(commit(halt_id, 2, halt=HaltRow("*", False, "resumed", NOON)))
        await store.append(commit(order_id, 2, unless_halted=("*",)))
        assert await store.halts() == []


async def test_a_commit_that_the_database_cannot_hold_fails_alone(site: Site) -> None:
    order_id, other, later = uuid4(), uuid4(), uuid4()
    unheard_of = structs.replace(claim(other), claim=structs.replace(claim(other).claim, fingerprint="\ud800"))
    async with opened(site.store()) as store:
        results = await asyncio.gather(
            store.append(commit(order_id, 1)),
            store.append(commit(other, 1, claim=unheard_of)),
            store.append(commit(later, 1)),
            return_exceptions=True,
        )
        assert [isinstance(result, Exception) for result in results] == [False, True, False]
        assert await store.stream(other) == []
        assert (await store.check()).problems == ()


# --- failures of the database -------------------------------------------------------------------------------------------------


async def test_a_commit_whose_reply_was_lost_is_found_by_reading_back(site: Site) -> None:
    order_id, other = uuid4(), uuid4()
    ledger = CountingLedger()
    async with opened(await site.fragile_store(), ledger) as store:
        await store.append(commit(order_id, 1, entries=(entry("orders"),)))
        await site.lose_next_reply()
        committed = await store.append(commit(order_id, 2, entries=(entry("orders"),)))
        assert committed.positions == (2,)
        assert ledger.counts == {("main", "orders"): 2}
        await store.append(commit(other, 1, entries=(entry("orders"),)))
        assert ledger.counts == {("main", "orders"): 3}
        report = await store.check()
    assert (report.events, report.problems) == (3, ())


async def test_a_commit_that_never_arrived_is_stored_once_or_reported(site: Site) -> None:
    order_id = uuid4()
    ledger = CountingLedger()
    async with opened(await site.fragile_store(), ledger) as store:
        await store.append(commit(order_id, 1, entries=(entry("orders"),)))
        await site.lose_next_commit()
        result = await outcomes(store, commit(order_id, 2, entries=(entry("orders"),)))
        stored = result == [None]
        assert stored or result == [StoreUnavailable]
        assert await versions(store, order_id) == ([1, 2] if stored else [1])
        assert ledger.counts == {("main", "orders"): 2 if stored else 1}


async def test_while_nothing_can_be_written_everything_fails_and_then_recovers_by_itself(site: Site) -> None:
    order_id, other = uuid4(), uuid4()
    ledger = CountingLedger()
    async with opened(await site.fragile_store(), ledger) as store:
        await store.append(commit(order_id, 1, entries=(entry("orders"),)))
        await site.break_down()
        retried = commit(order_id, 2, entries=(entry("orders"),))
        assert await outcomes(store, retried, commit(other, 1)) == [StoreUnavailable, StoreUnavailable]
        assert await outcomes(store, commit(other, 1)) == [StoreUnavailable]
        async with opened(site.store()) as elsewhere:
            assert await elsewhere.head() == 1
        await site.mend()
        await store.append(retried)
        assert await versions(store, order_id) == [1, 2]
        assert ledger.counts == {("main", "orders"): 2}


# --- the ledger ---------------------------------------------------------------------------------------------------------------


async def test_the_ledger_is_kept_with_the_commit_and_loaded_at_the_next_start(site: Site) -> None:
    order_id = uuid4()
    async with opened(site.store()) as store:
        committed = await store.append(commit(order_id, 1, entries=(entry("a"), entry("b"), entry("a"))))
        assert {(row.key, row.state) for row in committed.rows} == {("a", "2"), ("b", "1")}
    ledger = CountingLedger()
    async with opened(site.store(), ledger):
        assert ledger.counts == {("main", "a"): 2, ("main", "b"): 1}


async def test_what_was_staged_for_a_refused_commit_leaves_no_trace(site: Site) -> None:
    order_id, other = uuid4(), uuid4()
    ledger = CountingLedger()
    async with opened(site.store(), ledger) as store:
        results = await outcomes(
            store, commit(order_id, 1, entries=(entry("a"),)), commit(other, 7, entries=(entry("a"), entry("b")))
        )
        assert results == [None, VersionConflict]
        assert ledger.counts == {("main", "a"): 1}


async def test_a_ledger_that_misses_another_writers_commit_is_loaded_before_it_is_used(site: Site) -> None:
    ledger = CountingLedger()
    async with opened(site.store(), ledger) as store, opened(site.store()) as other:
        await other.append(commit(uuid4(), 1, entries=(entry("a"),)))
        await store.append(commit(uuid4(), 1, entries=(entry("a"),)))
        assert ledger.counts == {("main", "a"): 2}
        assert await store.head() == 2


async def test_without_a_ledger_entries_are_refused(site: Site) -> None:
    store = site.store()
    await store.open()
    with pytest.raises(StoreError, match="without a ledger"):
        await store.append(commit(uuid4(), 1, entries=(entry("a"),)))
    await store.append(commit(uuid4(), 1))
    await store.close()


# --- the index of unfinished orders -------------------------------------------------------------------------------------------


async def test_unfinished_orders_are_found_with_all_their_events(site: Site) -> None:
    first, second, third = (uuid4() for _ in range(3))
    async with opened(site.store()) as store:
        await outcomes(store, *(commit(each, 1, is_open=True) for each in (first, second, third)))
        await store.append(commit(second, 2, is_open=False))
        await store.append(commit(third, 2))
        unfinished = await store.unfinished()
        assert {stream: [each.version for each in events] for stream, events in unfinished.items()} == {first: [1], third: [1, 2]}
        await store.append(commit(second, 3, is_open=True))
        assert set(await store.unfinished()) == {first, second, third}


async def test_orders_are_found_by_their_brokers_id_for_good_the_newest_first(site: Site) -> None:
    older, newer, elsewhere = sorted((uuid4(), uuid4(), uuid4()))
    async with opened(site.store()) as store:
        for order_id, account_id in ((newer, "main"), (older, "main"), (elsewhere, "other")):
            name = BrokerName(account_id, "17", order_id)
            await store.append(commit(order_id, 1, is_open=True, names=(name,)))
            await store.append(commit(order_id, 2, is_open=False, names=(name,)))
    async with opened(site.store()) as store:
        assert await store.named("main", "17") == [newer, older]
        assert await store.named("other", "17") == [elsewhere]
        assert await store.named("main", "18") == []
        streams = await store.streams_named("main", ["17", "18", *(f"n{number}" for number in range(1200))])
        assert {
            name: [[(each.stream_id, each.version) for each in stream] for stream in found] for name, found in streams.items()
        } == {"17": [[(newer, 1), (newer, 2)], [(older, 1), (older, 2)]]}
        assert await store.streams_named("main", []) == {}


async def test_of_commits_in_one_transaction_the_last_says_whether_the_order_is_open(site: Site) -> None:
    closed, reopened = uuid4(), uuid4()
    async with opened(site.store()) as store:
        await outcomes(
            store,
            commit(closed, 1, is_open=True),
            commit(closed, 2, is_open=False),
            commit(reopened, 1, is_open=True),
            commit(reopened, 2, is_open=False),
            commit(reopened, 3, is_open=True),
        )
        assert set(await store.unfinished()) == {reopened}


# --- waiting, bookmarks, commands ---------------------------------------------------------------------------------------------


async def test_whoever_waits_is_woken_by_the_next_commit(site: Site) -> None:
    async with opened(site.store()) as store:
        waiting = asyncio.create_task(store.wait_beyond(0, timeout_seconds=60))
        await store.append(commit(uuid4(), 1))
        assert await waiting == 1
        assert await store.wait_beyond(0, timeout_seconds=60) == 1


async def test_waiting_sees_what_another_process_stored(site: Site) -> None:
    async with opened(site.store()) as store, opened(site.store()) as other:
        store._poll_seconds = 0.01
        waiting = asyncio.create_task(store.wait_beyond(0, timeout_seconds=60))
        await other.append(commit(uuid4(), 1))
        assert await waiting == 1


async def test_what_follows_the_log_of_its_own_process_reads_nothing_back(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(site.store()) as store, opened(site.store()) as other:
        await store.lease.acquire("us", 60)
        for number in range(3):
            await store.append(commit(uuid4(), 1, 2, is_open=number == 2))
        with monkeypatch.context() as without_database:
            without_database.setattr(store, "_database", None)
            assert await store.wait_beyond(4, timeout_seconds=60) == 6
            followed = await store.next_after(1)
        assert list(followed) == [each async for page in other.log(after=1) for each in page]
        assert list(map(repr, followed)) == [repr(each) async for page in other.log(after=1) for each in page]
        assert list(await other.next_after(4)) == list(followed[3:])
        assert list(await store.next_after(6)) == list(await other.next_after(6)) == []


async def test_what_was_stored_before_or_by_others_is_read(site: Site) -> None:
    async with opened(site.store()) as other, opened(site.store()) as store:
        await other.append(commit(uuid4(), 1, 2))
        assert [each.position for each in await store.next_after(0)] == [1, 2]
        await store.append(commit(uuid4(), 1))
        await other.append(commit(uuid4(), 1))
        await store.append(commit(uuid4(), 1))
        assert [each.position for each in await store.next_after(0)] == [1, 2, 3, 4, 5]
        assert [each.position for each in await store.next_after(3)] == [4, 5]


async def test_waiting_ends_with_its_time(site: Site) -> None:
    async with opened(site.store()) as store:
        assert await store.wait_beyond(0, timeout_seconds=0.01) == 0


async def test_bookmarks_are_kept_by_name(site: Site) -> None:
    async with opened(site.store()) as store:
        assert await store.checkpoint("outbox") is None
        await store.save_checkpoint("outbox", "17")
        await store.save_checkpoint("outbox", "18")
        await store.save_checkpoint("signals", "a:b%c")
        assert (await store.checkpoint("outbox"), await store.checkpoint("signals")) == ("18", "a:b%c")


async def test_an_owner_of_before_moves_no_bookmark(site: Site) -> None:
    async with opened(site.store()) as paused, opened(site.store()) as successor:
        await paused.lease.acquire("paused", -1)
        await paused.save_checkpoint("signals", "124")
        await successor.lease.acquire("successor", 3600)
        await successor.save_checkpoint("signals", "374")
        with pytest.raises(LeaseLost, match="signals stays"):
            await paused.save_checkpoint("signals", "249")
        with pytest.raises(LeaseLost):
            await paused.save_checkpoint("outbox", "5")
        assert (await successor.checkpoint("signals"), await successor.checkpoint("outbox")) == ("374", None)


async def test_an_owner_of_before_does_not_forget_the_accounts_that_its_successor_added(site: Site) -> None:
    mine = replace(EXPECTED, account_ids=("main", "mine"))
    theirs = replace(EXPECTED, account_ids=("main", "theirs"))
    async with opened(site.store(mine)) as paused, opened(site.store(theirs)) as successor:
        await paused.lease.acquire("paused", -1)
        read = paused.stream

        async def succeeded_meanwhile(stream_id: UUID) -> Sequence[RecordedEvent]:
            await successor.lease.acquire("successor", 3600)
            await successor.identify()
            return await read(stream_id)

        paused.stream = succeeded_meanwhile  # type: ignore[method-assign]  # where it is paused, having read the accounts
        with pytest.raises(LeaseLost, match="list of accounts stays"):
            await paused.identify()
    async with opened(site.store(None)) as store:
        assert (await store.identify()).account_ids == ("main", "theirs")


async def test_an_owner_of_before_does_not_say_where_the_store_is(site: Site) -> None:
    async with opened(site.store()) as paused, opened(site.store()) as successor:
        await paused.lease.acquire("paused", -1)
        await successor.lease.acquire("successor", 3600)
        known = await successor.checkpoint("place")
        with pytest.raises(LeaseLost, match="place stays"):
            await remember(paused._database, "elsewhere", 1)
        assert await successor.checkpoint("place") == known


async def test_commands_from_another_process_are_answered_once(site: Site) -> None:
    command = StoredCommand(uuid4(), "cancel", '{"order": 1}', "person:ann", NOON)
    later = StoredCommand(uuid4(), "kill", "{}", "person:ann", NOON.replace(hour=13))
    async with opened(site.store()) as owner, opened(site.store()) as other:
        await owner.lease.acquire("owner", 60)
        await other.commands.insert(later)
        await other.commands.insert(command)
        await other.commands.insert(replace(command, kind="something else"))
        assert await owner.commands.pending() == [command, later]
        await owner.commands.answer(command.command_id, '"done"')
        await owner.commands.answer(command.command_id, '"done again"')
        assert await owner.commands.pending() == [later]
        assert await other.commands.find(command.command_id) == replace(command, answer='"done"')
        assert await other.commands.find(uuid4()) is None


async def test_an_answer_of_a_process_that_lost_the_store_counts_for_nothing(site: Site) -> None:
    command = StoredCommand(uuid4(), "cancel", "{}", "person:ann", NOON)
    async with opened(site.store()) as paused, opened(site.store()) as successor:
        await paused.lease.acquire("paused", -1)
        await successor.lease.acquire("successor", 3600)
        await successor.commands.insert(command)
        await paused.commands.answer(command.command_id, '"failed"')
        assert await successor.commands.pending() == [command]
        await successor.commands.answer(command.command_id, '"done"')
        assert await successor.commands.pending() == []


# --- the risk table without an event ---------------------------------------------------------------------------------------------


async def test_the_risk_table_is_changed_without_an_event_by_its_owner_alone(site: Site) -> None:
    ledger = CountingLedger()
    async with opened(site.store(), ledger) as store, opened(site.store()) as successor:
        await store.append(commit(uuid4(), 1, entries=(entry("orders"),)))
        rows = await store.restate([entry("orders"), entry("it's: a, key")])
        assert {(row.key, row.state) for row in rows} == {("orders", "2"), ("it's: a, key", "1")}
        await store.append(commit(uuid4(), 1, entries=(entry("orders"),)))
        assert {row.key: row.state for row in await store.ledger()} == {"orders": "3", "it's: a, key": "1"}
        await successor.lease.acquire("successor", 3600)
        with pytest.raises(LeaseLost):
            await store.restate([entry("orders")])
        assert {row.key: row.state for row in await successor.ledger()} == {"orders": "3", "it's: a, key": "1"}


async def test_a_change_of_the_risk_table_that_failed_is_looked_for_before_the_next_is_made(site: Site) -> None:
    ledger = CountingLedger()
    async with opened(await site.fragile_store(), ledger) as store:
        await store.append(commit(uuid4(), 1, entries=(entry("orders"),)))
        await site.break_down()
        with pytest.raises(StoreUnavailable):
            await store.restate([entry("orders")])
        await site.mend()
        site.tamper("UPDATE risk SET state='7'")
        await store.append(commit(uuid4(), 1, entries=(entry("orders"),)))
        assert ledger.counts == {("main", "orders"): 8}


# --- the lease ----------------------------------------------------------------------------------------------------------------


async def test_a_lease_is_held_by_one_until_it_expires(site: Site) -> None:
    async with opened(site.store()) as store, opened(site.store()) as other:
        assert await store.lease.state() is None
        assert await store.lease.acquire("first", 3600) == 1
        assert await other.lease.acquire("second", 3600) is None
        state = await other.lease.state()
        assert state is not None
        assert (state.owner, state.epoch, state.is_held) == ("first", 1, True)
        assert await store.lease.renew(-1)
        assert await other.lease.acquire("second", 3600) == 2
        assert not await store.lease.renew(3600)


async def test_an_expired_lease_that_nobody_took_can_be_renewed(site: Site) -> None:
    async with opened(site.store()) as store:
        await store.lease.acquire("first", -1)
        await store.append(commit(uuid4(), 1))
        assert await store.lease.renew(3600)
        state = await store.lease.state()
        assert state is not None
        assert state.is_held


async def test_a_new_owner_fences_the_old_one(site: Site) -> None:
    order_id = uuid4()
    async with opened(site.store()) as paused, opened(site.store()) as successor:
        await paused.lease.acquire("paused", -1)
        await paused.append(commit(order_id, 1))
        await successor.lease.acquire("successor", 3600)
        assert await outcomes(paused, commit(order_id, 2), commit(uuid4(), 1)) == [LeaseLost, LeaseLost]
        await successor.append(commit(order_id, 2))
        assert await outcomes(paused, commit(order_id, 3)) == [LeaseLost]
        assert await versions(successor, order_id) == [1, 2]


async def test_a_store_without_a_lease_cannot_append_once_there_is_an_owner(site: Site) -> None:
    async with opened(site.store()) as visitor, opened(site.store()) as owner:
        await visitor.append(commit(uuid4(), 1))
        await owner.lease.acquire("owner", 3600)
        with pytest.raises(LeaseLost):
            await visitor.append(commit(uuid4(), 1))


async def test_a_new_owner_begins_with_the_ledger_as_its_predecessor_left_it(site: Site) -> None:
    ledger = CountingLedger()
    async with opened(site.store(), ledger) as successor, opened(site.store()) as predecessor:
        await predecessor.lease.acquire("predecessor", 3600)
        await predecessor.append(commit(uuid4(), 1, entries=(entry("a"),)))
        await predecessor.lease.release()
        await successor.lease.acquire("successor", 3600)
        assert ledger.counts == {("main", "a"): 1}


async def test_whoever_released_the_lease_can_store_nothing(site: Site) -> None:
    async with opened(site.store()) as store:
        await store.lease.acquire("owner", 3600)
        await store.lease.release()
        with pytest.raises(LeaseLost):
            await store.append(commit(uuid4(), 1))
        assert await store.lease.acquire("owner", 3600) == 2
        await store.append(commit(uuid4(), 1))


# --- who may open -------------------------------------------------------------------------------------------------------------


async def test_a_store_knows_what_it_was_stamped_with_and_gains_accounts(site: Site) -> None:
    store = site.store(replace(EXPECTED, account_ids=("main", "second")))
    assert (await store.open()).account_ids == ("main",)
    identity = await store.identify()
    await store.close()
    assert (identity.keys.namespace, identity.default_account, identity.mode) == ("tests", "main", "SIMULATION")
    reader = site.store(None)
    again = await reader.open()
    await reader.close()
    assert again.account_ids == ("main", "second")
    assert again.store_id == identity.store_id


async def test_a_store_is_created_once(site: Site) -> None:
    with pytest.raises(StoreRefused, match="created once"):
        await create(site)


@pytest.mark.parametrize(
    ("expectation", "problem"),
    [
        (replace(EXPECTED, mode="LIVE"), "of mode SIMULATION"),
        (replace(EXPECTED, account_ids=("other",)), "knows the accounts main"),
        (replace(EXPECTED, namespace="x"), "namespace: this store's is 'tests', but the settings say 'x'"),
        (replace(EXPECTED, default_account="second", account_ids=("second", "main")), "liveorder store default-account second"),
    ],
)
async def test_other_settings_are_refused(site: Site, expectation: Expectation, problem: str) -> None:
    with pytest.raises(StoreRefused, match=problem):
        await site.store(expectation).open()


async def test_a_newer_schema_is_refused(site: Site) -> None:
    site.tamper("UPDATE store SET schema_version = 99")
    with pytest.raises(StoreRefused, match=r"written by a newer version of liveorder \(its schema is 99"):
        await site.store().open()


async def test_a_event_of_an_unknown_topic_is_refused_by_name(site: Site) -> None:
    async with opened(site.store()) as store:
        await store.append(commit(uuid4(), 1))
    site.tamper("UPDATE stored_events SET topic = 'liveorder.Invented@7'")
    with pytest.raises(StoreRefused, match=r"newer version of liveorder \(it holds liveorder\.Invented@7 events"):
        await site.store().open()


async def test_a_log_that_lost_its_end_is_refused(site: Site) -> None:
    order_id = uuid4()
    async with opened(site.store()) as store:
        await store.append(commit(order_id, 1, 2, 3))
    site.tamper("DELETE FROM stored_events WHERE originator_version = 3")
    with pytest.raises(StoreRefused, match="events are missing"):
        await site.store().open()


# --- another store in its place -----------------------------------------------------------------------------------------------


MOVED = "UPDATE checkpoints SET value='another disk' WHERE name='place'"


async def owned(store: DatabaseOrderStore) -> DatabaseOrderStore:
    assert await store.lease.acquire("owner", -1) is not None
    return store


async def test_a_store_that_is_not_where_it_was_halts_once_for_who_owns_it(site: Site) -> None:
    async with opened(site.store()) as store:
        await owned(store)
        assert await store.halts() == []
    site.tamper(MOVED)
    async with opened(site.store()) as visitor:
        assert await visitor.halts() == []
    async with opened(site.store()) as store:
        (halt,) = await (await owned(store)).halts()
        assert "it was another disk and is " in halt.reason
        await store.append(commit(uuid4(), 1, halt=replace(halt, stands=False)))
    async with opened(site.store()) as store:
        assert await (await owned(store)).halts() == []


async def test_a_standby_that_opened_the_store_before_it_was_moved_is_halted_when_it_takes_over(site: Site) -> None:
    async with opened(site.store()) as standby:
        async with opened(site.store()) as store:
            await owned(store)
        site.tamper(MOVED)
        assert len(await (await owned(standby)).halts()) == 1


async def test_a_move_is_found_again_by_who_owns_the_store_after_one_that_died_before_it_could_halt(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(site.store()) as store:
        await owned(store)
    site.tamper(MOVED)
    async with opened(site.store()) as dying:
        write = dying._database.write  # where it dies

        async def write_no_halt(statement: str, values: Values) -> list[Row]:
            if "halts" in statement:
                raise StoreUnavailable("it died")
            return await write(statement, values)

        monkeypatch.setattr(dying._database, "write", write_no_halt)
        with pytest.raises(StoreUnavailable, match="it died"):
            await owned(dying)
    async with opened(site.store()) as store:
        assert len(await (await owned(store)).halts()) == 1


async def shortened(site: Site, store: DatabaseOrderStore) -> None:
    """As by a replica that lagged: whole, and without its newest events."""
    await store.append(commit(uuid4(), 1, 2, entries=(entry("a"),)))
    await store.append(commit(uuid4(), 1, entries=(entry("a"),)))
    newest = "rowid" if isinstance(site, SQLiteSite) else "notification_id"
    site.tamper(f"DELETE FROM stored_events WHERE {newest} = 3")  # noqa: S608 - no input
    site.tamper("UPDATE risk_position SET position = 2")


async def renewed(store: DatabaseOrderStore) -> object:
    return await store.lease.renew(3600)


async def appended(store: DatabaseOrderStore) -> object:
    return await store.append(commit(uuid4(), 1))


async def looked_up(store: DatabaseOrderStore) -> object:
    return await store.ledger()


@pytest.mark.parametrize("finds", [renewed, appended, looked_up])
async def test_whoever_finds_that_the_log_got_shorter_has_lost_the_store(
    site: Site, finds: Callable[[DatabaseOrderStore], Awaitable[object]]
) -> None:
    async with opened(site.store()) as store:
        await shortened(site, await owned(store))
        with pytest.raises(LeaseLost, match="ends at 2, but had reached 3"):
            await finds(store)
        for again in (appended, renewed, appended):
            with pytest.raises(LeaseLost, match="lost events that it had acknowledged"):
                await again(store)
        assert await store.head() == 2


async def test_commits_that_wait_when_the_log_got_shorter_all_fail(site: Site) -> None:
    async with opened(site.store()) as store:
        await shortened(site, await owned(store))
        assert await outcomes(store, *(commit(uuid4(), 1) for _ in range(MAX_EVENTS + 9))) == [LeaseLost] * (MAX_EVENTS + 9)
        assert await store.head() == 2


async def test_who_takes_over_a_log_that_got_shorter_goes_on_from_its_end(site: Site) -> None:
    """It has forgotten what it saw of it as a standby; the place, and what the broker knows, tell what is missing."""
    ledger = CountingLedger()
    async with opened(site.store(), ledger) as standby, opened(site.store()) as store:
        await shortened(site, await owned(store))
        await owned(standby)
        assert (await standby.append(commit(uuid4(), 1))).positions == (3,)
        assert await standby.lease.renew(3600)


# --- checks and backups -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("UPDATE stored_events SET state = {flipped} WHERE originator_version = 2", "checksum"),
        ("UPDATE stored_events SET topic = 'liveorder.Unheard@1' WHERE originator_version = 2", "written by a newer version"),
        ("DELETE FROM stored_events WHERE originator_version = 2", "has a gap between position 1 and 3"),
        ("UPDATE stored_events SET originator_version = 9 WHERE originator_version = 2", "has version 9 where 2 should be"),
        ("DELETE FROM open_orders", "is not listed as open"),
        ("UPDATE risk_position SET position = 1", "the risk table is at position 1"),
        ("UPDATE signal_claims SET order_id = '00000000-0000-0000-0000-000000000000'", "which has no events"),
        ("UPDATE signal_claims SET order_id = 'no id'", "which is not an order id"),
        ("DELETE FROM signal_claims", "has no claim on its signal SIGNAL1"),
        ("DELETE FROM broker_names", "is B-1 at its broker, but is not listed under that id"),
        ("UPDATE broker_names SET broker_order_id = 'B2'", "B2 on account U1 is listed as order"),
        ("UPDATE broker_names SET account_id = 'U2'", "B-1 on account U2 is listed as order"),
        ("UPDATE broker_names SET order_id = 'no id'", "is listed as order no id, whose events do not say so"),
    ],
)
async def test_the_check_finds_damage(site: Site, damage: str, problem: str) -> None:
    order_id = uuid4()
    told = (intent(client_order_id="SIGNAL1"), acknowledged(), submission())
    events = tuple(recorded(order_id, version, event) for version, event in enumerate(told, 1))
    async with opened(site.store()) as store:
        names = (BrokerName("U1", "B-1", order_id),)
        await store.append(Commit(events, claim=claim(order_id), is_open=True, names=names))
        assert (await store.check()).problems == ()
        flipped = "set_byte(state, 60, 33)" if isinstance(site, PostgresSite) else _FLIPPED
        site.tamper(damage.format(flipped=flipped))
        assert problem in " ".join((await store.check()).problems)


async def test_a_check_while_in_use_finds_nothing_wrong(site: Site) -> None:
    async def live(store: DatabaseOrderStore) -> None:
        order_id = uuid4()
        events = (recorded(order_id, 1, intent(client_order_id=str(order_id))), recorded(order_id, 2, submission()))
        await store.append(Commit(events, claim=claim(order_id, str(order_id)), is_open=True))
        await store.append(commit(order_id, 3, is_open=False))

    async with opened(site.store()) as store, opened(site.store()) as inspector:
        living = [asyncio.create_task(live(store)) for _ in range(200)]
        reports = [await inspector.check() for _ in range(5)]
        await asyncio.gather(*living)
        reports.append(await inspector.check())
    assert [problem for report in reports for problem in report.problems] == []
    assert reports[-1].events == 600


async def test_a_store_can_be_opened_while_its_owner_appends(site: Site) -> None:
    async with opened(site.store()) as store:
        appending = asyncio.gather(*(store.append(commit(uuid4(), 1)) for _ in range(300)))
        for _ in range(5):
            async with opened(site.store()) as visitor:
                assert await visitor.head() >= 0
        await appending


_FLIPPED = "CAST(substr(state, 1, 60) || X'21' || substr(state, 62) AS BLOB)"


async def test_a_backup_made_in_use_holds_the_same_and_is_halted(site: Site) -> None:
    orders = [uuid4() for _ in range(50)]
    async with opened(site.store()) as store:
        await store.lease.acquire("owner", 3600)
        await asyncio.gather(
            *(store.append(commit(each, 1, claim=claim(each, str(each)), is_open=True, entries=(entry("a"),))) for each in orders)
        )
        await asyncio.gather(store.backup(site.backup_target()), *(store.append(commit(each, 2)) for each in orders))
        log = [each async for page in store.log() for each in page]
    ledger = CountingLedger()
    async with opened(store_at(site.url_of_backup(), clock=WallClock()), ledger) as copy:
        copied = [each async for page in copy.log() for each in page]
        assert len(copied) >= 50
        assert copied == log[: len(copied)]
        assert set(await copy.unfinished()) == set(orders)
        assert ledger.counts == {("main", "a"): 50}
        assert [halt.scope for halt in await copy.halts()] == ["*"]
        assert await copy.lease.acquire("restorer", 3600) == 2


async def test_a_backup_overwrites_nothing(site: Site) -> None:
    async with opened(site.store()) as store:
        await store.backup(site.backup_target())
        with pytest.raises(StoreError, match=r"already exists|already contains a store"):
            await store.backup(site.backup_target())


async def test_a_backup_of_a_damaged_store_is_refused(site: Site) -> None:
    async with opened(site.store()) as store:
        await store.append(commit(uuid4(), 1, 2, 3))
        site.tamper("DELETE FROM stored_events WHERE originator_version = 2")
        with pytest.raises(StoreError, match="the backup is damaged"):
            await store.backup(site.backup_target())


# --- SQLite alone -------------------------------------------------------------------------------------------------------------


async def test_a_creation_that_was_cut_short_leaves_the_place_free(tmp_path: Path) -> None:
    site = SQLiteSite(tmp_path, Placement.INLINE)
    (tmp_path / ".orders.sqlite.cut-short").write_bytes(b"SQLite format 3")
    assert not await store_exists(site.url)
    await create(site)
    async with opened(site.store()) as store:
        assert await store.head() == 0


def removed(path: Path) -> None:
    for each in path.parent.glob(f"{path.name}*"):
        each.unlink()


def replaced(path: Path) -> None:
    """By a copy of the same moment."""
    copies = [(each, path.parent / f"copy of {each.name}") for each in path.parent.glob(f"{path.name}*")]
    for original, copy in copies:
        shutil.copy(original, copy)
    for original, copy in copies:
        copy.rename(original)


def moved_away(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))


@pytest.mark.parametrize("exchanged", [removed, replaced, moved_away])
@pytest.mark.parametrize("placement", Placement)
async def test_a_file_that_is_exchanged_in_use_is_lost_at_the_next_renewal(
    tmp_path: Path, placement: Placement, exchanged: Callable[[Path], None]
) -> None:
    site = SQLiteSite(tmp_path, placement)
    await create(site)
    async with opened(site.store()) as store:
        await appended(await owned(store))
        assert await store.lease.renew(-1)
        exchanged(site.path)
        for again in (renewed, appended, renewed, appended):
            with pytest.raises(LeaseLost, match="is no longer the file that was opened"):
                await again(store)


async def test_who_opened_a_file_before_it_was_exchanged_does_not_take_over_and_who_opens_the_copy_is_halted(
    sqlite_site: SQLiteSite,
) -> None:
    async with opened(sqlite_site.store()) as standby, opened(sqlite_site.store()) as store:
        await appended(await owned(store))
        replaced(sqlite_site.path)
        with pytest.raises(LeaseLost, match="is no longer the file that was opened"):
            await owned(standby)
    async with opened(sqlite_site.store()) as copy:
        (halt,) = await (await owned(copy)).halts()
        assert "its last commits may be missing" in halt.reason


def test_a_file_that_took_the_place_of_a_deleted_one_is_another(tmp_path: Path) -> None:
    """Its number may be the same; where the file system says when a file was born, that is told apart."""
    path, seen = tmp_path / "orders.sqlite", set[str]()
    for _ in range(20):
        path.write_bytes(b"x")
        seen.add(identity_of(path))
        path.rename(tmp_path / "elsewhere")
        seen.add(identity_of(tmp_path / "elsewhere"))
        (tmp_path / "elsewhere").unlink()
    if "born" not in next(iter(seen)):
        pytest.skip("this file system does not say when a file was born")
    assert len(seen) == 20


_WANTS_IT_ALONE = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)
"""
"""The bytes of a database that every connection to it holds a shared lock on."""


async def test_opening_a_store_once_more_in_a_process_keeps_the_locks_that_it_has(tmp_path: Path) -> None:
    """Closing any descriptor of a file takes all POSIX locks of the process from it: another one would delete our log under us."""
    site = SQLiteSite(tmp_path, Placement.INLINE)
    await create(site)
    async with opened(site.store()) as first:
        async with opened(site.store()):
            pass
        assert await first.head() == 0
        other = [sys.executable, "-c", _WANTS_IT_ALONE, str(sqlite_path(site.url))]
        assert "BlockingIOError" in subprocess.run(other, check=False, capture_output=True, text=True).stderr  # noqa: ASYNC221 - a moment


async def test_there_must_be_a_file(tmp_path: Path) -> None:
    with pytest.raises(StoreRefused, match="there is no store at"):
        await store_at(f"sqlite:///{tmp_path}/none.sqlite", clock=WallClock()).open()
    assert not (tmp_path / "none.sqlite").exists()


@pytest.mark.parametrize("content", [b"", b"not a database at all", b"SQLite format 3"])
async def test_a_file_that_is_no_store_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "orders.sqlite"
    path.write_bytes(content)
    with pytest.raises(StoreRefused, match="is not a liveorder store"):
        await store_at(f"sqlite:///{path}", clock=WallClock()).open()


async def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE notes (text)")
    connection.close()
    with pytest.raises(StoreRefused, match="is not a liveorder store"):
        await store_at(f"sqlite:///{path}", clock=WallClock()).open()


@pytest.mark.parametrize("size", [64, 4096, 40960, -4096])
async def test_a_truncated_file_is_refused(sqlite_site: SQLiteSite, size: int) -> None:
    async with opened(sqlite_site.store()) as store:
        await store.append(commit(uuid4(), *range(1, 400)))
    content = sqlite_site.path.read_bytes()
    sqlite_site.path.write_bytes(content[:size])
    with pytest.raises(StoreRefused, match="damaged"):
        await sqlite_site.store().open()


async def test_the_check_finds_a_page_that_was_overwritten(sqlite_site: SQLiteSite) -> None:
    async with opened(sqlite_site.store()) as store:
        await store.append(commit(uuid4(), *range(1, 1000)))
    content = bytearray(sqlite_site.path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = bytes(4096)
    sqlite_site.path.write_bytes(content)
    async with opened(sqlite_site.store()) as store:
        assert (await store.check()).problems != ()


async def test_inline_uses_no_threads(sqlite_site: SQLiteSite) -> None:
    before = threading.active_count()
    async with opened(sqlite_site.store()) as store:
        await asyncio.gather(*(store.append(commit(uuid4(), 1)) for _ in range(10)))
        await store.unfinished()
        await store.check()
        assert threading.active_count() == before


async def test_a_full_disk_stores_nothing_and_says_so(sqlite_site: SQLiteSite) -> None:
    order_id = uuid4()
    async with opened(sqlite_site.store()) as store:
        await store.append(commit(order_id, 1))
        connection = store._database._writer._connection  # type: ignore[attr-defined]  # the limit is the connection's
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages}")
        with pytest.raises(StoreUnavailable, match="full"):
            await store.append(commit(order_id, *range(2, 200)))
        assert await versions(store, order_id) == [1]
        await store.append(commit(order_id, *range(2, 200)))
        assert await store.head() == 199


async def test_a_file_locked_by_another_process_fails_closed(sqlite_site: SQLiteSite) -> None:
    order_id = uuid4()
    async with opened(store_of_no_patience(sqlite_site)) as store:
        other = sqlite3.connect(sqlite_site.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            await store.append(commit(order_id, 1))
        other.execute("ROLLBACK")
        other.close()
        await store.append(commit(order_id, 1))


def store_of_no_patience(site: SQLiteSite) -> DatabaseOrderStore:
    from liveorder.infrastructure.eventstore.sqlite import SQLiteDatabase
    from tests.contract.event_stores import EXPECTED, MAPPER

    database = SQLiteDatabase(site.path, WallClock(), Placement.INLINE, busy_timeout_seconds=0)
    return DatabaseOrderStore(database, MAPPER, WallClock(), EXPECTED)


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "smb3", "fuse.sshfs"])
def test_network_file_systems_are_refused(tmp_path: Path, kind: str) -> None:
    share = tmp_path / "my share"
    share.mkdir()
    mounts = tmp_path / "mounts"
    escaped = str(share).replace(" ", "\\040")
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/x {escaped} {kind} rw 0 0\n")
    refuse_network_file_system(tmp_path / "orders.sqlite", mounts)
    with pytest.raises(StoreRefused, match="network file system"):
        refuse_network_file_system(share / "orders.sqlite", mounts)


# --- PostgreSQL alone ---------------------------------------------------------------------------------------------------------


async def test_a_connection_that_broke_while_idle_costs_nothing(tmp_path: Path) -> None:
    site = site_of("postgres", tmp_path)
    assert isinstance(site, PostgresSite)
    await create(site)
    order_id = uuid4()
    async with opened(site.store()) as store:
        await store.append(commit(order_id, 1))
        site.tamper(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await store.append(commit(order_id, 2))
        assert await versions(store, order_id) == [1, 2]
    await site.remove()


async def test_a_text_that_postgres_cannot_hold_fails_its_commit_alone(tmp_path: Path) -> None:
    site = site_of("postgres", tmp_path)
    await create(site)
    order_id, other = uuid4(), uuid4()
    async with opened(site.store()) as store:
        with_nul = structs.replace(claim(order_id), claim=structs.replace(claim(order_id).claim, fingerprint="a\0b"))
        assert await outcomes(store, commit(order_id, 1, claim=with_nul), commit(other, 1)) == [StoreError, None]
    await site.remove()


async def test_two_stores_live_in_one_database_under_their_schemas(tmp_path: Path) -> None:
    site = site_of("postgres", tmp_path)
    assert isinstance(site, PostgresSite)
    await create(site)
    url = site.url
    site.url = f"{url}?schema=public"
    assert not await store_exists(site.url)
    await create(site)
    assert await store_exists(site.url)
    async with opened(site.store()) as store:
        await store.append(commit(uuid4(), 1))
        assert await store.head() == 1
    site.url = url
    async with opened(site.store()) as store:
        assert await store.head() == 0
    await site.remove()


async def test_a_missing_database_or_schema_is_refused(tmp_path: Path) -> None:
    site = site_of("postgres", tmp_path)
    assert isinstance(site, PostgresSite)
    with pytest.raises(StoreRefused, match="there is no liveorder store in schema liveorder"):
        await site.store().open()
    await site.remove()
    with pytest.raises(LiveOrderError, match="does not exist"):
        await site.store().open()


def test_the_password_is_not_in_messages() -> None:
    from liveorder.infrastructure.eventstore.postgres_connection import address_of

    assert "secret" not in str(address_of("postgresql://ann:secret@db.example/orders?schema=desk"))


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://host/path", "sqlite:///", "orders.db", "postgresql://h/d?nonsense=1"])
def test_a_url_that_names_no_store_is_a_settings_error(url: str) -> None:
    with pytest.raises(SettingsError):
        store_at(url, clock=WallClock())
