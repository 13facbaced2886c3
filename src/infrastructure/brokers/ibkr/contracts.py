"""Our instruments as TWS contracts, and the names of exchanges and their calendars."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from liveorder.application.ports.calendar import ALWAYS_OPEN
from liveorder.domain.errors import InvalidSymbolError
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import AssetClass
from liveorder.infrastructure.brokers.ibkr.rows import Fields

ASSET_CLASSES = {
    "STK": AssetClass.EQUITY,
    "OPT": AssetClass.OPTION,
    "FUT": AssetClass.FUTURE,
    "FOP": AssetClass.FUTURE_OPTION,
    "CFD": AssetClass.CFD,
    "BAG": AssetClass.COMBO,
    "CASH": AssetClass.FOREX,
    "CRYPTO": AssetClass.CRYPTO,
}
OPTIONS = (AssetClass.OPTION, AssetClass.FUTURE_OPTION)
DERIVATIVES = (*OPTIONS, AssetClass.FUTURE)
SECURITY_TYPES = {asset_class: name for name, asset_class in ASSET_CLASSES.items()}
SMART = "SMART"
_CALENDARS = {
    "XNYS": "NYSE NASDAQ ISLAND ARCA AMEX BATS IEX PINK SMART CBOE CBOE2 PHLX ISE BOX MIAX",
    "CMES": "CME CBOT COMEX NYMEX GLOBEX ECBOT",
    "XCBF": "CFE",
    "IEPA": "NYBOT ICEUS",
    "XTSE": "TSE VENTURE AEQLIT",
    "XLON": "LSE LSEETF",
    "XETR": "IBIS IBIS2",
    "XFRA": "FWB",
    "XEUR": "EUREX",
    "XPAR": "SBF",
    "XAMS": "AEB",
    "XBRU": "ENEXT.BE",
    "XLIS": "BVL",
    "XMIL": "BVME BVME.ETF",
    "XSWX": "EBS VIRTX",
    "XMAD": "BM",
    "XSTO": "SFB",
    "XCSE": "CPH",
    "XHEL": "HEX",
    "XOSL": "OSE",
    "XWAR": "WSE",
    "XWBO": "VSE",
    "XTKS": "TSEJ",
    "XHKG": "SEHK HKFE",
    "XASX": "ASX SNFE",
    "XSES": "SGX",
    "XKRX": "KSE",
    "XBOM": "NSE BSE",
    "XMEX": "MEXI",
    "24/5": "IDEALPRO",
    ALWAYS_OPEN: "PAXOS ZEROHASH",
}
_CALENDAR_OF = {exchange: calendar for calendar, exchanges in _CALENDARS.items() for exchange in exchanges.split()}
_BY_OTHER_NAMES = {
    "XNYS": "NYSE",
    "XNAS": "NASDAQ",
    "ISLAND": "NASDAQ",
    "ARCX": "ARCA",
    "XNSE": "NSE",
    "XTSE": "TSE",
    "XLON": "LSE",
}


def calendar_of(exchange: str) -> str | None:
    """None for an exchange whose hours are not known here."""
    return _CALENDAR_OF.get(exchange)


def exchange_named(name: str) -> str:
    """TWS's name of the exchange, for a name that others use."""
    return _BY_OTHER_NAMES.get(name, name)


class Contracts:
    """The contract of each instrument: as TWS reported it if TWS was asked, otherwise derived from the instrument."""

    def __init__(self) -> None:
        self._reported: dict[str, Fields] = {}

    def remember(self, instrument: Instrument, contract: Fields) -> None:
        """Raises `InvalidSymbolError` if another contract already has this name. Positions and orders would mix the two."""
        known = self._reported.get(instrument.key)
        if known is not None and known.get("conId") != contract.get("conId"):
            pair = [f"conId {each.get('conId')} in {each.get('currency')}" for each in (known, contract)]
            raise InvalidSymbolError(
                f"symbol: {instrument.key} names two contracts, {pair[0]} and {pair[1]}; trade only the first on this account"
            )
        self._reported[instrument.key] = contract

    def of(self, instrument: Instrument) -> dict[str, str]:
        reported = self._reported.get(instrument.key)
        return dict(described(instrument) if reported is None else reported)


def described(instrument: Instrument) -> Fields:
    fields = {
        "symbol": instrument.symbol,
        "secType": SECURITY_TYPES[instrument.asset_class],
        "exchange": instrument.exchange,
        "currency": instrument.currency,
    }
    match instrument.asset_class:
        case AssetClass.EQUITY:
            is_smart = instrument.exchange == SMART
            fields |= {"exchange": SMART} if is_smart else {"exchange": SMART, "primaryExchange": instrument.exchange}
        case AssetClass.FOREX | AssetClass.CRYPTO:
            fields["symbol"], fields["currency"] = pair(instrument.symbol, instrument.currency)
        case _ if instrument.asset_class in DERIVATIVES:
            fields |= _derivative(instrument)
    return fields


def symbol_of(contract: Fields) -> str:
    """Our symbol of a TWS contract. A pair carries both sides (EUR/USD, BTC/USD). An option or future carries its trading class
    where that differs from the symbol (SPX/SPXW). A combo, and a contract of a kind that we do not know, is prefixed with TWS's
    kind.
    """
    kind, symbol = contract.get("secType", ""), contract.get("symbol", "")
    asset_class = ASSET_CLASSES.get(kind)
    if asset_class in (None, AssetClass.COMBO):
        return f"{kind} {contract.get('localSymbol') or symbol}".strip()
    if asset_class in (AssetClass.FOREX, AssetClass.CRYPTO):
        return f"{symbol}/{contract.get('currency')}"
    trading_class = contract.get("tradingClass", symbol)
    return f"{symbol}/{trading_class}" if asset_class in DERIVATIVES and trading_class != symbol else symbol


def underlying(symbol: str) -> Fields:
    """Of an option or a future: the underlying, and the trading class if the symbol names one."""
    base, found, trading_class = symbol.partition("/")
    return {"symbol": base} | ({"tradingClass": trading_class} if found else {})


def _derivative(instrument: Instrument) -> Fields:
    """Without a named trading class, the symbol's own class is set. Otherwise the description would match the other classes too."""
    named = underlying(instrument.symbol)
    fields = {"tradingClass": named["symbol"], **named}
    multiplier = instrument.contract_multiplier
    fields |= {"multiplier": plain(multiplier)} if multiplier != 1 else {}
    if instrument.expiry is not None:
        fields["lastTradeDateOrContractMonth"] = f"{instrument.expiry:%Y%m%d}"
    if instrument.strike is not None:
        fields["strike"] = plain(instrument.strike)
    if instrument.right is not None:
        fields["right"] = instrument.right.value[0]
    return fields


def pair(symbol: str, currency: str) -> tuple[str, str]:
    """Both sides of EUR/USD, EUR.USD or EURUSD. For a plain EUR, `currency` is the other side."""
    for mark in "/.":
        base, found, quoted = symbol.partition(mark)
        if found:
            return base, quoted
    return (symbol[:3], symbol[3:]) if len(symbol) == 6 else (symbol, currency)


def plain(value: Decimal) -> str:
    return f"{value.normalize():f}"


def only(candidates: Iterable[Instrument]) -> Instrument | None:
    """The only candidate. None if there is none, or more than one."""
    by_key = {instrument.key: instrument for instrument in candidates}
    return next(iter(by_key.values())) if len(by_key) == 1 else None
