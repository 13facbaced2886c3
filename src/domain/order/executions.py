"""The set of an order's effective executions: the same whatever order the reports come in, and however often.

An execution counts unless it was busted or corrected. A correction names what it corrects, perhaps another correction, and may name
what that one corrected in turn, so that a link which is never reported does not break the chain. Each chain counts once, by its
last link, and a bust of any link voids the chain. Where several corrections name the same execution, the latest by the broker's
clock is the last link; at one time, the one with the later id; where the broker reported no times, the one that came last. Bust and
correction may come before the fill that they name. An inferred fill stands in for executions that were not reported, and gives way
to them, up to the total that it was inferred from: to fills, and to the units that a correction adds. What a bust or a correction
takes away gives nothing back to it.

The commission of a chain is the newest that is known, and a correction is newer than what it corrects. None is not known, and
leaves an earlier one standing; 0 is known to be nothing, and replaces it. A chain that counts for no units costs nothing: a bust
takes the commission back with the fill, and so does a correction to 0 units, unless the broker reports a commission for that
correction itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Context, Decimal
from fractions import Fraction
from functools import reduce
from types import MappingProxyType
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from liveorder.domain.values import ZERO, Money, with_money

_EXACT = Context(prec=120)
"""Wide enough that products and sums of real figures are exact, and the same in any order."""
_SHOWN = Context(prec=28)


class BookedExecution(NamedTuple):
    """One fill as it counts. `value` is Σ quantity × price, kept exact when a split restates quantity and price."""

    execution_id: str
    quantity: Decimal
    price: Decimal
    value: Decimal
    commission: Money | None = None
    at: datetime | None = None
    corrects: str | None = None
    is_inferred: bool = False
    supersedes: tuple[str, ...] = ()
    """What `corrects` corrects, and so on back to the fill, where the broker reports it."""

    @property
    def stands_for(self) -> tuple[str, ...]:
        """The newest first."""
        return () if self.corrects is None else (self.corrects, *self.supersedes)

    def restated(self, ratio: Decimal) -> BookedExecution:
        return self._replace(quantity=_split(self.quantity, ratio), price=_SHOWN.divide(self.price, ratio))


class Totals(NamedTuple):
    """Sums over the effective executions: units, money (quantity × price, no multiplier), and commissions by currency."""

    quantity: Decimal = ZERO
    value: Decimal = ZERO
    commissions: Mapping[str, Decimal] = MappingProxyType({})

    @property
    def average_price(self) -> Decimal | None:
        """Σqp / Σq to 28 digits; None when nothing is filled."""
        return _SHOWN.divide(self.value, self.quantity) if self.quantity else None


class Executions(Struct, frozen=True):
    """Immutable; each method returns the set as it is afterwards."""

    reported: dict[str, BookedExecution]
    busted: frozenset[str]
    charged: dict[str, tuple[Money, ...]]
    """The commissions of each execution that were reported apart from it, the newest last."""
    inferred: tuple[BookedExecution, ...]
    inferred_up_to: Decimal
    """The total, in units ever reported, that inferred fills reach up to."""
    totals: Totals
    splits: tuple[Decimal, ...] = ()
    """The ratios of the splits that all quantities were restated for, in their order."""
    is_plain: bool = True
    """Fills and nothing else so far, so that a further fill simply adds to the sums."""

    @staticmethod
    def none() -> Executions:
        return _NONE

    def filled(self, execution: BookedExecution) -> Executions:
        """Book a fill or a correction. One whose id is known already changes nothing."""
        if execution.execution_id in self.reported:
            return self
        reported = self.reported | {execution.execution_id: execution}
        if not self._stands_alone(execution):
            return replace(self, reported=reported)._recounted()
        totals = _plus(self.totals, execution.quantity, execution.value, self._fee(execution))
        return Executions(reported, self.busted, self.charged, self.inferred, self.inferred_up_to, totals)

    def bust(self, execution_id: str) -> Executions:
        """It did not happen. The bust of an inferred fill withdraws all that is inferred."""
        if execution_id in self.busted:
            return self
        is_inferred = any(execution.execution_id == execution_id for execution in self.inferred)
        up_to = ZERO if is_inferred else self.inferred_up_to
        return replace(self, busted=self.busted | {execution_id}, inferred_up_to=up_to)._recounted()

    def charge(self, execution_id: str, commission: Money) -> Executions:
        """Replace what was known of the commission of an execution, which may come later."""
        told_before = self.charged.get(execution_id, ())
        charged = replace(self, charged=self.charged | {execution_id: (*told_before, commission)})
        if not self.is_plain:
            return charged._recounted()
        if (known := self.reported.get(execution_id)) is None:
            return charged
        before = self._fee(known)
        without = with_money(self.totals.commissions, None if before is None else -before)
        return replace(charged, totals=self.totals._replace(commissions=with_money(without, commission)))

    def infer(self, execution: BookedExecution) -> Executions:
        """Book `execution.quantity` more than is known, until real executions come in its place."""
        if any(known.execution_id == execution.execution_id for known in self.inferred):
            return self
        up_to = _EXACT.add(max(self.inferred_up_to, self.ever_told), execution.quantity)
        return replace(self, inferred=(*self.inferred, execution), inferred_up_to=up_to)._recounted()

    def restated(self, ratio: Decimal) -> Executions:
        """All quantities in the units after a split; `ratio` is new units for each old one."""
        return replace(
            self,
            reported={key: execution.restated(ratio) for key, execution in self.reported.items()},
            inferred=tuple(execution.restated(ratio) for execution in self.inferred),
            inferred_up_to=split_quantity(self.inferred_up_to, ratio),
            splits=(*self.splits, ratio),
        )._recounted()

    def in_units_of(self, later: Executions) -> Executions:
        """This set as the splits alone leave it that `later`, which came of it, was restated for."""
        return reduce(Executions.restated, later.splits[len(self.splits) :], self)

    def quantity_with(self, quantity: Decimal) -> Decimal:
        """Units that count, and so many more; exact, whatever decimal context an embedding program has."""
        return _EXACT.add(self.totals.quantity, quantity)

    def missing_of(self, total: Decimal) -> Decimal:
        """How many of `total` units no execution that counts tells of; negative where more count."""
        return _EXACT.subtract(total, self.totals.quantity)

    def price_of_missing(self, total: Decimal, average: Decimal) -> Decimal:
        """The price of a missing unit, to 28 digits, that makes `average` come out over `total` units."""
        value = _EXACT.subtract(_EXACT.multiply(average, total), self.totals.value)
        return _SHOWN.divide(value, self.missing_of(total))

    @property
    def takes_back_the_untold(self) -> bool:
        """Whether a bust or a correction names an execution that was never reported, so that it may have been inferred."""
        named = {*self.busted, *(name for execution in self.reported.values() for name in execution.stands_for)}
        return not named <= {*self.reported, *(execution.execution_id for execution in self.inferred)}

    @property
    def ever_told(self) -> Decimal:
        """Units of all fills and all that corrections added to them, whatever busts and corrections took away."""
        return self._whole(_total(added for links in self._chains() for added in self._added(links)))

    def _added(self, links: list[BookedExecution]) -> Iterator[Decimal]:
        """The units by which each link of a chain raised it, and last the one that counts, wherever it stands."""
        counted = ZERO
        for link in (*self._by_depth(links), self._last(links)):
            yield max(_EXACT.subtract(link.quantity, counted), ZERO)
            counted = link.quantity

    def effective(self) -> Iterator[BookedExecution]:
        """The executions that count, with the commission known of each; an inferred remainder last."""
        for links in self._chains():
            if not self._is_void(links):
                yield self._counted(links)
        if (remainder := self.inferred_remainder()) is not None:
            yield remainder

    @property
    def names(self) -> frozenset[str]:
        """Ids of all that was reported or inferred."""
        return frozenset((*self.reported, *(each.execution_id for each in self.inferred)))

    def chain_of(self, execution: BookedExecution) -> set[str]:
        """The execution and those that it stands for, as far as they were reported; inferred ones stand for nothing."""
        seen, ahead = {execution.execution_id}, [*execution.stands_for]
        while ahead:
            link = self.reported.get(ahead.pop())
            if link is not None and link.execution_id not in seen:
                seen.add(link.execution_id)
                ahead += link.stands_for
        return seen

    def _stands_alone(self, execution: BookedExecution) -> bool:
        """Whether the new fill touches nothing else, so that sums can simply grow."""
        return self.is_plain and execution.corrects is None

    def _recounted(self) -> Executions:
        totals = Totals()
        for execution in self.effective():
            totals = _plus(totals, execution.quantity, execution.value, execution.commission)
        return replace(self, totals=totals._replace(quantity=self._whole(totals.quantity)), is_plain=False)

    def _whole(self, quantity: Decimal) -> Decimal:
        """Thirds of a reverse split add up to the whole again."""
        return _SHOWN.plus(quantity) if self.splits else quantity

    def _chains(self) -> Iterable[list[BookedExecution]]:
        """The executions that one another's names connect, each in the order in which they were reported."""
        leads_to: dict[str, str] = {}

        def leader(name: str) -> str:
            while name in leads_to:
                name = leads_to[name]
            return name

        for execution in self.reported.values():
            for name in execution.stands_for:
                if (ours := leader(execution.execution_id)) != (theirs := leader(name)):
                    leads_to[ours] = theirs
        chains: dict[str, list[BookedExecution]] = {}
        for execution in self.reported.values():
            chains.setdefault(leader(execution.execution_id), []).append(execution)
        return chains.values()

    def _depth(self, execution: BookedExecution) -> int:
        """Told corrections from the start of its chain on. A chain that bites its own tail starts where it does."""
        name, depth, seen = execution.execution_id, 0, {execution.execution_id}
        while (link := self.reported.get(name)) is not None and (below := [each for each in link.stands_for if each not in seen]):
            name, depth = next((each for each in below if each in self.reported), below[-1]), depth + 1
            seen.add(name)
        return depth

    def _is_void(self, links: list[BookedExecution]) -> bool:
        return any(not self.busted.isdisjoint((link.execution_id, *link.stands_for)) for link in links)

    def _counted(self, links: list[BookedExecution]) -> BookedExecution:
        """The last link, with the commission of the chain."""
        last = self._last(links)
        saying = [last, *reversed(self._by_depth(links))] if last.quantity else [last]
        return last._replace(commission=next((fee for fee in map(self._fee, saying) if fee is not None), None))

    def _last(self, links: list[BookedExecution]) -> BookedExecution:
        """The link that counts: the newest that nothing corrects."""
        corrected = {name for link in links for name in link.stands_for if name != link.execution_id}

        def newness(link: BookedExecution) -> tuple[bool, float, int, tuple[int, str]]:
            return link.execution_id not in corrected, _instant(link), self._depth(link), _place(link)

        return max(links, key=newness) if len(links) > 1 else links[0]

    def _by_depth(self, links: list[BookedExecution]) -> list[BookedExecution]:
        """A correction after what it corrects, whatever the times say, since a broker may report none; rivals by time."""

        def depth(link: BookedExecution) -> tuple[int, float, tuple[int, str]]:
            return self._depth(link), _instant(link), _place(link)

        return sorted(links, key=depth) if len(links) > 1 else links

    def _fee(self, execution: BookedExecution) -> Money | None:
        return self.charged.get(execution.execution_id, (execution.commission,))[-1]

    def inferred_remainder(self) -> BookedExecution | None:
        """What is left of the inferred fills: real ones take the place of the oldest first.

        A correction that joins two chains shows that fewer units are known than it seemed. What is missing then is more than what
        was inferred, and counts at the price of the oldest.
        """
        if not self.inferred:
            return None
        remaining = left = _EXACT.subtract(self.inferred_up_to, self.ever_told)
        if remaining <= 0:
            return None
        value = ZERO
        for execution in reversed(self.inferred):
            taken = left if execution is self.inferred[0] else min(left, execution.quantity)
            value = _EXACT.add(value, _EXACT.divide(_EXACT.multiply(execution.value, taken), execution.quantity))
            left = _EXACT.subtract(left, taken)
        return self.inferred[-1]._replace(quantity=remaining, price=_SHOWN.divide(value, remaining), value=value)


