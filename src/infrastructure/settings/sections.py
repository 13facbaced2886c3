"""The tables of the settings file. `liveorder init` writes each docstring beside its setting."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, TypeAdapter, model_validator

from liveorder.application.outbox.notifier import Manner
from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.limit_tables import LimitTable, NarrowLimits
from liveorder.domain.notice_event import NoticeEvent
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.signal_fields import CurrencyCode, Moment, Text
from liveorder.domain.values import Product, Quantity, TradingMode
from liveorder.infrastructure.calendars import span_of
from liveorder.infrastructure.secrecy import is_secret_name, no_path


def _check_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise ValueError(f"there is no time zone {name!r}; use one such as America/New_York") from None
    return name


Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Port = Annotated[int, Field(ge=1, le=65535)]
ZoneName = Annotated[str, AfterValidator(_check_zone)]
Mode = Annotated[TradingMode, BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value)]


def _check_path(path: Path) -> Path:
    if (problem := no_path(str(path))) is not None:
        raise ValueError(problem)
    return path


FilePath = Annotated[Path, AfterValidator(_check_path)]


def _check_name(path: Path) -> Path:
    if path.name != str(path) or path.suffix != ".log" or path.stem == "orders":
        raise ValueError("must be a name without folders that ends in .log, as in execution_service.log, and not orders.log")
    return path


LogName = Annotated[FilePath, AfterValidator(_check_name)]
TokenFile = Annotated[FilePath, BeforeValidator(lambda value: value.get_secret_value() if isinstance(value, SecretStr) else value)]
"""The option's name looks like a secret's, so it is hidden in an account's options; but a path is no secret."""


def _address(schemes: str, path: str = r"(?:/[^\s?#@]*)?") -> Any:
    """A validator of addresses that can be shown and logged, because they contain no password."""
    pattern = re.compile(rf"{schemes}://[^\s/?#@]+{path}")

    def check(text: str) -> str:
        if pattern.fullmatch(text) is None:
            raise ValueError(f"must match {pattern.pattern}, without user, password or query: credentials have their own settings")
        return text

    return AfterValidator(check)


def _check_host_and_port(text: str) -> str:
    if re.fullmatch(r"[^\s:]+:\d+", text) is None:
        raise ValueError("not HOST:PORT: write it like 127.0.0.1:7070")
    return text


HostAndPort = Annotated[str, AfterValidator(_check_host_and_port)]
HttpAddress = Annotated[str, _address("https?")]
HttpRoot = Annotated[str, _address("https?", path="")]
StreamAddress = Annotated[str, _address("wss?")]


def _check_protection(percent: Decimal) -> Decimal:
    if percent != -1 and not 0 < percent <= 100:
        raise ValueError("must be -1, or above 0 and at most 100")
    return percent


MarketProtection = Annotated[Decimal, Field(allow_inf_nan=False), AfterValidator(_check_protection)]


@cache
def _capabilities() -> TypeAdapter[BrokerCapabilities]:
    return TypeAdapter(BrokerCapabilities)


