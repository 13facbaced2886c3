"""The venue's instruments as TWS's contracts, and back."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from liveorder.domain.instrument import Instrument
from liveorder.domain.values import ZERO, AssetClass
from liveorder.infrastructure.brokers.simulated.catalogue import VenueCatalogue
from tests.twins.ibkr.wire import Fields

_KINDS = {
    AssetClass.EQUITY: "STK",
    AssetClass.OPTION: "OPT",
    AssetClass.FUTURE: "FUT",
    AssetClass.FUTURE_OPTION: "FOP",
    AssetClass.CFD: "CFD",
    AssetClass.FOREX: "CASH",
    AssetClass.CRYPTO: "CRYPTO",
}


class Rule(NamedTuple):
    """A market rule: from which price on, how wide the steps are. `unit`: how many of that of prices make one of the currency."""

    quoted: tuple[tuple[Decimal, Decimal], ...]
    unit: Decimal = Decimal(1)

    def in_currency(self) -> tuple[tuple[Decimal, Decimal], ...]:
        return tuple((edge / self.unit, step / self.unit) for edge, step in self.quoted)


COARSE = Rule(((ZERO, Decimal(1)),))
"""Of another exchange than the one that an order goes to."""
_FIRST_RULE = 26


class Listings:
    """Contract ids are places in the catalogue, and contracts of the same steps have one market rule."""

    def __init__(self, catalogue: VenueCatalogue) -> None:
        self._instruments = {str(10_000 + place): listing.instrument for place, listing in enumerate(catalogue)}
        self._ids = {instrument.key: number for number, instrument in self._instruments.items()}
        rules = dict.fromkeys([COARSE, *map(_rule_of, self._instruments.values())])
        self.rules = {str(_FIRST_RULE + place): rule for place, rule in enumerate(rules)}
        """By number."""

    def numbers(self, instrument: Instrument) -> dict[str, str]:
        """Of the market rules of an instrument, by exchange."""
        number = {rule: number for number, rule in self.rules.items()}
        ours = number[_rule_of(instrument)]
        return {"IBUSOPT": number[COARSE], "SMART": ours, instrument.exchange: ours}

    def instrument(self, key: str) -> Instrument:
        return self._instruments[self._ids[key]]

    def meant(self, asked: Fields) -> list[Instrument]:
        """Every instrument that the contract describes."""
        if "conId" in asked:
            found = self._instruments.get(asked["conId"])
            return [found] if found is not None else []
        return [each for each in self._instruments.values() if self._fits(asked, each)]

    def _fits(self, asked: Fields, instrument: Instrument) -> bool:
        has = self.contract(instrument)
        names = ("symbol", "secType", "currency", "lastTradeDateOrContractMonth", "right", "strike", "multiplier", "tradingClass")
        is_described = all(asked.get(name, has.get(name)) == has.get(name) for name in names)
        place = asked.get("primaryExchange") or asked.get("exchange")
        is_stock = instrument.asset_class is AssetClass.EQUITY
        return is_described and (place in (None, instrument.exchange) or (place == "SMART" and is_stock))

    def contract(self, instrument: Instrument) -> dict[str, str]:
        """As contract details tell it."""
        base, _, other = instrument.symbol.partition("/")
        is_pair = instrument.asset_class in (AssetClass.FOREX, AssetClass.CRYPTO)
        is_stock = instrument.asset_class is AssetClass.EQUITY
        fields = {
            "conId": self._ids[instrument.key],
            "symbol": base,
            "secType": _KINDS[instrument.asset_class],
            "exchange": "SMART" if is_stock else instrument.exchange,
            "primaryExchange": instrument.exchange if is_stock else "",
            "currency": other if is_pair else instrument.currency,
            "localSymbol": instrument.symbol.replace("/", "."),
            "tradingClass": base if is_pair else other or base,
            "multiplier": f"{instrument.contract_multiplier:f}" if instrument.contract_multiplier != 1 else "",
            "strike": f"{instrument.strike:f}" if instrument.strike is not None else "",
            "right": instrument.right.value[0] if instrument.right is not None else "",
            "lastTradeDateOrContractMonth": f"{instrument.expiry:%Y%m%d}" if instrument.expiry is not None else "",
        }
        return {name: text for name, text in fields.items() if text}


def _rule_of(instrument: Instrument) -> Rule:
    wider = [(rule.from_price, rule.tick_size) for rule in instrument.tick_rules]
    return Rule(((ZERO, instrument.tick_size), *wider), instrument.price_magnifier)
