"""What each setting of a real broker does: to its adapter, on servers that speak its wire."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from liveorder.application.ports.brokerage import Brokerage
from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.domain.errors import LiveOrderError
from liveorder.domain.values import AssetClass, OrderType, Side, TimeInForce
from liveorder.infrastructure.brokers.alpaca.assembly import brokerage
from liveorder.infrastructure.brokers.kite import login, tokens
from liveorder.infrastructure.brokers.kite.broker import ticker_root
from liveorder.infrastructure.settings.sections import AccountSettings, Alpaca, Kite
from tests.effects.observing import Effect, Observe, in_real_time, trades_at
from tests.twins.alpaca.customer import ACCOUNT, access
from tests.unit.alpaca.stage import live, order_of
from tests.unit.ibkr.scene import Scene, SetClock, scene, submission
from tests.unit.kite.canned import MORNING, Answer, broker_on
from tests.unit.kite.stage import order

NOWHERE = "http://127.0.0.1:1"
FUTURE = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,instrument_type,segment,exchange\n"
    "19,20,CRUDEOIL26DECFUT,CRUDEOIL,0,2026-12-18,0,1,1,FUT,MCX-FUT,MCX\n"
)

# --- Kite ----------------------------------------------------------------------------------------------------------------------


def kite_sends(name: str, order_fields: dict[str, Any], **options: Any) -> Observe:
    return lambda _: json.loads(broker_on({}, **options).broker.prepare(order(**order_fields)).payload)[name]


def _kite_refuses(order_fields: dict[str, Any], **options: Any) -> Observe:
    def kind(_: Path) -> str:
        try:
            broker_on({}, **options).broker.prepare(order(**order_fields))
        except LiveOrderError as error:
            return type(error).__name__
        return "prepared"

    return kind


def _kite_logs_in(_: Path) -> str:
    """As far as Kite's address."""
    section = Kite(api_key=SecretStr("key"), api_secret=SecretStr("secret"), root=NOWHERE)
    try:
        login.exchanged(section, "token", datetime.now(UTC))
    except LiveOrderError as error:
        return type(error).__name__
    return "logged in"


def _kite_token_of_a_file(folder: Path) -> str:
    (folder / "token").write_text("of the file")
    return tokens.current(Kite(access_token_file=folder / "token")).value.get_secret_value()


async def _kite_contract(_: Path) -> Decimal | None:
    canned = broker_on({"/instruments/MCX": Answer(FUTURE, content_type="text/csv")}, multipliers={"CRUDEOIL": Decimal(100)})
    found = await canned.parts.instruments.resolve(InstrumentQuery("CRUDEOIL26DECFUT", "MCX"))
    return None if found is None else found.multiplier


KITE = {
    "kite.api_key": Effect(True, lambda _: "mine" in login.login_address(Kite(api_key=SecretStr("mine")))),
    "kite.api_secret": Effect("BrokerConnectionError", _kite_logs_in),
    "kite.access_token": Effect("mine", lambda _: tokens.current(Kite(access_token=SecretStr("mine"))).value.get_secret_value()),
    "kite.access_token_file": Effect("of the file", _kite_token_of_a_file),
    "kite.variety": Effect("amo", kite_sends("variety", {}, variety="amo")),
    "kite.market_protection": Effect(
        "5", kite_sends("market_protection", {"order_type": OrderType.MARKET, "limit_price": None}, market_protection=Decimal(5))
    ),
    "kite.longest_ttl_minutes": Effect(
        "200",
        kite_sends(
            "validity_ttl",
            {"time_in_force": TimeInForce.GTD, "expires_at": MORNING + timedelta(minutes=200)},
            longest_ttl_minutes=300,
        ),
    ),
    "kite.multipliers": Effect(Decimal(100), in_real_time(_kite_contract)),
    "kite.freeze_quantities": Effect(
        "OrderValidationError", _kite_refuses({"quantity": Decimal(11)}, freeze_quantities={"RELIANCE": Decimal(10)})
    ),
    "kite.root": Effect("kite", lambda _: broker_on({}, root=NOWHERE).broker.name),
    "kite.ticker_root": Effect("wss://elsewhere", lambda _: ticker_root(Kite(ticker_root="wss://elsewhere"))),
}

# --- Interactive Brokers -------------------------------------------------------------------------------------------------------


