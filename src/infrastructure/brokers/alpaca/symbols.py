"""Alpaca's symbols and ours."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal

from liveorder.domain.errors import OrderValidationError
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import AssetClass, OptionRight

_OPTION = re.compile(r"(?P<root>[A-Z][A-Z0-9.]{0,5})(?P<expiry>\d{6})(?P<right>[CP])(?P<strike>\d{8})")
"""The OCC format, unpadded: root, YYMMDD, C or P, strike in thousandths. The root of an adjusted contract ends in a digit."""
_THOUSANDTHS = 1000


def symbol_of(instrument: Instrument) -> str:
    """Alpaca's symbol of the instrument. Raises `OrderValidationError` for an option without expiry, strike or right."""
    if instrument.asset_class is not AssetClass.OPTION:
        return instrument.symbol
    if instrument.expiry is None or instrument.strike is None or instrument.right is None:
        raise OrderValidationError("instrument: an option needs expiry, strike and right; name all three")
    return option_symbol(instrument.symbol, instrument.expiry, instrument.strike, instrument.right)


def option_symbol(root: str, expiry: date, strike: Decimal, right: OptionRight) -> str:
    """
    >>> option_symbol("AAPL", date(2026, 12, 18), Decimal("212.5"), OptionRight.CALL)
    'AAPL261218C00212500'
    """
    return f"{root}{expiry:%y%m%d}{right.value[0]}{int(strike * _THOUSANDTHS):08d}"


def option_named(symbol: str) -> tuple[str, date, Decimal, OptionRight] | None:
    """Root, expiry, strike and right. None if it is not an option's symbol."""
    parts = _OPTION.fullmatch(symbol)
    if parts is None:
        return None
    expiry = datetime.strptime(parts["expiry"], "%y%m%d").replace(tzinfo=UTC).date()
    right = OptionRight.CALL if parts["right"] == "C" else OptionRight.PUT
    return parts["root"], expiry, Decimal(parts["strike"]) / _THOUSANDTHS, right


def our_symbol(symbol: str | None, asset_class: str | None) -> str | None:
    """Our instrument's symbol. None if Alpaca's symbol does not determine it (older answers write coins without the slash)."""
    if not symbol or (asset_class == "crypto" and "/" not in symbol):
        return None
    option = option_named(symbol) if asset_class == "us_option" else None
    return symbol if option is None else option[0]
