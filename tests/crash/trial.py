"""One trial: a service is killed at a boundary, another takes its store over, the signal comes again, and everything settles."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from liveorder.application.trading.adopt import adopted_signal_id
from liveorder.domain.values import Side
from liveorder.testing.venue.control import VenueControl
from tests.crash.cases import ABOVE_THE_MARKET, BELOW_THE_MARKET, HELD, OPERATIONS, Case, broker_id_of, instrument_of, key_of
from tests.crash.crowd_trial import tried_with_many
from tests.crash.lives import Lives, first_settled, is_without_store
from tests.crash.processes import PATIENCE_SECONDS, POLL_SECONDS, Process, ProcessEnded, Refused, eventually
from tests.crash.scene import Scene
from tests.crash.verdict import Evidence, Verdict, is_left_to_a_person, judged

LIVES_TO_SETTLE_IN = 3


async def tried(scene: Scene, case: Case, account: str) -> Verdict:
    """The case, on a store and an account of its own."""
    if case.crowd is not None:
        return await tried_with_many(scene, case, account)
    stores = scene.stores[case.engine]
    url = await stores.new_store(account)
    control = scene.venues[case.key_class].control
    by_hand = await _placed_by_hand(control, case, account)
    key = key_of(account) if by_hand is None else key_of(account, adopted_signal_id(broker_id_of(case.key_class, by_hand)))
    fault = case.fault(key)
    if fault is not None:
        await control.lay(fault)
    verdict = await _Trial(scene, case, account, url, key, by_hand).run()
    if not verdict.violations:
        stores.drop(url)
    return verdict


async def _placed_by_hand(control: VenueControl, case: Case, account: str) -> str | None:
    """The venue's id of an order that no service sent, where the case is about one."""
    operation = OPERATIONS[case.operation]
    if not operation.is_by_hand:
        return None
    assert operation.limit_price is not None
    quantity, limit_price = Decimal(operation.quantity), Decimal(operation.limit_price)
    return await control.place(account, instrument_of(case.key_class), Side.BUY, quantity, limit_price)


@dataclass(frozen=True, slots=True)
class _Settled:
    """How a service stands when nothing is open, or only a doubt. Times by the machine's monotonic clock."""

    order: dict[str, Any]
    doubts: Sequence[str]
    at: float
    certain_at: float | None
    """Since when the order was not in doubt any more; None where it is."""