def at_tws(look: Any, clock: SetClock | None = None, **section: Any) -> Observe:
    async def seen(_: Path) -> Any:
        async with scene(clock, section) as tws:
            try:
                await tws.connect()
            except LiveOrderError as error:
                return type(error).__name__
            return look(tws)

    return in_real_time(seen)


def _name_of(tws: Scene) -> str:
    return str(tws.broker.name)


def _usual_hours(tws: Scene) -> str:
    return str(tws.broker.capabilities.usual_hours_of(OrderType.LIMIT))


def ibkr_refers(name: str) -> Any:
    return lambda tws: tws.broker.prepare(submission()).reference[name]


async def _kind_of_prices(_: Path) -> str | None:
    """What TWS is asked for."""
    asked: list[str] = []
    async with scene(section={"market_data": "delayed"}) as tws:
        acts = tws.twin._acts

        async def remember(client: object, fields: list[str]) -> None:
            asked.append(fields[2])

        vars(tws.twin)["_acts"] = lambda: acts() | {"59": remember}
        await tws.connect()
    return asked[0]


EVENING = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
IBKR = {
    "ibkr.host": Effect(["ibkr at ibkr"], trades_at(trading_mode="PAPER", ibkr={"host": "127.0.0.1"})),
    "ibkr.port": Effect("ibkr", at_tws(_name_of)),
    "ibkr.client_id": Effect("9", at_tws(ibkr_refers("client_id"), client_id=9)),
    "ibkr.account": Effect("BrokerAuthenticationError", at_tws(_name_of, account="U7654321")),
    "ibkr.outside_hours": Effect("extended", at_tws(_usual_hours, outside_hours=True)),
    "ibkr.market_data": Effect("3", in_real_time(_kind_of_prices)),
    "ibkr.time_zone": Effect("2026-11-21", at_tws(ibkr_refers("day"), SetClock(EVENING), time_zone="Asia/Tokyo")),
}

# --- Alpaca --------------------------------------------------------------------------------------------------------------------

KEYS = {"api_key": SecretStr("key"), "secret_key": SecretStr("secret")}


def alpaca_of(look: Any, **section: Any) -> Observe:
    """Of an adapter that is put together and not connected."""

    async def seen(_: Path) -> Any:
        parts = brokerage(access(), Alpaca(**{**KEYS, **section}))
        try:
            return look(parts)
        finally:
            await parts.broker.close()

    return in_real_time(seen)


async def _replaced_while_part_filled(_: Path) -> list[str]:
    async with live(counts_fills=True) as here:
        (accepted,) = await here.submit()
        (placed,) = await here.venue.orders()
        await here.venue.fill(str(placed.broker_order_id), Decimal(4), Decimal(150))
        told = await here.replace(accepted.broker_order_id, limit_price=Decimal(151))
        return [type(report).__name__ for report in told]


def _prices_are_asked_of(parts: Brokerage) -> str:
    ask: Any = parts.market_data
    return str(ask._ask[AssetClass.EQUITY][0].__self__._base_url)


async def _intent(_: Path) -> Any:
    account = AccountSettings(id=ACCOUNT, broker="alpaca", capabilities={"reduce_only_for": ["OPTION"]})
    parts = brokerage(replace(access(), adjusted=account.adjusted), Alpaca.model_validate(KEYS))
    try:
        prepared = parts.broker.prepare(order_of(side=Side.SELL, reduces_only=True))
    finally:
        await parts.broker.close()
    return json.loads(prepared.payload).get("position_intent", "not said")


ALPACA = {
    "capabilities.reduce_only_for": Effect("not said", in_real_time(_intent)),
    "alpaca.api_key": Effect("key", alpaca_of(lambda parts: parts.broker._rest._client._api_key)),
    "alpaca.secret_key": Effect("secret", alpaca_of(lambda parts: parts.broker._rest._client._secret_key)),
    "alpaca.base_url": Effect(NOWHERE, alpaca_of(lambda parts: parts.broker._rest._client._base_url, base_url=NOWHERE)),
    "alpaca.stream_url": Effect("ws://mine", alpaca_of(lambda parts: parts.broker._new_stream()._endpoint, stream_url="ws://mine")),
    "alpaca.data_url": Effect(NOWHERE, alpaca_of(_prices_are_asked_of, data_url=NOWHERE)),
    "alpaca.replacement_counts_fills": Effect([], in_real_time(_replaced_while_part_filled)),
}

ROWS = KITE | IBKR | ALPACA
