"""A signal is one order through every edit of the settings: whichever account it names, names no more, or never named."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from liveorder.application.engine.choose_default_account import choose_default_account
from liveorder.application.ports.broker import Absence
from liveorder.application.ports.signal_source import SourceMessage
from liveorder.application.trading.execute_order import REMEMBERED, RecentSignals
from liveorder.domain.dead_letter import SignalDeadLettered, SignalRetried, dead_letter_id
from liveorder.domain.errors import BrokerConnectionError, InvalidInput
from liveorder.domain.identifiers import KeyRing, SignalKey
from liveorder.domain.order import LiveOrder
from liveorder.domain.resent_signal import SignalContentDiffers, SignalKnownOnSeveralAccounts
from liveorder.domain.signal import Signal, UnusableSignal
from liveorder.testing.venue.faults import FaultKind, Point
from tests.builders import intent as an_intent
from tests.engine.scenes import ACCOUNT, Scene, a_limit, a_scene, a_signal, until
from tests.engine.test_intake import Told
from tests.engine.test_restored_stores import KEYS, backed_up, restore

OTHER = "B"
BOTH = (ACCOUNT, OTHER)


async def default_is(engine: Any, account_id: str) -> None:
    """Of the next life."""
    await choose_default_account(engine.store, engine.orders.recorder, account_id, "moved", "person:ann")


# --- with and without an account ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [None, ACCOUNT, OTHER])
@pytest.mark.parametrize("then", [None, ACCOUNT, OTHER])
async def test_a_signal_names_its_account_or_not_and_is_the_same(tmp_path: Path, first: str | None, then: str | None) -> None:
    """Only on another account that it names is it another signal."""
    spelled = {None: {}, ACCOUNT: {"account_id": ACCOUNT}, OTHER: {"account_id": OTHER}}
    is_other = (first or ACCOUNT) != (then or ACCOUNT) and then is not None
    async with a_scene(tmp_path, accounts=BOTH) as scene:
        for _ in range(2):  # lives
            async with scene.living() as engine:
                one = await engine.execute.execute(a_signal("same", **spelled[first]))
                again = await engine.execute.execute(a_signal("same", **spelled[then]))
                assert (one.order_id != again.order_id) is is_other
        assert await scene.count("Requested") == 1 + is_other


async def test_after_the_default_account_moved_an_old_signal_is_what_it_was_and_a_new_one_goes_there(tmp_path: Path) -> None:
    async with a_scene(tmp_path, accounts=BOTH) as scene:
        async with scene.living() as engine:
            old = await engine.execute.execute(a_signal("old"))
            await default_is(engine, OTHER)
        async with scene.living() as engine:
            assert (await engine.execute.execute(a_signal("old"))).order_id == old.order_id
            assert (await engine.execute.execute(a_signal("new"))).intent.account_id == OTHER
        assert await scene.count("Requested") == 2


async def test_one_that_is_known_on_several_accounts_and_names_none_is_refused_and_lists_them(tmp_path: Path) -> None:
    """Unless the default account is one of them."""
    async with a_scene(tmp_path, accounts=(ACCOUNT, OTHER, "C")) as scene, scene.living() as engine:
        on = {name: await engine.execute.execute(a_signal("both", account_id=name)) for name in (OTHER, "C")}
        with pytest.raises(SignalKnownOnSeveralAccounts) as refused:
            await engine.execute.execute(a_signal("both"))
        for name, order in on.items():
            assert f"{name} (order {order.order_id})" in refused.value.reason
        mine = await engine.execute.execute(a_signal("both", account_id=ACCOUNT))
        assert (await engine.execute.execute(a_signal("both"))).order_id == mine.order_id
        assert await scene.count("Requested") == 3


async def test_other_content_is_refused_whichever_account_it_is_known_on(tmp_path: Path) -> None:
    async with a_scene(tmp_path, accounts=BOTH) as scene, scene.living() as engine:
        await engine.execute.execute(a_signal("same", account_id=OTHER))
        with pytest.raises(SignalContentDiffers):
            await engine.execute.execute(a_signal("same", quantity=7))
        assert await scene.count("Requested") == 1


async def test_a_known_signal_is_answered_before_anything_is_wrong_with_it(tmp_path: Path) -> None:
    """Its account is gone from the settings, its symbol from the broker: the order that it became is still the answer."""
    async with a_scene(tmp_path, accounts=BOTH) as scene:
        async with scene.living() as engine:
            there = await engine.execute.execute(a_signal("there", account_id=OTHER))
            gone = await engine.execute.execute(a_signal("gone"))
            await until(lambda: engine.is_quiet)
        del scene.floors[OTHER]  # type: ignore[attr-defined]  # a dict
        scene.instruments = _Nothing()
        async with scene.living() as engine:
            for signal, order in ((a_signal("there", account_id=OTHER), there), (a_signal("gone"), gone)):
                assert (await engine.execute.execute(signal)).order_id == order.order_id
            with pytest.raises(UnusableSignal):
                await engine.execute.execute(a_signal("never seen"))


class _Nothing:
    async def resolve(self, query: object) -> None:
        return None


async def test_validating_a_known_signal_says_what_it_became(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        assert (await engine.execute.validate(a_signal("one")))[1] == []
        order = await engine.execute.execute(a_signal("one"))
        _, refused = await engine.execute.validate(a_signal("one"))
        assert [(each.code, str(order.order_id) in each.message) for each in refused] == [("already_known", True)]
        with pytest.raises(SignalContentDiffers):
            await engine.execute.validate(a_signal("one", quantity=7))


# --- many at once ---------------------------------------------------------------------------------------------------------------


async def test_many_messages_of_one_signal_at_once_ask_the_store_once_and_hold_up_no_other(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        asked = Counter[str]()
        append = engine.store.append

        async def counted(commit: Any) -> Any:
            asked["claims"] += commit.claim is not None
            return await append(commit)

        engine.store.append = counted  # type: ignore[method-assign]  # counted on its way to the store
        many = [engine.execute.execute(a_signal("one")) for _ in range(1000)]
        others = [engine.execute.execute(a_limit(f"other {number}")) for number in range(20)]
        orders = await asyncio.gather(*many, *others)
        assert len({order.order_id for order in orders}) == 21
        assert asked == {"claims": 21}
        assert (await engine.execute.execute(a_signal("one"))).order_id == orders[0].order_id
        assert asked == {"claims": 21}


async def test_one_that_fails_before_it_is_durable_leaves_the_next_of_its_signal_to_try(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        scene.lock_store()
        failed = await asyncio.gather(*(engine.execute.execute(a_signal("one")) for _ in range(3)), return_exceptions=True)
        assert not any(isinstance(each, LiveOrder) for each in failed)
        scene.unlock_store()
        orders = await asyncio.gather(*(engine.execute.execute(a_signal("one")) for _ in range(3)))
        assert len({order.order_id for order in orders}) == 1
        assert await scene.count("Requested") == 1


async def test_what_came_lately_is_remembered_within_bounds() -> None:
    recent = RecentSignals()
    intent = an_intent()
    for number in range(REMEMBERED + 10):
        with recent.being_claimed(f"sig-{number}") as claimed:
            claimed.set_result(intent)
    assert await recent.order_of("sig-9", intent.account_id) is None
    assert await recent.order_of(f"sig-{REMEMBERED}", intent.account_id) == intent.order_id
    assert await recent.order_of(f"sig-{REMEMBERED}", "another") is None


# --- dead letters stay dead -----------------------------------------------------------------------------------------------------


async def dead(scene: Scene, content: bytes) -> UUID:
    """The message, refused; the id of its dead letter."""
    async with scene.living() as engine:
        await engine.intake.read(Told(content))
        await until(lambda: engine.dispatcher.is_idle)
    return dead_letter_id("told", "0", content)


ELSEWHERE = a_signal("elsewhere", account_id=OTHER).to_json().encode()


async def test_a_message_that_was_refused_stays_refused_when_it_would_be_taken(tmp_path: Path) -> None:
    async with a_scene(tmp_path, accounts=BOTH) as scene:
        floor = scene.floors.pop(OTHER)  # type: ignore[attr-defined]  # a dict
        letter = await dead(scene, ELSEWHERE)
        scene.floors[OTHER] = floor  # type: ignore[index]  # as above
        async with scene.living() as engine:
            source = Told(ELSEWHERE)
            await engine.intake.read(source)
            assert source.acknowledged == ["0"]
            assert await scene.count("Requested") == 0
            assert any(f"signals --retry {letter}" in line for line in scene.log.of("DEAD LETTER"))
            order = await engine.dead_letters.retry(letter, "person:ann")
            assert (order.intent.account_id, order.is_persons) == (OTHER, True)
            assert (await engine.dead_letters.retry(letter, "person:ann")).order_id == order.order_id
            await engine.intake.read(Told(ELSEWHERE))
        events = await scene.events(letter)
        assert [type(event) for event in events] == [SignalDeadLettered, SignalRetried]
        assert await scene.count("Requested") == 1


LONG = a_signal("long", account_id=OTHER, tags=tuple(f"{number:04}" * 25 for number in range(50))).to_json().encode()


@pytest.mark.parametrize("content", [LONG, ELSEWHERE.replace(b",", b",\t", 1)], ids=["cut", "with a tab"])
async def test_what_is_no_dead_letter_or_was_kept_for_showing_only_cannot_be_retried(tmp_path: Path, content: bytes) -> None:
    async with a_scene(tmp_path) as scene:
        letter = await dead(scene, content)
        async with scene.living() as engine:
            with pytest.raises(UnusableSignal, match="as it was kept it cannot be used"):
                await engine.dead_letters.retry(letter, "person:ann")
            with pytest.raises(InvalidInput, match="is not a dead letter"):
                await engine.dead_letters.retry(UUID(int=1), "person:ann")
        assert await scene.count("SignalRetried") == 0


async def test_a_signal_that_is_known_is_answered_although_its_message_was_refused_once(tmp_path: Path) -> None:
    async with a_scene(tmp_path, accounts=BOTH) as scene:
        floor = scene.floors.pop(OTHER)  # type: ignore[attr-defined]  # a dict
        letter = await dead(scene, ELSEWHERE)
        scene.floors[OTHER] = floor  # type: ignore[index]  # as above
        async with scene.living() as engine:
            order = await engine.execute.execute(Signal.parse(ELSEWHERE))
            again = await engine.execute.execute(Signal.parse(ELSEWHERE), dead_letter=letter)
            assert again.order_id == order.order_id


def test_a_message_of_a_source_has_the_id_that_its_dead_letter_has() -> None:
    message = SourceMessage("told", "0", ELSEWHERE)
    assert dead_letter_id(message.source, message.offset, message.raw) == dead_letter_id("told", "0", ELSEWHERE)


# --- keys of other releases -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_slow", [False, True], ids=["at once", "later"])
@pytest.mark.parametrize("key", [SignalKey("test", ACCOUNT, "forgotten"), SignalKey("before", ACCOUNT, "forgotten")])
async def test_what_a_release_sent_under_another_key_is_found_and_not_sent_again(
    tmp_path: Path, key: SignalKey, is_slow: bool
) -> None:
    """By a store that was restored from before, whether the first question finds it or a later one; halted or not."""
    async with a_scene(tmp_path, KEYS["UNIQUE"]) as scene:
        async with scene.living() as engine:
            engine.orders.identity = that_wrote(engine, key.namespace, 0)
            await engine.execute.execute(a_limit("known", time_in_force="GTC"))
        await backed_up(scene)
        async with scene.living() as engine:
            engine.orders.identity = that_wrote(engine, key.namespace, 0)
            sent = await engine.execute.execute(a_limit("forgotten", time_in_force="GTC"))
            assert sent.client_order_id == key.derived(0)
        await restore(scene)
        async with scene.living() as engine:
            engine.orders.identity = that_wrote(engine, "test", 1, "before")
            if is_slow:
                for nth in range(1, 9):
                    await scene.lay(FaultKind.QUERY_FAILED, Point.FIND, nth=nth)
            order = await engine.execute.execute(a_limit("forgotten", time_in_force="GTC"))
            await until(lambda: not engine.doubts.standing())
            order = await engine.orders.get(order.order_id)
            assert order.client_order_id == sent.client_order_id
            assert order.broker_order_id == sent.broker_order_id
            cancelled = await engine.cancel.cancel(order.order_id)
            await until(lambda: engine.is_quiet or len(engine.orders.unfinished()) == 1)
            assert (await engine.orders.get(cancelled.order_id)).status.is_closed
        assert len(scene.witness.of("submit")) == 2
        assert await scene.count("FoundUnderKey") == int(is_slow)


def that_wrote(engine: Any, namespace: str, key_version: int, *former: str) -> Any:
    """The identity of a store whose release derived keys so."""
    return replace(engine.identity, keys=KeyRing(namespace, key_version, former, (0, 1)))


async def test_a_signal_that_only_a_halt_keeps_from_a_restored_store_begins_in_doubt_and_is_not_sent(tmp_path: Path) -> None:
    """One *not found* proves nothing: refused, its order at the broker would be taken for a stray and cancelled."""
    async with a_scene(tmp_path, KEYS["UNIQUE"]) as scene:
        await backed_up(scene)
        async with scene.living() as engine:
            sent = await engine.execute.execute(a_limit("forgotten", time_in_force="GTC"))
        await restore(scene)
        async with scene.living() as engine:
            asked = scene.witness._broker.find
            absences = iter([Absence.ABSENT] * 3)

            async def lagging(*arguments: Any) -> Any:
                return next(absences, None) or await asked(*arguments)

            scene.witness.answers["find"] = lagging
            order = await engine.execute.execute(a_limit("forgotten", time_in_force="GTC"))
            assert order.is_in_doubt
            await until(lambda: not engine.doubts.standing())
            assert (await engine.orders.get(order.order_id)).broker_order_id == sent.broker_order_id
            new = await engine.execute.execute(a_limit("new"))
            await until(lambda: not engine.doubts.standing() and engine.dispatcher.is_idle)
            assert (await engine.orders.get(new.order_id)).reason == "HALTED"
        assert [len(scene.venue_orders(each)) for each in (sent, new)] == [1, 0]


async def test_a_standby_reads_whose_the_store_is_once_it_owns_it(tmp_path: Path) -> None:
    """While it waited, a person chose another default account."""
    async with a_scene(tmp_path, accounts=BOTH) as scene:
        async with scene.living() as owner:
            standby = scene.engine()
            starting = asyncio.create_task(standby.start(wait_for_lease=True))
            await asyncio.sleep(1)
            await default_is(owner, OTHER)
        await starting
        try:
            assert (await standby.execute.execute(a_signal("unnamed"))).intent.account_id == OTHER
        finally:
            await standby.stop()


async def test_a_message_that_only_an_outage_refused_is_taken_when_it_is_read_again(tmp_path: Path) -> None:
    content = a_signal("later").to_json().encode()
    async with a_scene(tmp_path) as scene:
        instruments, scene.instruments = scene.instruments, _Away()
        await dead(scene, content)
        assert await scene.count("SignalDeadLettered") == 1
        scene.instruments = instruments
        async with scene.living() as engine:
            await engine.intake.read(Told(content))
        assert await scene.count("Requested") == 1


class _Away:
    async def resolve(self, query: object) -> None:
        raise BrokerConnectionError("away")
