"""The steps of price of a contract, which widen with its price: from its details and the market rule of its exchange.

`details` and `rule` are the library's; a rule has from each edge on a step. Details may be None, and a rule empty: not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from liveorder.domain.instrument import TickRule
from liveorder.domain.values import ZERO
from liveorder.infrastructure.brokers.ibkr.contracts import plain
from liveorder.infrastructure.brokers.ibkr.rows import above_zero, number


@dataclass(frozen=True, slots=True)
class Ticks:
    """As an `Instrument` has them, in the unit of its prices. `is_whole`: by a market rule, and not by the smallest step alone."""

    tick_size: Decimal
    tick_rules: tuple[TickRule, ...] = ()
    is_whole: bool = True


def magnifier_of(details: Any) -> Decimal:
    """How many of the unit that prices are quoted in make one of the currency."""
    return above_zero(getattr(details, "priceMagnifier", None)) or Decimal(1)


def rule_at(exchange: str, details: Any) -> int | None:
    """The number of its market rule: rules are told in the order of the exchanges. None where it has none."""
    exchanges, rules = details.validExchanges.split(","), details.marketRuleIds.split(",")
    told = dict(zip(exchanges, rules, strict=True)).get(exchange, "") if len(exchanges) == len(rules) else ""
    return int(told) if told.isdecimal() else None


def ticks_of(details: Any, rule: Sequence[Any] = ()) -> Ticks:
    """minTick is in the currency, and no step at any price is smaller. So a rule with a step below minTick as prices are quoted is
    in the currency too; any other is in the unit of prices, else its smallest step would be 100 times what the contract allows.
    """
    magnifier = magnifier_of(details)
    smallest = _times(above_zero(getattr(details, "minTick", None)) or Decimal("0.01"), magnifier)
    told = [(number(each.lowEdge), above_zero(each.increment)) for each in rule]
    steps = sorted((edge, step) for edge, step in told if edge is not None and step is not None)
    if not steps or len(steps) < len(told):
        return Ticks(smallest, is_whole=False)
    unit = Decimal(1) if min(step for _, step in steps) >= smallest else magnifier
    base = next((step for edge, step in reversed(steps) if edge <= 0), steps[0][1])
    rising = [(ZERO, base), *((edge, step) for edge, step in steps if edge > 0)]
    changes = ((_times(edge, unit), _times(step, unit)) for (_, before), (edge, step) in pairwise(rising) if step != before)
    return Ticks(_times(base, unit), tuple(TickRule(from_price=edge, tick_size=step) for edge, step in changes))


def _times(price: Decimal, unit: Decimal) -> Decimal:
    """Without zeros at its end."""
    return Decimal(plain(price * unit))
