"""How a field shows what it does: each function here makes something to look at, with the field set."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from liveorder import Runner
from liveorder.bootstrap.brokerages import connections_of
from liveorder.bootstrap.parts import clock_of
from liveorder.domain.errors import SettingsError
from liveorder.domain.order import LiveOrder
from liveorder.domain.signal import UnusableSignal
from tests.effects.stage import Stage, Tables, a_signal, settings_in, stage
from tests.harness.virtual_time import run_virtually
from tests.harness.worlds import RememberedLog

LIMIT: dict[str, Any] = {"order_type": "LIMIT", "limit_price": 400}
KEYS = {"api_key": "key", "secret_key": "secret"}
BY_HAND = {"fills": {"automatic": False}}
"""Orders rest: nothing fills by itself."""

Observe: TypeAlias = Callable[[Path], Any]
Look: TypeAlias = Callable[[Stage], Awaitable[Any]]


@dataclass(frozen=True)
class Effect:
    """What is observed with the field set. With the field ignored something else is, or nothing at all: an error."""

    expected: Any
    observe: Observe

    def check(self, folder: Path) -> None:
        found = self.observe(folder)
        assert found == self.expected, f"{found!r} and not {self.expected!r}"


def staged(look: Look, venue: Tables | None = None, **tables: Any) -> Observe:
    """What `look` sees on such a stage."""

    async def seen(folder: Path) -> Any:
        async with stage(folder, venue or {}, tables) as played:
            return await look(played)

    return lambda folder: run_virtually(seen(folder))


def in_real_time(look: Callable[[Path], Coroutine[Any, Any, Any]]) -> Observe:
    """For what needs sockets or threads."""
    return lambda folder: asyncio.run(look(folder))


def refused_by(signal: Tables | None = None, venue: Tables | None = None, **tables: Any) -> Observe:
    """The rules that stand in the way of a signal."""

    async def codes(played: Stage) -> list[str]:
        _, refusals = await played.engine.execute.validate(a_signal(**signal or {}))
        return [refusal.code for refusal in refusals]

    return staged(codes, venue, **tables)


def unusable(signal: Tables, **tables: Any) -> Observe:
    """Why it becomes no order."""

    async def reason(played: Stage) -> str:
        try:
            await played.engine.execute.validate(a_signal(**signal))
        except UnusableSignal as error:
            return error.reason
        return ""

    return staged(reason, **tables)


def becomes(
    look: Callable[[LiveOrder], Any], signal: Tables | None = None, venue: Tables | None = None, seconds: float = 5, **tables: Any
) -> Observe:
    """What an order is that much later."""

    async def later(played: Stage) -> Any:
        order = await played.order(**signal or {})
        await asyncio.sleep(seconds)
        return look(await played.now(order))

    return staged(later, venue, **tables)


def sends(name: str, signal: Tables | None = None, venue: Tables | None = None, **tables: Any) -> Observe:
    """One field of what leaves for the exchange."""

    def sent(order: LiveOrder) -> Any:
        assert order.submission is not None, order.error_message
        return json.loads(order.submission.payload)[name]

    return becomes(sent, signal, venue, 0, **tables)


def takes(act: Callable[[Stage], Awaitable[Any]], venue: Tables | None = None, **tables: Any) -> Observe:
    """How many seconds it takes, rounded."""

    async def timed(played: Stage) -> int:
        began = played.clock.monotonic()
        await act(played)
        return round(played.clock.monotonic() - began)

    return staged(timed, venue, **tables)


def virtually(look: Callable[[Path], Coroutine[Any, Any, Any]]) -> Observe:
    """For what has a stage of its own."""
    return lambda folder: run_virtually(look(folder))


def with_quotes(observe: Any, *rows: str, **tables: Any) -> Observe:
    """Of a market of its own: rows of time, symbol and price."""

    def observed(folder: Path) -> Any:
        quotes = folder / "quotes.csv"
        quotes.write_text("\n".join(["time,symbol,price", *rows]))
        return observe(simulation={"quotes": quotes}, **tables)(folder)

    return observed


def trades_at(**tables: Any) -> Observe:
    """The accounts that would be traded, with their brokers."""

    def observe(folder: Path) -> Any:
        settings = settings_in(folder, {}, tables)
        settings.check()

        async def connected() -> list[str]:
            with connections_of(settings, clock_of(settings), RememberedLog()) as connections:
                return [f"{account_id} at {each.broker.name}" for account_id, each in connections.items()]

        return asyncio.run(connected())

    return observe


def refusal(**tables: Any) -> Observe:
    """Why nothing starts."""

    def observe(folder: Path) -> Any:
        try:
            settings_in(folder, {}, tables).check()
        except SettingsError as error:
            return str(error).split(",")[0].split(";")[0]
        return None

    return observe


def leaves(name: str, **tables: Any) -> Observe:
    """Whether a run with one filled order leaves a file of this name that has something in it."""

    async def run(folder: Path) -> None:
        usual = {"logs": {"console": False}, "simulation": {"venue_data": folder / "venue.db"}}
        async with Runner.open(**{**usual, **tables}) as runner:
            order = await runner.buy("ETH/USD", "0.1", signal_id="one")
            await runner.wait_closed(order.order_id, 10)

    def observe(folder: Path) -> bool:
        in_real_time(run)(folder)
        return bool(sum(path.stat().st_size for path in folder.glob(name)))

    return observe
