"""Alpaca's assets as our instruments."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from urllib.parse import quote

from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.domain.errors import InvalidSymbolError
from liveorder.domain.instrument import Instrument, TickRule
from liveorder.domain.values import AssetClass
from liveorder.infrastructure.brokers.alpaca.failures import NotFound
from liveorder.infrastructure.brokers.alpaca.rest import Rest
from liveorder.infrastructure.brokers.alpaca.symbols import option_named, option_symbol
from liveorder.infrastructure.brokers.alpaca.translation import Message, number, readable, row_of, rows_of

CENT, BELOW_A_DOLLAR = Decimal("0.01"), Decimal("0.0001")
FROM_A_DOLLAR = TickRule(from_price=Decimal(1), tick_size=CENT)
SMALLEST_PART = Decimal("0.000000001")
_US_VENUES = frozenset({"NYSE", "NASDAQ", "ARCA", "NYSEARCA", "AMEX", "BATS", "OTC", "SMART", "XNYS", "XNAS", "ARCX", "XASE", "US"})
_COINS = "CRYPTO"
_ASSET_CLASSES = ("us_equity", "crypto")
"""The asset classes of Alpaca's list. Options are found by their symbols."""
_OPTIONS = "OPRA"
USUAL_MULTIPLIER = Decimal(100)


class AlpacaInstruments:
    """An `Instruments`. Caches what it looked up for the life of the process. Raises `BrokerError` if it cannot ask.

    A stock is found under the name or MIC of any US exchange and under SMART, because Alpaca chooses where an order trades.
    """

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._known: dict[str, Message] = {}
        self._held: dict[str, Instrument] = {}
        """Keyed by asset id."""

    async def resolve(self, query: InstrumentQuery) -> Instrument | None:
        if query.asset_class is AssetClass.OPTION or (query.expiry, query.strike, query.right) != (None, None, None):
            return await self._option(query)
        asset = await self._looked_up(f"/assets/{quote(query.symbol, safe='')}")
        if asset is None or not asset.get("tradable") or asset.get("status", "active") != "active":
            return None
        if asset["class"] not in _ASSET_CLASSES:
            return None
        found = self._held[str(asset.get("id"))] = instrument_of(asset)
        return found if _fits(query, found) else None

    async def _option(self, query: InstrumentQuery) -> Instrument | None:
        """An option needs all its terms. A query that names a contract never resolves to the underlying."""
        if query.asset_class not in (None, AssetClass.OPTION) or query.currency not in (None, "USD"):
            return None
        if query.expiry is None or query.strike is None or query.right is None:
            raise InvalidSymbolError(f"symbol: several options of {query.symbol} fit; give expiry, strike and right")
        symbol = option_symbol(query.symbol, query.expiry, query.strike, query.right)
        if option_named(symbol) != (query.symbol, query.expiry, query.strike, query.right):
            return None
        contract = await self._looked_up(f"/options/contracts/{symbol}")
        if contract is None or not contract.get("tradable"):
            return None
        return option_of(symbol, _multiplier_of(contract))

    async def held(self, positions: Sequence[Message]) -> list[Instrument]:
        """The instruments of positions, however their symbols are written: the same as `resolve` returns, plus those that no longer
        trade.

        New ones are asked for in one question per asset class, or individually if there is only one of the class.
        """
        new = {_name(each): each for each in positions if _name(each) not in self._held}
        listed: dict[str, Message] = {}
        for asset_class in _ASSET_CLASSES:
            if sum(each["asset_class"] == asset_class for each in new.values()) > 1:
                listed |= await readable(self._listed(asset_class))
        for name, position in new.items():
            self._held[name] = await self._instrument_held(position, listed.get(name))
        return [self._held[_name(each)] for each in positions]

    async def _instrument_held(self, position: Message, asset: Message | None) -> Instrument:
        symbol, asset_class = str(position["symbol"]), position["asset_class"]
        if asset_class == "us_option":
            return await self._option_held(symbol)
        asset = asset or await self._looked_up(f"/assets/{quote(_name(position), safe='')}")
        return instrument_of(asset or {"symbol": symbol, "exchange": position.get("exchange"), "class": asset_class})

    async def _option_held(self, symbol: str) -> Instrument:
        """An adjusted contract is looked up. A contract that cannot be parsed keeps its symbol."""
        named = option_named(symbol)
        if named is None:
            return Instrument(symbol=symbol, exchange=_OPTIONS, asset_class=AssetClass.OPTION, multiplier=USUAL_MULTIPLIER)
        is_adjusted = named[0][-1].isdigit()
        contract = await self._looked_up(f"/options/contracts/{symbol}") if is_adjusted else None
        return option_of(symbol, _multiplier_of(contract or {}))

    async def _listed(self, asset_class: str) -> dict[str, Message]:
        rows = rows_of(await self._rest.get("/assets", status="active", asset_class=asset_class))
        return {str(row["id"]): row for row in rows}

    async def _looked_up(self, path: str) -> Message | None:
        if path not in self._known:
            try:
                self._known[path] = await readable(self._asked(path))
            except NotFound:
                return None
        return self._known[path]

    async def _asked(self, path: str) -> Message:
        return row_of(await self._rest.get(path))


def instrument_of(asset: Message) -> Instrument:
    """The instrument of an asset. Alpaca reports a coin's increments. Stocks have ticks of a cent from one dollar on, and of 0.0001
    below.
    """
    if asset["class"] == "crypto":
        return Instrument(
            symbol=asset["symbol"],
            exchange=_COINS,
            asset_class=AssetClass.CRYPTO,
            currency=str(asset["symbol"]).partition("/")[2] or "USD",
            tick_size=number(asset.get("price_increment") or SMALLEST_PART),
            lot_size=number(asset.get("min_trade_increment") or SMALLEST_PART),
        )
    lot = SMALLEST_PART if asset.get("fractionable") else Decimal(1)
    return Instrument(
        symbol=asset["symbol"],
        exchange=asset["exchange"] or "US",
        tick_size=BELOW_A_DOLLAR,
        tick_rules=(FROM_A_DOLLAR,),
        lot_size=lot,
        calendar="XNYS",
    )


def option_of(symbol: str, multiplier: Decimal) -> Instrument:
    """The instrument of an option. Raises ValueError for a symbol that is not an option's."""
    parts = option_named(symbol)
    if parts is None:
        raise ValueError(f"not an option's symbol: {symbol}")
    root, expiry, strike, right = parts
    return Instrument(
        symbol=root,
        exchange=_OPTIONS,
        asset_class=AssetClass.OPTION,
        tick_size=CENT,
        multiplier=multiplier,
        calendar="XNYS",
        expiry=expiry,
        strike=strike,
        right=right,
    )


def _multiplier_of(contract: Message) -> Decimal:
    """Uses `multiplier`, not `size`: `size` is what is delivered, which differs from the multiplier for an adjusted contract."""
    return number(contract.get("multiplier") or USUAL_MULTIPLIER)


def _name(position: Message) -> str:
    return str(position.get("asset_id") or position["symbol"])


def _fits(query: InstrumentQuery, found: Instrument) -> bool:
    venues = _US_VENUES if found.asset_class is AssetClass.EQUITY else frozenset[str]()
    if query.exchange not in (None, found.exchange, *venues):
        return False
    return query.asset_class in (None, found.asset_class) and query.currency in (None, found.currency)
