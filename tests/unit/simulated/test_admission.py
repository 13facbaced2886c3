"""What the venue takes, and how it says no."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from liveorder.domain.broker_capabilities import KeySupport
from liveorder.infrastructure.brokers.simulated.refusal import RefusalCode, VenueRefusal
from liveorder.testing.venue.orders import OrderState, ReplacedTerms
from liveorder.testing.venue.settings import Keys, PriceSource, VenueAccount, VenueCommission
from liveorder.testing.venue.venue import Venue
from tests.unit.simulated.stage import later, placed, told, venue_of

D = Decimal


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"account": "NOBODY"}, RefusalCode.UNKNOWN_ACCOUNT),
        ({"instrument": "NYSE:NONE"}, RefusalCode.UNKNOWN_SYMBOL),
        ({"quantity": "1.5"}, RefusalCode.INVALID_ORDER),
        ({"quantity": None}, RefusalCode.INVALID_ORDER),
        ({"notional": "100"}, RefusalCode.INVALID_ORDER),
        ({"quantity": None, "notional": "100"}, RefusalCode.INVALID_ORDER),
        ({"order_type": "LIMIT"}, RefusalCode.INVALID_ORDER),
        ({"order_type": "LIMIT", "limit_price": "150.005"}, RefusalCode.INVALID_ORDER),
        ({"limit_price": "150"}, RefusalCode.INVALID_ORDER),
        ({"order_type": "STOP"}, RefusalCode.INVALID_ORDER),
        ({"stop_price": "150"}, RefusalCode.INVALID_ORDER),
        ({"order_type": "TRAILING_STOP"}, RefusalCode.INVALID_ORDER),
        ({"order_type": "TRAILING_STOP", "trail_amount": "1", "trail_percent": "1"}, RefusalCode.INVALID_ORDER),
        ({"trail_amount": "1"}, RefusalCode.INVALID_ORDER),
        ({"order_type": "STOP", "stop_price": "210", "time_in_force": "IOC"}, RefusalCode.INVALID_ORDER),
        ({"time_in_force": "GTD"}, RefusalCode.INVALID_ORDER),
        ({"time_in_force": "GTD", "expires_at": "2026-03-02T14:59:59Z"}, RefusalCode.INVALID_ORDER),
        ({"expires_at": "2026-03-03T14:59:59Z"}, RefusalCode.INVALID_ORDER),
    ],
)
def test_a_refused_order_leaves_no_trace(fields: dict[str, Any], code: RefusalCode) -> None:
    venue = venue_of()
    with pytest.raises(VenueRefusal) as refused:
        venue.submit(placed(**fields))
    assert refused.value.code is code
    assert venue.questions.orders(venue.now) == []
    assert venue.take_reports() == []


def test_a_randomly_rejected_order_is_kept_as_rejected() -> None:
    venue = venue_of(rejection_probability=1.0)
    order = venue.submit(placed())
    assert order.state is OrderState.REJECTED
    assert told(venue) == [("rejected",)]
    assert len(venue.questions.orders_by_key("K1", venue.now)) == 1


def test_a_limited_account_buys_no_more_than_its_cash_less_what_open_buys_reserve() -> None:
    terms = VenueAccount(cash=D(2000), is_limited=True)
    venue = venue_of(accounts=(terms,), commission=VenueCommission(per_order=D(1)))
    venue.submit(placed(quantity="6", order_type="LIMIT", limit_price="150"))
    with pytest.raises(VenueRefusal) as refused:
        venue.submit(placed("K2", quantity="6"))
    assert refused.value.code is RefusalCode.INSUFFICIENT_BALANCE
    assert venue.submit(placed("K2", quantity="5")).state is OrderState.FILLED


def test_an_account_without_short_selling_sells_only_what_it_holds() -> None:
    venue = venue_of(accounts=(VenueAccount(allows_short=False),))
    venue.submit(placed())
    venue.submit(placed("K2", "6", side="SELL", order_type="LIMIT", limit_price="250"))
    with pytest.raises(VenueRefusal) as refused:
        venue.submit(placed("K3", "5", side="SELL"))
    assert refused.value.code is RefusalCode.INSUFFICIENT_BALANCE
    assert venue.submit(placed("K3", "4", side="SELL")).state is OrderState.FILLED


def test_a_unique_key_is_refused_a_second_time_even_after_the_order_closed() -> None:
    venue = venue_of()
    venue.submit(placed())
    with pytest.raises(VenueRefusal) as refused:
        venue.submit(placed())
    assert refused.value.code is RefusalCode.DUPLICATE


def test_a_unique_key_is_forgotten_after_its_memory() -> None:
    venue = venue_of(keys=Keys(memory_seconds=60))
    venue.submit(placed())
    later(venue, 60)
    venue.submit(placed())
    assert len(venue.questions.orders_by_key("K1", venue.now)) == 2


def test_a_key_belongs_to_its_account() -> None:
    venue = venue_of(accounts=(VenueAccount(), VenueAccount(account_id="OTHER")))
    venue.submit(placed())
    assert venue.submit(placed(account="OTHER")).state is OrderState.FILLED


@pytest.mark.parametrize("support", [KeySupport.SEARCHABLE, KeySupport.NONE])
def test_a_key_that_is_only_a_label_takes_a_second_order(support: KeySupport) -> None:
    venue = venue_of(keys=Keys(support=support))
    venue.submit(placed())
    venue.submit(placed())
    assert len(venue.questions.orders_by_key("K1", venue.now)) == 2


def test_a_replace_off_the_grid_is_refused() -> None:
    venue = venue_of()
    venue.submit(placed(order_type="LIMIT", limit_price="150"))
    for terms in (ReplacedTerms(quantity=D("1.5")), ReplacedTerms(limit_price=D("1.001")), ReplacedTerms(stop_price=D(1))):
        with pytest.raises(VenueRefusal) as refused:
            venue.replace("SIM", "K1", None, terms)
        assert refused.value.code is RefusalCode.INVALID_ORDER


def test_a_replace_cannot_give_an_order_a_price_that_its_type_has_not() -> None:
    venue = venue_of()
    venue.submit(placed(order_type="STOP", stop_price="210"))
    with pytest.raises(VenueRefusal) as refused:
        venue.replace("SIM", "K1", None, ReplacedTerms(limit_price=D(150)))
    assert refused.value.code is RefusalCode.INVALID_ORDER


def test_a_cash_order_needs_a_price_to_become_a_quantity() -> None:
    venue = venue_of(prices=PriceSource(start_prices={}))
    with pytest.raises(VenueRefusal, match="give a quantity"):
        venue.submit(placed(quantity=None, notional="1000"))


def test_what_an_account_holds_in_another_currency_is_not_limited() -> None:
    venue = venue_of(accounts=(VenueAccount(cash=D(1), is_limited=True),))
    assert venue.submit(placed(instrument="NSE:INFY")).state is OrderState.FILLED


def buying_power(venue: Venue) -> str:
    told: str = venue.questions.account("SIM", venue.now)["buying_power"]
    return told


def test_what_was_sold_short_buys_nothing_else_and_buying_it_back_needs_no_cash() -> None:
    """Five are short at 200, and a stop that buys them back at 260 rests when one more is bought."""
    venue = venue_of(accounts=(VenueAccount(cash=D(600), is_limited=True),))
    venue.submit(placed(quantity="5", side="SELL"))
    assert buying_power(venue) == "600"
    venue.submit(placed("K2", "5", order_type="STOP", stop_price="260"))
    assert buying_power(venue) == "600"
    venue.submit(placed("K3", "1", instrument="NASDAQ:MSFT"))
    assert buying_power(venue) == "200"
    venue.submit(placed("K4", "1", order_type="LIMIT", limit_price="150"))
    assert buying_power(venue) == "-60"  # the stop is the dearer one


def test_of_a_buy_that_turns_a_short_position_only_what_is_added_takes_cash() -> None:
    venue = venue_of(accounts=(VenueAccount(cash=D(600), is_limited=True),))
    venue.submit(placed(quantity="5", side="SELL"))
    with pytest.raises(VenueRefusal, match="costs 800 USD, 600 is free"):
        venue.submit(placed("K2", "9"))
    venue.submit(placed("K2", "8", order_type="LIMIT", limit_price="150"))
    assert buying_power(venue) == "150"
