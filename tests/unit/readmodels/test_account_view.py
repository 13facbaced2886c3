"""An account's money as people and programs see it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from liveorder.application.reporting.figures import age
from liveorder.application.reporting.views import AccountView, account_view
from liveorder.application.risk.account_figures import with_equity
from liveorder.domain.broker_account import BrokerAccount, figures
from liveorder.domain.values import TradingMode
from liveorder.interfaces.cli.account_page import print_accounts
from tests.unit.cli.pages import HARMLESS, HOSTILE, seen

D = Decimal
NOW = datetime(2026, 11, 20, 15, tzinfo=UTC)
TOLD = NOW - timedelta(seconds=90.5)


def account(*told: Any, currency: str = "EUR") -> BrokerAccount:
    return BrokerAccount("U1", TradingMode.PAPER, currency, tuple(each for some in told for each in some))


def view(of: BrokerAccount | None, problem: str | None = None) -> AccountView:
    return account_view("U1", "ibkr", of, NOW, problem)


def test_figures_of_the_whole_account_have_names_and_the_rest_are_listed() -> None:
    shown = view(
        account(
            figures(TOLD, "EUR", equity=D("100.50"), cash=D(-7), buying_power=D(400)),
            figures(TOLD, "USD", cash=D("12.5")),
            figures(TOLD, "EUR", "CRYPTO", buying_power=D(3)),
        )
    )
    assert {name: figure.amount for name, figure in shown.figures.items()} == {
        "equity": D("100.50"),
        "cash": D(-7),
        "buying_power": D(400),
    }
    told = shown.to_dict()
    assert told["equity"] == {"amount": "100.50", "currency": "EUR", "at": "2026-11-20T14:58:29.500000Z", "age_seconds": 90.5}
    assert [(each["kind"], each["part"], each["currency"], each["amount"]) for each in told["others"]] == [
        ("cash", "", "USD", "12.5"),
        ("buying_power", "CRYPTO", "EUR", "3"),
    ]
    assert (told["initial_margin"], told["notes"], told["problem"]) == (None, [], None)
    assert AccountView.model_validate(told) == shown


def test_a_broker_that_reports_no_equity_is_said_with_the_remedy() -> None:
    shown = view(account(figures(TOLD, "EUR", cash=D(1))))
    assert shown.notes == ("no_equity: ibkr reports no equity; set equity of the account in [[accounts]]",)


def test_equity_that_the_settings_name_takes_the_place_of_the_brokers() -> None:
    reported = account(figures(TOLD, "EUR", equity=D(5), cash=D(1)))
    assert with_equity(reported, None, NOW) is reported
    shown = view(with_equity(reported, D(70), NOW))
    assert shown.equity is not None
    assert (shown.equity.amount, shown.equity.age_seconds, shown.others, shown.notes) == (D(70), 0.0, (), ())


def test_of_a_broker_that_never_answered_nothing_is_known_but_why() -> None:
    shown = view(None, "nobody there")
    assert (shown.figures, shown.mode, shown.notes, shown.problem) == ({}, None, (), "nobody there")


@pytest.mark.parametrize("width", [40, 80])
def test_a_page_fits_the_screen_and_cannot_be_forged(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    odd = account(figures(TOLD, "EUR", cash=D("-1234567.891")), figures(TOLD, "EUR", HOSTILE, buying_power=D(3)))
    text = seen(monkeypatch, 200, lambda: print_accounts([view(odd, HOSTILE)]))
    for cell in ("U1 at ibkr, PAPER", "cash", "-1,234,567.89", "1 min", "2026-11-20 14:58:29", HARMLESS, "no_equity"):
        assert cell in text
    assert not {"\x1b", "\u202e"} & set(text)
    narrow = seen(monkeypatch, width, lambda: print_accounts([view(account(figures(TOLD, "EUR", equity=D(1), cash=D(1))))]))
    assert max(len(line) for line in narrow.splitlines()) <= width


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-0.5, "0 s"), (0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (90_000, "25 h")],
)
def test_an_age_is_in_whole_units(seconds: float, text: str) -> None:
    assert age(seconds) == text
