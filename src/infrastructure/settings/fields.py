"""All settings with their defaults. `liveorder init` writes each docstring beside its setting."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from liveorder.domain.errors import SettingsError
from liveorder.domain.position_owner import PositionOwner
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.signal_fields import CurrencyCode, Text
from liveorder.domain.values import Product
from liveorder.infrastructure.database_url import database_url
from liveorder.infrastructure.settings.http import Http
from liveorder.infrastructure.settings.sections import (
    AccountSettings,
    Alpaca,
    EngineSettings,
    FilePath,
    Ibkr,
    Kite,
    Logs,
    Mode,
    NotifierUrl,
    Options,
    PublisherUrl,
    Retry,
    Simulation,
    SourceUrl,
    SpecialSession,
    Telegram,
    Timeouts,
)


def _check_database(text: str) -> str:
    try:
        database_url(text)
    except SettingsError as error:
        raise ValueError(str(error)) from None
    return text


DatabaseAddress = Annotated[str, AfterValidator(_check_database)]


class SettingsFields(BaseSettings):
    """The fields only. `Settings` reads them and derives values from them."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", defer_build=True, hide_input_in_errors=True)

    trading_mode: Mode | None = None
    """SIMULATION, PAPER or LIVE; none: simulation, as long as there are no credentials."""
    enable_auto_trading: bool | None = None
    """Whether signals trade automatically; none: true in a simulation, false otherwise."""
    use_mock_broker: bool = False
    """Trade at the simulated venue, regardless of accounts and credentials."""
    broker: Text | None = None
    """Use only the accounts at this broker; none: all."""
    store: DatabaseAddress = Field("sqlite:///var/liveorder.db", repr=False)
    """Where all events are stored: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE, with %2F for / and %40 for @ in its
    parts.
    """
    read_model: DatabaseAddress | None = Field(None, repr=False)
    """Where lists and reports are stored; none: beside the store, as NAME-views.db or in the same database."""
    confirmations: FilePath | None = None
    """JSON Lines file in which every execution is confirmed, for strategies to follow; none: no such file."""
    projections: tuple[Text, ...] = ()
    """Reports that installed packages bring, by name; each is kept beside the read models that are always there."""
    namespace: Text = "default"
    """Part of every signal's identity. Fixed when the store is created."""
    default_account: Text | None = None
    """Account for signals that name none; none: the first account. To change the store's: `liveorder store default-account`."""
    positions: PositionOwner | None = None
    """by_strategy: an order may close what its strategy holds; by_account: what the account holds. None: as the store has it, which
    for a new one is by_strategy.
    """
    default_exchange: Text | None = None
    """Exchange for signals that name none; none: the only exchange that has the symbol."""
    default_product: Product | None = None
    """MIS, NRML, CNC or MTF, for signals that name none."""
    default_currency: CurrencyCode = "USD"
    """Currency of accounts that name none."""
    risk: RiskLimits = RiskLimits()
    retry: Retry = Retry()
    timeouts: Timeouts = Timeouts()
    engine: EngineSettings = EngineSettings()
    logs: Logs = Logs()
    simulation: Simulation = Simulation()
    kite: Kite = Kite()
    ibkr: Ibkr = Ibkr()
    alpaca: Alpaca = Alpaca()
    http: Http = Http()
    telegram: Telegram = Telegram()
    accounts: tuple[AccountSettings, ...] = ()
    """One table per account; none: one account for each broker whose credentials are given."""
    brokers: dict[Text, Options] = Field({}, repr=False)
    """One table per broker of an installed package; the package defines its settings."""
    sources: tuple[SourceUrl, ...] = Field((), repr=False)
    """One table per source of signals, in addition to `--signals`."""
    publishers: tuple[PublisherUrl, ...] = Field((), repr=False)
    """One table per destination of confirmations, in addition to `confirmations`."""
    notifiers: tuple[NotifierUrl, ...] = Field((), repr=False)
    """One table per destination of notices to people; without any, alerts are in the log."""
    special_sessions: tuple[SpecialSession, ...] = ()
    """One table per day on which an exchange has other hours than its calendar says."""

    @classmethod
    def settings_customise_sources(cls, *_: Any, **sources: Any) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only the given values are used; nothing else is read."""
        return (sources["init_settings"],)
