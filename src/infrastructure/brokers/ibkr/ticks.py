"""A contract's price increments, which widen with its price. They come from its details and its exchange's market rule.

`details` and `rule` are the library's objects; a rule gives the increment from each lower edge on. Without knowledge, details are
None and a rule is empty.
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
    """Increments in the instrument's price unit. `is_whole`: from a market rule, not from the smallest increment alone."""

    tick_size: Decimal
    tick_rules: tuple[TickRule, ...] = ()
    is_whole: bool = True


def magnifier_of(details: Any) -> Decimal:
    """How many units of the quoted price make one unit of the currency."""
    return above_zero(getattr(details, "priceMagnifier", None)) or Decimal(1)


def rule_at(exchange: str, details: Any) -> int | None:
    """The number of the market rule at an exchange. TWS lists the rules in the order of the exchanges. None if there is none."""
    exchanges, rules = details.validExchanges.split(","), details.marketRuleIds.split(",")
    rule = dict(zip(exchanges, rules, strict=True)).get(exchange, "") if len(exchanges) == len(rules) else ""
    return int(rule) if rule.isdecimal() else None


def ticks_of(details: Any, rule: Sequence[Any] = ()) -> Ticks:
    """minTick is in the currency, and no increment at any price is smaller. So a rule with an increment below minTick, converted to
    quoted prices, is in the currency too. Any other rule is in the price unit; otherwise its smallest increment would be 100 times
    what the contract allows.
    """
    magnifier = magnifier_of(details)
    smallest = _times(above_zero(getattr(details, "minTick", None)) or Decimal("0.01"), magnifier)
    read = [(number(each.lowEdge), above_zero(each.increment)) for each in rule]
    steps = sorted((edge, step) for edge, step in read if edge is not None and step is not None)
    if not steps or len(steps) < len(read):
        return Ticks(smallest, is_whole=False)
    unit = Decimal(1) if min(step for _, step in steps) >= smallest else magnifier
    base = next((step for edge, step in reversed(steps) if edge <= 0), steps[0][1])
    rising = [(ZERO, base), *((edge, step) for edge, step in steps if edge > 0)]
    changes = ((_times(edge, unit), _times(step, unit)) for (_, before), (edge, step) in pairwise(rising) if step != before)
    return Ticks(_times(base, unit), tuple(TickRule(from_price=edge, tick_size=step) for edge, step in changes))


def _times(price: Decimal, unit: Decimal) -> Decimal:
    """The product without trailing zeros."""
    return Decimal(plain(price * unit))
