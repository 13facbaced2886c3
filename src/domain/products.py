"""Under which product a signal closes: some brokers keep a position for each product, so that an order under another one than what
is held would open a position beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from liveorder.domain.risk import Exposure, ProductPart, RiskRefusal, Stake
from liveorder.domain.values import EXACT, ZERO, Product, Side, total
from liveorder.domain.wording import plain


def product_to_close(
    named: Product | None,
    side: Side | None,
    parts: Mapping[Product | None, ProductPart],
    usual: Product | None,
    who: str,
    symbol: str,
) -> Product | RiskRefusal | None:
    """The product that is named, else the only one that is held; `side`: only what an order of this side would close.

    Where nothing is held, the one that open orders could bring, else the `usual` one. What is held under no known product counts
    for the usual one, or for whichever is named where there is none.
    """
    held = _held(parts, usual)
    if named is not None:
        is_there = named in held or None in held or (named in parts and parts[named].own != Stake())
        if is_there or not held:
            return named
        message = f"{who} holds no {symbol} under {named}; it holds {_listed(held)}: name that, or leave `product` out"
        return RiskRefusal("nothing_to_close", message, "0", "more than 0")
    closed = [product for product, units in held.items() if side is None or (units > 0) is (side is Side.SELL)]
    if len(closed) > 1:
        return _several(held, closed, who, symbol)
    may_come = [product for product, part in parts.items() if part.own.buys or part.own.sells]
    found = closed or [*held] or may_come
    return (found[0] or usual) if len(found) == 1 else usual


def may_be_of_any(named: Product | None, parts: Mapping[Product | None, ProductPart]) -> bool:
    """Whether what closes is of no certain product yet: none is named, nothing is held, and open orders may bring some of it under
    several.
    """
    is_held = any(part.own.quantity for part in parts.values())
    return named is None and not is_held and sum(part.own != Stake() for part in parts.values()) > 1


def product_met(
    named: Product | None,
    side: Side,
    parts: Mapping[Product | None, ProductPart],
    usual: Product | None,
    who: str,
    symbol: str,
    *,
    may_come: bool = False,
) -> Product | RiskRefusal | None:
    """Of an order that turns round what is on its other side, or is of what is there: the product that is named, else the `usual`
    one if some of that is held so, else the only one that is. Where none is, with `may_come` the only one that open orders could
    bring, else the usual one.
    """
    if named is not None:
        return named
    held = _held(parts, usual)
    met = [product for product, units in held.items() if (units > 0) is (side is Side.SELL)]
    if not met and may_come:
        met = [product for product, part in parts.items() if part.own.taken_by(side.opposite)]
    if usual in met or not met:
        return usual
    return met[0] if len(met) == 1 else _several(held, met, who, symbol)


def product_to_lead(
    named: Product | None, parts: Mapping[Product | None, ProductPart], usual: Product | None, who: str, symbol: str
) -> Product | RiskRefusal | None:
    """Of a target: the product that is named, else the only one that is held or on order, else the `usual` one."""
    if named is not None:
        return named
    return product_to_close(None, None, parts, usual, who, symbol)


def beyond_ours(ours: Mapping[Product | None, Decimal], theirs: Mapping[Product | None, Decimal]) -> Mapping[Product, Decimal]:
    """Signed units that the broker holds under products beyond ours: what we hold of no known product is among them. Nothing of a
    broker that names no product.
    """
    if None in theirs:
        return {}
    unknown = ours.get(None, ZERO)
    named = [product for product in (*ours, *(each for each in theirs if each not in ours)) if product is not None]
    more = {product: EXACT.subtract(theirs.get(product, ZERO), ours.get(product, ZERO)) for product in named}
    return {product: units for product, units in more.items() if units * unknown > 0}


def placed(
    parts: Mapping[Product | None, ProductPart], theirs: Mapping[Product | None, Decimal]
) -> Mapping[Product | None, ProductPart]:
    """With what is held of no known product under the product of which the broker holds more than we, where that is one; or under
    several, where they explain all of it and it is all its strategy's. Else it stays where it was.
    """
    unknown = parts.get(None, ProductPart())
    beyond = beyond_ours({product: part.account.quantity for product, part in parts.items()}, theirs)
    is_explained = total(beyond.values()) == unknown.account.quantity == unknown.own.quantity
    if not beyond or (len(beyond) > 1 and not is_explained):
        return parts
    found = {**parts, None: unknown.but_held(ZERO, ZERO)}
    for product, units in beyond.items():
        own, of_account = (unknown.own.quantity, unknown.account.quantity) if len(beyond) == 1 else (units, units)
        found[product] = found.get(product, ProductPart()).plus(ProductPart(Stake(own), Exposure(of_account)))
    return found


def _held(parts: Mapping[Product | None, ProductPart], usual: Product | None) -> dict[Product | None, Decimal]:
    """Signed units by product, where there are any; what is of no known product is of the usual one."""
    held: dict[Product | None, Decimal] = {}
    for product, part in sorted(parts.items(), key=lambda item: item[0] or ""):
        name = product or usual
        held[name] = EXACT.add(held.get(name, ZERO), part.own.quantity)
    return {product: units for product, units in held.items() if units}


def _several(held: Mapping[Product | None, Decimal], of_them: Sequence[Product | None], who: str, symbol: str) -> RiskRefusal:
    message = f"{who} holds {symbol} under several products, {_listed(held)}, each a position of its own; name `product`"
    return RiskRefusal("several_products", message, str(len(of_them)), "1")


def _listed(held: Mapping[Product | None, Decimal]) -> str:
    return ", ".join(f"{plain(units)} under {product or 'no known product'}" for product, units in held.items())