class Section(BaseModel):
    """The base of every table."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, hide_input_in_errors=True)


class Retry(Section):
    """Retries of requests that were certainly not received."""

    max_attempts: Annotated[int, Field(ge=1)] = 3
    """Maximum number of attempts."""
    first_wait_seconds: Seconds = 1.0
    """Wait before the second attempt; doubled before each further one."""
    max_wait_seconds: Seconds = 30.0
    """Maximum wait."""


class Timeouts(Section):
    """Time-outs."""

    market_order_seconds: Seconds = 60.0
    """A market order that is open for longer, in session time, is looked up and cancelled. Protective orders and auction orders
    never are.
    """
    day_limit_order_seconds: Seconds = 300.0
    """The same for a limit day order, and for orders that may rest as one (MARKET_TO_LIMIT)."""
    broker_call_seconds: Seconds = 10.0
    """A call without an answer after this time has an unknown outcome."""
    drain_seconds: Seconds = 10.0
    """At shutdown, calls in flight have this long to return."""


class EngineSettings(Section):
    """Intervals and limits of the service."""

    poll_seconds: Seconds = 0.5
    """Interval of questions about open orders; longer if the broker allows few, or wants none while its stream works."""
    source_poll_seconds: Seconds = 0.5
    """Interval of polling a followed file."""
    reconcile_seconds: Seconds = 300.0
    """Interval of reconciliation with the broker."""
    lease_seconds: Seconds = 15.0
    """The store is owned for this long unless renewed; afterwards another process can take over."""
    circuit_breaker_failures: Annotated[int, Field(ge=1)] = 5
    """Number of broker failures in a row that halts an account."""
    signals_at_once: Annotated[int, Field(ge=1)] = 256
    """Maximum number of signals processed concurrently; beyond that, their source waits."""


class Logs(Section):
    """Where log lines go."""

    directory: FilePath = Path("logs")
    """Contains orders_YYYYMMDD.log, one for each UTC day, and the files named below."""
    console: bool = True
    """Whether a running service also writes to the terminal."""
    service_file: LogName | None = Path("execution_service.log")
    """File of the terminal's lines; earlier days are put away as NAME_YYYYMMDD.log; none: no such file."""
    signals_file: LogName | None = Path("signal_processing.log")
    """File of the same lines, only of signals and what became of them; none: no such file."""
    keep_days: Annotated[int, Field(ge=1)] | None = 365
    """Files of earlier days are deleted this long after their last line; none: never."""
    keep_megabytes: Annotated[int, Field(ge=1)] | None = 4096
    """If they take more together, the oldest are deleted, but none within a day of its last line; none: no limit."""

    @model_validator(mode="after")
    def _refuse_one_file_for_both(self) -> Self:
        if self.service_file is not None and self.service_file == self.signals_file:
            raise ValueError("service_file and signals_file are the same; give them two names, or leave one out with none")
        return self


class Simulation(Section):
    """The simulated venue."""

    quotes: FilePath | None = None
    """CSV file of prices; none: those of venue_settings, else a seeded random walk."""
    seed: int = 0
    """Seed of all random decisions; if it is not set here, that of venue_settings applies."""
    hours: Literal["always", "exchange"] = "always"
    """always: the simulated market never closes, and its day ends at 00:00 UTC; exchange: each instrument trades in the hours of
    its exchange. If it is not set here, that of venue_settings applies.
    """
    starts_at: Moment | None = None
    """Start time of the simulation's clock, ISO-8601 with time zone; none: real time."""
    venue: HostAndPort | None = None
    """HOST:PORT of a `liveorder venue`, which has its own quotes, seed and data; none: the venue runs in this process."""
    venue_settings: FilePath | None = None
    """TOML or JSON with fills, commissions, delays, faults and keys of the venue."""
    venue_data: FilePath | None = None
    """The venue's stored state, which survives our crashes and its own; none: beside the store, as NAME-venue.db, so that each
    store has its own.
    """


class Kite(Section):
    """Zerodha Kite."""

    api_key: SecretStr | None = None
    """API key of the Kite Connect app."""
    api_secret: SecretStr | None = None
    """API secret; needed only to make an access token."""
    access_token: SecretStr | None = None
    """The day's access token; expires every morning."""
    access_token_file: TokenFile | None = None
    """Where `liveorder kite login` stores the token; read at every connection, so that a login needs no restart."""
    variety: Literal["regular", "amo"] = "regular"
    """amo: orders placed after hours for the next session; they need allow_closed_market in [risk] too."""
    market_protection: MarketProtection = Decimal(-1)
    """Maximum percent by which a MARKET or SL-M order may deviate from the last price; -1: Kite decides. Kite rejects orders
    without it.
    """
    longest_ttl_minutes: Annotated[int, Field(ge=1)] = 120
    """Maximum validity of a GTD order at Kite."""
    multipliers: dict[str, Quantity] = {}
    """Units in one lot of each MCX or CDS underlying, as in { CRUDEOIL = 100 }; an underlying without an entry is not traded."""
    freeze_quantities: dict[str, Quantity] = {}
    """Maximum quantity of one order at the exchange, as in { NIFTY = 1800 }: for a trading symbol, or for all derivatives of an
    underlying. A larger entry is refused here; without a limit here, by the exchange.
    """
    root: HttpRoot | None = None
    """Another address of the API, without a path, such as a test server or a proxy."""
    ticker_root: StreamAddress | None = None
    """Another address of the ticker, as in wss://HOST; none: that of root, else Kite's own."""


