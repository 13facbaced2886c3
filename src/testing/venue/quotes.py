"""Price sources: a file of quotes, or a random walk fixed by the seed; prices posted by hand override both."""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from liveorder.domain.errors import InvalidInput, SettingsError
from liveorder.domain.quotes import Price
from liveorder.domain.strict_json import exact_number
from liveorder.infrastructure.brokers.simulated.catalogue import VenueListing
from liveorder.testing.venue.chance import Chance

_COLUMNS = "its columns are time,symbol,price and, where it matters, exchange"


class Quotes(Protocol):
    """Last prices as a function of time; asking changes nothing."""

    def at(self, listing: VenueListing, moment: datetime) -> Price | None:
        """The price at `moment`. None before the first price, or if the instrument has none."""
        ...

    def next_change(self, listing: VenueListing, after: datetime) -> datetime | None:
        """When the price may change next after `after`. None if never."""
        ...


class PostedPrices:
    """Prices set by hand. A posted price holds for its symbol until the next is posted, regardless of the source."""

    def __init__(self, source: Quotes) -> None:
        self._source = source
        self._posted: dict[str, Price] = {}

    def post(self, instrument_key: str, quote: Price) -> None:
        self._posted[instrument_key] = quote

    def at(self, listing: VenueListing, moment: datetime) -> Price | None:
        return self._posted.get(listing.key) or self._source.at(listing, moment)

    def next_change(self, listing: VenueListing, after: datetime) -> datetime | None:
        return None if listing.key in self._posted else self._source.next_change(listing, after)


class QuoteFile:
    """A CSV file with the columns time (ISO-8601; UTC if it has no offset), symbol, price and optionally exchange."""

    def __init__(self, path: Path) -> None:
        self._quotes: dict[str, list[Price]] = {}
        try:
            with path.open(newline="", encoding="utf-8-sig") as lines:
                self._read(csv.DictReader(lines), path)
        except OSError as error:
            raise SettingsError(f"quotes file {path}: {error.strerror}; name a readable CSV file") from error
        except UnicodeError as error:
            raise SettingsError(f"quotes file {path}: not UTF-8; save it as UTF-8") from error
        except csv.Error as error:
            raise SettingsError(f"quotes file {path}: not CSV ({error}); {_COLUMNS}") from error
        if not self._quotes:
            raise SettingsError(f"quotes file {path}: holds no price; {_COLUMNS}, with a line for each price")

    def _read(self, rows: csv.DictReader[str], path: Path) -> None:
        if missing := [name for name in ("time", "symbol", "price") if name not in (rows.fieldnames or ())]:
            raise SettingsError(f"quotes file {path}: the first line names no column {' and '.join(missing)}; {_COLUMNS}")
        for row in rows:
            try:
                key = f"{row['exchange']}:{row['symbol']}" if row.get("exchange") else row["symbol"]
                self._quotes.setdefault(key, []).append(Price(_amount(row["price"]), _time(row["time"])))
            except InvalidInput as error:
                raise SettingsError(f"quotes file {path}, line {rows.line_num}: {error}; {_COLUMNS}") from error
        for quotes in self._quotes.values():
            quotes.sort(key=_moment)

    def at(self, listing: VenueListing, moment: datetime) -> Price | None:
        quotes = self._of(listing)
        place = bisect_right(quotes, moment, key=_moment)
        return quotes[place - 1] if place else None

    def next_change(self, listing: VenueListing, after: datetime) -> datetime | None:
        quotes = self._of(listing)
        place = bisect_right(quotes, after, key=_moment)
        return quotes[place].at if place < len(quotes) else None

    def _of(self, listing: VenueListing) -> list[Price]:
        return self._quotes.get(listing.key) or self._quotes.get(listing.instrument.symbol) or []


def _moment(quote: Price) -> datetime:
    return quote.at


def _amount(text: str | None) -> Decimal:
    try:
        return exact_number(text or "")
    except InvalidInput as error:
        raise InvalidInput("price", error.problem, error.remedy) from None


def _time(text: str | None) -> datetime:
    try:
        moment = datetime.fromisoformat(text or "")
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput("time", f"{(text or '')[:40]!r} is no time", "write it like 2025-03-10T09:20:00Z") from None


class RandomWalk:
    """Each symbol moves randomly once per step. Seed, symbol and step number determine the move.

    `volatility` is the standard deviation of one step as a fraction of the price. `origin` is the time of step 0.
    """

    def __init__(
        self, starts: Mapping[str, Decimal], volatility: float, step_seconds: float, origin: datetime, chance: Chance
    ) -> None:
        self._starts, self._volatility, self._chance = starts, volatility, chance
        self._step, self._origin = timedelta(seconds=step_seconds), origin
        self._reached: dict[str, tuple[int, Decimal]] = {}

    def at(self, listing: VenueListing, moment: datetime) -> Price | None:
        start = self._starts.get(listing.key, self._starts.get(listing.instrument.symbol))
        if start is None:
            return None
        step = max((moment - self._origin) // self._step, 0)
        return Price(self._price(listing, start, step), self._origin + step * self._step)

    def next_change(self, listing: VenueListing, after: datetime) -> datetime | None:
        if self._volatility == 0 or (listing.key not in self._starts and listing.instrument.symbol not in self._starts):
            return None
        return self._origin + (max((after - self._origin) // self._step, -1) + 1) * self._step

    def _price(self, listing: VenueListing, start: Decimal, step: int) -> Decimal:
        if self._volatility == 0:
            return start
        reached, price = self._reached.get(listing.key, (0, start))
        if step < reached:
            reached, price = 0, start
        for number in range(reached + 1, step + 1):
            price = self._moved(listing, price, number)
        self._reached[listing.key] = step, price
        return price

    def _moved(self, listing: VenueListing, price: Decimal, step: int) -> Decimal:
        tick_size = listing.instrument.tick_at(price)
        even = (2 * self._chance.fraction("walk", listing.key, step) - 1) * 3**0.5
        ticks = round(even * self._volatility * float(price / tick_size))
        return max(price + ticks * tick_size, tick_size)
