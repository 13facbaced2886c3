"""Which order a signal is. A claim is the stored answer; the rules here say which claim belongs to a signal that comes again."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from liveorder.domain.identifiers import KeyRing

SIGNAL = ""
"""The `plan` of a signal itself."""


class IdempotencyClaim(Struct, frozen=True):
    """One signal, one order. Unique by namespace, account, signal id and plan.

    `client_order_id` is what the broker knows the order by, derived once by `key_version`. `fingerprint` is of the content.
    """

    namespace: str
    account_id: str
    signal_id: str
    key_version: int
    client_order_id: str
    order_id: UUID
    fingerprint: str
    plan: str = SIGNAL


class Recognition(Struct, frozen=True):
    """How a signal that came before is recognised, whatever settings and releases were in force then.

    `account_id` None: it names no account, and may be known on any. `client_order_ids`: an order that was adopted from the broker
    has nothing else of its signal.
    """

    signal_id: str
    account_id: str | None
    client_order_ids: tuple[str, ...]
    plan: str = SIGNAL

    def fits(self, claim: IdempotencyClaim) -> bool:
        """Whether the claim is of this signal, or may be."""
        is_named_so = (claim.signal_id, claim.plan) == (self.signal_id, self.plan)
        return (is_named_so and self.account_id in (None, claim.account_id)) or claim.client_order_id in self.client_order_ids


def recognition(keys: KeyRing, signal_id: str, named_account: str | None, account_ids: Sequence[str]) -> Recognition:
    """`account_ids`: every account of the store, on any of which a signal that names none may be known."""
    accounts = account_ids if named_account is None else (named_account,)
    return Recognition(signal_id, named_account, tuple(each for name in accounts for each in keys.possible_ids(name, signal_id)))


def claims_meant(
    claims: Sequence[IdempotencyClaim], keys: KeyRing, named_account: str | None, default_account: str
) -> Sequence[IdempotencyClaim]:
    """Of the claims that fit a signal: the one that it is, or several among which only a person can choose.

    On the signal's account, or else the default account, the first that counts is that of the store's own namespace, then the
    oldest of another one. A signal that names no account and is not known there is the one that is known elsewhere.
    """
    account_id = named_account or default_account
    by_age = sorted(claims, key=lambda claim: claim.order_id)
    there = [claim for claim in by_age if claim.account_id == account_id]
    own = [claim for claim in there if claim.namespace == keys.namespace]
    if found := (own or there)[:1]:
        return found
    return [claim for claim in by_age if claim.namespace == keys.namespace] or by_age
