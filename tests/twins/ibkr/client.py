"""A program that is connected, and what a test makes TWS do to all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.twins.ibkr import wire


class Client:
    """One connection of a program."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.client_id = -1
        self.market_data_kind = 1

    @property
    def is_gone(self) -> bool:
        return self._writer.is_closing()

    def tell(self, *messages: Iterable[Any]) -> None:
        """In one piece, so that nothing comes between."""
        if not self._writer.is_closing():
            self._writer.write(b"".join(map(wire.framed, messages)))

    def hang_up(self) -> None:
        if self._writer.transport is not None:
            self._writer.transport.abort()


@dataclass
class Switches:
    is_link_lost: bool = False
    managed_accounts: str = ""
    client_ids_in_use: set[int] = field(default_factory=set)
    """Of other programs."""
    withheld: set[str] = field(default_factory=set)
    """Ends that are not sent: open, completed, executions, positions."""
    garbles_open_orders: bool = False
    withholds_executions: bool = False
    """Executions are asked for in vain: none come, and their end does."""
    executions_are_the_latest: bool = False
    """Where they are asked for, only the newest revision of each comes."""
    next_order_meets: tuple[int, str] | None = None
    """A code and its text, that answer the next order in place of the venue."""
    next_order_is_warned: tuple[int, str] | None = None
    """A code and its text, that are said of the next order before the venue answers."""
    commission_is_untold: bool = False
    market_rules_asked: list[str] = field(default_factory=list)
    """Their numbers, as they were asked for."""
    market_rules_are_untold: bool = False
    market_rules_are_quoted: bool = False
    """Told in the unit of prices; else in the currency, as minTick is."""
    account_values: dict[tuple[str, str], str] | None = None
    """By tag and currency: what TWS tells of the account, in place of what the venue has."""
    account_values_last_seconds: float = 0.0
    """TWS renews what it tells of the account no sooner (180, by its manual)."""
    market_data_meets: tuple[int, str] | None = None
    """A code and its text, that answer each subscription to prices beside or in place of its ticks."""
    ticks: set[str] = field(default_factory=lambda: {"bid", "ask", "last"})
    """Which are told."""
    subscribed: list[tuple[Client, str]] = field(default_factory=list)
    """Whose subscriptions to prices stand, and their numbers."""
    placed: list[list[str]] = field(default_factory=list)
    """Every placeOrder as it came in."""
