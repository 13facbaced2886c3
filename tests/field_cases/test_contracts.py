"""One description, several contracts: none is chosen, and each that is named has a position of its own."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from liveorder import Signal
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import AssetClass, OptionRight
from tests.engine.scenes import a_scene
from tests.field_cases.evidence import Repeated, all_at_venue
from tests.field_cases.trading import Held, agreed, listing, trading

TERMS: dict[str, Any] = {"asset_class": AssetClass.OPTION, "expiry": date(2025, 3, 21), "right": OptionRight.CALL}


def a_call(symbol: str, strike: int) -> Instrument:
    return Instrument(symbol=symbol, exchange="CBOE", strike=Decimal(strike), multiplier=Decimal(100), **TERMS)


async def test_a_description_that_fits_two_contracts_is_a_dead_letter_that_lists_both(tmp_path: Path) -> None:
    """Case 38 (Lean#705, Lean.IB#141): one of the two was traded, and nobody had said which."""
    calls = [a_call("SPX", 5000), a_call("SPX", 5100)]
    market = listing(tmp_path, *calls, prices={call.key: "20" for call in calls})
    async with a_scene(tmp_path, **market) as scene, trading(scene) as trader:
        await trader.engine.intake.read(Repeated((Signal(signal_id="in", symbol="SPX", side="BUY", quantity=1, **TERMS),)))
        (letter,) = await trader.dead_letters()
        assert (letter.signal_id, all_at_venue(scene)) == ("in", [])
        assert [call.key for call in calls if call.key in (letter.reason or "")] == [call.key for call in calls]


async def test_two_contracts_of_one_expiry_strike_and_right_are_two_positions(tmp_path: Path) -> None:
    """Case 38 (Lean#705, Lean.IB#141): SPX of the morning and SPXW of the evening were held as one."""
    morning, evening = a_call("SPX", 5000), a_call("SPX/SPXW", 5000)
    market = listing(tmp_path, morning, evening, prices={morning.key: "20", evening.key: "30"})
    async with a_scene(tmp_path, **market) as scene, trading(scene) as trader:
        for number, call in enumerate((morning, evening), 1):
            order = await trader.trades(
                signal_id=call.symbol, symbol=call.symbol, side="BUY", quantity=number, strike=5000, **TERMS
            )
            assert (order.status, order.instrument) == ("FILLED", call.key)
        assert len({each["client_order_id"] for each in all_at_venue(scene)}) == 2
        assert await trader.books(morning.key) == agreed(Held(Decimal(1), Decimal(20)))
        assert await trader.books(evening.key) == agreed(Held(Decimal(2), Decimal(30)))
