"""Claims as rows of their tables."""

from __future__ import annotations

from uuid import UUID

from liveorder.domain.claim import IdempotencyClaim
from liveorder.infrastructure.eventstore.database import Row


def claim_of(row: Row) -> IdempotencyClaim:
    signal_id, plan, account_id, namespace, key_version, client_order_id, order_id, fingerprint = row
    return IdempotencyClaim(namespace, account_id, signal_id, key_version, client_order_id, UUID(order_id), fingerprint, plan)


def row_of(claim: IdempotencyClaim) -> Row:
    return (
        claim.signal_id,
        claim.plan,
        claim.account_id,
        claim.namespace,
        claim.key_version,
        claim.client_order_id,
        str(claim.order_id),
        claim.fingerprint,
    )
