"""Units that go from one strategy's position to another's: a person says so. No order, no trade; the account holds the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from liveorder.application.gateway.gateway import Gateway
from liveorder.application.orders.order_register import OrderRegister
from liveorder.application.orders.position_register import PositionRegister
from liveorder.application.ports.clock import Clock
from liveorder.application.recording import Cause
from liveorder.application.risk.book import RiskBook
from liveorder.domain.errors import InvalidInput
from liveorder.domain.given_by_hand import amount_given, evidence_given, price_given, strategy_given
from liveorder.domain.position_adjustment import PositionTransferred
from liveorder.domain.position_transfer import Transferable, product_transferred, transferable
from liveorder.domain.values import Product, Side, total


class Transfer:
    def __init__(
        self,
        positions: PositionRegister,
        orders: OrderRegister,
        gateways: Mapping[str, Gateway],
        risk: RiskBook,
        clock: Clock,
    ) -> None:
        self._positions, self._orders, self._gateways = positions, orders, gateways
        self._risk, self._clock = risk, clock

    async def transfer(
        self,
        account_id: str,
        instrument_key: str,
        giver: str,
        taker: str,
        quantity: Decimal,
        evidence: str,
        actor: str,
        price: Decimal | None = None,
        name: str | None = None,
        product: Product | None = None,
    ) -> PositionTransferred:
        """`quantity` (signed, units; lots do not matter) of what `giver` holds becomes `taker`'s at `price`, else at average cost.

        `product`: under which the units are held, where a position is kept for each and `giver` has several.

        The same `name` again is the same transfer, and books nothing more; without one each call is another. Raises `InvalidInput`
        for what is not held and for what no signal could say, `DecisionRefused` where an open order could still take it, and what
        `OrderStore.append` raises.
        """
        if account_id not in self._gateways:
            raise InvalidInput("account_id", f"{account_id} is not in the settings", f"use {', '.join(self._gateways)}")
        transfer_id = name or str(self._orders.recorder.new_id())
        if (known := await self._known(account_id, instrument_key, transfer_id)) is not None:
            return known
        taker, evidence, quantity = strategy_given(taker, "to"), evidence_given(evidence), amount_given(quantity, "quantity")
        given = self._given(account_id, instrument_key, giver, taker, quantity)
        instrument = await self._positions.instrument(given.holding)
        price = None if price is None else price_given(price, instrument)

        def decide() -> Sequence[PositionTransferred]:
            holding, position = self._given(account_id, instrument_key, giver, taker, quantity)
            held = self._risk.units_by_product(account_id, instrument_key)[holding]
            return [
                PositionTransferred(
                    account_id=account_id,
                    from_strategy=giver,
                    to_strategy=taker,
                    instrument=instrument,
                    quantity=quantity,
                    price=position.cost_of_one if price is None else price,
                    effective_at=self._clock.now(),
                    evidence=evidence,
                    transfer_id=transfer_id,
                    product=product_transferred(held, quantity, product, giver),
                )
            ]

        (transferred,) = await self._positions.record(account_id, instrument_key, decide, Cause(actor, transfer_id))
        return transferred

    async def _known(self, account_id: str, instrument_key: str, transfer_id: str) -> PositionTransferred | None:
        for item in await self._positions.recorded(account_id, instrument_key):
            if isinstance(item.event, PositionTransferred) and item.event.transfer_id == transfer_id:
                return item.event
        return None

    def _given(self, account_id: str, instrument_key: str, giver: str, taker: str, quantity: Decimal) -> Transferable:
        """Where it is now. Raises `InvalidInput` and `DecisionRefused`."""
        holdings = self._risk.holdings(account_id, instrument_key)
        if not holdings:
            known = ", ".join(sorted(key for key, held in self._risk.positions(account_id).items() if held.quantity))
            remedy = f"use {known}" if known else "nothing is held on it"
            raise InvalidInput("instrument", f"{account_id} has no position in {instrument_key}", remedy)
        side = Side.SELL if quantity > 0 else Side.BUY
        reducing = total(
            order.units_of(giver)
            for order in self._risk.open_orders(account_id)
            if (order.instrument_key, order.side) == (instrument_key, side)
        )
        return transferable(holdings, giver, taker, quantity, instrument_key, reducing)
