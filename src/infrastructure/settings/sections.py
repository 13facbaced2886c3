"""The tables of the settings file. Docstrings are what `liveorder init` writes beside each setting."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, TypeAdapter

from liveorder.application.outbox.notifier import Manner
from liveorder.domain.broker_capabilities import BrokerCapabilities
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
TokenFile = Annotated[FilePath, BeforeValidator(lambda value: value.get_secret_value() if isinstance(value, SecretStr) else value)]
"""Its name sounds like a secret's, and options of an account are hidden by their names; the path is none."""


def _address(schemes: str, path: str = r"(?:/[^\s?#@]*)?") -> Any:
    """What may be shown and logged: nobody has to look for a password in it."""
    pattern = re.compile(rf"{schemes}://[^\s/?#@]+{path}")

    def check(text: str) -> str:
        if pattern.fullmatch(text) is None:
            raise ValueError(
                f"must match {pattern.pattern}, without user, password or query: credentials have settings of their own"
            )
        return text

    return AfterValidator(check)


HttpAddress = Annotated[str, _address("https?")]
HttpRoot = Annotated[str, _address("https?", path="")]
StreamAddress = Annotated[str, _address("wss?")]


def _check_protection(percent: Decimal) -> Decimal:
    if percent != -1 and not 0 < percent <= 100:
        raise ValueError("is -1, or above 0 and at most 100")
    return percent


MarketProtection = Annotated[Decimal, Field(allow_inf_nan=False), AfterValidator(_check_protection)]

_CAPABILITIES = TypeAdapter(BrokerCapabilities)


class Section(BaseModel):
    """Base of every table."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True)


class Retry(Section):
    """A request that surely was not received is sent again."""

    max_attempts: Annotated[int, Field(ge=1)] = 3
    """Attempts in all."""
    first_wait_seconds: Seconds = 1.0
    """Before the second attempt; doubled before each further one."""
    max_wait_seconds: Seconds = 30.0
    """The doubling ends here."""


class Timeouts(Section):
    """How long to wait for what."""

    market_order_seconds: Seconds = 60.0
    """A market order that is open for longer, in session time, is asked about and cancelled; protective orders and orders for an
    auction never are."""
    day_limit_order_seconds: Seconds = 300.0
    """The same for a limit order for the day, and for what may rest as one (MARKET_TO_LIMIT)."""
    broker_call_seconds: Seconds = 10.0
    """A call without an answer for so long has an unknown outcome."""
    drain_seconds: Seconds = 10.0
    """At the end, calls in flight have so long to come back."""


class EngineSettings(Section):
    """The rhythm of the service."""

    poll_seconds: Seconds = 0.5
    """Between two questions about open orders; longer where the broker allows few, or wants none while its stream lives."""
    source_poll_seconds: Seconds = 0.5
    """Between two looks at a followed file."""
    reconcile_seconds: Seconds = 300.0
    """Between two comparisons with the broker."""
    lease_seconds: Seconds = 15.0
    """The store is owned for so long unless renewed; another process can take over after it."""
    circuit_breaker_failures: Annotated[int, Field(ge=1)] = 5
    """Broker failures in a row that halt an account."""
    signals_at_once: Annotated[int, Field(ge=1)] = 256
    """Signals being worked on side by side; beyond that their source waits."""


class Logs(Section):
    """Where log lines go."""

    directory: FilePath = Path("logs")
    """Holds orders_YYYYMMDD.log, one for each UTC day."""
    console: bool = True
    """Whether a running service also writes to the terminal."""


class Simulation(Section):
    """The simulated venue."""

    quotes: FilePath | None = None
    """CSV of prices; none: those of venue_settings, else a seeded random walk."""
    seed: int = 0
    """Of everything that is left to chance; unless it is set here, that of venue_settings holds."""
    starts_at: Moment | None = None
    """Where the clock of a simulation begins, ISO-8601 with time zone; none: it is the real one."""
    venue: Annotated[str, Field(pattern=r"^[^\s:]+:\d+$")] | None = None
    """HOST:PORT of a `liveorder venue`, which has quotes, seed and data of its own; none: the venue runs in this process."""
    venue_settings: FilePath | None = None
    """TOML or JSON with fills, commissions, delays, faults and keys of the venue."""
    venue_data: FilePath = Path("var/venue.db")
    """What the venue remembers, ours and its own death notwithstanding."""


class Kite(Section):
    """Zerodha Kite."""

    api_key: SecretStr | None = None
    """Of the Kite Connect app."""
    api_secret: SecretStr | None = None
    """Needed only to make an access token."""
    access_token: SecretStr | None = None
    """Of the day; expires every morning."""
    access_token_file: TokenFile | None = None
    """Where `liveorder kite login` leaves it; read at every connection, so that a login needs no restart."""
    variety: Literal["regular", "amo"] = "regular"
    """amo: orders placed after hours for the next session; they need allow_closed_market in [risk] too."""
    market_protection: MarketProtection = Decimal(-1)
    """Percent by which a MARKET or SL-M order may miss the last price; -1: as Kite sees fit. Without any Kite rejects them."""
    longest_ttl_minutes: Annotated[int, Field(ge=1)] = 120
    """The longest validity of a GTD order that Kite takes."""
    multipliers: dict[str, Quantity] = {}
    """Units in one lot of each MCX or CDS underlying, as in { CRUDEOIL = 100 }; one that is not here is not traded."""
    freeze_quantities: dict[str, Quantity] = {}
    """The most that the exchange takes in one order, as in { NIFTY = 1800 }: of a trading symbol, or of all derivatives of an
    underlying. An entry above it is refused here; where nothing is set, by the exchange."""
    root: HttpRoot | None = None
    """Another address of the API, without a path: of a test server or a proxy."""
    ticker_root: StreamAddress | None = None
    """Another address of the ticker, as in wss://HOST; none: that of root, else Kite's own."""


