"""One trial: a service is killed at a boundary, another takes its store over, the signal comes again, and everything settles."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from liveorder.application.trading.adopt import adopted_signal_id
from liveorder.domain.values import Side
from liveorder.testing.venue.control import VenueControl
from tests.crash.cases import ABOVE_THE_MARKET, BELOW_THE_MARKET, OPERATIONS, Case, broker_id_of, instrument_of, key_of
from tests.crash.crowd_trial import tried_with_many
from tests.crash.play_trial import played
from tests.crash.plays import PLAYS
from tests.crash.processes import PATIENCE_SECONDS, POLL_SECONDS, Process, Refused, eventually
from tests.crash.scene import Scene
from tests.crash.trial_of_lives import TrialOfLives
from tests.crash.verdict import Evidence, Verdict, is_left_to_a_person, judged


async def tried(scene: Scene, case: Case, account: str) -> Verdict:
    """The case, on a store and an account of its own."""
    if case.crowd is not None:
        return await tried_with_many(scene, case, account)
    if case.operation in PLAYS:
        return await played(scene, case, account)
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


class _Trial(TrialOfLives[_Settled, Evidence]):
    def __init__(self, scene: Scene, case: Case, account: str, url: str, key: str, by_hand: str | None) -> None:
        super().__init__(scene, case, account, url, key, {})
        self._operation, self._key, self._by_hand = OPERATIONS[case.operation], key, by_hand

    async def _witnessed(self, service: Process, spawned_at: float, settled: _Settled, last: _Settled) -> Evidence:
        report, replays = await service.ask("reconcile"), await service.ask("replays")
        return Evidence(
            service, self._key, last.order, last.doubts, report, replays, settled.at - spawned_at, spawned_at, settled.certain_at
        )

    async def _found(self, evidence: Evidence) -> Verdict:
        return await judged(self._control, self._case, self._account, self._url, evidence, self._lives.processes)

    # --- one life --------------------------------------------------------------------------------------------------------------

    async def _settle(self, service: Process, since: float) -> _Settled:
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
                if is_at_rest or is_left_to_a_person(self._case, order, now - since):
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
