"""What a broker said that an account holds: whether an exit may rely on it, and what an exit comes to that finds less than we have.

A figure counts only if it was asked for after our last fill in the instrument, by at least as long as a fill may be missing from
the broker's answers, and if it is young enough. Moments are in seconds by our own counter. How much may be closed by it, `closable`
says (`domain.risk`).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.errors import InvalidInput
from liveorder.domain.order.events import OrderRequested
from liveorder.domain.risk import RiskRefusal
from liveorder.domain.values import EXACT, ZERO, PositionEffect, Product, Side
from liveorder.domain.wording import plain

AT_ONCE_SECONDS = 1.0
"""What came so shortly ago is of now, also for a broker that is to be asked at each exit: exits that come together share it."""


class PositionFigure(NamedTuple):
    """All positions of an account, as one answer."""

    number: int
    """Of the question, from 1."""
    asked_at: float
    answered_at: float
    quantities: Mapping[str, Decimal]
    """Signed units by instrument key; what is absent is zero."""
    by_product: Mapping[str, Mapping[Product | None, Decimal]] = {}
    """The same by product; under None what the broker names none of."""

    def of(self, key: str) -> Decimal:
        return self.quantities.get(key, ZERO)


class LastFill(NamedTuple):
    """When something was last filled of an instrument, as far as we know."""

    at: float
    number: int = 0
    """Of the newest question that had been put then."""


def counts(figure: PositionFigure, last: LastFill, now: float, can: BrokerCapabilities) -> bool:
    """Whether an exit may rely on it: it contains our last fill, and is no older than it may be."""
    contains_the_last = figure.number > last.number and figure.asked_at >= last.at + can.position_lag_seconds
    return contains_the_last and now - figure.answered_at <= max(can.max_position_age_seconds, AT_ONCE_SECONDS)


def seconds_until_it_shows(last: LastFill, now: float, can: BrokerCapabilities) -> float:
    """Until an answer is sure to contain our last fill; zero or less: a question is worth putting now."""
    return last.at + can.position_lag_seconds - now


def held_to(
    intent: OrderRequested, most: Decimal, at_broker: Decimal, *, may_be_ours: bool = False
) -> OrderRequested | RiskRefusal:
    """An order that only reduces by our book, as one for the `most` units that it may take by its broker's, to the lot.

    It says CLOSE from then on. A refusal where that is less than a lot.
    """
    terms, instrument = intent.terms, intent.instrument
    try:
        quantity = instrument.round_quantity(most)
    except InvalidInput:
        return nothing_left(instrument.symbol, terms.side, at_broker, may_be_ours=may_be_ours)
    return intent.with_terms(
        quantity=quantity,
        notional=None,
        asked_quantity=terms.asked_quantity or terms.quantity,
        asked_notional=terms.asked_notional or terms.notional,
        position_effect=PositionEffect.CLOSE,
    )


def nothing_left(symbol: str, side: Side, at_broker: Decimal, *, may_be_ours: bool = False) -> RiskRefusal:
    """Why an order of this side closes nothing, though its strategy holds some of it here: `at_broker` are the account's units.

    `may_be_ours`: our own open orders of this side can have filled what the broker lacks.
    """
    left = max(-side.signed(at_broker), ZERO)
    if not left and may_be_ours:
        message = f"open orders of the account can {side} all {symbol} that its broker lacks; send it again once they have ended"
        return RiskRefusal("already_closing", message, plain(at_broker), plain(at_broker))
    if not left:
        message = (
            f"the account holds none of the {symbol} at its broker, which has {plain(at_broker)}; "
            "`liveorder reconcile` shows it, `liveorder adopt` takes it over"
        )
        return RiskRefusal("nothing_to_close", message, plain(at_broker), "more than 0" if side is Side.SELL else "less than 0")
    remedy = "send it again once they have ended" if may_be_ours else "cancel one first"
    message = f"open orders can already {side} all {plain(left)} {symbol} that the account has left at its broker; {remedy}"
    return RiskRefusal("already_closing", message, plain(left), plain(left))


def shortfall_of(intent: OrderRequested, figures: Mapping[str, str]) -> str:
    """For people: that its broker has less than we of what the order takes off, by the figures of its approval. Empty if not."""
    if (theirs := figures.get("at_broker")) is None:
        return ""
    ours = figures["position_quantity"]
    if intent.terms.side.signed(EXACT.subtract(Decimal(theirs), Decimal(ours))) <= 0:
        return ""
    return (
        f"{intent.instrument.key} of {intent.account_id}: {ours} here, {theirs} at {intent.broker}; the exit is for "
        f"{plain(intent.terms.quantity)}. `liveorder reconcile` shows the difference, `liveorder adopt` takes it over"
    )
