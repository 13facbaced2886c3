"""All settings of a venue. Money and quantities are decimals, written as strings; times are in seconds."""

from __future__ import annotations

import json
import tomllib
from decimal import ROUND_UP, Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, ValidationError, model_validator

from liveorder.domain.broker_capabilities import KeySupport
from liveorder.domain.errors import SettingsError
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import ZERO, Amount, Price, Quantity
from liveorder.testing.venue.faults import FaultPlan
from liveorder.testing.venue.numbers import Probability, Seconds

Charge = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
Part = Annotated[Decimal, Field(ge=0, lt=1)]
COIN_STEP = Decimal("1E-9")
START_PRICES = {
    "SPY": Decimal(500),
    "AAPL": Decimal(200),
    "MSFT": Decimal(400),
    "TSLA": Decimal(250),
    "RELIANCE": Decimal(1400),
    "INFY": Decimal(1500),
    "TCS": Decimal(3500),
    "BTC/USD": Decimal(60000),
    "ETH/USD": Decimal(3000),
    "AMD": Decimal(150),
    "AMZN": Decimal(200),
    "BAC": Decimal(40),
    "DIA": Decimal(400),
    "DIS": Decimal(100),
    "F": Decimal(12),
    "GE": Decimal(200),
    "GLD": Decimal(250),
    "GOOG": Decimal(175),
    "GOOGL": Decimal(175),
    "IBM": Decimal(250),
    "INTC": Decimal(25),
    "IWM": Decimal(200),
    "JPM": Decimal(250),
    "KO": Decimal(70),
    "META": Decimal(600),
    "NFLX": Decimal(900),
    "NVDA": Decimal(150),
    "QQQ": Decimal(500),
    "T": Decimal(25),
    "TLT": Decimal(90),
    "V": Decimal(300),
    "VOO": Decimal(500),
    "VTI": Decimal(280),
    "WMT": Decimal(90),
    "XLF": Decimal(50),
    "XOM": Decimal(110),
    "AXISBANK": Decimal(1100),
    "HDFCBANK": Decimal(1700),
    "ICICIBANK": Decimal(1300),
    "ITC": Decimal(420),
    "LT": Decimal(3500),
    "NIFTYBEES": Decimal(260),
    "SBIN": Decimal(800),
    "TATAMOTORS": Decimal(700),
    "TATASTEEL": Decimal(150),
    "WIPRO": Decimal(250),
    "LTC/USD": Decimal(100),
    "SOL/USD": Decimal(150),
}


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class VenueCommission(_Settings):
    """Commission per order, per unit, and as a fraction of the value; exact, not rounded."""

    per_order: Charge = ZERO
    per_unit: Charge = ZERO
    rate: Charge = ZERO
    currency: str | None = None
    """The currency of the charge; none: the instrument's. If it is the traded coin, the value is a number of coins, and the charge
    is deducted from the holding.
    """
    in_kind: Part = ZERO
    """The part of bought coins that is the fee, in place of money. No report mentions it."""

    def of(self, instrument: Instrument, quantity: Decimal, price: Decimal, is_first: bool) -> Decimal:
        """The commission of one fill. The order's first fill bears `per_order`."""
        is_in_coins = self.currency is not None and self.currency == instrument.coin
        value = quantity if is_in_coins else abs(instrument.value_of(quantity, price))
        return (self.per_order if is_first else ZERO) + self.per_unit * quantity + self.rate * value

    def coins_of(self, quantity: Decimal) -> Decimal:
        """The fee in coins for a buy of this many, rounded up as Alpaca does."""
        return (quantity * self.in_kind).quantize(COIN_STEP, rounding=ROUND_UP)


class OpeningPosition(_Settings):
    """A position before the first order. `quantity` is signed."""

    quantity: Amount
    price: Price


