"""Lists fit the screen, say the right figures, and cannot be forged by what they show."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from liveorder.application.reporting.figures import short
from liveorder.application.reporting.projections.orders import order_type, why
from liveorder.application.reporting.views import FillView
from liveorder.domain.instrument import Instrument
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.position_adjustment import AdjustmentReason, PositionAdjusted
from liveorder.domain.values import AssetClass, OrderType
from liveorder.interfaces.cli.listings import print_orders, print_positions, print_results, print_signals
from liveorder.interfaces.cli.order_page import print_order
from liveorder.interfaces.cli.results import results_of
from tests.unit.cli.pages import HARMLESS, HOSTILE, a_position, an_order, seen

PARTLY_FILLED: dict[str, Any] = {
    "status": OrderStatus.PARTIAL,
    "order_type": OrderType.LIMIT,
    "limit_price": Decimal("1224.00"),
    "filled_quantity": Decimal(60),
    "average_price": Decimal("224.00"),
}


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_no_line_of_a_list_is_wider_than_the_screen(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    orders = [an_order(**PARTLY_FILLED), an_order("A-VERY-LONG-SYMBOL", strategy_name="x" * 60)]
    text = seen(monkeypatch, width, lambda: print_orders(orders))
    assert max(len(line) for line in text.splitlines()) <= width


def test_eighty_columns_hold_what_matters_of_an_order_untorn(monkeypatch: pytest.MonkeyPatch) -> None:
    text = seen(monkeypatch, 80, lambda: print_orders([an_order(**PARTLY_FILLED)]))
    for cell in ("LIVEORDERKEYOFATESTX", "SPY", "BUY", "LIMIT 1224.00", "60/100", "224.00", "PARTIAL"):
        assert cell in text
    assert "…" not in text


def test_a_wide_screen_shows_all_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    text = seen(monkeypatch, 200, lambda: print_orders([an_order(**PARTLY_FILLED)]))
    for cell in ("03-10 03:50:00", "signal-1", "trend", "U1", "Broker id"):
        assert cell in text


def test_an_empty_list_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert seen(monkeypatch, 80, lambda: print_orders([])) == "No orders.\n"
    assert seen(monkeypatch, 80, lambda: print_signals([])) == "No signals.\n"


def test_markup_escapes_and_newlines_of_data_are_printed_literally(monkeypatch: pytest.MonkeyPatch) -> None:
    for show in (lambda: print_orders([an_order(HOSTILE)]), lambda: print_order(an_order(HOSTILE, error_message=HOSTILE))):
        text = seen(monkeypatch, 200, show)
        assert HARMLESS in text
        assert not {"\x1b", "\u202e"} & set(text)
        assert not any(line.startswith("forged") for line in text.splitlines())


def test_on_a_terminal_the_only_escape_sequences_are_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    text = seen(monkeypatch, 200, lambda: print_positions([a_position(symbol=HOSTILE)]), is_terminal=True)
    assert HARMLESS in text
    assert "\x1b[31m" not in text


def test_profits_carry_a_sign_and_losses_too(monkeypatch: pytest.MonkeyPatch) -> None:
    positions = [a_position(), a_position(symbol="TSLA", realized_pnl=Decimal("-1405.005"), realized_pnl_net=Decimal(-1410))]
    text = seen(monkeypatch, 120, lambda: print_positions(positions))
    assert "+34.00" in text
    assert "-1,405.00" in text


def test_results_are_summed_by_account_strategy_and_currency(monkeypatch: pytest.MonkeyPatch) -> None:
    positions = [a_position(), a_position(symbol="TSLA", realized_pnl=Decimal("0.10")), a_position(currency="INR")]
    results = results_of(positions)
    assert [(row.currency, row.realized_pnl) for row in results] == [("INR", Decimal(34)), ("USD", Decimal("34.10"))]
    assert "+34.10" in seen(monkeypatch, 80, lambda: print_results(results))


def test_fees_in_other_currencies_are_told_apart_and_summed_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    positions = [a_position(other_commissions={"EUR": Decimal("1.25"), "BTC": Decimal("0.00025")}), a_position(symbol="TSLA")]
    assert "2.70, 0.00025 BTC, 1.25 EUR" in seen(monkeypatch, 200, lambda: print_positions(positions))
    results = results_of(positions)
    assert [(row.currency, row.realized_pnl, row.commission, row.realized_pnl_net) for row in results] == [
        ("BTC", Decimal(0), Decimal("0.00025"), Decimal("-0.00025")),
        ("EUR", Decimal(0), Decimal("1.25"), Decimal("-1.25")),
        ("USD", Decimal(68), Decimal("5.40"), Decimal("62.60")),
    ]
    order = an_order(other_commissions={"EUR": Decimal("1.25")})
    assert "1.25 EUR" in seen(monkeypatch, 250, lambda: print_orders([order]))


def test_an_order_type_is_told_with_its_prices() -> None:
    stop_limit = an_order(order_type=OrderType.STOP_LIMIT, stop_price=Decimal("9.5"), limit_price=Decimal(9))
    assert order_type(stop_limit) == "STOP_LIMIT 9.50 9.00"
    assert order_type(an_order(order_type=OrderType.TRAILING_STOP, trail_percent=Decimal("1.50"))) == "TRAILING 1.5%"


def test_why_joins_reason_and_message_and_is_empty_where_all_went_well() -> None:
    assert why(an_order()) == ""
    assert why(an_order(reason="RISK", error_message="too large")) == "RISK; too large"


def test_a_derived_id_is_shortened_visibly_and_a_given_one_is_not() -> None:
    assert short("f" * 60 + "0123") == "fffffffff…ffffff0123"
    assert short("sig_1732450800_5678") == "sig_1732450800_5678"
    assert short(None) == "–"


A_COIN: dict[str, Any] = {"asset_class": AssetClass.CRYPTO, "filled_quantity": Decimal(4)}


def test_a_fee_in_the_coin_is_told_in_plain_words_on_the_page_and_beside_its_fill(monkeypatch: pytest.MonkeyPatch) -> None:
    fill = FillView(
        execution_id="x",
        quantity=Decimal(4),
        price=Decimal(3000),
        commission=Decimal("0.01"),
        commission_currency="ETH",
        filled_at=None,
    )
    euros = fill.model_copy(update={"execution_id": "y", "commission": Decimal(2), "commission_currency": "EUR"})
    order = an_order("ETH/USD", fills=(fill, euros), other_commissions={"ETH": Decimal("0.01"), "EUR": Decimal(2)}, **A_COIN)
    text = seen(monkeypatch, 160, lambda: print_order(order))
    assert "fee in kind" in text
    assert "0.01 ETH, taken out of what was traded" in text
    assert "0.01 ETH in kind" in text
    assert "commission in EUR" in text
    assert "commission in ETH" not in text


def test_what_the_broker_kept_without_telling_it_with_the_fill_is_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = PositionAdjusted(
        account_id="U1",
        strategy_name="trend",
        instrument=Instrument(symbol="ETH/USD", exchange="CRYPTO", asset_class=AssetClass.CRYPTO),
        reason=AdjustmentReason.FEE_IN_KIND,
        quantity=Decimal("-0.01"),
        price=Decimal(3000),
        effective_at=datetime(2025, 3, 10, 4, 0, tzinfo=UTC),
        evidence="",
    )
    text = seen(monkeypatch, 160, lambda: print_order(an_order("ETH/USD", **A_COIN), (), [kept]))
    assert "Kept by the broker as its fee" in text
    assert "2025-03-10 04:00:00  0.01 ETH, worth 30.00 USD" in text


def test_the_page_of_an_order_names_every_id(monkeypatch: pytest.MonkeyPatch) -> None:
    order = an_order(broker_order_id="V7", flags=("acknowledged", "in_doubt"))
    for width in (80, 200):
        text = seen(monkeypatch, width, lambda: print_order(order))
        for part in (str(order.order_id), "LIVEORDERKEYOFATESTX", "V7", "signal-1", "[in_doubt]", "BUY 100 SPY MARKET"):
            assert part in text
        assert "[acknowledged]" not in text
