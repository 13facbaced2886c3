"""Where the risk ledger of a running service and its reports differ: they are to be one book."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from liveorder.application.engine.engine import Engine
from liveorder.application.engine.service import Service
from liveorder.application.reporting.projections.positions import POSITIONS
from liveorder.application.reporting.projector import Projector
from liveorder.application.risk.book import holding_of
from liveorder.application.risk.book.rows import POSITION
from liveorder.domain.position import Position
from liveorder.domain.position_booking import Holding


async def two_books(service: Service) -> list[str]:
    return await differences(service.engine, service._projector)


async def differences(engine: Engine, projector: Projector) -> list[str]:
    """What the ledger holds of a strategy otherwise than the reports show it. An account is the sum of its strategies."""
    shown = {row.holding: row.state for row in await projector._views.rows(POSITIONS, None, 10_000)}
    problems, sums = [], defaultdict[tuple[str, str], Decimal](Decimal)
    for row in await engine.store.ledger():
        if not row.key.startswith(POSITION):
            continue
        key, ours = holding_of(row.account_id, row.key), Position.from_json(row.state)
        state = shown.pop(repr(tuple(key)), None)
        theirs = Position.flat(ours.currency, ours.multiplier) if state is None else Holding.from_text(state).position
        if ours != theirs:
            problems.append(f"{key}: the ledger has {ours}, the reports have {theirs}")
        sums[key.account_id, key.instrument] += theirs.quantity
    for (account_id, instrument), quantity in sums.items():
        held = engine.risk.position(account_id, instrument)
        if held is None or held.quantity != quantity:
            problems.append(f"{account_id} {instrument}: the rules see {held}, the reports have {quantity}")
    return [*problems, *(f"{key}: the ledger has nothing, the reports have {state}" for key, state in shown.items())]
