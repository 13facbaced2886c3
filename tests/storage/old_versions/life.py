"""One life on an old version: `python life.py SETTINGS ADDRESS`, with that version first on PYTHONPATH.

It reads signals.jsonl beside the settings, leaves orders in every state and kills itself. It names the parts of the old version by
text, since those of today may be called otherwise.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID

PATIENCE_SECONDS = 20.0
"""A store that cannot keep what happened never lets the engine rest."""
FOLDER = Path.cwd()
SIGNALS = FOLDER / "signals.jsonl"


def the(name: str, module: str) -> Any:
    """What the old version calls so."""
    return getattr(import_module(f"liveorder.{module}"), name)


Fault: Any = the("Fault", "infrastructure.brokers.simulated.venue.faults")
SignalKey: Any = the("SignalKey", "domain.identifiers")


class Lines:
    """Some lines of the file, as if they came by standard input: a dead letter's id must not depend on a folder."""

    name, finite = "stdin", True

    def __init__(self, life: Life, first: int, last: int | None) -> None:
        self._life, self._wanted = life, slice(first, last)

    async def messages(self) -> AsyncIterator[Any]:
        all_of_it = [message async for message in the("JsonlFile", "infrastructure.signals.jsonl_file")(SIGNALS).messages()]
        for message in all_of_it[self._wanted]:
            await self._life.before(message.content)
            yield replace(message, source=self.name)

    async def acknowledge(self, message: Any) -> None:
        """Nothing to keep."""


class Life:
    """Of one service: signals one after another, then what happens to their orders, then death."""

    def __init__(self, runner: Any, first: int, last: int | None, adopts: str) -> None:
        self._runner, self._engine = runner, runner._service.engine
        self._lines, self._adopts = Lines(self, first, last), adopts
        self._terms = self._engine.terms.execution

    async def live(self) -> None:
        await self._engine.intake.read(self._lines)
        await self._rest()
        await self._fill("s-partial", "3", "189")
        await self._fill("s-partial-in", "4", "1449.50")
        await self._change("s-cancelled", self._runner.cancel)
        await self._change("s-replaced", partial(self._runner.replace, limit_price="241"))
        await self._venue.lay(Fault(kind="request_lost", on="cancel", nth=1))
        await self._change("s-cancel-in-doubt", self._runner.cancel)
        if self._adopts:
            await self._adopt()
        await self._rest()
        await asyncio.sleep(1)

    async def before(self, line: bytes) -> None:
        """Of one that is to be in doubt no question is answered and nothing is told."""
        await self._rest()
        fields = json.loads(line)
        name = fields.get("signal_id")
        faults = {"s-in-doubt": "acknowledgement_lost", "s-lost": "request_lost"}
        if name in faults:
            account = fields.get("account_id", self._terms.default_account)
            key = SignalKey(self._terms.namespace, account, name).client_order_id
            for kind, point in ((faults[name], "submit"), ("query_failed", "find"), ("report_lost", "report")):
                await self._venue.lay(Fault(kind=kind, on=point, client_order_id=key))

    async def _rest(self) -> None:
        """What was begun is over, and what the broker pushed is booked."""
        await asyncio.sleep(0.05)
        for _ in range(int(PATIENCE_SECONDS / 0.05)):
            if self._engine.desk.is_idle:
                return
            await asyncio.sleep(0.05)

    def _order(self, name: str) -> Any:
        """Of this life, and still open."""
        mine = [each for each in self._engine.orders.unfinished() if each.intent.session_id == self._terms.session_id]
        return next((each for each in mine if each.intent.signal_id == name and not each.status.is_closed), None)

    @property
    def _venue(self) -> Any:
        transport = next(iter(self._engine.gateways.values())).broker._transport
        return the("VenueControl", "infrastructure.brokers.simulated.control")(transport)

    async def _fill(self, name: str, quantity: str, price: str) -> None:
        """By hand, by what the venue calls the order: the store may have failed to keep that."""
        if order := self._order(name):
            [at_venue] = await self._venue.orders_by_key(order.client_order_id)
            await self._venue.fill(at_venue.broker_order_id, quantity, price)

    async def _change(self, name: str, change: Callable[[UUID], Awaitable[object]]) -> None:
        """What was not acknowledged cannot be replaced."""
        if order := self._order(name):
            with suppress(the("LiveOrderError", "domain.errors")):
                await change(order.order_id)

    async def _adopt(self) -> None:
        """An order placed by other means: `foreign` has no key; one `with a key` of ours was sent by a life that the store lost."""
        account, key = "acc_in", None
        if self._adopts == "with a key":
            key = SignalKey(self._terms.namespace, account, "s-adopted").client_order_id
        terms = {"side": "BUY", "order_type": "LIMIT", "time_in_force": "GTC", "quantity": "2", "limit_price": "3400"}
        placed = await self._venue._do("submit", account=account, instrument="NSE:TCS", client_order_id=key, **terms)
        await self._rest()
        await self._runner.adopt(account, placed["order"]["broker_order_id"], evidence="the broker's list", actor="ann")
        await self._runner.resume(f"account:{account}", "adopted")


async def main(settings: Path, asked: dict[str, Any]) -> None:
    """`asked`: overrides of the settings, `lines` [first, last], `adopts`."""
    first, last = asked.pop("lines", (0, None))
    adopts = asked.pop("adopts", "")
    async with the("Runner", "interfaces.runner").open(settings, wait_for_lease=True, **asked) as runner:
        life = Life(runner, first, last, adopts)
        await life.live()
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), json.loads(sys.argv[2])))