_NONE = Executions({}, frozenset(), {}, (), ZERO, Totals())


def _instant(execution: BookedExecution) -> float:
    return execution.at.timestamp() if execution.at else 0.0


def _place(execution: BookedExecution) -> tuple[int, str]:
    """Where the broker counts its ids: E9 before E10. Decides where its clock does not."""
    return len(execution.execution_id), execution.execution_id


def value_of(quantity: Decimal, price: Decimal) -> Decimal:
    """Exact, however many digits both have."""
    return _EXACT.multiply(quantity, price)


def split_quantity(quantity: Decimal, ratio: Decimal) -> Decimal:
    """`quantity` in the units after a split."""
    return _SHOWN.plus(_split(quantity, ratio))


def _split(quantity: Decimal, ratio: Decimal) -> Decimal:
    """A ratio such as 0.3333333333 means one for three: 300 become 100 and not 99.99999999."""
    exact = Fraction(ratio)
    simple = exact.limit_denominator(1000)
    meant = simple if abs(simple - exact) * 10**9 <= exact else exact
    return _EXACT.divide(_EXACT.multiply(quantity, Decimal(meant.numerator)), Decimal(meant.denominator))


def _plus(totals: Totals, quantity: Decimal, value: Decimal, commission: Money | None) -> Totals:
    commissions = with_money(totals.commissions, commission)
    return Totals(_EXACT.add(totals.quantity, quantity), _EXACT.add(totals.value, value), commissions)


def _total(amounts: Iterable[Decimal]) -> Decimal:
    return reduce(_EXACT.add, amounts, ZERO)
