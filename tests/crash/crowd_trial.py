"""One trial with many orders in flight: lives end among them, the sources deliver all signals again, and everything settles."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import datetime, timedelta
from signal import SIGCONT, SIGKILL
from typing import Any

from tests.crash.cases import ABOVE_THE_MARKET, HELD, Case
from tests.crash.crowd import CALL_SECONDS, CROWDS, FED, FILE, FOLLOWED, Member, crowd_of
from tests.crash.crowd_verdict import Findings, violations
from tests.crash.lives import Lives, first_settled, is_without_store
from tests.crash.processes import PATIENCE_SECONDS, Process, ProcessEnded, Refused, eventually
from tests.crash.scene import Scene
from tests.crash.stored import stored_at
from tests.crash.verdict import Verdict, is_left_to_a_person

POLL_SECONDS = 0.1
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 2 * CALL_SECONDS + 0.3, 2 * CALL_SECONDS + 0.8
"""Longer than a lease, and than a call with the delay before it; within what the broker declares. The lock may sleep too."""
ENDING_SECONDS = 3.0
"""A service that wakes and has lost its store ends within this. One that had the lock, and so still owns it, is killed then."""
LIVES_TO_SETTLE_IN = 3


async def tried_with_many(scene: Scene, case: Case, account: str) -> Verdict:
    """The case, on a store, an account and sources of its own."""
    stores = scene.stores[case.engine]
    url = await stores.new_store(account)
    trial = _CrowdTrial(scene, case, account, url)
    await scene.venues[case.key_class].control.lay(*trial.faults)
    verdict = await trial.run()
    if not verdict.violations:
        stores.drop(url)
    return verdict


class _CrowdTrial:
    def __init__(self, scene: Scene, case: Case, account: str, url: str) -> None:
        self._scene, self._case, self._account, self._url = scene, case, account, url
        self._control, self._kind, self._crowd = scene.venues[case.key_class].control, CROWDS[case.operation], crowd_of(case)
        self._members = self._crowd.keys(account)
        self.faults = self._crowd.faults(case, account)
        self._lives = Lives()
        self._paused: Process | None = None
        self._resting = set[str]()
        """Orders whose replace is refused for as long as another in their symbol is in doubt."""
        self._file, self._followed = scene.folder / f"{account}.jsonl", scene.folder / f"{account}.followed.jsonl"
        self._file.write_text("".join(f"{self._signal(each)}\n" for each in self._crowd.members if FILE in each.sources))
        self._to_write = [each for each in self._crowd.members if FOLLOWED in each.sources]

    def _signal(self, member: Member) -> str:
        return member.signal(self._case.key_class)

    async def run(self) -> Verdict:
        verdict = Verdict(self._case, ["no life settled it"])
        crash_points = [*self._crowd.crash_points, *[None] * LIVES_TO_SETTLE_IN]
        async with AsyncExitStack() as outer:
            for number, crash_at in enumerate(crash_points):
                async with AsyncExitStack() as inner:
                    is_first = number == 0
                    stack = outer if is_first and self._kind.is_paused else inner
                    services = [
                        await self._life(stack, crash_at, is_first) for _ in range(1 if is_first else self._case.recoverers)
                    ]
                    findings = await first_settled(services, self._settled)
                    if findings is not None:
                        verdict = await self._judged(inner, services, findings)
                        break
        struck = self._lives.emitted("struck")
        verdict.violations += self._lives.problems
        verdict.struck = [event["boundary"] for event in struck if event["signal"] == "SIGKILL"]
        verdict.pauses, verdict.orders = len(struck) - verdict.deaths, len(self._members)
        return verdict

    async def _life(self, stack: AsyncExitStack, crash_at: str | None, is_first: bool = False) -> Process:
        service = self._scene.service(
            self._url,
            self._account,
            self._case.key_class,
            self._lives.next_name,
            crash_at=crash_at,
            crash_signal="SIGSTOP" if is_first and self._kind.is_paused else "SIGKILL",
            lease_seconds=self._kind.lease_seconds,
            delivery_bound_seconds=self._case.bound_seconds,
            commit_seconds=self._crowd.commit_seconds,
            call_timeout_seconds=CALL_SECONDS,
            defect=self._case.defect,
            file=str(self._file),
            followed=str(self._followed),
            has_views=True,
        )
        return await self._lives.begin(stack, service)

    # --- lives -----------------------------------------------------------------------------------------------------------------

    async def _settled(self, service: Process) -> Findings | None:
        """None where it was struck, or lost its store."""
        settling = asyncio.create_task(self._settle(service))
        striking = asyncio.create_task(service.wait_for("struck", signal="SIGSTOP"))
        try:
            await asyncio.wait({settling, striking}, return_when=asyncio.FIRST_COMPLETED)
            if not settling.done() and service.emitted("struck", signal="SIGSTOP"):
                self._paused = service
                return None
            return await settling
        except ProcessEnded:
            self._lives.note_end_of(service)
            return None
        except Refused as refused:
            if not is_without_store(service, refused):
                raise
            return None
        finally:
            settling.cancel()
            striking.cancel()
            await asyncio.gather(settling, striking, return_exceptions=True)

    async def _settle(self, service: Process) -> Findings:
        spawned_at = time.monotonic()
        await self._wake_the_paused(service)
        await service.wait_for("started")
        await self._feed(service)
        await self._until_at_rest(service)
        if await self._until_nothing_is_under_way():
            await service.ask("reconcile")
            await self._until_at_rest(service)
        settled_at = time.monotonic()
        await self._note_lost()
        orders = await self._given_again(service)
        state = await service.ask("state")
        report, replays = await service.ask("reconcile"), await service.ask("replays")
        await self._note_views(service)
        return Findings(service, orders, state["doubts"], self._resting, report, replays, settled_at - spawned_at)

    async def _wake_the_paused(self, service: Process) -> None:
        """Once the next one owns the store, or waits for a lock that the paused one took into its sleep."""
        if self._paused is None or self._paused.has_ended:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_PAUSE_SECONDS):
                await service.wait_for("started")
        struck = self._paused.emitted("struck")
        assert struck is not None
        await asyncio.sleep(max(struck["monotonic"] + SHORTEST_PAUSE_SECONDS - time.monotonic(), 0))
        self._paused.strike(SIGCONT)
        try:
            async with asyncio.timeout(ENDING_SECONDS):
                await self._paused.ended()
        except TimeoutError:
            self._paused.strike(SIGKILL)

    async def _feed(self, service: Process) -> None:
        """What another source delivers, again in each life; and what is written to the followed file, once."""
        again = (service.ask("feed", raw=self._signal(each)) for each in self._crowd.members if FED in each.sources)
        await asyncio.gather(*again)
        await service.wait_for("listening")
        written, self._to_write = self._to_write, []
        with self._followed.open("a") as file:
            file.writelines(f"{self._signal(each)}\n" for each in written)

    async def _until_at_rest(self, service: Process) -> None:
        """Every source read, and every order closed, or left to a person."""
        in_doubt_since: dict[str, float] = {}
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                state = await service.ask("state")
                open_orders = [each for each in state["orders"].values() if each["is_open"]]
                now = time.monotonic()
                in_doubt_since = {each["key"]: in_doubt_since.get(each["key"], now) for each in open_orders if each["is_in_doubt"]}
                is_at_rest = state["is_idle"] and self._are_at_rest(open_orders, in_doubt_since, now)
                if is_at_rest and await self._is_read(service):
                    return
                await asyncio.gather(*(self._ask_for_the_rest(service, each) for each in open_orders))
                await asyncio.sleep(POLL_SECONDS)

    def _are_at_rest(self, orders: Sequence[dict[str, Any]], in_doubt_since: Mapping[str, float], now: float) -> bool:
        """Left to a person, or standing or waiting for as long as another one is."""
        left = [each for each in orders if is_left_to_a_person(self._case, each, now - in_doubt_since.get(each["key"], now))]
        return all(order in left or (left and (order["key"] in self._resting or order["is_waiting"])) for order in orders)

    async def _is_read(self, service: Process) -> bool:
        written = self._followed.stat().st_size
        return service.emitted("read", source="file:") is not None and await service.ask("bookmark") == written

    async def _ask_for_the_rest(self, service: Process, order: dict[str, Any]) -> None:
        member = self._members[order["key"]]
        if order["requests"] or not order["is_at_broker"] or not member.is_wanted_otherwise(order):
            return
        try:
            if member.then == "cancel":
                await service.ask("cancel", order_id=order["order_id"])
            else:
                await service.ask("replace", order_id=order["order_id"], limit_price=ABOVE_THE_MARKET)
                self._resting.discard(order["key"])
        except Refused as refused:
            if "in doubt" in str(refused):
                self._resting.add(order["key"])

    async def _until_nothing_is_under_way(self) -> bool:
        """What was held has arrived, and who was paused has ended. False where there was neither."""
        if self._paused is not None:
            await self._paused.ended()
        if self._case.delivery == HELD and (sent := [event["at"] for event in self._lives.emitted("sent")]):
            arrived = datetime.fromisoformat(max(sent)) + timedelta(seconds=self._case.hold_seconds + 0.2)
            await eventually(lambda: self._has_passed(arrived), "the held requests' arrival")
            return True
        return self._paused is not None

    async def _has_passed(self, moment: datetime) -> bool:
        return await self._control.now() > moment

    # --- findings --------------------------------------------------------------------------------------------------------------

    async def _note_lost(self) -> None:
        """Before any signal is given again by hand."""
        stored = await stored_at(self._url)
        lost = [member.signal_id for key, member in self._members.items() if key not in stored.orders]
        if lost:
            self._lives.problems.append(f"lost: its source delivered it, and the store knows nothing of it: {lost}")

    async def _given_again(self, service: Process) -> dict[str, dict[str, Any]]:
        """Every order, as the service answers when its signal comes once more: nothing is sent for that."""
        before = self._submissions()
        asked = (service.ask("execute", raw=self._signal(member)) for member in self._members.values())
        orders = dict(zip(self._members, await asyncio.gather(*asked), strict=True))
        if self._submissions() > before:
            self._lives.problems.append("a signal that was known already was sent again")
        return orders

    def _submissions(self) -> int:
        return sum(event["kind"] == "submit" for event in self._lives.emitted("sent"))

    async def _note_views(self, service: Process) -> None:
        if differences := await service.ask("verify"):
            self._lives.problems.append(f"read models are not what the log makes: {differences[:3]}")

    async def _judged(self, stack: AsyncExitStack, services: Sequence[Process], findings: Findings) -> Verdict:
        """The owner ends in good order; whoever stood by, or comes then, recovers what is settled already, and ends too."""
        sent = len(self._lives.emitted("sent"))
        await findings.owner.stop()
        for standby in [each for each in services if each is not findings.owner] or [await self._life(stack, None)]:
            with suppress(ProcessEnded):
                await standby.wait_for("started")
                await self._note_views(standby)
            await standby.stop()
        if len(self._lives.emitted("sent")) > sent:
            self._lives.problems.append("a service that took over a settled store sent something")
        theirs, stored = await self._control.orders(self._account), await stored_at(self._url)
        return Verdict(
            self._case,
            [*violations(self._case, self._members, theirs, stored, findings, self._lives.processes)],
            is_in_doubt=findings.is_in_doubt,
            settling_seconds=findings.settling_seconds,
            venue_orders=len(theirs),
            anomalies=stored.anomalies,
        )
