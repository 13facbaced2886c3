"""Read models are a function of the log: however it was cut into batches, and whoever forgot what in between."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from liveorder.application.reporting.projections.fills import FillRow
from liveorder.application.reporting.projector import BatchProjector
from liveorder.application.reporting.read_models import ViewsUnavailable
from liveorder.domain.events import Event
from liveorder.domain.instrument import Instrument
from liveorder.domain.order import events as ev
from liveorder.domain.order.shares import PositionShare
from liveorder.domain.position import Position
from liveorder.domain.position_adjustment import AdjustmentReason, PositionAdjusted, PositionTransferred, position_stream
from liveorder.domain.position_booking import Holding
from liveorder.domain.values import AssetClass, Money, Side, TimeInForce
from tests.builders import (
    ACKNOWLEDGED,
    REFUSED,
    REJECTED,
    acknowledged,
    bust,
    cancelled,
    correction,
    fill,
    intent,
    seconds,
    submission,
)
from tests.unit.readmodels.logs import MemoryLog, MemoryViews, requested

COIN = Instrument(symbol="BTC/USD", exchange="CRYPTO", asset_class=AssetClass.CRYPTO)

names = st.sampled_from(["e1", "e2", "e3", "e4"])
quantities = st.decimals("0.1", "60", places=1)
prices = st.decimals("1", "300", places=2)
currencies = st.sampled_from(["", "", " EUR", " BTC"])
fees = st.none() | st.builds("{}{}".format, st.decimals("0", "3", places=2), currencies)
hours = st.none() | st.integers(0, 72).map(lambda count: count * 3600.0)

fills = st.builds(fill, names, quantities, prices, fees, hours)
corrections = st.builds(correction, names, names, st.just(Decimal(0)) | quantities, prices, fees, hours)
inferred = st.builds(
    ev.FillInferred,
    execution_id=st.sampled_from(["inferred-1", "inferred-2"]),
    quantity=quantities,
    price=prices,
    evidence=st.just(""),
)
charges = st.builds(ev.CommissionReported, execution_id=names, commission=st.decimals("0", "9", places=2))
others = st.sampled_from([ACKNOWLEDGED, acknowledged("70"), REJECTED, REFUSED, cancelled(), ev.Restated(split_ratio=Decimal(3))])
lives = st.lists(st.one_of(fills, fills, corrections, st.builds(bust, names), inferred, charges, others), max_size=8)
SHARES = tuple(PositionShare(strategy_name=name, quantity=Decimal(units)) for name, units in (("mean", 30), ("trend", 12)))
intents = st.fixed_dictionaries(
    {
        "side": st.sampled_from(Side),
        "strategy_name": st.sampled_from(["trend", "trend", "mean"]),
        "time_in_force": st.sampled_from([TimeInForce.DAY, TimeInForce.GTC]),
        "instrument": st.sampled_from([COIN, COIN, COIN.but(multiplier=Decimal(50))]),
        "shares": st.sampled_from([(), (), SHARES]),
    }
)
transfers = st.builds(
    PositionTransferred,
    account_id=st.just(intent().account_id),
    from_strategy=st.just("trend"),
    to_strategy=st.just("mean"),
    instrument=st.just(COIN),
    quantity=st.decimals("-60", "60", places=1).filter(bool),
    price=prices,
    effective_at=st.integers(0, 72).map(lambda count: seconds(count * 3600.0)),
    evidence=st.just(""),
    transfer_id=st.just("t1"),
)
adjustments = transfers | st.builds(
    PositionAdjusted,
    account_id=st.just(intent().account_id),
    strategy_name=st.sampled_from(["trend", "mean"]),
    instrument=st.just(COIN),
    reason=st.just(AdjustmentReason.FEE_IN_KIND),
    quantity=st.decimals("-2", "-0.01", places=2),
    price=prices,
    effective_at=st.integers(0, 72).map(lambda count: seconds(count * 3600.0)),
    evidence=st.just(""),
)


@st.composite
def logs(draw: st.DrawFn) -> MemoryLog:
    """A few orders, most of one holding, their events shuffled into each other, with fees in kind in between."""
    log = MemoryLog()
    waiting: dict[int, list[Event]] = {}
    for number in range(draw(st.integers(1, 4))):
        sent = [submission()] if draw(st.booleans()) else []
        waiting[number] = [requested(number, **draw(intents)), *sent, *draw(lives)]
    while waiting:
        number = draw(st.sampled_from(sorted(waiting)))
        log.add(number, waiting[number].pop(0))
        if draw(st.integers(0, 4)) == 0:
            log.add_to(position_stream("U1", COIN.key), draw(adjustments))
        if not waiting[number]:
            del waiting[number]
    return log


@given(logs(), st.data())
def test_any_cut_into_batches_gives_the_rows_of_one_rebuild(log: MemoryLog, data: st.DataObject) -> None:
    assert asyncio.run(dump_of(log, data)) == asyncio.run(rebuilt(log))


async def dump_of(log: MemoryLog, data: st.DataObject) -> Mapping[str, list[Any]]:
    """By two projectors that stop, forget, fail before their commit, lose its reply and overtake each other."""
    views = MemoryViews()
    projectors = [BatchProjector(log, views) for _ in range(2)]  # type: ignore[arg-type]  # the part of a store that a projector uses
    while views.at < len(log.events):
        upto = data.draw(st.integers(views.at + 1, len(log.events)))
        views.faults = data.draw(st.sampled_from([[], [], ["before"], ["after"]]))
        if data.draw(st.booleans()):
            projectors = [BatchProjector(log, views), *projectors[:1]]  # type: ignore[arg-type]  # as above
        try:
            await data.draw(st.sampled_from(projectors)).advance(upto)
        except ViewsUnavailable:
            continue
    return views.dump()


async def rebuilt(log: MemoryLog) -> Mapping[str, list[Any]]:
    views = MemoryViews()
    await BatchProjector(log, views).advance()  # type: ignore[arg-type]  # as above
    return views.dump()


@given(logs())
def test_positions_and_summaries_add_up_to_the_effective_fills(log: MemoryLog) -> None:
    rows = asyncio.run(rebuilt(log))
    assert {row.holding: Holding.from_text(row.state).position for row in rows["positions"]} == folded(rows["fills"])
    summed = [row.view() for row in rows["daily_summary"]]
    assert sum(day.orders for day in summed) == len(rows["orders"])
    assert sum(Fraction(day.filled_value) for day in summed) == sum(value_of(row) for row in rows["fills"])


def folded(fill_rows: list[FillRow]) -> dict[str, Position]:
    """From nothing, in the order of the log."""
    positions: dict[str, Position] = {}
    for row in sorted(fill_rows, key=lambda row: row.booked):
        position = positions.get(row.holding) or Position.flat(row.currency, Decimal(row.multiplier))
        at = None if row.filled_at is None else datetime.fromisoformat(row.filled_at)
        fee, price, currency = Decimal(row.commission or 0), Decimal(row.price), row.commission_currency
        own = fee if currency is None else Decimal(0)
        position = position.fill(Decimal(row.quantity), price, own, at)
        if currency == "BTC":
            position = position.pay_in_kind(fee, price, at)
        elif currency is not None:
            position = position.charge(Money(fee, currency))
        positions[row.holding] = position
    return positions


def value_of(row: FillRow) -> Fraction:
    """What changed a position without an execution is no volume."""
    return Fraction(0) if row.adjusted_for else abs(Fraction(row.quantity)) * Fraction(row.price) * Fraction(row.multiplier)


@given(logs())
def test_what_the_fills_earned_is_what_their_positions_realized(log: MemoryLog) -> None:
    rows = asyncio.run(rebuilt(log))
    for row in rows["positions"]:
        earned = sum((Fraction(fill_row.realized) for fill_row in rows["fills"] if fill_row.holding == row.holding), Fraction(0))
        assert abs(earned - Holding.from_text(row.state).position.realized_gross) < Fraction(1, 10**50)
