"""The whole service beside the engine alone: also lists, confirmations to a file, notices, and commands of other processes.

Both trade the same signals at the same broker, one after the other in short turns, so that other work on the machine slows both.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from benchmarks import showing
from benchmarks.engines import ACCOUNT, LIMITS, SilentLog, Trading, trading
from benchmarks.instant_broker import InstantBroker, StillMarket
from benchmarks.places import Place
from liveorder.application.engine.service import Service
from liveorder.application.ports.brokerage import Brokerage
from liveorder.bootstrap import Supplied, load_settings, open_service

AT_ONCE = (1, 256)
SLICES, SLICE_SECONDS = 6, 0.5


@dataclass
class ServiceTrading(Trading):
    """Of a whole service."""

    service: Service = field(kw_only=True)


async def measure(place: Place) -> None:
    for at_once in AT_ONCE:
        engine, service = list[tuple[float, float]](), list[tuple[float, float]]()
        async with trading(place) as alone, serving(place) as whole:
            for desk in (alone, whole):
                await _slice(desk, at_once)
            for _ in range(SLICES):
                engine.append(await _slice(alone, at_once))
                service.append(await _slice(whole, at_once))
        showing.line(f"{place.name}, {at_once} at once")
        for name, taken in (("engine", engine), ("service", service)):
            showing.line(f"  {name:8} {_figures(taken)}")
        share = 1 - _median(engine, 1) / _median(service, 1)
        showing.line(f"  {'':8} {share:.0%} of the service's CPU an order is not the engine's")


@asynccontextmanager
async def serving(place: Place) -> AsyncIterator[ServiceTrading]:
    """A service as `liveorder run` has it, on a new store; the broker answers at once."""
    url = place.new_url()
    market, broker = StillMarket(), InstantBroker(ACCOUNT)
    settings = load_settings(
        None,
        store=url,
        accounts=[{"id": ACCOUNT, "risk": LIMITS.model_dump(exclude_unset=True)}],
        confirmations=place.folder / "confirmations.jsonl",
    )
    supplied = Supplied({ACCOUNT: Brokerage(broker, market, market)})
    async with open_service(settings, supplied=supplied, log=SilentLog()) as service:
        desk = ServiceTrading(service.engine, service=service)
        service.engine.orders.listen(desk.hear)
        yield desk


async def _slice(desk: Trading, at_once: int) -> tuple[float, float]:
    """Orders a second, and microseconds of CPU an order of the whole process, until its lists are level."""
    filled, began, busy = 0, time.perf_counter(), time.process_time()

    async def keep_trading() -> None:
        nonlocal filled
        while time.perf_counter() - began < SLICE_SECONDS:
            await desk.trade(*desk.next_line())
            filled += 1

    await asyncio.gather(*(keep_trading() for _ in range(at_once)))
    if isinstance(desk, ServiceTrading):
        await desk.service.settle_views()
    return filled / (time.perf_counter() - began), (time.process_time() - busy) / filled * 1e6


def _figures(taken: list[tuple[float, float]]) -> str:
    rates, costs = zip(*taken, strict=True)
    return (
        f"{showing.quantile(rates, 0.5):7,.0f} orders/s (p90 {showing.quantile(rates, 0.9):7,.0f}); "
        f"CPU an order p50 {showing.quantile(costs, 0.5):6,.0f} µs, p10 {showing.quantile(costs, 0.1):6,.0f} µs"
    )


def _median(taken: list[tuple[float, float]], index: int) -> float:
    return showing.quantile([each[index] for each in taken], 0.5)
