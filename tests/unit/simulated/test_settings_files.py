"""The venue's own file and the `[simulation]` table: which of them wins, and that nothing in either is passed over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from liveorder.bootstrap.parts import clock_of
from liveorder.bootstrap.simulation import venue_settings
from liveorder.domain.errors import SettingsError
from liveorder.infrastructure.clock import LoopClock, SystemClock
from liveorder.infrastructure.settings import Settings
from liveorder.infrastructure.settings.sections import Simulation

EARLY = "2025-03-10T03:50:00Z"


def settings(folder: Path, venue: str, **simulation: Any) -> Settings:
    path = folder / "venue.toml"
    path.write_text(venue)
    return Settings(simulation=Simulation.model_validate({"venue_settings": path, **simulation}))


@pytest.mark.parametrize(("simulation", "seed"), [({}, 5), ({"seed": 7}, 7), ({"seed": 0}, 0)])
def test_the_seed_of_the_venues_file_counts_unless_the_simulation_has_one(
    tmp_path: Path, simulation: dict[str, Any], seed: int
) -> None:
    assert venue_settings(settings(tmp_path, "seed = 5", **simulation)).seed == seed


@pytest.mark.parametrize("beside", ["volatility = 0.1", "step_seconds = 5", "start_prices = {SPY = '500'}"])
def test_a_random_walk_beside_a_quotes_file_is_refused(tmp_path: Path, beside: str) -> None:
    with pytest.raises(SettingsError, match=r"prices: .*this belongs to the random walk, which file replaces"):
        venue_settings(settings(tmp_path, f"[prices]\nfile = 'quotes.csv'\n{beside}"))


@pytest.mark.parametrize("beside", ['kind = "bust"\non = "fill"\nquantity = "5"', 'kind = "request_lost"\nprice = "5"'])
def test_terms_of_a_correction_at_another_fault_are_refused(tmp_path: Path, beside: str) -> None:
    with pytest.raises(SettingsError, match="quantity and price belong to a correction"):
        venue_settings(settings(tmp_path, f"[[faults.faults]]\n{beside}"))


async def test_the_clock_of_a_simulation_is_no_clock_for_real_trading() -> None:
    def clock(**fields: Any) -> Any:
        return clock_of(Settings(simulation=Simulation.model_validate({"starts_at": EARLY}), **fields))

    assert isinstance(clock(), LoopClock)
    assert isinstance(clock(trading_mode="PAPER", alpaca={"api_key": "k", "secret_key": "s"}), SystemClock)
