"""What each setting of the built-in exchange does: the `[simulation]` table, and the file that it names."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from liveorder.application.ports.broker import Prepared
from liveorder.bootstrap.brokerages import connections_of
from liveorder.bootstrap.parts import clock_of
from liveorder.domain.broker_account import Figure
from liveorder.domain.errors import BrokerError, DuplicateClientOrderId
from liveorder.domain.execution_report import OrderSnapshot
from liveorder.domain.identifiers import SignalKey
from liveorder.domain.order import LiveOrder
from tests.effects.observing import BY_HAND, LIMIT, Effect, Observe, becomes, refused_by, staged, takes, with_quotes
from tests.effects.rows_of_accounts import can, turned
from tests.effects.stage import Stage, Tables, a_signal, settings_in
from tests.harness.worlds import RememberedLog

ACCOUNT = {"account_id": "SIM", "currency": "USD", "cash": "1000000"}
BY_BROKER, GIVEN_UP = ("REJECTED", "BROKER"), ("REJECTED", "RETRIES_EXHAUSTED")
SUNDAY = {"starts_at": "2025-03-09T16:00:00Z"}
WILD = {"prices": {"volatility": 0.01}}


def _outcome(order: LiveOrder) -> tuple[str, str | None]:
    return order.status.value, order.reason


def _status(order: LiveOrder) -> str:
    return order.status.value


def _fills(order: LiveOrder) -> list[str]:
    return [f"{each.quantity:f} at {each.price:f}" for each in order.executions.effective()]


def _commission(order: LiveOrder) -> Decimal:
    return order.commission


def account(look: Any, **terms: Any) -> Observe:
    return staged(look, {"accounts": [ACCOUNT | terms]})


def ends_as(venue: Tables, signal: Tables | None = None, seconds: float = 5, **tables: Any) -> Observe:
    return becomes(_outcome, signal, venue, seconds, **tables)


def has_account(name: str, **terms: Any) -> Observe:
    async def told(played: Stage) -> Any:
        found = getattr(await played.broker.account(), name)
        return found.amount if isinstance(found, Figure) else found

    return staged(told, {"accounts": [ACCOUNT | terms]}, accounts=[{"id": terms.get("account_id", "SIM")}])


def holds(name: str) -> Observe:
    async def told(played: Stage) -> Any:
        return [str(getattr(held, name)) for held in await played.broker.positions()]

    return staged(told, {"accounts": [ACCOUNT | {"positions": {"ARCA:SPY": {"quantity": 7, "price": 400}}}]})


async def _price(played: Stage) -> Decimal:
    """Of SPY, after a minute."""
    await asyncio.sleep(60)
    gateway = next(iter(played.engine.gateways.values()))
    intent, _ = await played.engine.execute.validate(a_signal())
    priced = await gateway.price(intent.instrument, intent.terms.side)
    assert priced.price is not None
    return priced.price.amount


def differs(venue: Tables, others: Tables, **tables: Any) -> Observe:
    """Whether the price after a minute is another one than on an exchange with other settings."""

    def observe(folder: Path) -> bool:
        prices = []
        for name, each in (("one", venue), ("other", others)):
            (folder / name).mkdir()
            prices.append(staged(_price, each, **(tables if name == "one" else {}))(folder / name))
        return bool(prices[0] != prices[1])

    return observe


async def _sent_twice(played: Stage) -> str:
    order = await played.order(time_in_force="GTC", **LIMIT)
    assert order.submission is not None
    await asyncio.sleep(20)
    try:
        await played.broker.submit(Prepared(order.submission.reference, order.submission.payload))
    except DuplicateClientOrderId:
        return "refused"
    return "taken"


async def _found_at_once(played: Stage) -> bool:
    order = await played.order(**LIMIT)
    return isinstance(await played.broker.find(order.client_order_id, None, {}), OrderSnapshot)


async def _replaced(played: Stage) -> Decimal | None:
    order = await played.order(**LIMIT)
    await played.engine.replace.replace(order.order_id, limit_price=Decimal(401))
    await asyncio.sleep(2)
    return (await played.now(order)).limit_price


async def _cancelled(played: Stage) -> str:
    order = await played.order(**LIMIT)
    await played.engine.cancel.cancel(order.order_id)
    await asyncio.sleep(2)
    return (await played.now(order)).status.value


async def _two(played: Stage) -> list[str]:
    """Two orders, the second under a key of its own."""
    orders = [await played.order(signal_id, **LIMIT) for signal_id in ("one", "two")]
    await asyncio.sleep(2)
    return [(await played.now(order)).status.value for order in orders]


async def _held_of_a_coin(played: Stage) -> list[Decimal]:
    """Where one was bought."""
    await played.order(symbol="ETH/USD", quantity=1)
    await asyncio.sleep(5)
    return [held.quantity for held in await played.broker.positions()]


async def _told_of_commission(played: Stage) -> bool:
    order = await played.order()
    await asyncio.sleep(5)
    stream = await played.engine.store.stream(order.order_id)
    return any(item.event.shown_name == "CommissionReported" for item in stream)


async def _working(played: Stage) -> Any:
    order = await played.order(**LIMIT)
    found = await played.broker.find(order.client_order_id, None, {})
    return found.status.value


def fault(kind: str, **more: Any) -> Tables:
    return {"faults": {"faults": [{"kind": kind} | more]}}


def _filled_at_the_files_price(folder: Path) -> Any:
    (folder / "prices.csv").write_text("time,symbol,price\n2025-03-10T16:00:00Z,SPY,321\n")
    return becomes(_fills, {}, {"prices": {"file": str(folder / "prices.csv")}})(folder)


def _filled_from_a_catalogue(folder: Path) -> Any:
    (folder / "listed.json").write_text(json.dumps([{"symbol": "MINE", "exchange": "NYSE", "calendar": "XNYS"}]))
    prices = {"start_prices": {"MINE": "50"}, "volatility": 0}
    return becomes(_fills, {"symbol": "MINE"}, {"catalogue_file": str(folder / "listed.json"), "prices": prices})(folder)


def _elsewhere(folder: Path) -> str:
    """A venue in another process, where none listens."""
    settings = settings_in(folder, {}, {"simulation": {"venue": "127.0.0.1:1"}})

    async def connected() -> str:
        with connections_of(settings, clock_of(settings), RememberedLog()) as connections:
            try:
                await connections["SIM"].broker.connect()
            except BrokerError as error:
                return type(error).__name__
        return "connected"

    return asyncio.run(connected())


def _begins(folder: Path) -> str:
    async def told() -> str:
        return clock_of(settings_in(folder, {}, {})).now().date().isoformat()

    return asyncio.run(told())


def _remembers(folder: Path) -> bool:
    becomes(_status, simulation={"venue_data": folder / "mine.db"})(folder)
    return (folder / "mine.db").exists()


CORRECTED = fault("correction", on="fill", quantity="6", price="490")

ROWS = {
    "venue.seed": Effect(True, differs(WILD | {"seed": 5}, WILD)),
    "venue.accounts": Effect(Decimal(7), has_account("cash", cash="7")),
    "venue.accounts.account_id": Effect(Decimal(7), has_account("cash", cash="7", account_id="mine")),
    "venue.accounts.currency": Effect("EUR", has_account("currency", currency="EUR")),
    "venue.accounts.cash": Effect(Decimal(7), has_account("cash", cash="7")),
    "venue.accounts.is_limited": Effect(
        BY_BROKER, ends_as({"accounts": [ACCOUNT | {"cash": "7", "is_limited": True}]}, risk={"check_buying_power": False})
    ),
    "venue.accounts.allows_short": Effect(
        BY_BROKER,
        ends_as({"accounts": [ACCOUNT | {"allows_short": False}]}, {"side": "SELL"}, risk={"allow_short_selling": True}),
    ),
    "venue.accounts.crosses_zero": Effect(
        (*BY_BROKER, Decimal(15)),
        staged(
            turned,
            {"accounts": [ACCOUNT | {"crosses_zero": False}]},
            **can(crosses_zero=True),
            risk={"allow_short_selling": True},
        ),
    ),
    "venue.accounts.positions": Effect(["ARCA:SPY"], holds("name")),
    "venue.accounts.positions.quantity": Effect(["7"], holds("quantity")),
    "venue.accounts.positions.price": Effect(["400"], holds("average_price")),
    "venue.prices.file": Effect(["10 at 321"], _filled_at_the_files_price),
    "venue.prices.start_prices": Effect(
        ["10 at 321"], becomes(_fills, {}, {"prices": {"start_prices": {"SPY": "321"}, "volatility": 0}})
    ),
    "venue.prices.volatility": Effect(Decimal(500), staged(_price, {"prices": {"volatility": 0}})),
    "venue.prices.step_seconds": Effect(Decimal(500), staged(_price, {"prices": {"volatility": 0.1, "step_seconds": 500}})),
    "venue.fills.automatic": Effect(("SUBMITTED", None), ends_as(BY_HAND)),
    "venue.fills.delay_seconds": Effect(("SUBMITTED", None), ends_as({"fills": {"delay_seconds": 9}})),
    "venue.fills.max_quantity": Effect(["4 at 500", "4 at 500", "2 at 500"], becomes(_fills, {}, {"fills": {"max_quantity": 4}})),
    "venue.fills.max_fraction": Effect(["5 at 500", "5 at 500"], becomes(_fills, {}, {"fills": {"max_fraction": "0.5"}})),
    "venue.keys.support": Effect("taken", staged(_sent_twice, {"keys": {"support": "SEARCHABLE"}})),
    "venue.keys.memory_seconds": Effect("taken", staged(_sent_twice, {"keys": {"memory_seconds": 10}})),
    "venue.keys.lookup_lag_seconds": Effect(False, staged(_found_at_once, {"keys": {"lookup_lag_seconds": 9}})),
    "venue.commission.per_order": Effect(Decimal(3), becomes(_commission, {}, {"commission": {"per_order": 3}})),
    "venue.commission.per_unit": Effect(Decimal(30), becomes(_commission, {}, {"commission": {"per_unit": 3}})),
    "venue.commission.rate": Effect(Decimal(50), becomes(_commission, {}, {"commission": {"rate": "0.01"}})),
    "venue.commission.currency": Effect(
        {"EUR": Decimal(3)},
        becomes(lambda order: dict(order.other_commissions), {}, {"commission": {"per_order": 3, "currency": "EUR"}}),
    ),
    "venue.commission.in_kind": Effect([Decimal("0.99")], staged(_held_of_a_coin, {"commission": {"in_kind": "0.01"}})),
    "venue.reports_commission_apart": Effect(True, staged(_told_of_commission, {"reports_commission_apart": True})),
    "venue.rejection_probability": Effect(BY_BROKER, ends_as({"rejection_probability": 1})),
    "venue.latency_seconds": Effect(4, takes(lambda played: played.order(**LIMIT), {"latency_seconds": 1})),
    "venue.accept_delay_seconds": Effect("PENDING", staged(_working, {"accept_delay_seconds": 9})),
    "venue.cancel_delay_seconds": Effect("SUBMITTED", staged(_cancelled, {"cancel_delay_seconds": 9})),
    "venue.replace_delay_seconds": Effect(Decimal(400), staged(_replaced, {"replace_delay_seconds": 9})),
    "venue.positions_lag_seconds": Effect([], staged(_held_of_a_coin, {"positions_lag_seconds": 9})),
    "venue.catalogue_file": Effect(["10 at 50"], _filled_from_a_catalogue),
    "venue.hours": Effect([], refused_by(venue={"hours": "always"}, simulation=SUNDAY)),
    "venue.faults.faults": Effect(GIVEN_UP, ends_as(fault("unavailable"))),
    "venue.faults.faults.kind": Effect(GIVEN_UP, ends_as(fault("unavailable"))),
    "venue.faults.faults.on": Effect(["SUBMITTED", "SUBMITTED"], staged(_two, fault("unavailable", on="find"))),
    "venue.faults.faults.nth": Effect(
        ["SUBMITTED", "REJECTED"], staged(_two, fault("unavailable", nth=2), retry={"max_attempts": 1})
    ),
    "venue.faults.faults.client_order_id": Effect(
        ["SUBMITTED", "REJECTED"],
        staged(_two, fault("unavailable", client_order_id=SignalKey("default", "SIM", "two").client_order_id)),
    ),
    "venue.faults.faults.probability": Effect(["SUBMITTED", "SUBMITTED"], staged(_two, fault("unavailable", probability=0))),
    "venue.faults.faults.seconds": Effect(
        9, takes(lambda played: played.order(**LIMIT), fault("rate_limited", nth=1, seconds=9), retry={"max_attempts": 2})
    ),
    "venue.faults.faults.silent": Effect(
        3, takes(lambda played: played.order(**LIMIT), fault("request_lost", silent=True), timeouts={"broker_call_seconds": 3})
    ),
    "venue.faults.faults.quantity": Effect(["6 at 490"], becomes(_fills, {}, CORRECTED)),
    "venue.faults.faults.price": Effect(["6 at 490"], becomes(_fills, {}, CORRECTED)),
    "simulation.quotes": Effect(
        ["10 at 321"], with_quotes(lambda **tables: becomes(_fills, **tables), "2025-03-10T16:00:00Z,SPY,321")
    ),
    "simulation.seed": Effect(True, differs(WILD, WILD, simulation={"seed": 5})),
    "simulation.starts_at": Effect("2025-03-10", _begins),
    "simulation.hours": Effect(["market_closed"], refused_by(simulation=SUNDAY | {"hours": "exchange"})),
    "simulation.venue": Effect("BrokerConnectionError", _elsewhere),
    "simulation.venue_settings": Effect(Decimal(3), becomes(_commission, {}, {"commission": {"per_order": 3}})),
    "simulation.venue_data": Effect(True, _remembers),
}