class _Trial:
    def __init__(self, scene: Scene, case: Case, account: str, url: str, key: str, by_hand: str | None) -> None:
        self._scene, self._case, self._account, self._url = scene, case, account, url
        self._control = scene.venues[case.key_class].control
        self._operation, self._key, self._by_hand = OPERATIONS[case.operation], key, by_hand
        self._lives = Lives()
        self._boundaries, self._later_boundaries = list[str](), list[str]()

    async def run(self) -> Verdict:
        await self._first_life()
        verdict = await self._settled_in_some_life() or Verdict(self._case, ["no life settled it"])
        struck = [event["boundary"] for event in self._lives.emitted("struck")]
        return replace(
            verdict,
            violations=verdict.violations + self._lives.problems,
            struck=struck,
            boundaries=self._boundaries,
            later_boundaries=self._later_boundaries,
        )

    async def _first_life(self) -> None:
        async with AsyncExitStack() as stack:
            service = await self._life(stack, self._case.boundary)
            try:
                await service.wait_for("started")
                await self._settle(service, time.monotonic())
                await service.stop()
                self._boundaries = (await service.wait_for("stopped"))["boundaries"]
            except ProcessEnded:
                self._lives.note_end_of(service)

    async def _settled_in_some_life(self) -> Verdict | None:
        for crash_at in (self._case.second, *[None] * (LIVES_TO_SETTLE_IN - 1)):
            async with AsyncExitStack() as stack:
                recovering = [await self._life(stack, crash_at) for _ in range(self._case.recoverers)]
                evidence = await first_settled(recovering, self._settled)
                if evidence is not None:
                    return await self._judged(stack, recovering, evidence)
        return None

    async def _judged(self, stack: AsyncExitStack, recovering: list[Process], evidence: Evidence) -> Verdict:
        sent = len(self._sent())
        await self._take_over(stack, recovering, evidence.owner)
        verdict = await judged(self._control, self._case, self._account, self._url, evidence, self._lives.processes)
        if len(self._sent()) > sent:
            verdict.violations.append("a service that took over a settled store sent something")
        return verdict

    async def _take_over(self, stack: AsyncExitStack, recovering: list[Process], owner: Process) -> None:
        """The owner ends in good order; whoever stood by, or comes then, recovers what is settled already, and ends too."""
        await owner.stop()
        self._later_boundaries = (owner.emitted("stopped") or {}).get("boundaries", [])
        standbys = [each for each in recovering if each is not owner] or [await self._life(stack, None)]
        for standby in standbys:
            with suppress(ProcessEnded):
                await standby.wait_for("started")
            await standby.stop()

    async def _life(self, stack: AsyncExitStack, crash_at: str | None) -> Process:
        case, owner = self._case, self._lives.next_name
        terms = {"crash_at": crash_at, "delivery_bound_seconds": case.bound_seconds, "defect": case.defect}
        service = self._scene.service(self._url, self._account, case.key_class, owner, **terms)
        return await self._lives.begin(stack, service)

    async def _settled(self, service: Process) -> Evidence | None:
        spawned_at = time.monotonic()
        try:
            await service.wait_for("started")
            last = settled = await self._settle(service, spawned_at)
            if await self._until_nothing_is_under_way():
                await service.ask("reconcile")
                last = await self._settle(service, time.monotonic())
            report, replays = await service.ask("reconcile"), await service.ask("replays")
        except ProcessEnded:
            self._lives.note_end_of(service)
            return None
        except Refused as refused:
            if not is_without_store(service, refused):
                raise
            return None
        return Evidence(
            service, self._key, last.order, last.doubts, report, replays, settled.at - spawned_at, spawned_at, settled.certain_at
        )

    async def _until_nothing_is_under_way(self) -> bool:
        """What was held has arrived, so that the venue's books are the last word. False where nothing was held."""
        sent = [event["at"] for event in self._sent() if event["kind"] == self._case.point]
        if self._case.delivery != HELD or not sent:
            return False
        arrived = datetime.fromisoformat(min(sent)) + timedelta(seconds=self._case.hold_seconds + 0.2)
        await eventually(lambda: _has_passed(self._control, arrived), "the held request's arrival")
        return True

    def _sent(self) -> list[dict[str, Any]]:
        return self._lives.emitted("sent")

    # --- one life --------------------------------------------------------------------------------------------------------------

    async def _settle(self, service: Process, spawned_at: float) -> _Settled:
        """The signal, and what was wanted of its order, as often as it takes; until nothing is open, or only a doubt."""
        order = await self._begin(service)
        certain_at: float | None = None
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                state = await service.ask("state")
                order = state["orders"].get(self._key, order)
                now = time.monotonic()
                certain_at = None if order["is_in_doubt"] else certain_at or now
                is_at_rest = state["is_quiet"] and not await self._trades_by_hand(order)
                if is_at_rest or is_left_to_a_person(self._case, order, now - spawned_at):
                    return _Settled(order, state["doubts"], now, certain_at)
                if not order["requests"]:
                    await self._ask_for_the_rest(service, order)
                await asyncio.sleep(POLL_SECONDS)

    async def _begin(self, service: Process) -> dict[str, Any]:
        """The order: of the signal, or as a person adopts it, again and again until the broker's list has it."""
        if self._by_hand is None:
            return dict(await service.ask("execute", raw=self._operation.signal(self._case.key_class)))
        return await eventually(lambda: self._adopted(service), "the adoption")

    async def _adopted(self, service: Process) -> dict[str, Any]:
        try:
            return dict(
                await service.ask("adopt", broker_order_id=broker_id_of(self._case.key_class, self._by_hand or ""), key=self._key)
            )
        except Refused as refused:
            if refused.name != "DecisionRefused":
                raise
            return {}

    async def _ask_for_the_rest(self, service: Process, order: dict[str, Any]) -> None:
        await self._trades_by_hand(order)
        with suppress(Refused):
            if self._operation.then == "cancel":
                if Decimal(order["filled"]) >= Decimal(self._operation.once_filled):
                    await service.ask("cancel", order_id=order["order_id"])
            elif self._operation.then == "replace" and order["limit_price"] != ABOVE_THE_MARKET:
                await service.ask("replace", order_id=order["order_id"], limit_price=ABOVE_THE_MARKET)

    async def _trades_by_hand(self, order: dict[str, Any]) -> bool:
        """Whether the venue's people trade, or have traded what is not known here yet."""
        quantity = self._operation.by_the_venue
        is_due = quantity is not None and (self._operation.then is None or order["status"] == "CANCELLED")
        if not is_due or order["filled"] == quantity:
            return False
        for theirs in await self._control.orders(self._account):
            if theirs.broker_order_id is not None and not theirs.filled_quantity:
                await self._control.fill(theirs.broker_order_id, Decimal(quantity or 0), Decimal(BELOW_THE_MARKET))
        return True


async def _has_passed(control: VenueControl, moment: datetime) -> bool:
    return await control.now() > moment