class Ibkr(Section):
    """Interactive Brokers, through TWS or IB Gateway."""

    host: str | None = None
    """Where TWS or the gateway listens, usually 127.0.0.1; set, it makes an account of its own."""
    port: Port = 7497
    """7497 TWS paper, 7496 TWS live, 4002 gateway paper, 4001 gateway live."""
    client_id: Annotated[int, Field(ge=0)] = 1
    """Must be no other program's."""
    account: Text | None = None
    """IB's number of it, such as U1234567; none: the only one of the login."""
    outside_hours: bool = False
    """Whether orders whose signal names no `hours` trade in the extended ones."""
    market_data: Literal["live", "frozen", "delayed", "delayed-frozen"] = "live"
    """Which prices to ask for; delayed ones need no subscription and are 15 minutes old or more."""
    time_zone: ZoneName = "America/New_York"
    """Of the login to TWS: at its midnight TWS forgets the orders and executions of the day."""


class Alpaca(Section):
    """Alpaca Markets."""

    api_key: SecretStr | None = None
    """Paper and live accounts have different ones."""
    secret_key: SecretStr | None = None
    """That goes with it."""
    base_url: HttpAddress | None = None
    """None: the paper or live address that fits trading_mode."""
    stream_url: StreamAddress | None = None
    """Of the trade updates; none: base_url with ws for http, and /stream."""
    data_url: HttpAddress | None = None
    """Of prices; none: Alpaca's."""
    replacement_counts_fills: bool = False
    """Whether the quantity of a replacement counts what was filled before it. See docs/brokers/alpaca.md before you say so: while
    it is false, an order that is part-filled is not replaced."""


class Telegram(Section):
    """Notifications. Nothing sends them yet: alerts are in the log."""

    enabled: bool = False
    """True is refused, until something sends them."""
    bot_token: SecretStr | None = None
    """From @BotFather."""
    chat_id: str | None = None
    """Where to send them."""


