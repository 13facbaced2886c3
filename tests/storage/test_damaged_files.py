"""Files that were cut, torn, overwritten or taken away: a store is refused, or found out by the check, or lacks only its end."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import pytest

from liveorder.application.ports.order_store import Commit
from liveorder.domain.errors import StoreRefused
from liveorder.infrastructure.eventstore.sqlite import Placement
from tests.builders import intent, submission
from tests.contract.event_stores import CountingLedger, SQLiteSite, claim, create, entry, recorded

SWEEP = os.environ.get("LIVEORDER_TEST_SWEEP") == "1"
SAMPLE = 100 if SWEEP else 24
ORDERS = 60
CHECKPOINT_AT = 160
"""So many events are in the file; the others in the log beside it."""
PAGE = 4096
REFUSALS = ("damaged", "missing", "does not know", "not a liveorder store")
WAL_HEADER, FRAME = 32, 24 + PAGE
"""Of SQLite's file formats."""


@dataclass
class Original:
    """A store whose newest commits are in its write-ahead log alone; `ends` are the positions at which a commit ended."""

    database: bytes
    log: bytes
    events: list[tuple[UUID, int]] = field(default_factory=list)
    ends: set[int] = field(default_factory=set)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    return asyncio.run(made(tmp_path_factory.mktemp("original")))


async def made(folder: Path) -> Original:
    site = SQLiteSite(folder, Placement.INLINE)
    await create(site)
    store = await site.fragile_store()
    await store.open(CountingLedger())
    events: list[tuple[UUID, int]] = []
    ends = {0}
    for commit in commits():
        await store.append(commit)
        events += [(each.stream_id, each.version) for each in commit.events]
        ends.add(len(events))
        if len(events) == CHECKPOINT_AT:
            site.tamper("PRAGMA wal_checkpoint(TRUNCATE)")
    found = Original(site.path.read_bytes(), site.path.with_name("orders.sqlite-wal").read_bytes(), events, ends)
    await store.close()
    return found


def commits() -> Iterator[Commit]:
    """Orders begun and filled, ten at a time."""
    chance = random.Random(0)
    for _ in range(ORDERS // 10):
        ids = [UUID(int=chance.getrandbits(128), version=4) for _ in range(10)]
        for order_id in ids:
            begun = (
                recorded(order_id, 1, intent(order_id=order_id, client_order_id=str(order_id))),
                recorded(order_id, 2, submission()),
            )
            yield Commit(begun, claim=claim(order_id, str(order_id)), is_open=True, entries=(entry("orders"),))
        for version in (3, 4):
            for order_id in ids:
                yield Commit((recorded(order_id, version),), is_open=version < 4, entries=(entry("fills"),))


async def outcome(folder: Path, original: Original, database: bytes, log: bytes | None) -> str | int:
    """Why it was refused, or `found by the check`, or how many events there are: the first ones, with all that belongs to them."""
    store, ledger = placed(folder, database, log).store(), CountingLedger()
    try:
        await store.open(ledger)
    except StoreRefused as error:
        return next(word for word in REFUSALS if word in str(error))
    try:
        if (await store.check()).problems:
            return "found by the check"
        events = [(each.stream_id, each.version) async for page in store.log() for each in page]
        assert events == original.events[: len(events)], "the middle is missing"
        assert len(events) in original.ends, "half a commit"
        last = dict(events)
        assert ledger.counts.get(("main", "orders"), 0) == len(last)
        assert ledger.counts.get(("main", "fills"), 0) == sum(version - 2 for version in last.values())
        assert set(await store.unfinished()) == {stream for stream, version in last.items() if version < 4}
        return len(events)
    finally:
        await store.close()


def placed(folder: Path, database: bytes, log: bytes | None) -> SQLiteSite:
    folder.mkdir(parents=True)
    site = SQLiteSite(folder, Placement.INLINE)
    site.path.write_bytes(database)
    if log is not None:
        site.path.with_name(f"{site.path.name}-wal").write_bytes(log)
    return site


# --- the write-ahead log -------------------------------------------------------------------------------------------------------


async def test_a_log_cut_anywhere_loses_its_end_and_nothing_before_it(original: Original, tmp_path: Path) -> None:
    """SQLite cannot tell a log that was cut, or taken away, from one that was never longer."""
    kept = [CHECKPOINT_AT]
    assert await outcome(tmp_path / "without", original, original.database, None) == CHECKPOINT_AT
    for size in spread(len(original.log), FRAME // 2):
        found = await outcome(tmp_path / str(size), original, original.database, original.log[:size])
        assert isinstance(found, int)
        assert found >= kept[-1]
        kept.append(found)
    assert len(set(kept)) > 5
    assert await outcome(tmp_path / "whole", original, original.database, original.log) == len(original.events)


async def test_a_frame_that_was_overwritten_ends_the_log_there(original: Original, tmp_path: Path) -> None:
    chance = random.Random(1)
    for place in map(WAL_HEADER.__add__, spread(len(original.log) - FRAME, FRAME)):
        at = place + chance.randrange(FRAME)
        found = await outcome(tmp_path / str(place), original, original.database, flipped(original.log, at))
        frame = (at - WAL_HEADER) // FRAME * FRAME + WAL_HEADER
        assert found == await outcome(tmp_path / f"{place} cut", original, original.database, original.log[:frame])


# --- the file itself -----------------------------------------------------------------------------------------------------------


async def test_a_file_cut_at_any_page_is_refused_or_found_out(original: Original, tmp_path: Path) -> None:
    for log in (None, original.log):
        for size in spread(len(original.database), PAGE):
            found = await outcome(tmp_path / f"{size} {log is None}", original, original.database[:size], log)
            assert isinstance(found, str) or found == len(original.events), f"cut at {size}"


DAMAGES: dict[str, Callable[[bytes, int, random.Random], bytes]] = {
    "zeros": lambda content, page, chance: content[:page] + bytes(PAGE) + content[page + PAGE :],
    "torn": lambda content, page, chance: content[: page + 512] + bytes(PAGE - 512) + content[page + PAGE :],
    "another page": lambda content, page, chance: content[:page] + content[PAGE : 2 * PAGE] + content[page + PAGE :],
    "a flipped bit": lambda content, page, chance: flipped(content, page + chance.randrange(PAGE)),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_no_page_can_be_damaged_without_the_events_being_whole_or_the_damage_found(
    original: Original, tmp_path: Path, damage: str
) -> None:
    chance = random.Random(2)
    for page in spread(len(original.database), PAGE):
        damaged = DAMAGES[damage](original.database, page, chance)
        found = await outcome(tmp_path / f"{page}", original, damaged, None)
        assert isinstance(found, str) or found == CHECKPOINT_AT, f"page {page // PAGE}"


def spread(end: int, step: int) -> list[int]:
    """Places from 0 to `end`, a sample of those at every step."""
    places = range(0, end, step)
    return sorted(random.Random(0).sample(places, min(SAMPLE, len(places))))


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :]
