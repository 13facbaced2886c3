"""Choosing the default account, for signals that name none. It is part of their identity, so only a person changes it, with a
reason, as an event.
"""

from __future__ import annotations

from liveorder.application.ports.order_store import Commit, OrderStore
from liveorder.application.recording import Cause, Recorder
from liveorder.domain.default_account import STORE_STREAM, DefaultAccountChanged


async def choose_default_account(store: OrderStore, recorder: Recorder, account_id: str, evidence: str, actor: str) -> None:
    """Call as the owner of the store. Raises the errors of `OrderStore.append`."""
    stream = await store.stream(STORE_STREAM)
    version = stream[-1].version if stream else 0
    changed = DefaultAccountChanged(account_id=account_id, evidence=evidence)
    cause = Cause(actor, correlation_id=str(STORE_STREAM))
    await store.append(Commit(events=tuple(recorder.enveloped(STORE_STREAM, version, [changed], cause))))
