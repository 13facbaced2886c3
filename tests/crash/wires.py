"""The wires on which services of the kill matrix reach a venue: its own, or a broker's, spoken by a twin in the venue's process.

On a broker's wire the service has the real adapter with the vendor's real client library in it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from importlib import import_module
from pathlib import Path

from pydantic import SecretStr

from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.brokerage import AccountAccess, Brokerage
from liveorder.application.ports.clock import Clock
from liveorder.domain.broker_capabilities import BrokerCapabilities, KeySupport
from liveorder.domain.values import TradingMode
from liveorder.infrastructure.settings.sections import Alpaca, Ibkr, Kite
from liveorder.testing.exchange import Exchange
from liveorder.testing.venue.settings import Fills, Keys, PriceSource, VenueAccount, VenueSettings
from tests.crash.plans import ServicePlan

HOST = "127.0.0.1"
PRICE = Decimal(60000)
"""Of whatever is traded."""
LAG_SECONDS = 0.2
"""As the services take it to be: the twins have none."""

Section = Alpaca | Ibkr | Kite


@dataclass(frozen=True, slots=True)
class Wire:
    """`signal` are the fields that name what is traded, `instrument` is its key at the venue."""

    name: str
    signal: Mapping[str, str]
    instrument: str
    support: KeySupport
    """What the venue makes of keys."""
    trusts_absence: bool
    """Whether an order that is not found is believed not to be there, so that no doubt stands for ever."""
    key_field: str
    """Of a payload."""
    serving: Callable[[Exchange, VenueSettings, str, Path], AbstractAsyncContextManager[str]]
    """Where one account is reached while the block lasts."""
    section: Callable[[str], Section]
    """The settings that lead there."""
    broker_order_id: Callable[[str], str]
    """The broker's id of one of the venue's orders."""
    forgets_at_midnight_in: str | None = None
    """A time zone: its lists reach back to midnight there, and what is not found of the day before is left to a person."""
    cannot: Mapping[str, str] = field(default_factory=dict)
    """Operations that the broker does not have, with the reason."""
    catalogue: Path | None = None
    symbol: str = "AAPL"
    currency: str = "USD"
    is_forked_with_its_client: bool = True

    def settings(self, accounts: Iterable[str]) -> VenueSettings:
        """Prices stand still; ten units fill in three parts."""
        return VenueSettings(
            prices=PriceSource(volatility=0.0, start_prices={self.symbol: PRICE}),
            fills=Fills(delay_seconds=0.12, max_quantity=Decimal(4)),
            keys=Keys(support=self.support),
            catalogue_file=self.catalogue,
            accounts=tuple(
                VenueAccount(account_id=account, currency=self.currency, cash=Decimal(10_000_000)) for account in accounts
            ),
        )

    def brokerage(self, plan: ServicePlan, clock: Clock, log: ActivityLog) -> Brokerage:
        """The adapter as bootstrap would make it, in haste."""
        adapter = import_module(f"liveorder.infrastructure.brokers.{self.name}.assembly").brokerage

        def adjusted(declared: BrokerCapabilities) -> BrokerCapabilities:
            return replace(
                declared,
                lookup_lag_seconds=LAG_SECONDS,
                delivery_bound_seconds=plan.delivery_bound_seconds,
                clock_skew_seconds=0.0,
                requests_per_second=1e6,
                requests_per_minute=6e7,
                quiet_poll_seconds=0.0,
            )

        access = AccountAccess(plan.account, TradingMode.PAPER, self.currency, plan.call_timeout_seconds, adjusted, clock, log)
        made: Brokerage = adapter(access, self.section(plan.address))
        return made


def load_client(key_class: str) -> None:
    """A broker's adapter and client library into this process, before it forks; not where that would begin a reactor."""
    if key_class in WIRES and WIRES[key_class].is_forked_with_its_client:
        import_module(f"liveorder.infrastructure.brokers.{key_class}.assembly")


@asynccontextmanager
async def _alpaca(exchange: Exchange, settings: VenueSettings, account: str, folder: Path) -> AsyncIterator[str]:
    from tests.twins.alpaca.server import alpaca_twin

    async with alpaca_twin(exchange, account=account) as twin:
        yield twin.data_address


@asynccontextmanager
async def _kite(exchange: Exchange, settings: VenueSettings, account: str, folder: Path) -> AsyncIterator[str]:
    from tests.twins.kite import kite_twin

    own = settings.model_copy(update={"accounts": tuple(each for each in settings.accounts if each.account_id == account)})
    async with kite_twin(exchange, own) as twin:
        yield twin.address


@asynccontextmanager
async def _ibkr(exchange: Exchange, settings: VenueSettings, account: str, folder: Path) -> AsyncIterator[str]:
    from tests.twins.ibkr.server import tws_twin

    async with tws_twin(exchange, account=account, ids_file=folder / f"{account}.ids") as twin:
        yield str(twin.port)


def _alpaca_section(address: str) -> Section:
    from tests.twins.alpaca.server import KEY, SECRET

    return Alpaca(api_key=SecretStr(KEY), secret_key=SecretStr(SECRET), base_url=f"{address}/paper", data_url=address)


def _kite_section(address: str) -> Section:
    from tests.twins.kite.server import API_KEY, FIRST_TOKEN

    return Kite(api_key=SecretStr(API_KEY), access_token=SecretStr(FIRST_TOKEN), root=address)


def _ibkr_section(address: str) -> Section:
    return Ibkr(host=HOST, port=int(address))


def _alpaca_order_id(venue_id: str) -> str:
    from tests.twins.alpaca.words import order_id

    return order_id(venue_id, 0)


def _kite_order_id(venue_id: str) -> str:
    from tests.twins.kite.venue import kite_id

    return kite_id(venue_id)


def _ibkr_order_id(venue_id: str) -> str:
    from tests.twins.ibkr.orders import FIRST_PERM_ID

    return str(FIRST_PERM_ID + int(venue_id[1:]))


WIRES = {
    wire.name: wire
    for wire in (
        Wire(
            "alpaca",
            {"symbol": "AAPL", "exchange": "NASDAQ", "time_in_force": "GTC"},
            "NASDAQ:AAPL",
            KeySupport.UNIQUE,
            trusts_absence=True,
            key_field="client_order_id",
            serving=_alpaca,
            section=_alpaca_section,
            broker_order_id=_alpaca_order_id,
        ),
        Wire(
            "kite",
            {"symbol": "RELIANCE", "exchange": "NSE", "time_in_force": "DAY", "product": "CNC"},
            "NSE:RELIANCE",
            KeySupport.SEARCHABLE,
            trusts_absence=False,
            key_field="tag",
            serving=_kite,
            section=_kite_section,
            broker_order_id=_kite_order_id,
            symbol="RELIANCE",
            currency="INR",
            is_forked_with_its_client=False,
        ),
        Wire(
            "ibkr",
            {"symbol": "AAPL", "exchange": "NASDAQ", "time_in_force": "GTC"},
            "NASDAQ:AAPL",
            KeySupport.SEARCHABLE,
            trusts_absence=True,
            forgets_at_midnight_in="America/New_York",
            key_field="orderRef",
            serving=_ibkr,
            section=_ibkr_section,
            broker_order_id=_ibkr_order_id,
            cannot={"order by hand, adopted and cancelled": "TWS lets no client but number 0 cancel what was placed by hand"},
        ),
    )
}
