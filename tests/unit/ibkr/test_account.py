"""An account's money as TWS tells it: rows of tag, value and currency, over its own wire."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from liveorder.domain.broker_account import BrokerAccount, FigureKind
from liveorder.domain.values import AssetClass
from tests.unit.ibkr.scene import Scene, scene, submission

D = Decimal
EURO = {
    ("NetLiquidation", "EUR"): "104321.77",
    ("TotalCashValue", "EUR"): "-2500.10",
    ("InitMarginReq", "EUR"): "31250.4",
    ("MaintMarginReq", "EUR"): "28409.5",
    ("AvailableFunds", "EUR"): "73071.37",
    ("BuyingPower", "EUR"): "292285.48",
    ("TotalCashBalance", "BASE"): "-2500.1033",
    ("TotalCashBalance", "EUR"): "7500.00",
    ("TotalCashBalance", "USD"): "-10800.55",
    ("TotalCashBalance", "CHF"): "0.00",
    ("ExchangeRate", "BASE"): "1.00",
    ("ExchangeRate", "EUR"): "1.00",
    ("ExchangeRate", "USD"): "0.9258",
}
"""Of an account that is kept in euros and owes dollars."""


@pytest.fixture
async def tws() -> AsyncIterator[Scene]:
    async with scene() as played:
        await played.connect()
        yield played


async def told_of(tws: Scene, values: Mapping[tuple[str, str], str]) -> BrokerAccount:
    tws.twin.account_values = dict(values)
    account: BrokerAccount = await tws.broker.account()
    return account


def amounts(account: BrokerAccount) -> list[tuple[str, str, str]]:
    return [(each.kind, each.currency, f"{each.amount:f}") for each in account.figures]


async def test_every_figure_is_told_in_the_accounts_own_currency_and_cash_in_each_that_is_held(tws: Scene) -> None:
    asked = datetime.now(UTC)
    account = await told_of(tws, EURO)
    assert account.currency == "EUR"
    assert amounts(account) == [
        ("equity", "EUR", "104321.77"),
        ("cash", "EUR", "-2500.10"),
        ("initial_margin", "EUR", "31250.4"),
        ("maintenance_margin", "EUR", "28409.5"),
        ("available_funds", "EUR", "73071.37"),
        ("buying_power", "EUR", "292285.48"),
        ("cash", "USD", "-10800.55"),
        ("cash", "CHF", "0"),
    ]
    assert all(asked <= each.at <= datetime.now(UTC) for each in account.figures)


async def test_buying_power_is_told_for_the_accounts_own_currency_alone(tws: Scene) -> None:
    account = await told_of(tws, EURO)
    found = [account.buying_power_for("NASDAQ", AssetClass.EQUITY, currency) for currency in ("EUR", "USD")]
    assert [each and each.amount for each in found] == [D("292285.48"), None]


async def test_a_sum_in_base_is_in_the_currency_that_the_others_are_exchanged_into(tws: Scene) -> None:
    rates = {("ExchangeRate", "BASE"): "1.00", ("ExchangeRate", "CHF"): "1", ("ExchangeRate", "USD"): "0.88"}
    account = await told_of(tws, {("NetLiquidation", "BASE"): "5000.5", ("TotalCashBalance", "USD"): "3", **rates})
    assert (account.currency, amounts(account)) == ("CHF", [("equity", "CHF", "5000.5"), ("cash", "USD", "3")])


async def test_a_sum_in_base_is_in_the_settings_currency_where_nothing_else_says_in_which(tws: Scene) -> None:
    account = await told_of(tws, {("NetLiquidation", "BASE"): "5000", ("BuyingPower", ""): "9", ("AvailableFunds", "USD"): "7"})
    assert (account.currency, amounts(account)) == ("USD", [("equity", "USD", "5000"), ("available_funds", "USD", "7")])


async def test_what_it_is_worth_in_several_currencies_is_read_in_the_settings_one(tws: Scene) -> None:
    """A sum in BASE may be in the other: it is left out."""
    worth = {("NetLiquidation", "EUR"): "100", ("NetLiquidation", "USD"): "110", ("BuyingPower", "BASE"): "1"}
    account = await told_of(tws, worth)
    assert (account.currency, amounts(account)) == ("USD", [("equity", "USD", "110")])


@pytest.mark.parametrize(
    ("value", "amount"),
    [("-12.50", D("-12.50")), ("0", D(0)), ("1E3", D(1000))]
    + [(odd, None) for odd in ("", "1.7976931348623157E308", "n/a", "DU1234567", "NaN")],
)
async def test_a_figure_is_a_number_or_is_left_out(tws: Scene, value: str, amount: Decimal | None) -> None:
    account = await told_of(tws, EURO | {("BuyingPower", "EUR"): value})
    assert (None if account.buying_power is None else account.buying_power.amount) == amount
    assert account.equity is not None


async def test_what_tws_tells_no_more_is_not_remembered(tws: Scene) -> None:
    """The library keeps every row that it was ever told: an old amount would pass for one of now."""
    await told_of(tws, EURO)
    account = await told_of(tws, {("NetLiquidation", "EUR"): "1"})
    assert amounts(account) == [("equity", "EUR", "1")]


async def test_another_account_of_the_login_is_another_account(tws: Scene) -> None:
    account = await told_of(tws, {})
    assert account.figures == ()
    assert account.figure(FigureKind.BUYING_POWER, currency="CHF") is None


async def test_for_three_minutes_tws_tells_the_account_as_it_was_and_that_is_declared(tws: Scene) -> None:
    tws.twin.account_values_last_seconds = 180.0
    before = await tws.broker.account()
    await tws.broker.submit(tws.broker.prepare(submission()))
    await tws.fill(quantity=10)
    assert amounts(await tws.broker.account()) == amounts(before)
    tws.twin.account_values_last_seconds = 0.0
    assert amounts(await tws.broker.account()) != amounts(before)
    assert tws.broker.capabilities.account_lag_seconds == 180
