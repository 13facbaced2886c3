"""Where prices come from, what is listed, and how bad settings are told."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.domain.errors import SettingsError
from liveorder.domain.values import AssetClass
from liveorder.infrastructure.brokers.simulated.catalogue import BUILT_IN
from liveorder.infrastructure.brokers.simulated.instruments import SimulatedInstruments
from liveorder.infrastructure.settings.simulation_profile import simulated_limits
from liveorder.testing.venue.chance import Chance
from liveorder.testing.venue.faults import Fault, FaultKind, Point
from liveorder.testing.venue.opening import catalogue_of, open_venue
from liveorder.testing.venue.quotes import QuoteFile, Quotes, RandomWalk
from liveorder.testing.venue.settings import START_PRICES, PriceSource, VenueSettings, read_settings
from tests.unit.simulated.stage import AAPL, START, later, placed, venue_of

D = Decimal
LISTED = BUILT_IN.listed(AAPL.key)


def quotes_file(folder: Path, *rows: str, header: str = "time,symbol,price") -> Path:
    path = folder / "quotes.csv"
    path.write_text("\n".join([header, *rows]))
    return path


def test_a_quotes_file_holds_each_price_until_the_next(tmp_path: Path) -> None:
    quotes = QuoteFile(quotes_file(tmp_path, "2026-03-02T15:01:00+00:00,AAPL,201.5", "2026-03-02T10:00:00-05:00,AAPL,200"))
    assert quotes.at(LISTED, START - timedelta(seconds=1)) is None
    assert prices_of(quotes, (0, 59, 60, 999)) == [D(200), D(200), D("201.5"), D("201.5")]
    assert quotes.next_change(LISTED, START) == START + timedelta(seconds=60)
    assert quotes.next_change(LISTED, START + timedelta(seconds=60)) is None


def test_a_quote_with_an_exchange_is_of_that_listing_only(tmp_path: Path) -> None:
    header = "time,symbol,price,exchange"
    quotes = QuoteFile(quotes_file(tmp_path, "2026-03-02T15:00:00,AAPL,1,XETRA", header=header))
    assert quotes.at(LISTED, START) is None


def test_orders_trade_along_a_quotes_file(tmp_path: Path) -> None:
    path = quotes_file(tmp_path, "2026-03-02T15:00:00,AAPL,200", "2026-03-02T15:00:10,AAPL,180", "2026-03-02T15:00:20,AAPL,200")
    venue = venue_of(prices=PriceSource(file=path))
    order = venue.submit(placed(order_type="LIMIT", limit_price="190"))
    later(venue, 60)
    assert order.trades[0].at == START + timedelta(seconds=10)


@pytest.mark.parametrize("row", ["yesterday,AAPL,1", "2026-03-02T15:00:00,AAPL,much", "2026-03-02T15:00:00,AAPL"])
def test_a_bad_quote_is_named_by_its_line(tmp_path: Path, row: str) -> None:
    with pytest.raises(SettingsError, match=r"line 3.*columns are time,symbol,price"):
        QuoteFile(quotes_file(tmp_path, "2026-03-02T15:00:00,AAPL,1", row))


def test_a_missing_quotes_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.csv"):
        venue_of(prices=PriceSource(file=tmp_path / "none.csv"))


def test_a_random_walk_depends_on_seed_and_time_alone() -> None:
    def walk(seed: int) -> RandomWalk:
        return RandomWalk({"AAPL": D(200)}, 0.001, 1.0, START, Chance(seed))

    straight, backwards = prices_of(walk(1), range(100)), prices_of(walk(1), range(99, -1, -1))
    assert straight == backwards[::-1]
    assert straight != prices_of(walk(2), range(100))
    assert all(price % AAPL.tick_size == 0 for price in straight)


def prices_of(quotes: Quotes, seconds: Iterable[int]) -> list[Decimal]:
    found = [quotes.at(LISTED, START + timedelta(seconds=second)) for second in seconds]
    return [quote.amount for quote in found if quote is not None]


def test_a_random_walk_goes_on_after_a_restart(tmp_path: Path) -> None:
    settings = VenueSettings(prices=PriceSource(volatility=0.001))
    prices = []
    for start_seconds in (0, 50):
        venue = open_venue(settings, START + timedelta(seconds=start_seconds), tmp_path / "venue.db")
        venue.advance(START + timedelta(seconds=100))
        prices.append(venue.questions.quote(AAPL.key, venue.now))
        venue.close()
    assert prices[0] == prices[1]


def test_a_posted_price_outlives_a_restart(tmp_path: Path) -> None:
    venue = venue_of(data=tmp_path / "venue.db")
    venue.post_price(AAPL.key, D("123.45"))
    venue.close()
    again = venue_of(data=tmp_path / "venue.db")
    assert again.questions.quote(AAPL.key, again.now)["price"] == "123.45"
    again.close()


@pytest.mark.parametrize("suffix", [".json", ".toml"])
def test_a_catalogue_file_adds_to_the_built_ins_and_replaces_them(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"catalogue{suffix}"
    if suffix == ".json":
        path.write_text('[{"symbol": "AAPL", "exchange": "NASDAQ", "tick_size": 0.05}, {"symbol": "IBM", "exchange": "NYSE"}]')
    else:
        path.write_text(
            '[[instrument]]\nsymbol="AAPL"\nexchange="NASDAQ"\ntick_size=0.05\n[[instrument]]\nsymbol="IBM"\nexchange="NYSE"'
        )
    catalogue = catalogue_of(VenueSettings(catalogue_file=path))
    assert catalogue.listed("NASDAQ:AAPL").instrument.tick_size == D("0.05")
    assert catalogue.listed("NYSE:IBM").instrument.lot_size == D(1)
    assert catalogue.listed("ARCA:SPY") == BUILT_IN.listed("ARCA:SPY")


@pytest.mark.parametrize("text", ["[", "{}x", '[{"symbol": "X"}]', '[{"symbol": "X", "exchange": "Y", "tick_size": 0}]', "[1]"])
def test_a_bad_catalogue_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "catalogue.json"
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"catalogue\.json"):
        catalogue_of(VenueSettings(catalogue_file=path))


async def test_instruments_are_resolved_by_what_the_signal_says() -> None:
    instruments = SimulatedInstruments()
    for exchange in (None, "NASDAQ", "NYSE", "SMART"):
        assert await instruments.resolve(InstrumentQuery("AAPL", exchange)) == AAPL
    assert AAPL.calendar == "XNYS"
    infy = await instruments.resolve(InstrumentQuery("INFY", "NSE", AssetClass.EQUITY, "INR"))
    assert infy is not None
    assert (infy.tick_size, infy.calendar) == (D("0.05"), "XBOM")
    assert await instruments.resolve(InstrumentQuery("NONE")) is None
    assert await instruments.resolve(InstrumentQuery("AAPL", "NSE")) is None
    assert await instruments.resolve(InstrumentQuery("AAPL", currency="EUR")) is None


def test_settings_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "venue.toml"
    path.write_text('seed = 7\n[commission]\nper_unit = 0.005\n[[accounts]]\naccount_id = "A"\n')
    settings = read_settings(path)
    assert (settings.seed, settings.commission.per_unit, settings.accounts[0].account_id) == (7, D("0.005"), "A")


@pytest.mark.parametrize(
    ("tables", "named"),
    [
        ({"sede": 1}, "sede"),
        ({"fills": {"max_fraction": "2"}}, r"fills\.max_fraction"),
        ({"accounts": []}, "accounts: needs at least one"),
        ({"accounts": [{}, {}]}, "accounts: needs at least one, each with its own account_id"),
        ({"faults": {"faults": [{"kind": "bust", "on": "submit"}]}}, "bust cannot strike at submit"),
    ],
)
def test_a_bad_setting_is_named(tmp_path: Path, tables: dict[str, object], named: str) -> None:
    path = tmp_path / "venue.json"
    path.write_text(json.dumps(tables))
    with pytest.raises(SettingsError, match=named):
        read_settings(path)


def test_an_unreadable_settings_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.json"):
        read_settings(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("kind", "on"),
    [(FaultKind.REPORT_LOST, Point.SUBMIT), (FaultKind.REQUEST_LOST, Point.REPORT), (FaultKind.BUST, Point.FILL_REPORT)],
)
def test_a_fault_is_laid_only_where_it_can_strike(kind: FaultKind, on: Point) -> None:
    with pytest.raises(ValidationError, match="cannot strike"):
        Fault(kind=kind, on=on)


def test_everything_that_is_listed_has_a_price_of_which_the_usual_amount_buys_a_lot() -> None:
    assert {listing.instrument.symbol for listing in BUILT_IN} == START_PRICES.keys()
    for listing in BUILT_IN:
        instrument = listing.instrument
        amount = simulated_limits(instrument.currency, ())["position_size"]
        assert START_PRICES[instrument.symbol] * instrument.lot_size * 2 <= amount