class Ibkr(Section):
    """Interactive Brokers, through TWS or IB Gateway."""

    host: str | None = None
    """Host of TWS or the gateway, usually 127.0.0.1; if set, it makes an account of its own."""
    port: Port = 7497
    """7497 TWS paper, 7496 TWS live, 4002 gateway paper, 4001 gateway live."""
    client_id: Annotated[int, Field(ge=0)] = 1
    """TWS client id; no other program may use it."""
    account: Text | None = None
    """IB's account number, such as U1234567; none: the login's only account."""
    outside_hours: bool = False
    """Whether orders whose signal names no `hours` trade in extended hours."""
    market_data: Literal["live", "frozen", "delayed", "delayed-frozen"] = "live"
    """Which prices to request; delayed ones need no subscription and are at least 15 minutes old."""
    time_zone: ZoneName = "America/New_York"
    """Time zone of the TWS login; at its midnight TWS drops the day's orders and executions."""


class Alpaca(Section):
    """Alpaca Markets."""

    api_key: SecretStr | None = None
    """API key; paper and live accounts have different ones."""
    secret_key: SecretStr | None = None
    """The secret that belongs to api_key."""
    base_url: HttpAddress | None = None
    """Address of the API; none: the paper or live address that matches trading_mode."""
    stream_url: StreamAddress | None = None
    """Address of the trade updates; none: base_url with ws for http, and /stream."""
    data_url: HttpAddress | None = None
    """Address of market data; none: Alpaca's."""
    replacement_counts_fills: bool = False
    """Whether a replacement's quantity includes what was filled before. See docs/brokers/alpaca.md before you set it: while it is
    false, a part-filled order is not replaced.
    """


class Telegram(Section):
    """Telegram notifications. Nothing sends them yet: alerts are in the log."""

    enabled: bool = False
    """True is refused until something sends them."""
    bot_token: SecretStr | None = None
    """From @BotFather."""
    chat_id: str | None = None
    """Where to send them."""


def _check_span(text: str) -> str:
    span_of(text)
    return text


class SpecialSession(Section):
    """A day on which an exchange has other hours than its calendar says."""

    calendar: Text
    """Name in exchange_calendars, such as XBOM or XNYS."""
    day: date
    """Date at the exchange."""
    hours: tuple[Annotated[str, AfterValidator(_check_span)], ...] = ()
    """HH:MM-HH:MM in the exchange's own time; none: closed."""


def _hide_secrets(options: dict[str, Any]) -> dict[str, Any]:
    """Turn every value under a secret's name into a secret, including numbers and nested tables."""
    return {name: _hidden(value, is_secret=is_secret_name(name)) for name, value in options.items()}


def _hidden(value: Any, *, is_secret: bool) -> Any:
    match value:
        case dict():
            return {name: _hidden(item, is_secret=is_secret or is_secret_name(name)) for name, item in value.items()}
        case list():
            return [_hidden(item, is_secret=is_secret) for item in value]
        case None | bool() | SecretStr():
            return value
    return SecretStr(str(value)) if is_secret else value


def _check_limits(some: dict[str, Any]) -> dict[str, Any]:
    RiskLimits.model_validate(some)
    return some


def _check_capabilities(some: dict[str, Any]) -> dict[str, Any]:
    checked = _capabilities().validate_python(some, extra="forbid")
    return {name: getattr(checked, name) for name in some}


Options = Annotated[dict[str, Any], AfterValidator(_hide_secrets)]
SomeLimits = Annotated[dict[str, Any], AfterValidator(_check_limits)]


STANDARD_INPUT = "-"
DOOR_URL = re.compile(r"-|[A-Za-z][A-Za-z0-9+.-]*:[^\s]+|stdin:|log:")


