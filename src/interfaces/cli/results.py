"""Profit and loss, summed by account, strategy and currency."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from liveorder.application.reporting.views import PositionView
from liveorder.domain.values import ZERO, total


@dataclass(frozen=True, slots=True)
class Result:
    """Realized profit and loss in `currency`. Fees include those of opening fills. For a currency in which only fees are paid: just
    the fees.
    """

    account_id: str
    strategy_name: str
    currency: str
    realized_pnl: Decimal
    commission: Decimal
    realized_pnl_net: Decimal


def results_of(positions: Sequence[PositionView]) -> list[Result]:
    """One result per account, strategy and currency, in that order."""
    groups: defaultdict[tuple[str, str, str], list[_Share]] = defaultdict(list)
    for held in positions:
        whose = (held.account_id, held.strategy_name)
        groups[*whose, held.currency].append(_Share(held.realized_pnl, held.commission, held.realized_pnl_net))
        for currency, paid in held.other_commissions.items():
            groups[*whose, currency].append(_Share(ZERO, paid, -paid))
    return [_sum(*key, shares) for key, shares in sorted(groups.items())]


class _Share(NamedTuple):
    """One position's part of a result."""

    realized_pnl: Decimal
    commission: Decimal
    realized_pnl_net: Decimal


def _sum(account_id: str, strategy_name: str, currency: str, shares: Sequence[_Share]) -> Result:
    return Result(account_id, strategy_name, currency, *(total(amounts) for amounts in zip(*shares, strict=True)))
