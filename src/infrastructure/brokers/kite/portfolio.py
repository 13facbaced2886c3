"""What is held, from the two lists that Kite keeps: today's positions, and the holdings that were there before. Pure.

Delivered shares (CNC, MTF) that are bought today stand among the positions, and from the next day on among the holdings; sold
today, they stand among the positions with a minus while the holdings still show how many there were in the morning. So these are
counted as: what was carried overnight, by the holdings, and what today's trades changed, by the positions. The rest (MIS, NRML) is
in the positions alone, overnight part included.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from liveorder.domain.values import ZERO, Product, total
from liveorder.infrastructure.brokers.kite.dump import COUNTED_IN_LOTS
from liveorder.infrastructure.brokers.kite.fields import Row, number, price, quantity, text
from liveorder.infrastructure.brokers.kite.translation import rows_of

_DELIVERED = (Product.CNC, Product.MTF)


@dataclass(frozen=True, slots=True)
class Held:
    """`quantity` is signed. `product` is None of one that this package does not know."""

    exchange: str
    tradingsymbol: str
    product: Product | None
    quantity: Decimal
    average_price: Decimal | None


def parts_of(positions: Any, holdings: Any) -> list[Held]:
    """By product and list, nothing twice, nothing of zero. Raises one of `UNREADABLE`."""
    parts = [*_from_positions(rows_of(positions["net"])), *_from_holdings(rows_of(holdings))]
    return [part for part in parts if part.quantity]


def sizes_in(positions: Any) -> dict[tuple[str, str], Decimal]:
    """Units in one lot of each contract that was held today, by exchange and symbol. Kite tells them nowhere else."""
    rows = [row for row in rows_of(positions["net"]) if text(row, "exchange") in COUNTED_IN_LOTS]
    sizes = {_listed(row): quantity(row, "multiplier") for row in rows}
    return {listed: size for listed, size in sizes.items() if size > 0}


def held(parts: Iterable[Held]) -> list[Held]:
    """Of each instrument and product, its parts together; no price where they are on both sides: an average would mean nothing."""
    by_product: dict[tuple[str, str, Product | None], list[Held]] = {}
    for part in parts:
        by_product.setdefault((part.exchange, part.tradingsymbol, part.product), []).append(part)
    sums = [Held(*listed, total(part.quantity for part in some), _average(some)) for listed, some in by_product.items()]
    return [each for each in sums if each.quantity]


def _from_positions(rows: Iterable[Row]) -> Iterator[Held]:
    for row in rows:
        product = _product(text(row, "product").upper())
        carried = quantity(row, "overnight_quantity") if product in _DELIVERED else ZERO
        yield Held(*_listed(row), product, quantity(row, "quantity") - carried, price(row, "average_price"))


def _from_holdings(rows: Iterable[Row]) -> Iterator[Held]:
    for row in rows:
        yield Held(*_listed(row), Product.CNC, _carried(row), price(row, "average_price"))
        on_margin = row.get("mtf")
        if isinstance(on_margin, dict):
            yield Held(*_listed(row), Product.MTF, _carried_on_margin(on_margin), price(on_margin, "average_price"))


def _product(name: str) -> Product | None:
    return Product(name) if name in set(Product) else None


def _carried(row: Row) -> Decimal:
    """As of this morning, what is on its way from yesterday (T1) included. Without that figure: what is left, and what was sold."""
    opening = number(row, "opening_quantity")
    if opening is not None:
        return opening
    return quantity(row, "quantity") + quantity(row, "t1_quantity") + quantity(row, "used_quantity")


def _carried_on_margin(row: Row) -> Decimal:
    """Taken for what is left, as the holdings' own `quantity` is."""
    return quantity(row, "quantity") + quantity(row, "used_quantity")


def _average(parts: list[Held]) -> Decimal | None:
    """Of the one part, or weighted over several on the same side."""
    known = [(part.quantity, part.average_price) for part in parts if part.average_price is not None]
    if len({part.quantity > 0 for part in parts}) > 1 or len(known) < len(parts):
        return None
    return total(amount * each for amount, each in known) / total(amount for amount, _ in known)


def _listed(row: Row) -> tuple[str, str]:
    return row["exchange"], row["tradingsymbol"]
