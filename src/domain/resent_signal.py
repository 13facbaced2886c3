"""A signal that comes again: the order that it became, if it is the same signal."""

from __future__ import annotations

from collections.abc import Sequence

from liveorder.domain.claim import IdempotencyClaim, claims_meant
from liveorder.domain.identifiers import KeyRing
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import OrderRequested
from liveorder.domain.signal import Signal, UnusableSignal


class SignalContentDiffers(UnusableSignal):
    """The id is known with other content: which of the two was meant is for a person to say."""

    def __init__(self, signal_id: str, known: LiveOrder, fingerprint: str) -> None:
        super().__init__(
            f"signal_id: {signal_id} already became order {known.order_id} with other content "
            f"(known {known.intent.signal_fingerprint[:12]}, now {fingerprint[:12]}); give a new signal a new id",
            signal_id,
        )
        self.known_order_id, self.known_fingerprint = known.order_id, known.intent.signal_fingerprint


class SignalKnownOnSeveralAccounts(UnusableSignal):
    """It names no account, and its id became an order on more than one: which was meant is for a person to say."""

    def __init__(self, signal_id: str, claims: Sequence[IdempotencyClaim]) -> None:
        orders = ", ".join(f"{claim.account_id} (order {claim.order_id})" for claim in claims)
        super().__init__(
            f"account_id: none is named, and {signal_id} is known on several accounts: {orders}; "
            "name the account, or give a new signal a new id",
            signal_id,
        )


def claim_of(intent: OrderRequested, keys: KeyRing) -> IdempotencyClaim:
    """That of the order which this intent becomes."""
    return IdempotencyClaim(
        intent.namespace,
        intent.account_id,
        intent.signal_id,
        keys.version_of(intent.client_order_id, intent.account_id, intent.signal_id),
        intent.client_order_id,
        intent.order_id,
        intent.signal_fingerprint,
    )


def same_order(known: LiveOrder, signal: Signal) -> LiveOrder:
    """The order that the signal became, if it is the same signal. Raises `SignalContentDiffers`.

    Of an order that was adopted by its key nobody knows what the signal said.
    """
    is_adopted = known.intent.signal_id != signal.signal_id
    if not is_adopted and known.intent.signal_fingerprint not in signal.fingerprints_on(known.intent.account_id):
        raise SignalContentDiffers(signal.signal_id, known, signal.fingerprint)
    return known


def claim_meant(claims: Sequence[IdempotencyClaim], keys: KeyRing, signal: Signal, default_account: str) -> IdempotencyClaim | None:
    """The one that a signal is; None where no claim fits. Raises `SignalKnownOnSeveralAccounts`."""
    meant = claims_meant(claims, keys, signal.account_id, default_account)
    if len(meant) > 1:
        raise SignalKnownOnSeveralAccounts(signal.signal_id, meant)
    return meant[0] if meant else None
