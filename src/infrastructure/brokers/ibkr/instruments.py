"""TWS's contracts as our instruments: what can be traded, at which price increments, and when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Context, Decimal, Inexact
from typing import Any

from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.broker import BrokerPosition
from liveorder.application.ports.calendar import ALWAYS_OPEN
from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.domain.errors import InvalidSymbolError, OutcomeUnknown
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import AssetClass, OptionRight
from liveorder.infrastructure.ambiguity import ambiguous
from liveorder.infrastructure.brokers.ibkr.connection import TwsConnection
from liveorder.infrastructure.brokers.ibkr.contracts import (
    ASSET_CLASSES,
    DERIVATIVES,
    OPTIONS,
    SECURITY_TYPES,
    SMART,
    Contracts,
    calendar_of,
    exchange_named,
    only,
    pair,
    plain,
    symbol_of,
    underlying,
)
from liveorder.infrastructure.brokers.ibkr.readings import fields_of
from liveorder.infrastructure.brokers.ibkr.rows import CONTRACT_FIELDS, Fields, above_zero, number
from liveorder.infrastructure.brokers.ibkr.ticks import Ticks, magnifier_of, rule_at, ticks_of

_RIGHTS = {"C": OptionRight.CALL, "P": OptionRight.PUT}
_EXACT = Context(prec=28, traps=[Inexact])


class IbkrInstruments:
    """An `Instruments`. Asks TWS once for each query, and caches complete answers."""

    def __init__(self, connection: TwsConnection, contracts: Contracts, currency: str, log: ActivityLog) -> None:
        """`currency` is tried first if a query names none, since a symbol can be listed in several."""
        self._connection, self._contracts, self._currency, self._log = connection, contracts, currency, log
        self._found: dict[InstrumentQuery, Instrument] = {}
        self._by_contract_id: dict[int, Instrument] = {}
        self._said: set[str] = set()

    async def resolve(self, query: InstrumentQuery) -> Instrument | None:
        """Raises `InvalidSymbolError` where several contracts fit, and `BrokerError` where TWS cannot be asked."""
        known = self._found.get(query)
        if known is not None:
            return known
        _check_class(query)
        fitting = await self._fitting(query, self._currency)
        if not fitting and query.con_id is None and query.currency is None and query.exchange not in (None, SMART):
            fitting = await self._fitting(query, "")
        if not fitting:
            return None
        if len({_identity(each) for each in fitting}) > 1:
            raise _ambiguity(query, fitting)
        instrument, is_whole = await self._kept(fitting[0])
        if is_whole:
            self._found[query] = instrument
        return instrument

    async def _fitting(self, query: InstrumentQuery, currency: str) -> list[Any]:
        """The contracts that fit. Requires a complete answer: an unreadable row could be another contract that fits."""
        session = self._connection.session
        with session.whole("contract details"):
            details = await session.questions.contract_details(_asked(query, currency))
        contracts = [_named(each) for each in details]
        if query.con_id is not None:
            _check_symbol(query, contracts)
        return [each for each, contract in zip(details, contracts, strict=True) if _fits(query, contract, each.validExchanges)]

    async def position(self, position: Any) -> BrokerPosition:
        """TWS reports the cost of one unit in the currency, including the multiplier."""
        instrument = await self._of_contract(fields_of(position.contract, CONTRACT_FIELDS))
        cost = number(position.avgCost)
        average = None if cost is None else cost / instrument.multiplier
        return BrokerPosition(instrument, number(position.position) or Decimal(0), average)

    async def _of_contract(self, contract: Fields) -> Instrument:
        """Looked up by its contract id alone, since a position does not name the listing. If TWS cannot describe the contract, the
        instrument is built from the position's own fields.
        """
        contract_id = int(contract.get("conId", 0))
        if contract_id not in self._by_contract_id:
            details = await self._connection.session.questions.contract_details({"conId": str(contract_id)})
            try:
                found = only([(await self._kept(each))[0] for each in details])
            except InvalidSymbolError:
                named = instrument_of(contract, *details[:1])
                found = named.but(symbol=f"{named.symbol} (conId {contract_id})")
            self._by_contract_id[contract_id] = found or instrument_of(contract)
        return self._by_contract_id[contract_id]

    async def _kept(self, details: Any) -> tuple[Instrument, bool]:
        """The instrument, now remembered, and whether its price increments are fully known."""
        contract = _named(details)
        ordered = {**contract, **({"exchange": SMART} if contract.get("secType") == "STK" else {})}
        rule = rule_at(ordered.get("exchange", ""), details)
        ticks = ticks_of(details, [] if rule is None else await self._connection.session.questions.market_rule(rule))
        instrument = instrument_of(contract, details, ticks)
        self._contracts.remember(instrument, ordered)
        if self._by_contract_id.get(details.contract.conId, instrument).key == instrument.key:
            self._by_contract_id[details.contract.conId] = instrument
        if _calendar_of(instrument.asset_class, instrument.exchange, instrument.currency) is None:
            self._warn(f"The hours of {instrument.exchange} are not known: {instrument.key} counts as always open")
        if not ticks.is_whole:
            self._warn(
                f"TWS did not report the price increments of {instrument.key}: {ticks.tick_size:f} counts at any price, and IB "
                "refuses prices between wider ones"
            )
        return instrument, ticks.is_whole

    def _warn(self, sentence: str) -> None:
        """Each sentence is logged once."""
        if sentence not in self._said:
            self._said.add(sentence)
            self._log.write("WARNING", sentence)


def instrument_of(contract: Fields, details: Any = None, ticks: Ticks | None = None) -> Instrument:
    """Build the instrument. Lot and price unit come from `details`, if given. Raises `OutcomeUnknown` for a magnifier that leaves
    no exact multiplier.
    """
    kind = ASSET_CLASSES.get(contract.get("secType", ""), AssetClass.EQUITY)
    listed = contract.get("primaryExchange") if kind is AssetClass.EQUITY else None
    exchange = exchange_named(listed or contract.get("exchange") or SMART)
    magnifier, ticks = magnifier_of(details), ticks or ticks_of(details)
    return Instrument(
        symbol=symbol_of(contract),
        exchange=exchange,
        asset_class=kind,
        currency=contract.get("currency", "USD"),
        tick_size=ticks.tick_size,
        tick_rules=ticks.tick_rules,
        lot_size=_lot_of(kind, details),
        multiplier=_multiplier(contract, magnifier),
        price_magnifier=magnifier,
        calendar=_calendar_of(kind, exchange, contract.get("currency", "USD")) or ALWAYS_OPEN,
        expiry=_expiry(contract) if kind in DERIVATIVES else None,
        strike=number(contract.get("strike")) if kind in OPTIONS else None,
        right=_RIGHTS.get(contract.get("right", "")[:1]) if kind in OPTIONS else None,
    )


def _calendar_of(kind: AssetClass, exchange: str, currency: str) -> str | None:
    """A CFD names no exchange. Only CFDs in dollars are certainly on American shares."""
    return None if kind is AssetClass.CFD and currency != "USD" else calendar_of(exchange)


def _multiplier(contract: Fields, magnifier: Decimal) -> Decimal:
    """The multiplier for prices as they are quoted. TWS reports the multiplier for prices in the currency."""
    try:
        return _EXACT.divide(above_zero(contract.get("multiplier")) or Decimal(1), magnifier)
    except Inexact:
        problem = f"TWS reports a price magnifier of {magnifier} for {symbol_of(contract)}, which leaves no exact multiplier"
        raise OutcomeUnknown(f"{problem}; trade it elsewhere") from None


def _lot_of(kind: AssetClass, details: Any) -> Decimal:
    """Stocks and derivatives trade in whole units at least, although TWS reports finer increments for some."""
    step = above_zero(getattr(details, "sizeIncrement", None))
    in_parts = kind in (AssetClass.CRYPTO, AssetClass.FOREX)
    return step or Decimal(1) if in_parts else max(step or Decimal(1), Decimal(1))


def _expiry(contract: Fields) -> date | None:
    """None if the contract has a month but no day."""
    text = contract.get("lastTradeDateOrContractMonth", "")[:8]
    try:
        return date.fromisoformat(text) if len(text) == len("YYYYMMDD") else None
    except ValueError:
        return None


def _asked(query: InstrumentQuery, currency: str) -> Fields:
    if query.con_id is not None:
        return {"conId": str(query.con_id)}
    kind = query.asset_class or _kind_of(query)
    fields = {"symbol": query.symbol, "secType": SECURITY_TYPES[kind], "currency": query.currency or currency}
    exchange = exchange_named(query.exchange) if query.exchange is not None else None
    match kind:
        case AssetClass.EQUITY:
            fields |= {"exchange": SMART} | ({"primaryExchange": exchange} if exchange not in (None, SMART) else {})
        case AssetClass.FOREX | AssetClass.CRYPTO:
            fields["symbol"], fields["currency"] = pair(query.symbol, fields["currency"])
            fields |= {"exchange": exchange or ("IDEALPRO" if kind is AssetClass.FOREX else "PAXOS")}
        case AssetClass.CFD | AssetClass.COMBO:
            fields |= {"exchange": exchange or SMART}
        case _:
            fields |= underlying(query.symbol)
            fields |= {"exchange": exchange or (SMART if kind is AssetClass.OPTION else "")}
            fields |= {"lastTradeDateOrContractMonth": f"{query.expiry:%Y%m%d}"} if query.expiry else {}
            fields |= {"strike": plain(query.strike)} if query.strike is not None else {}
            fields |= {"right": query.right.value[0]} if query.right is not None else {}
    fields |= {"tradingClass": query.trading_class} if query.trading_class is not None else {}
    fields |= {"multiplier": plain(query.multiplier)} if query.multiplier is not None else {}
    return {name: text for name, text in fields.items() if text}


def _kind_of(query: InstrumentQuery) -> AssetClass:
    """The asset class of a signal that names none."""
    if query.right is not None or query.strike is not None:
        is_on_future = query.exchange is not None and calendar_of(exchange_named(query.exchange)) == "CMES"
        return AssetClass.FUTURE_OPTION if is_on_future else AssetClass.OPTION
    if query.expiry is not None:
        return AssetClass.FUTURE
    is_pair = "/" in query.symbol
    return (AssetClass.CRYPTO if query.exchange in ("PAXOS", "ZEROHASH") else AssetClass.FOREX) if is_pair else AssetClass.EQUITY


def _identity(details: Any) -> tuple[int, str]:
    """Several contracts can share one description, and one contract can trade at several exchanges."""
    return details.contract.conId, instrument_of(_named(details)).key


def _ambiguity(query: InstrumentQuery, fitting: Sequence[Any]) -> InvalidSymbolError:
    named = {(*reversed(_identity(each)), each.contract.multiplier or "1") for each in fitting}
    candidates = (f"{key} (multiplier {multiplier}, conId {contract_id})" for key, contract_id, multiplier in named)
    remedy = "give exchange, expiry, strike and right, and name its trading class as in SPX/SPXW, or its con_id"
    return ambiguous(query.symbol, candidates, remedy)


def _check_class(query: InstrumentQuery) -> None:
    named = underlying(query.symbol).get("tradingClass") if "/" in query.symbol else None
    is_pair = query.asset_class in (AssetClass.FOREX, AssetClass.CRYPTO)
    if query.trading_class is not None and named not in (None, query.trading_class) and not is_pair:
        raise InvalidSymbolError(f"trading_class: {query.symbol} names {named}, not {query.trading_class}; correct one of them")


def _check_symbol(query: InstrumentQuery, contracts: Sequence[Fields]) -> None:
    """Check `con_id` against the symbol beside it. A person may mistype a number; the symbol says what was meant."""
    for contract in contracts:
        known = {contract.get("symbol"), contract.get("localSymbol"), symbol_of(contract)}
        if query.symbol not in known:
            raise InvalidSymbolError(
                f"con_id: {query.con_id} is {instrument_of(contract).key}, not {query.symbol}; correct one of them"
            )


def _named(details: Any) -> Fields:
    """A SMART-routed option gets the exchange SMART, whichever exchange was asked: it is one contract, and a position names no
    exchange.
    """
    contract = fields_of(details.contract, CONTRACT_FIELDS)
    is_routed = contract.get("secType") == "OPT" and SMART in details.validExchanges.split(",")
    return {**contract, "exchange": SMART} if is_routed else contract


def _fits(query: InstrumentQuery, contract: Fields, exchanges: str) -> bool:
    """Whether the contract fits the query. TWS may answer a question for one listing with other listings."""
    found, wanted = instrument_of(contract), query.exchange and exchange_named(query.exchange)
    is_there = wanted in (None, SMART, found.exchange) or (found.exchange == SMART and wanted in exchanges.split(","))
    multiplier = above_zero(contract.get("multiplier")) or Decimal(1)
    asked = (query.currency, query.expiry, query.strike, query.right, query.asset_class, query.trading_class, query.multiplier)
    has = (found.currency, found.expiry, found.strike, found.right, found.asset_class, contract.get("tradingClass"), multiplier)
    return is_there and all(each in (None, its) for each, its in zip(asked, has, strict=True))
