"""The simulated venue that the settings describe, and the connection to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from liveorder.application.ports.brokerage import Brokerage
from liveorder.application.ports.clock import Clock
from liveorder.bootstrap.venue_files import is_former, venue_path
from liveorder.infrastructure.brokers.simulated.broker import SimulatedBroker
from liveorder.infrastructure.brokers.simulated.instruments import SimulatedInstruments
from liveorder.infrastructure.brokers.simulated.market_data import SimulatedMarketData
from liveorder.infrastructure.brokers.simulated.tcp import Tcp
from liveorder.infrastructure.brokers.simulated.transport import Transport
from liveorder.infrastructure.private_files import make_folder
from liveorder.infrastructure.settings import AccountSettings, Settings
from liveorder.testing.venue.capabilities import capabilities_of
from liveorder.testing.venue.floor import Floor
from liveorder.testing.venue.in_process import InProcess
from liveorder.testing.venue.opening import catalogue_of, open_venue
from liveorder.testing.venue.settings import PriceSource, VenueAccount, VenueSettings, read_settings


def venue_settings(settings: Settings) -> VenueSettings:
    """The venue's settings: its own file, with the simulation's quotes, seed, hours and accounts."""
    simulation = settings.simulation
    venue = VenueSettings() if simulation.venue_settings is None else read_settings(simulation.venue_settings)
    known = {account.account_id for account in venue.accounts}
    ours = [account for account in (*settings.trading_accounts, *settings.closed_accounts) if account.id not in known]
    accounts = [VenueAccount(account_id=account.id, currency=account.currency or "USD") for account in ours]
    changes: dict[str, Any] = {"accounts": (*venue.accounts, *accounts)}
    if simulation.quotes is not None:
        changes["prices"] = PriceSource(file=simulation.quotes)
    if "seed" in simulation.model_fields_set:
        changes["seed"] = simulation.seed
    if "hours" in simulation.model_fields_set or "hours" not in venue.model_fields_set:
        changes["hours"] = simulation.hours
    return venue.model_copy(update=changes)


@dataclass
class OpenedVenue:
    """The connection to the simulated venue, and the venue itself if it runs in this process."""

    transport: Callable[[], Transport]
    settings: VenueSettings
    floor: Floor | None = None

    def close(self) -> None:
        if self.floor is not None:
            self.floor.close()


def open_simulation(settings: Settings, clock: Clock) -> OpenedVenue:
    venue, simulation = venue_settings(settings), settings.simulation
    if simulation.venue is not None:
        host, port = simulation.venue.rsplit(":", 1)
        return OpenedVenue(lambda: Tcp(host, int(port), clock), venue)
    path = venue_path(settings)
    make_folder(path.parent)
    floor = Floor(open_venue(venue, clock.now(), path), venue, clock)
    return OpenedVenue(lambda: InProcess(floor, clock), venue, floor)


def simulated_brokerage(account: AccountSettings, venue: OpenedVenue) -> Brokerage:
    transport = venue.transport()
    return Brokerage(
        SimulatedBroker(transport, account_id=account.id, capabilities=account.adjusted(capabilities_of(venue.settings))),
        SimulatedMarketData(transport),
        SimulatedInstruments(catalogue_of(venue.settings)),
    )


def what_is_simulated(settings: Settings) -> str:
    """For people, in one line: where orders go, when the market is open, what the prices are, and the money there is."""
    venue, elsewhere = venue_settings(settings), settings.simulation.venue
    where = "in this process" if elsewhere is None else f"at {elsewhere}"
    hours = "always open" if venue.hours == "always" else "open in the hours of each exchange"
    said = f"Simulation: orders go to a simulated exchange {where}, and nowhere else; its market is {hours}"
    if elsewhere is not None:
        return said
    prices = "made up" if venue.prices.file is None else f"those of {venue.prices.file}"
    traded = {account.id for account in settings.trading_accounts}
    money = [f"{each.account_id} {each.cash:,} {each.currency}" for each in venue.accounts if each.account_id in traded]
    former = f"; its orders stay in {venue_path(settings)}, where an earlier version kept them" if is_former(settings) else ""
    return f"{said}, its prices are {prices}, and it began with {', '.join(money)}{former}"