def _check_door(text: str) -> str:
    if DOOR_URL.fullmatch(text) is None and not text.startswith("${"):
        raise ValueError("this is not a URL, and is not shown here; write SCHEME:… or SCHEME://…, with ${NAME} for a secret")
    return text


DoorUrl = Annotated[str, AfterValidator(_check_door), Field(repr=False)]


class SourceUrl(Section):
    """Where signals come from."""

    url: DoorUrl
    """file:PATH, file:PATH?follow=true, - for standard input, redis://HOST/0?stream=NAME&group=NAME, redis://HOST/0?channel=NAME,
    or the scheme of an installed package.
    """


class PublisherUrl(Section):
    """Where executions are confirmed."""

    url: DoorUrl
    """file:PATH for JSON Lines, redis://HOST/0?stream=NAME, or the scheme of an installed package."""


class NotifierUrl(Section):
    """Where people are notified."""

    url: DoorUrl
    """log: for the log, which is always used, or the scheme of an installed package."""
    events: dict[NoticeEvent, Manner] = {}
    """on, silent or off by event; for events that are not named, alerts are on and others off."""


class StrategyLimits(NarrowLimits):
    """Limits of one strategy, measured by what it holds and does itself. They narrow the account's."""

    name: Text
    """A signal's strategy_name."""


class SymbolLimits(NarrowLimits):
    """Limits of one symbol, measured by what the account holds and does in it. They narrow the account's."""

    symbol: Text
    """As a signal names it; all contracts of the symbol count."""


class AccountSettings(Section):
    """One account at one broker. A signal's account_id selects the account."""

    id: Text
    """The account's name in signals."""
    broker: Text = "simulated"
    """simulated, alpaca, kite, ibkr, or a broker of an installed package or of your own."""
    mode: Mode | None = None
    """PAPER or LIVE, as a safeguard: it must agree with trading_mode, unless that is SIMULATION."""
    closed: bool = False
    """No longer traded: its orders and positions stay known, and its broker is not asked."""
    currency: CurrencyCode | None = None
    """Currency of its limits and position_size; none: default_currency."""
    equity: Quantity | None = None
    """Amount used as the account's equity, in place of what its broker reports; Kite reports none."""
    exchange: Text | None = None
    """Exchange for signals that name none; none: default_exchange."""
    product: Product | None = None
    """MIS, NRML, CNC or MTF, for signals that name none; none: default_product."""
    risk: SomeLimits = {}
    """Limits that differ from [risk]."""
    risk_by_currency: dict[CurrencyCode, SomeLimits] = {}
    """Limits that differ for orders in one currency."""
    strategies: tuple[StrategyLimits, ...] = ()
    """One table per strategy with limits of its own, in addition to the account's."""
    symbols: tuple[SymbolLimits, ...] = ()
    """One table per symbol with limits of its own, in addition to the account's."""
    options: Options = Field({}, repr=False)
    """Settings of the broker's table that differ for this account."""
    capabilities: Annotated[dict[str, Any], AfterValidator(_check_capabilities)] = {}
    """Corrections to what this broker can do: any field of BrokerCapabilities, listed in docs/brokers/README.md."""

    def limits(self, general: RiskLimits, currency: str = "") -> RiskLimits:
        """`general` with the limits that differ for this account, and for orders in `currency`."""
        return RiskLimits.model_validate(general.model_dump() | self.risk | self.risk_by_currency.get(currency, {}))

    def tables(self, account: RiskLimits) -> tuple[LimitTable, ...]:
        """Those by strategy and by symbol; `account`: the limits beside which they hold."""
        of_strategies = (LimitTable.of(each, account, strategy_name=each.name) for each in self.strategies)
        of_symbols = (LimitTable.of(each, account, symbol=each.symbol) for each in self.symbols)
        return (*of_strategies, *of_symbols)

    def adjusted(self, declared: BrokerCapabilities) -> BrokerCapabilities:
        """The declared capabilities with the operator's corrections."""
        return replace(declared, **self.capabilities)
