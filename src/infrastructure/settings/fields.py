"""Everything that can be set, with its default. Docstrings are what `liveorder init` writes beside each setting."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from liveorder.domain.errors import SettingsError
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.signal_fields import CurrencyCode, Text
from liveorder.domain.values import Product
from liveorder.infrastructure.database_url import database_url
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
    """The fields alone; `Settings` reads them and says what follows from them."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True)

    trading_mode: Mode | None = None
    """SIMULATION, PAPER or LIVE; none: simulation, as long as there are no credentials."""
    enable_auto_trading: bool | None = None
    """Whether signals are traded without asking; none: true in a simulation, false otherwise."""
    use_mock_broker: bool = False
    """Trade at the simulated venue whatever accounts and credentials there are."""
    broker: Text | None = None
    """Only the accounts at this broker; none: all."""
    store: DatabaseAddress = Field("sqlite:///var/liveorder.db", repr=False)
    """Where every event is kept: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE, in a part %2F for / and %40 for @."""
    read_model: DatabaseAddress | None = Field(None, repr=False)
    """Where lists and reports are kept; none: beside the store, NAME-views.db or the same database."""
    confirmations: FilePath | None = None
    """JSON Lines file that every execution is confirmed in, for strategies to follow; none: no such file."""
    projections: tuple[Text, ...] = ()
    """Reports that installed packages bring, by name; each is kept beside the read models that are always there."""
    namespace: Text = "default"
    """Part of every signal's identity. Fixed when the store is created."""
    default_account: Text | None = None
    """Of signals that name none; none: the first account. Another than the store's: `liveorder store default-account`."""
    default_exchange: Text | None = None
    """Of signals that name none; none: the one exchange that has the symbol."""
    default_product: Product | None = None
    """MIS, NRML, CNC or MTF, of signals that name none."""
    default_currency: CurrencyCode = "USD"
    """Of accounts that name none."""
    risk: RiskLimits = RiskLimits()
    retry: Retry = Retry()
    timeouts: Timeouts = Timeouts()
    engine: EngineSettings = EngineSettings()
    logs: Logs = Logs()
    simulation: Simulation = Simulation()
    kite: Kite = Kite()
    ibkr: Ibkr = Ibkr()
    alpaca: Alpaca = Alpaca()
    telegram: Telegram = Telegram()
    accounts: tuple[AccountSettings, ...] = ()
    """One table for each account; none: one for each broker whose credentials are given."""
    brokers: dict[Text, Options] = Field({}, repr=False)
    """One table for each broker that an installed package brings; which settings it has says the package."""
    sources: tuple[SourceUrl, ...] = Field((), repr=False)
    """One table for each place that signals come from, beside `--signals`."""
    publishers: tuple[PublisherUrl, ...] = Field((), repr=False)
    """One table for each place that executions are confirmed to, beside `confirmations`."""
    notifiers: tuple[NotifierUrl, ...] = Field((), repr=False)
    """One table for each place where people are told; alerts are in the log without any."""
    special_sessions: tuple[SpecialSession, ...] = ()
    """One table for each day on which an exchange keeps other hours than its calendar says."""

    @classmethod
    def settings_customise_sources(cls, *_: Any, **sources: Any) -> tuple[PydanticBaseSettingsSource, ...]:
        """Nothing is read unasked."""
        return (sources["init_settings"],)
