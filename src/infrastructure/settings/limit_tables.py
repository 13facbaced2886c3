"""Limits by strategy and by symbol that would do nothing, or that could not be measured, are refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from liveorder.domain.errors import SettingsError
from liveorder.domain.limit_tables import AMOUNTS, NarrowLimits, wider
from liveorder.domain.risk_limits import RiskLimits
from liveorder.infrastructure.settings.sections import AccountSettings


def check_limit_tables(account: AccountSettings, limits: RiskLimits) -> None:
    """Raises `SettingsError`. `limits`: the account's own, beside which they hold."""
    tables = [*_tables(account)]
    for title, count in Counter(title for title, _ in tables).items():
        if count > 1:
            raise SettingsError(f"account {account.id!r}: {title} is there twice; put its limits into one table")
    for title, table in tables:
        where = f"account {account.id!r}: {title}"
        if not table.said:
            raise SettingsError(f"{where} sets no limit; set one, or leave the table out")
        for name, own, theirs in wider(table, limits):
            raise SettingsError(
                f"{where}: {name} = {own} is wider than the account's {theirs}, which holds as well; narrow it, or leave it out"
            )
        amounts = [name for name in AMOUNTS if name in table.said]
        if amounts and account.risk_by_currency:
            others = ", ".join(account.risk_by_currency)
            raise SettingsError(
                f"{where}: {amounts[0]} is an amount in {account.currency}, and the account also trades in {others}, which "
                "cannot be measured by it; limit quantities or counts instead"
            )


def _tables(account: AccountSettings) -> Iterator[tuple[str, NarrowLimits]]:
    yield from ((f"strategies {table.name!r}", table) for table in account.strategies)
    yield from ((f"symbols {table.symbol!r}", table) for table in account.symbols)