class VenueAccount(_Settings):
    account_id: str = "SIM"
    currency: str = "USD"
    cash: Amount = Decimal(1_000_000)
    """Opening cash in `currency`. Other currencies start at zero."""
    is_limited: bool = False
    """Whether a buy that exceeds the cash in `currency` is refused. Cash in other currencies is not checked."""
    allows_short: bool = True
    crosses_zero: bool = True
    """Whether one order may close a position and open the other side with what is left of it."""
    positions: dict[str, OpeningPosition] = {}
    """Keyed by instrument key, such as ``NASDAQ:AAPL``."""


class Fills(_Settings):
    automatic: bool = True
    """False: orders trade only by hand."""
    delay_seconds: Seconds = 0.0
    """The delay before each fill, including the first."""
    max_quantity: Quantity | None = None
    max_fraction: Annotated[Decimal, Field(gt=0, le=1)] | None = None
    """Maximum part of the order's quantity in one fill, rounded down to the lot, at least one lot."""


class Keys(_Settings):
    """How the venue treats client keys."""

    support: KeySupport = KeySupport.UNIQUE
    memory_seconds: PositiveFloat = 10 * 365 * 86400.0
    """UNIQUE: how long the key of an accepted order is refused."""
    lookup_lag_seconds: Seconds = 0.0
    """How long a new order is missing from `find` and `open_orders`."""


class PriceSource(_Settings):
    """A quotes file, or else a random walk from `start_prices` (by symbol or instrument key)."""

    file: Path | None = None
    start_prices: dict[str, Price] = START_PRICES
    volatility: NonNegativeFloat = 0.0002
    """Standard deviation of one step as a fraction of the price; 0 keeps prices where they start."""
    step_seconds: PositiveFloat = 1.0

    @model_validator(mode="after")
    def _has_one_source(self) -> PriceSource:
        walking = self.model_fields_set - {"file"}
        if self.file is not None and walking:
            raise ValueError(
                f"{' and '.join(sorted(walking))}: this belongs to the random walk, which file replaces; leave one out"
            )
        return self


class VenueSettings(_Settings):
    seed: int = 0
    accounts: tuple[VenueAccount, ...] = (VenueAccount(),)
    prices: PriceSource = PriceSource()
    fills: Fills = Fills()
    keys: Keys = Keys()
    commission: VenueCommission = VenueCommission()
    reports_commission_apart: bool = False
    """True: fills come without commission and a commission report follows each."""
    rejection_probability: Probability = 0.0
    latency_seconds: Seconds = 0.0
    """One-way latency, for requests and for answers."""
    accept_delay_seconds: Seconds = 0.0
    """Delay between acceptance and working in the market."""
    cancel_delay_seconds: Seconds = 0.0
    """Delay during which the order can still trade."""
    replace_delay_seconds: Seconds = 0.0
    positions_lag_seconds: Seconds = 0.0
    """How long a trade is missing from the positions that are reported."""
    catalogue_file: Path | None = None
    hours: Literal["always", "exchange"] = "exchange"
    """always: nothing ever closes, and a DAY order ends at 00:00 UTC; exchange: each instrument has its calendar."""
    faults: FaultPlan = FaultPlan()

    @model_validator(mode="after")
    def _names_accounts_once(self) -> VenueSettings:
        names = [account.account_id for account in self.accounts]
        if not names or len(set(names)) < len(names):
            raise ValueError("accounts: needs at least one, each with its own account_id; add or rename one")
        return self


def read_settings(path: Path) -> VenueSettings:
    """Read settings from a JSON or TOML file. Raises `SettingsError`, which names each invalid field."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        tables = tomllib.loads(text, parse_float=Decimal) if path.suffix == ".toml" else json.loads(text, parse_float=Decimal)
        return VenueSettings.model_validate(tables)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, item['loc'])) or 'file'}: {item['msg']}" for item in error.errors())
        raise SettingsError(f"venue settings {path}: {faults}; see VenueSettings for the names and units") from error
    except OSError as error:
        raise SettingsError(f"venue settings {path}: {error.strerror}; name a readable JSON or TOML file") from error
    except ValueError as error:
        raise SettingsError(f"venue settings {path}: {error}; name a readable JSON or TOML file") from error
