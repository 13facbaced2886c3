"""The two legs of a reversal: the first closes, and once it is wholly filled the second opens the other side.

Both follow from one signal. The second is stored, waiting for the first, before the first leaves, so that no crash comes between.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from liveorder.domain.identifiers import SECOND_LEG, fingerprint
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import OrderRequested, Refused, RejectReason, WaitBegan, WaitReason
from liveorder.domain.signal import SIZES, Signal
from liveorder.domain.signal_fields import MAX_TEXT_LENGTH
from liveorder.domain.values import ZERO, PositionEffect

INCOMPLETE = "reversal_incomplete"
"""Code of the refusal of a second leg, and of a first one whose second cannot begin."""


def second_leg_of(signal: Signal) -> Signal:
    """The signal of the order that opens: always the same for the same signal."""
    name = signal.signal_id
    if len(name) + len(SECOND_LEG) > MAX_TEXT_LENGTH:
        name = fingerprint({"signal_id": name})
    return signal.model_copy(update={"signal_id": f"{name}{SECOND_LEG}"})


def is_second_leg(signal_id: str) -> bool:
    return signal_id.endswith(SECOND_LEG)


def begun(intent: OrderRequested, first: LiveOrder, signal: Signal) -> tuple[OrderRequested, WaitBegan]:
    """The second leg as it is stored before the first leaves: it opens nothing yet, and is sized when that is filled."""
    message, until = f"for order {first.order_id} to close what is held", intent.terms.stale_after
    wait = WaitBegan(reason=WaitReason.LEG, signal=signal.to_json(), message=message, until=until, orders=(first.order_id,))
    return intent.with_terms(position_effect=PositionEffect.OPEN, product=first.terms.product), wait


@dataclass(frozen=True, slots=True)
class Follows:
    """What becomes of a second leg once the first is over."""

    signal: Signal | None = None
    """What it is sized by now."""
    refused: Refused | None = None
    """Neither: nothing is left for it to do."""


def after_first_leg(signal: Signal, first: LiveOrder) -> Follows:
    """It opens under the product that the first closed. Of a signal that says how much is traded, what the first left of that: by
    what both came to when the first was sized, whatever the price is now.
    """
    signal = signal.model_copy(update={"product": first.terms.product})
    if first.terms.position_effect is not PositionEffect.CLOSE and first.status is OrderStatus.FILLED:
        return Follows()  # what was held was gone by then, and it did all of it
    if first.status is not OrderStatus.FILLED:
        return Follows(refused=incomplete(f"order {first.order_id}, which was to close what is held, is {first.status}"))
    if not signal.is_plain:
        return Follows(signal)
    asked = first.terms.asked_quantity or signal.quantity
    if asked is None:  # an earlier version sized the first by money
        return Follows(refused=incomplete(f"order {first.order_id} closed what was held, and what both were to be is not stored"))
    units = left_to_open(asked, first)
    sized = dict.fromkeys(SIZES) | {"quantity": units, "position_effect": PositionEffect.OPEN}
    return Follows(signal.model_copy(update=sized)) if units else Follows()


def left_to_open(asked: Decimal, first: LiveOrder) -> Decimal:
    return max(asked - first.filled_quantity, ZERO)


def incomplete(why: str) -> Refused:
    message = f"{why}: the other side is not opened; `liveorder positions` shows what is held"
    return Refused(reason=RejectReason.RISK, code=INCOMPLETE, message=message)


def without_second(why: str) -> Refused:
    """The refusal of a first leg: closing alone is not what was asked for."""
    message = f"nothing is closed, since the order that opens the other side cannot begin: {why}"
    return Refused(reason=RejectReason.RISK, code=INCOMPLETE, message=message)


def refused_second(refused: Refused) -> Refused:
    """The refusal of a second leg: what was held is closed by then."""
    why = f"what was held is closed, and the other side is not opened: {refused.code}, {refused.message}"
    return refused.but(code=INCOMPLETE, message=why)
