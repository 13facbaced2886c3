"""Closing what is held, because a person says so: each strategy's holding, under each product, by an order of its own
that says CLOSE."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from liveorder.application.gateway.gateway import Gateway
from liveorder.application.orders.order_register import OrderRegister
from liveorder.application.orders.position_register import PositionRegister
from liveorder.application.ports.clock import Clock
from liveorder.application.risk.book import RiskBook
from liveorder.application.trading.execute_order import ExecuteOrder
from liveorder.domain.errors import InvalidInput, LiveOrderError
from liveorder.domain.identifiers import fingerprint
from liveorder.domain.order import LiveOrder
from liveorder.domain.position_booking import HoldingKey, holding_key
from liveorder.domain.resent_signal import SignalContentDiffers
from liveorder.domain.signal import Signal
from liveorder.domain.values import ZERO, PositionEffect, Product, total
from liveorder.domain.wording import few


@dataclass(slots=True)
class ClosedPositions:
    """The closing orders, refused ones too, and for people what no order could be made for, with the reason."""

    orders: list[LiveOrder] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


class _Held(NamedTuple):
    key: HoldingKey
    quantity: Decimal
    """Signed units."""
    product: Product | None
    """Under which they are held; None: of no known product."""

    @property
    def named(self) -> str:
        """It, for the id of its signal."""
        parts = self.key._asdict() | ({} if self.product is None else {"product": self.product})
        return fingerprint(parts)[:16]


class ClosePositions:
    """One after another, so that what one order takes counts when the next is sized."""

    def __init__(
        self,
        orders: OrderRegister,
        positions: PositionRegister,
        gateways: Mapping[str, Gateway],
        risk: RiskBook,
        execute: ExecuteOrder,
        clock: Clock,
    ) -> None:
        self._orders, self._positions = orders, positions
        self._gateways, self._risk = gateways, risk
        self._execute, self._clock = execute, clock

    async def close(
        self, name: str, operator: str, symbol: str | None, strategy_name: str | None = None, account_id: str | None = None
    ) -> ClosedPositions:
        """Close what is held of `symbol`, which is a symbol or the key of an instrument; None: everything. The same `name` again
        gives the same order of each holding, whenever and of how much that was: name and holding say what is meant.

        Raises `InvalidInput` for an account that is not traded, and where nothing of it is held; that names what may change this.
        """
        if account_id not in (None, *self._gateways):
            raise InvalidInput("account", f"{account_id} is not traded here", f"name one of {', '.join(self._gateways)}")
        accounts, closed = self._gateways if account_id is None else [account_id], ClosedPositions()
        held = [each for each in self._held(accounts) if _fits(each.key, symbol, strategy_name)]
        if not held:
            whose = "" if strategy_name is None else f" by {strategy_name}"
            what = "nothing is held" if symbol is None else f"{symbol} is not held"
            unfinished = [order for each in accounts for order in self._orders.unfinished(each)]
            coming = [order for order in unfinished if order.may_trade and _fits(holding_key(order.intent), symbol, strategy_name)]
            named = few(order.order_id for order in coming)
            remedy = f"order {named} may still trade: cancel it" if coming else "see `liveorder positions`"
            raise InvalidInput("symbol", what + whose, remedy)
        for each in held:
            await self._close(each, f"{name}-{each.named}", operator, closed)
        return closed

    def _held(self, accounts: Iterable[str]) -> Iterator[_Held]:
        """What strategies hold under each product; where positions are the account's, those of them that are on its side."""
        for account_id in accounts:
            for instrument in self._risk.positions(account_id):
                held = self._risk.units_by_product(account_id, instrument)
                for key, product, own in [(key, *item) for key, parts in held.items() for item in parts.items()]:
                    of_account = total(parts.get(product, ZERO) for parts in held.values())
                    if self._risk.whose(key.strategy_name) is not None or own * of_account > 0:
                        yield _Held(key, own, product)

    async def _close(self, held: _Held, signal_id: str, operator: str, closed: ClosedPositions) -> None:
        key, is_of_account = held.key, self._risk.whose(held.key.strategy_name) is None
        try:
            instrument = await self._positions.instrument(key)
            signal = Signal(
                signal_id=signal_id,
                account_id=key.account_id,
                strategy_name=key.strategy_name,
                symbol=instrument.symbol,
                position_effect=PositionEffect.CLOSE,
                quantity=abs(held.quantity) if is_of_account else None,
                product=held.product,
                timestamp=self._clock.now(),
            )
            closed.orders.append(await self._execute.execute(signal, operator=operator, instrument=instrument))
        except SignalContentDiffers as error:  # the time, and perhaps the amount, when it was asked first
            closed.orders.append(await self._orders.get(error.known_order_id))
        except LiveOrderError as error:
            closed.failures.append(f"{key.account_id}: {key.instrument} of {key.strategy_name}: {error}")


def _fits(key: HoldingKey, symbol: str | None, strategy_name: str | None) -> bool:
    named = (None, key.instrument, key.instrument.split(":")[1])
    return strategy_name in (None, key.strategy_name) and symbol in named
