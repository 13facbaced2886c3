"""Positions and cash."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from liveorder.testing.venue.ledger import VenueHolding
from liveorder.testing.venue.orders import OrderState
from liveorder.testing.venue.settings import OpeningPosition, VenueAccount, VenueCommission
from liveorder.testing.venue.venue import Venue
from tests.unit.simulated.stage import AAPL, placed, venue_of

D = Decimal


def position(venue: Venue, account: str = "SIM") -> list[tuple[str, Decimal, Decimal]]:
    listed = venue.questions.positions(account)["positions"]
    return [(each["instrument"]["symbol"], D(each["quantity"]), D(each["average_price"])) for each in listed]


def money(venue: Venue) -> tuple[Decimal, Decimal]:
    account = venue.questions.account("SIM", venue.now)
    return D(account["cash"]), D(account["equity"])


def test_a_buy_moves_cash_into_a_position_and_commission_is_lost() -> None:
    commission = VenueCommission(per_order=D(1), per_unit=D("0.1"), rate=D("0.001"))
    venue = venue_of(commission=commission)
    venue.submit(placed())
    assert position(venue) == [("AAPL", D(10), D(200))]
    assert money(venue) == (D(1_000_000) - 2000 - 4, D(1_000_000) - 4)


def test_the_order_charge_is_paid_once() -> None:
    venue = venue_of(commission=VenueCommission(per_order=D(1)), fills={"max_quantity": "5"})
    venue.submit(placed())
    assert money(venue)[0] == D(1_000_000) - 2000 - 1


def test_a_sell_without_a_position_is_short() -> None:
    venue = venue_of()
    venue.submit(placed(side="SELL"))
    venue.post_price(AAPL.key, D(190))
    assert position(venue) == [("AAPL", D(-10), D(200))]
    assert money(venue) == (D(1_002_000), D(1_000_100))


def test_opening_positions_and_a_flat_one_that_is_not_listed() -> None:
    terms = VenueAccount(positions={AAPL.key: OpeningPosition(quantity=D(10), price=D(100))})
    venue = venue_of(accounts=(terms,))
    assert position(venue) == [("AAPL", D(10), D(100))]
    venue.submit(placed(side="SELL"))
    assert position(venue) == []


def test_accounts_do_not_share_positions() -> None:
    venue = venue_of(accounts=(VenueAccount(), VenueAccount(account_id="OTHER")))
    venue.submit(placed())
    venue.submit(placed(side="SELL", account="OTHER"))
    assert position(venue) == [("AAPL", D(10), D(200))]
    assert position(venue, "OTHER") == [("AAPL", D(-10), D(200))]


def test_a_foreign_currency_has_its_own_cash() -> None:
    venue = venue_of()
    venue.submit(placed(instrument="NSE:INFY"))
    assert money(venue) == (D(1_000_000), D(1_000_000))


def test_bust_and_correction_reach_positions_and_cash() -> None:
    venue = venue_of()
    venue.submit(placed())
    corrected = venue.staff.correct("X1", D(10), D(190), venue.now)
    assert position(venue) == [("AAPL", D(10), D(190))]
    assert money(venue)[0] == D(1_000_000) - 1900
    venue.staff.bust(corrected, venue.now)
    assert position(venue) == []
    assert money(venue)[0] == D(1_000_000)


@pytest.mark.parametrize(
    ("fills", "quantity", "average"),
    [
        ("200@10 -100@9 -100@11 100@8 -300@9 100@12", "-100", "9"),
        ("-200@9 100@12 500@13 400@14", "800", "13.5"),
        ("3@10 -3@12", "0", "10"),
    ],
)
def test_the_average_moves_on_opening_trades_and_a_flip_starts_at_its_own_price(fills: str, quantity: str, average: str) -> None:
    holding = VenueHolding()
    for fill in fills.split():
        amount, price = fill.split("@")
        holding.book(D(amount), D(price))
    assert (holding.quantity, holding.average_price) == (D(quantity), D(average))


def test_positions_and_cash_are_the_same_after_a_restart(tmp_path: Path) -> None:
    venue = venue_of(data=tmp_path / "venue.db", commission=VenueCommission(rate=D("0.001")))
    venue.submit(placed())
    venue.submit(placed("K2", "25", side="SELL"))
    venue.staff.bust("X1", venue.now)
    venue.take_reports()
    before = position(venue), money(venue)
    venue.close()
    again = venue_of(data=tmp_path / "venue.db", commission=VenueCommission(rate=D("0.001")))
    assert (position(again), money(again)) == before
    again.close()


@pytest.mark.parametrize(("side", "held"), [("BUY", "1.995"), ("SELL", "-2.005")])
def test_a_commission_in_the_coin_is_a_part_of_the_quantity_and_comes_off_the_holding(side: str, held: str) -> None:
    venue = venue_of(commission=VenueCommission(rate=D("0.0025"), currency="BTC"))
    order = venue.submit(placed(side=side, quantity="2", instrument="CRYPTO:BTC/USD"))
    (trade,) = order.trades
    assert (trade.commission, trade.commission_currency) == (D("0.005"), "BTC")
    account = venue.questions.account("SIM", venue.now)
    assert account["cash"] == str(D(1_000_000) - order.placed.side.signed(D(120_000)))
    assert account["other_cash"] == {}
    (position,) = venue.questions.positions("SIM")["positions"]
    assert D(position["quantity"]) == D(held)


def test_a_commission_in_another_currency_takes_no_cash_of_the_accounts_own() -> None:
    terms = VenueAccount(cash=D(2000), is_limited=True)
    venue = venue_of(accounts=(terms,), commission=VenueCommission(per_order=D(5), currency="EUR"))
    assert venue.submit(placed(quantity="10")).state is OrderState.FILLED
