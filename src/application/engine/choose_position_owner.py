"""Whose positions are, as the settings say: a change is an event, so that the log tells by what each order was judged."""

from __future__ import annotations

from dataclasses import replace

from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.order_store import Commit, OrderStore, StoreIdentity
from liveorder.application.recording import Cause, Recorder
from liveorder.domain.default_account import STORE_STREAM
from liveorder.domain.position_owner import PositionOwner, PositionOwnerChosen


async def choose_position_owner(
    store: OrderStore, recorder: Recorder, log: ActivityLog, identity: StoreIdentity, wanted: PositionOwner | None
) -> StoreIdentity:
    """The identity with the owner that is wanted, if any. Call as the owner of the store. Raises the errors of
    `OrderStore.append`.
    """
    if wanted in (None, identity.positions):
        return identity
    stream = await store.stream(STORE_STREAM)
    chosen = PositionOwnerChosen(positions=wanted)
    version, cause = stream[-1].version if stream else 0, Cause(correlation_id=str(STORE_STREAM))
    await store.append(Commit(events=tuple(recorder.enveloped(STORE_STREAM, version, [chosen], cause))))
    log.write(chosen.category, chosen.sentence())
    return replace(identity, positions=wanted)