def _check_span(text: str) -> str:
    span_of(text)
    return text


class SpecialSession(Section):
    """A day on which an exchange keeps other hours than its calendar says."""

    calendar: Text
    """As exchange_calendars names it, such as XBOM or XNYS."""
    day: date
    """The exchange's own."""
    hours: tuple[Annotated[str, AfterValidator(_check_span)], ...] = ()
    """HH:MM-HH:MM in the exchange's own time; none: closed."""


def _hide_secrets(options: dict[str, Any]) -> dict[str, Any]:
    """What stands under the name of a secret becomes one, numbers and inner tables too."""
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
    checked = _CAPABILITIES.validate_python(some, extra="forbid")
    return {name: getattr(checked, name) for name in some}


Options = Annotated[dict[str, Any], AfterValidator(_hide_secrets)]
SomeLimits = Annotated[dict[str, Any], AfterValidator(_check_limits)]


STANDARD_INPUT = "-"
DOOR_URL = re.compile(r"-|[A-Za-z][A-Za-z0-9+.-]*:[^\s]+|stdin:|log:")


def _check_door(text: str) -> str:
    if DOOR_URL.fullmatch(text) is None and not text.startswith("${"):
        raise ValueError("this is no URL, and is not shown here; write SCHEME:… or SCHEME://…, with ${NAME} for a secret")
    return text


DoorUrl = Annotated[str, AfterValidator(_check_door), Field(repr=False)]


class SourceUrl(Section):
    """Where signals come from."""

    url: DoorUrl
    """file:PATH, file:PATH?follow=true, - for standard input, or the scheme of an installed package."""


class PublisherUrl(Section):
    """Where executions are confirmed to."""

    url: DoorUrl
    """file:PATH for JSON Lines, or the scheme of an installed package."""


class NotifierUrl(Section):
    """Where people are told."""

    url: DoorUrl
    """log: for the log, which is always there, or the scheme of an installed package."""
    events: dict[NoticeEvent, Manner] = {}
    """on, silent or off by event; of those that are not named, alerts are on and the rest is off."""


class AccountSettings(Section):
    """One account at one broker. An order goes where its signal's account_id says."""

    id: Text
    """As signals name it."""
    broker: Text = "simulated"
    """simulated, alpaca, kite, ibkr, or a broker of an installed package or of your own."""
    mode: Mode | None = None
    """PAPER or LIVE, to be sure: it must agree with trading_mode, unless that is SIMULATION."""
    closed: bool = False
    """Traded no more: its orders and positions stay known, and its broker is not asked for."""
    currency: CurrencyCode | None = None
    """In which its limits and position_size are; none: default_currency."""
    equity: Quantity | None = None
    """Amount that counts as the account's equity, in place of what its broker reports; Kite reports none."""
    exchange: Text | None = None
    """Of signals that name none; none: default_exchange."""
    product: Product | None = None
    """MIS, NRML, CNC or MTF, of signals that name none; none: default_product."""
    risk: SomeLimits = {}
    """Limits that differ from [risk]."""
    risk_by_currency: dict[CurrencyCode, SomeLimits] = {}
    """Limits that differ again for orders in one currency."""
    options: Options = Field({}, repr=False)
    """Settings of the broker's table that differ for this account."""
    capabilities: Annotated[dict[str, Any], AfterValidator(_check_capabilities)] = {}
    """What this broker can do, where you know better: any field of BrokerCapabilities, listed in docs/brokers/README.md."""

    def limits(self, general: RiskLimits, currency: str = "") -> RiskLimits:
        """`general` with what differs for this account, and for orders in `currency`."""
        return RiskLimits.model_validate(general.model_dump() | self.risk | self.risk_by_currency.get(currency, {}))

    def adjusted(self, declared: BrokerCapabilities) -> BrokerCapabilities:
        """What the broker declares, with what the operator knows better."""
        return replace(declared, **self.capabilities)
