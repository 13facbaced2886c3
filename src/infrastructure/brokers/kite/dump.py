"""Kite's list of an exchange's instruments, which Kite regenerates every morning. It is read as text, so that ticks stay exact."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from io import StringIO
from sys import intern
from typing import NamedTuple

from pydantic import ValidationError

from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import AssetClass, OptionRight
from liveorder.infrastructure.brokers.kite.fields import IST

MADE_AFTER = timedelta(hours=8, minutes=30)
"""Time of day in India at which the new list is ready. A list fetched earlier is yesterday's."""

CALENDARS: Mapping[str, str] = {"NSE": "XBOM", "BSE": "XBOM", "NFO": "XBOM", "BFO": "XBOM", "CDS": "24/7", "MCX": "24/7"}
"""XBOM has the cash hours of both exchanges and of their derivatives. No calendar has the hours of CDS and MCX, and XBOM would
refuse their evening sessions, so there the broker reports when they are closed.
"""
COUNTED_IN_LOTS = frozenset({"CDS", "MCX"})
"""Exchanges where a quantity of one means one contract. Kite's list does not state the contract's size."""
_ASSET_CLASSES = {
    "EQ": AssetClass.EQUITY,
    "FUT": AssetClass.FUTURE,
    "CE": AssetClass.OPTION,
    "PE": AssetClass.OPTION,
}
_RIGHTS = {"CE": OptionRight.CALL, "PE": OptionRight.PUT}
_NOT_TRADED = "INDICES"


class DumpListing(NamedTuple):
    """One row of the list, as text."""

    exchange: str
    tradingsymbol: str
    name: str
    expiry: str
    strike: str
    tick_size: str
    lot_size: str
    instrument_type: str

    @property
    def is_derivative(self) -> bool:
        return self.expiry != ""


def edition(now: datetime) -> date:
    """The day of the newest list."""
    return (now.astimezone(IST) - MADE_AFTER).date()


def listings(text: str) -> Iterator[DumpListing]:
    """The tradable rows. Raises `KeyError` if a column is missing: then the text is no instrument list.

    A hundred thousand rows share most of their words, so each word is stored once.
    """
    for row in csv.DictReader(StringIO(text)):
        if row["segment"] != _NOT_TRADED and row["instrument_type"] in _ASSET_CLASSES:
            yield DumpListing(*(intern(row[name] or "") for name in DumpListing._fields))


def fits(query: InstrumentQuery, listing: DumpListing) -> bool:
    """Whether the listing matches: by trading symbol, or for a derivative by its underlying (`NIFTY`) and expiry. Every other field
    that the query names must match too.
    """
    by_name = listing.is_derivative and query.expiry is not None and query.symbol == listing.name
    if query.symbol != listing.tradingsymbol and not by_name:
        return False
    asked = (query.asset_class, query.currency, query.right, query.expiry and query.expiry.isoformat())
    kind = listing.instrument_type
    has = (_ASSET_CLASSES[kind], "INR", _RIGHTS.get(kind), listing.expiry)
    if any(wanted not in (None, value) for wanted, value in zip(asked, has, strict=True)):
        return False
    return query.strike is None or (kind in _RIGHTS and query.strike == Decimal(listing.strike))


def instrument_of(listing: DumpListing, multiplier: Decimal) -> Instrument | None:
    """None if the row is invalid."""
    try:
        return Instrument(
            symbol=listing.tradingsymbol,
            exchange=listing.exchange,
            asset_class=_ASSET_CLASSES[listing.instrument_type],
            currency="INR",
            tick_size=Decimal(listing.tick_size),
            lot_size=Decimal(listing.lot_size),
            multiplier=multiplier,
            calendar=CALENDARS[listing.exchange],
            expiry=date.fromisoformat(listing.expiry) if listing.is_derivative else None,
            strike=Decimal(listing.strike) if listing.instrument_type in _RIGHTS else None,
            right=_RIGHTS.get(listing.instrument_type),
        )
    except (ValidationError, InvalidOperation, ValueError):
        return None
