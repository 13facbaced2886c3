"""What was earned, summed by account, strategy and currency."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from liveorder.application.views import PositionView
from liveorder.domain.values import total


@dataclass(frozen=True, slots=True)
class Result:
    """Realized money in `currency`; fees are those of opening fills too."""

    account_id: str
    strategy_name: str
    currency: str
    realized_pnl: Decimal
    commission: Decimal
    realized_pnl_net: Decimal


def results_of(positions: Sequence[PositionView]) -> list[Result]:
    """One for each account, strategy and currency, in that order."""
    groups: defaultdict[tuple[str, str, str], list[PositionView]] = defaultdict(list)
    for held in positions:
        groups[held.account_id, held.strategy_name, held.currency].append(held)
    return [_sum(key, held) for key, held in sorted(groups.items())]


def _sum(key: tuple[str, str, str], positions: Sequence[PositionView]) -> Result:
    account_id, strategy_name, currency = key
    return Result(
        account_id,
        strategy_name,
        currency,
        total(held.realized_pnl for held in positions),
        total(held.commission for held in positions),
        total(held.realized_pnl_net for held in positions),
    )
