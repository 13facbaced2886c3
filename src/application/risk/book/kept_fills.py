"""A strategy's position in a contract as the ledger keeps it: what is held, and on pages the newest fills that made it.

A fill goes to the last page. One that changes is booked anew with all that come after it, from the lot that its page was opened
with. So a commit writes what is held and a page of a few fills, however many there are.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct, field
from msgspec.structs import replace

from liveorder.application.ports.order_store import LedgerRow
from liveorder.application.risk.book.rows import FILLS, holding_of, page_of
from liveorder.domain.order.events import decimal_text
from liveorder.domain.position import Position
from liveorder.domain.position_booking import BookedFill, Holding
from liveorder.domain.values import EXACT, ZERO, Money, Product

_LATE = '"is_late": true}'


class KeptFill(NamedTuple):
    """Texts, as they are stored. One of no units and without a fee counts for nothing and keeps its place."""

    place: int
    order_id: str
    names: tuple[str, ...]
    """Ids of the execution that counts and of those that it stands for."""
    told_at: str
    """UTC, when it was recorded."""
    quantity: str
    price: str
    multiplier: str
    fee: str | None = None
    fee_currency: str | None = None
    is_in_kind: int = 0
    at: str | None = None

    @property
    def fill(self) -> BookedFill:
        return BookedFill(
            self.place,
            Decimal(self.quantity),
            Decimal(self.price),
            Decimal(self.multiplier),
            None if self.fee is None or self.fee_currency is None else Money(Decimal(self.fee), self.fee_currency),
            bool(self.is_in_kind),
            None if self.at is None else datetime.fromisoformat(self.at),
        )

    def gone(self) -> KeptFill:
        return self._replace(quantity="0", fee=None, fee_currency=None, is_in_kind=0)

    def is_of(self, order_id: str, names: Collection[str]) -> bool:
        return self.order_id == order_id and not frozenset(self.names).isdisjoint(names)


class Page(Struct, frozen=True):
    number: int
    """Rises from page to page."""
    opening: Holding
    """What was held before its first fill."""
    fills: tuple[KeptFill, ...]
    texts: tuple[str, ...]
    """Of its opening and its fills, as they are stored: a page is written again and again."""

    @classmethod
    def of(cls, number: int, opening: Holding, fills: tuple[KeptFill, ...]) -> Page:
        lot = _json([opening.opened, opening.last, opening.position.to_fields()])
        return cls(number, opening, fills, (lot, *map(_json, fills)))

    def with_fill(self, kept: KeptFill) -> Page:
        """The last of its fills."""
        return Page(self.number, self.opening, (*self.fills, kept), (*self.texts, _json(kept)))

    def closing(self) -> Holding:
        return self.opening.book_all(each.fill for each in self.fills)

    def to_json(self) -> str:
        lot, *fills = self.texts
        return f"[{self.number},{lot},[{','.join(fills)}]]"

    @classmethod
    def from_json(cls, text: str) -> Page:
        number, (opened, last, held), fills = json.loads(text)
        opening = Holding(Position.from_fields(held), opened, last)
        read = (KeptFill(place, order_id, tuple(names), *others) for place, order_id, names, *others in fills)
        return cls.of(number, opening, tuple(read))


@dataclass(frozen=True, slots=True)
class Keeping:
    """How much is kept of what made a position."""

    bust_days: int = 7
    """A page is given up when its newest fill is older."""
    fills_a_page: int = 8
    most_pages: int = 128


A_WEEK = Keeping()
EVERYTHING = Keeping(bust_days=1_000_000, most_pages=1_000_000_000)


class KeptHolding(Struct, frozen=True):
    """Immutable; what changes a fill leaves the pages from `stale_from` on to be booked by `settled`."""

    now: Holding
    pages: dict[int, Page]
    """By slot, in the order of their numbers: the row that a page is stored in is used again once it was given up."""
    as_of: int = 0
    """Place in the log of the last event that changed it."""
    is_late: bool = False
    """A fill that is not kept any more was changed: what is held is right once it was read from the log."""
    stale_from: int | None = None
    """Number of the first page that is to be booked anew."""
    touched: frozenset[int] | None = frozenset()
    """Slots of the pages that changed since it was stored; None: see which."""
    products: Mapping[str, Decimal] = field(default_factory=dict)
    """Signed units by the product of the orders that made them; what is missing to what is held is of none that is known."""

    # --- changing --------------------------------------------------------------------------------------------------------------

    def with_fill(self, kept: KeptFill, keeping: Keeping) -> KeptHolding:
        """At its place, which is mostly the last."""
        if self.pages:
            slot, last = next(reversed(self.pages.items()))
            if last.fills and kept.place < last.fills[-1].place:
                return self._inserted(kept)
            if len(last.fills) < keeping.fills_a_page:
                return self._booked(kept, {**self.pages, slot: last.with_fill(kept)}, slot)
        settled = self.settled()
        pages = settled._with_page(kept, keeping)
        return settled._booked(kept, pages, next(reversed(pages)))

    def _booked(self, kept: KeptFill, pages: dict[int, Page], slot: int) -> KeptHolding:
        now, fill = self.now, kept.fill
        if self.stale_from is None and fill.counts:
            now, _ = now.book(fill)
        touched = None if self.touched is None else self.touched | {slot}
        return KeptHolding(now, pages, max(self.as_of, kept.place), self.is_late, self.stale_from, touched, self.products)

    def with_units(self, product: str, units: Decimal) -> KeptHolding:
        """So many signed units more under the product. A sum: the order in which fills come and go does not matter."""
        left = EXACT.add(self.products.get(product, ZERO), units)
        others = {name: held for name, held in self.products.items() if name != product}
        return replace(self, products=others | ({product: left} if left else {}))

    def _with_page(self, first: KeptFill, keeping: Keeping) -> dict[int, Page]:
        pages = dict(self.pages)
        number = 1 + max((page.number for page in pages.values()), default=0)
        slot = next(free for free in range(len(pages) + 1) if free not in pages)
        if pages:
            oldest, page = next(iter(pages.items()))
            if len(pages) >= keeping.most_pages or _is_old(page, first.told_at, keeping.bust_days):
                del pages[oldest]
                slot = oldest
        return pages | {slot: Page.of(number, self.now, (first,))}

    def _inserted(self, kept: KeptFill) -> KeptHolding:
        """On the last page that begins before it, else on the first."""
        slot = next(iter(self.pages))
        for each, page in self.pages.items():
            if page.fills and page.fills[0].place <= kept.place:
                slot = each
        fills = [*self.pages[slot].fills]
        index = next((index for index, other in enumerate(fills) if other.place > kept.place), len(fills))
        fills.insert(index, kept)
        return self._with_page_changed(slot, tuple(fills), kept.place)

    def find(self, order_id: str, names: Collection[str]) -> list[KeptFill]:
        """Of that order, those that bear one of the names."""
        return [kept for page in reversed(self.pages.values()) for kept in page.fills if kept.is_of(order_id, names)]

    def replaced(self, old: KeptFill, new: KeptFill | None, as_of: int) -> KeptHolding:
        """None: it goes without a trace."""
        slot, page = next((slot, page) for slot, page in self.pages.items() if any(each is old for each in page.fills))
        fills = (each if each is not old else new for each in page.fills)
        return self._with_page_changed(slot, tuple(each for each in fills if each is not None), as_of)

    def _with_page_changed(self, slot: int, fills: tuple[KeptFill, ...], as_of: int) -> KeptHolding:
        page = self.pages[slot]
        stale_from = page.number if self.stale_from is None else min(self.stale_from, page.number)
        pages = {**self.pages, slot: Page.of(page.number, page.opening, fills)}
        return replace(self, pages=pages, as_of=max(self.as_of, as_of), stale_from=stale_from, touched=None)

    def on_the_opening_lot(self, opening: Holding, keeping: Keeping, at: KeptFill) -> KeptHolding:
        """For a change of what is not kept: `opening` is the lot as it is thought to be now, until the log was read."""
        pages = self.pages or self._with_page(at.gone(), keeping)
        slot, first = next(iter(pages.items()))
        changed = {**pages, slot: Page.of(first.number, opening, first.fills)}
        as_of = max(self.as_of, at.place)
        return replace(self, pages=changed, as_of=as_of, is_late=True, stale_from=first.number, touched=None)

    @property
    def opening_lot(self) -> Holding:
        return next(iter(self.pages.values())).opening if self.pages else self.now

    def settled(self) -> KeptHolding:
        """With every page booked."""
        if self.stale_from is None:
            return self
        pages, holding = dict(self.pages), self.now
        is_stale = False
        for slot, page in self.pages.items():
            if is_stale and holding != page.opening:
                pages[slot] = Page.of(page.number, holding, page.fills)
            if is_stale or page.number == self.stale_from:
                is_stale, holding = True, pages[slot].closing()
        return replace(self, now=holding, pages=pages, stale_from=None, touched=None)

    def newest(self, most_pages: int) -> KeptHolding:
        """With so many pages, the newest, in the first slots."""
        pages = [*self.pages.values()][-most_pages:]
        return replace(self, pages=dict(enumerate(pages)), touched=None)

    # --- storing ---------------------------------------------------------------------------------------------------------------

    def to_json(self) -> str:
        """What is held, without the pages: everything that `Position.to_json` writes, and more."""
        more = {"opened": self.now.opened, "last": self.now.last, "as_of": self.as_of}
        products = {name: decimal_text(units) for name, units in sorted(self.products.items())}
        of_products = {"products": products} if products else {}
        return json.dumps(self.now.position.to_fields() | more | of_products | ({"is_late": True} if self.is_late else {}))

    @classmethod
    def from_json(cls, text: str, pages: Mapping[int, str]) -> KeptHolding:
        """Of pages that were given up for good the text is empty."""
        fields = json.loads(text)
        now = Holding(Position.from_fields(fields), fields["opened"], fields["last"])
        read = {slot: Page.from_json(page) for slot, page in pages.items() if page}
        in_order = dict(sorted(read.items(), key=lambda item: item[1].number))
        products = {name: Decimal(units) for name, units in fields.get("products", {}).items()}
        return cls(now, in_order, fields["as_of"], fields.get("is_late", False), products=products)

    def stored(self) -> KeptHolding:
        """Once its pages are."""
        return replace(self, stale_from=None, touched=frozenset()) if self.touched != frozenset() else self

    def changed_pages(self, before: KeptHolding | None) -> Iterator[tuple[int, str]]:
        """By slot, those that are to be stored where `before` is."""
        if self.touched is not None and before is not None:
            yield from ((slot, self.pages[slot].to_json()) for slot in self.touched)
            return
        known = before.pages if before is not None else {}
        yield from ((slot, page.to_json()) for slot, page in self.pages.items() if known.get(slot) is not page)
        yield from ((slot, "") for slot in known if slot not in self.pages)


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def is_late(state: str) -> bool:
    """Of a row, without reading it."""
    return state.endswith(_LATE)


def products_of(state: str) -> dict[Product, Decimal]:
    """Of a row: signed units by product."""
    if '"products"' not in state:
        return {}
    return {Product(name): Decimal(units) for name, units in json.loads(state)["products"].items()}


def _is_old(page: Page, now: str, days: int) -> bool:
    newest = max((each.told_at for each in page.fills), default="")
    if not newest or not now:
        return False
    return datetime.fromisoformat(now) - datetime.fromisoformat(newest) > timedelta(days=days)


def orders_of(rows: Sequence[LedgerRow], account_id: str, instrument_key: str) -> list[UUID]:
    """The newest order on each page of fills that is kept of what the account holds of an instrument, for any strategy."""
    found: dict[UUID, None] = {}
    for row in rows:
        if row.account_id != account_id or not row.key.startswith(FILLS) or not row.state:
            continue
        position, _ = page_of(row.key)
        if holding_of(account_id, position).instrument == instrument_key:
            ids = [kept.order_id for kept in Page.from_json(row.state).fills if kept.order_id]
            found |= {UUID(order_id): None for order_id in ids[-1:]}
    return [*found]
