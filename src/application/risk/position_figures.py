"""What each broker says that its account holds: asked when an exit needs it, which waits for it no longer than it is allowed to.

1. An answer counts for an exit only as `domain.position_figure` says: asked after our last fill there, and young enough. Where it
   may be ahead of our book by a fill of our own, an exit waits until that is reported.
2. One question at a time an account. Exits that need it together share the answer, or that there is none.
3. Asking is all that happens here: nothing is booked, and a question that fails stops nothing. Then our own book decides.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal

from liveorder.application.gateway.gateway import Gateway
from liveorder.application.ports.broker import BrokerPosition
from liveorder.application.ports.clock import Clock
from liveorder.application.risk.book import RiskBook
from liveorder.application.runtime.sparing_log import SparingLog
from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.errors import BrokerError
from liveorder.domain.instrument import Instrument
from liveorder.domain.position_figure import AT_ONCE_SECONDS, LastFill, PositionFigure, counts, seconds_until_it_shows
from liveorder.domain.values import EXACT, ZERO, Product

MOST_QUESTIONS = 3
"""So often does an exit have its broker asked: while fills of the instrument come all the time, no answer contains the last."""
CATCHING_UP_SECONDS = 0.05
"""So often is looked whether our book has caught up with the broker."""
SHORTEST_WAIT_SECONDS = 0.001
"""What is left of a wait can be less than a clock tells apart."""


def held(positions: Sequence[BrokerPosition]) -> dict[str, Decimal]:
    """By instrument key, all products together, as in our book."""
    quantities: dict[str, Decimal] = {}
    for each in positions:
        quantities[each.instrument.key] = EXACT.add(quantities.get(each.instrument.key, ZERO), each.quantity)
    return quantities


def held_by_product(positions: Sequence[BrokerPosition]) -> dict[str, dict[Product | None, Decimal]]:
    """Signed units by instrument key, then by product; under None what the broker names none of."""
    parts: dict[str, dict[Product | None, Decimal]] = {}
    for each in positions:
        of_instrument = parts.setdefault(each.instrument.key, {})
        of_instrument[each.product] = EXACT.add(of_instrument.get(each.product, ZERO), each.quantity)
    return parts


class PositionFigures:
    """Of every account; the latest answer of each is kept."""

    def __init__(self, gateways: Mapping[str, Gateway], book: RiskBook, clock: Clock, log: SparingLog) -> None:
        self._gateways, self._book, self._clock, self._log = gateways, book, clock, log
        self._turns = {account_id: asyncio.Lock() for account_id in gateways}
        self._figures: dict[str, PositionFigure] = {}
        self._numbers: defaultdict[str, int] = defaultdict(int)
        """Of the newest question, by account."""
        self._fills: dict[tuple[str, str], LastFill] = {}
        """By account and instrument."""
        self._began = LastFill(clock.monotonic())
        """What an earlier life filled, it may have filled just before this one began."""
        self._failures: dict[str, tuple[float, str]] = {}
        """By account: when the latest question came to nothing, if it did, and why."""
        self._waited_for: dict[tuple[str, str], Decimal] = {}
        """By account and instrument: what the broker lacked, with which our book did not catch up in time."""

    def note_fill(self, account_id: str, key: str) -> None:
        """What was filled of the instrument changed, durably: an answer of before does not count any more."""
        self._fills[account_id, key] = LastFill(self._clock.monotonic(), self._numbers[account_id])
        self._waited_for.pop((account_id, key), None)

    def latest(self, account_id: str, key: str) -> Decimal | None:
        """Signed units of the instrument by an answer that counts now; None: there is none."""
        figure = self._figures.get(account_id)
        if figure is None or not counts(figure, self._last(account_id, key), self._clock.monotonic(), self._can(account_id)):
            return None
        return figure.of(key)

    def latest_by_product(self, account_id: str, key: str) -> Mapping[Product | None, Decimal] | None:
        """As `latest`, by product; under None what the broker names none of."""
        if self.latest(account_id, key) is None:
            return None
        return self._figures[account_id].by_product.get(key, {})

    async def hear(self, gateway: Gateway) -> Sequence[BrokerPosition]:
        """Ask now, and keep the answer. Raises `BrokerError`."""
        account_id, asked_at = gateway.account_id, self._clock.monotonic()
        self._numbers[account_id] += 1
        number = self._numbers[account_id]
        positions = await gateway.ask(gateway.broker.positions())
        before = self._figures.get(account_id)
        if before is None or before.number < number:
            self._figures[account_id] = PositionFigure(
                number, asked_at, self._clock.monotonic(), held(positions), held_by_product(positions)
            )
        return positions

    async def confirm(self, gateway: Gateway, instrument: Instrument) -> None:
        """Have an answer that counts and is not ahead of our book, where one comes within `exit_question_seconds`: see `latest`.

        Nothing is waited for where none can come in time, nor where a question came to nothing just before.
        """
        questions_left = MOST_QUESTIONS
        account_id, key = gateway.account_id, instrument.key
        _, limits = gateway.terms.limits_in(instrument.currency)
        until = self._clock.monotonic() + limits.exit_question_seconds
        try:
            async with asyncio.timeout(limits.exit_question_seconds):
                while not self._just_failed(account_id):
                    if self.is_ahead(account_id, instrument):
                        await self._clock.sleep(CATCHING_UP_SECONDS)
                        continue
                    if self.latest(account_id, key) is not None or not questions_left:
                        return
                    wait = seconds_until_it_shows(self._last(account_id, key), self._clock.monotonic(), self._can(account_id))
                    if self._clock.monotonic() + wait >= until:
                        return
                    if wait > 0:
                        await self._clock.sleep(max(wait, SHORTEST_WAIT_SECONDS))
                        continue
                    questions_left -= 1
                    await self._ask_in_turn(gateway, key)
        except TimeoutError:
            if (theirs := self.latest(account_id, key)) is None:
                self._fail(account_id, f"no answer within {limits.exit_question_seconds:g} s")
            else:
                self._waited_for[account_id, key] = self._book.lacking(account_id, instrument, theirs)

    def is_ahead(self, account_id: str, instrument: Instrument) -> bool:
        """Whether the answer that counts lacks what an order of ours may have filled unknown to us. Waited for in vain, no more."""
        if (theirs := self.latest(account_id, instrument.key)) is None:
            return False
        lacking = self._book.lacking(account_id, instrument, theirs)
        waited_in_vain = self._waited_for.get((account_id, instrument.key)) == lacking
        return not waited_in_vain and self._book.may_be_filling(account_id, instrument, lacking)

    def why_unconfirmed(self, account_id: str, key: str) -> str:
        """For people: why no answer counts."""
        if self._just_failed(account_id):
            return self._failures[account_id][1]
        lag = self._can(account_id).position_lag_seconds
        return f"its answers do not show the last fill of {key} yet; they may lag by {lag:g} s"

    async def _ask_in_turn(self, gateway: Gateway, key: str) -> None:
        async with self._turns[gateway.account_id]:
            if self.latest(gateway.account_id, key) is not None or self._just_failed(gateway.account_id):
                return
            try:
                await self.hear(gateway)
            except BrokerError as error:
                self._fail(gateway.account_id, str(error))

    def _fail(self, account_id: str, why: str) -> None:
        self._failures[account_id] = self._clock.monotonic(), why
        self._log.write("BROKER", f"Positions could not be asked for at an exit: {why}", account_id=account_id)

    def _just_failed(self, account_id: str) -> bool:
        failed = self._failures.get(account_id)
        return failed is not None and self._clock.monotonic() - failed[0] <= AT_ONCE_SECONDS

    def _last(self, account_id: str, key: str) -> LastFill:
        return self._fills.get((account_id, key), self._began)

    def _can(self, account_id: str) -> BrokerCapabilities:
        return self._gateways[account_id].broker.capabilities
