"""Which answer of a broker an exit may rely on, and what it comes to by it; with the figures of docs/positions.md."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.instrument import Instrument
from liveorder.domain.order.events import OrderRequested
from liveorder.domain.position_figure import (
    AT_ONCE_SECONDS,
    LastFill,
    PositionFigure,
    counts,
    held_to,
    nothing_left,
    seconds_until_it_shows,
    shortfall_of,
)
from liveorder.domain.risk import Exposure, OpenSide, RiskRefusal, Stake, closable
from liveorder.domain.standing import Standing
from liveorder.domain.values import PositionEffect, Side
from tests.builders import intent

D = Decimal
PAGE = (Path(__file__).parents[2] / "docs/positions.md").read_text().partition("## What the broker holds")[2]


def table(heading: str) -> list[list[str]]:
    """The rows of the table that begins so."""
    lines = PAGE[PAGE.index(heading) :].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def side_of(quantity: str) -> OpenSide:
    return OpenSide(D(quantity), D(0))


@pytest.mark.parametrize(("own", "own_open", "ours", "open_", "theirs", "most"), table("| strategy holds |"))
def test_the_worked_figures_of_how_much(own: str, own_open: str, ours: str, open_: str, theirs: str, most: str) -> None:
    difference = D(theirs) - D(ours)
    stake, account = Stake(D(own), sells=D(own_open)), Exposure(D(ours), sells=side_of(open_))
    assert closable(stake, account, difference, Side.SELL, may_be_short=True) == D(most)
    assert closable(stake, account, difference, Side.SELL, may_be_short=False) == D(most)
    mirrored = Stake(-D(own), buys=D(own_open)), Exposure(-D(ours), buys=side_of(open_))
    assert closable(*mirrored, -difference, Side.BUY, may_be_short=True) == D(most)


def test_where_the_difference_is_not_known_nothing_is_surely_closable() -> None:
    assert closable(Stake(D(10)), Exposure(D(10)), None, Side.SELL, may_be_short=True) == 0


@pytest.mark.parametrize(("asked", "heard", "lag", "age", "expected"), table("| asked, after"))
def test_the_worked_figures_of_what_counts(asked: str, heard: str, lag: str, age: str, expected: str) -> None:
    seconds = [float(each.removesuffix(" s")) for each in (heard, lag, age)]
    filled_at, number = 100.0, 1 if asked == "before it" else 2
    asked_at = 99.0 if asked == "before it" else filled_at + float(asked.removesuffix(" s"))
    figure = PositionFigure(number, asked_at, asked_at, {})
    can = BrokerCapabilities(position_lag_seconds=seconds[1], max_position_age_seconds=seconds[2])
    assert counts(figure, LastFill(filled_at, 1), asked_at + seconds[0], can) is (expected == "yes")


moments, spans = st.floats(0, 1e6), st.floats(0, 100)


@given(moments, moments, spans, spans, spans, spans)
def test_what_counts_was_asked_after_the_last_fill_and_its_lag_and_is_young(
    filled_at: float, asked_at: float, takes: float, later: float, lag: float, age: float
) -> None:
    can = BrokerCapabilities(position_lag_seconds=lag, max_position_age_seconds=age)
    figure, now = PositionFigure(2, asked_at, asked_at + takes, {}), asked_at + takes + later
    if counts(figure, LastFill(filled_at, 1), now, can):
        assert asked_at >= filled_at + lag
        assert now - figure.answered_at <= max(age, AT_ONCE_SECONDS)
    assert not counts(figure, LastFill(filled_at, 2), now, can), "a fill that was booked while it was asked"


@given(moments, spans, spans, spans)
def test_what_is_asked_when_it_is_due_counts_as_soon_as_it_comes(filled_at: float, later: float, takes: float, lag: float) -> None:
    can, last = BrokerCapabilities(position_lag_seconds=lag), LastFill(filled_at, 1)
    asked_at = filled_at + later
    if seconds_until_it_shows(last, asked_at, can) <= 0 and asked_at >= filled_at + lag:
        assert counts(PositionFigure(2, asked_at, asked_at + takes, {}), last, asked_at + takes, can)


def an_exit(**terms: object) -> OrderRequested:
    return intent(instrument=Instrument(symbol="SPY", exchange="ARCA"), side=Side.SELL, **terms)


def test_an_order_held_to_its_broker_says_close_and_what_was_asked() -> None:
    less = held_to(an_exit(quantity=D(20)), D("10.7"), D("10.7"))
    assert isinstance(less, OrderRequested)
    assert (less.terms.quantity, less.terms.asked_quantity, less.terms.position_effect) == (D(10), D(20), PositionEffect.CLOSE)
    again = held_to(less, D(4), D(4))
    assert isinstance(again, OrderRequested)
    assert (again.terms.quantity, again.terms.asked_quantity) == (D(4), D(20))


def test_an_amount_of_money_that_is_held_to_its_broker_becomes_a_quantity() -> None:
    less = held_to(an_exit(quantity=None, notional=D(700)), D(3), D(3))
    assert isinstance(less, OrderRequested)
    assert (less.terms.quantity, less.terms.notional, less.terms.asked_notional) == (D(3), None, D(700))


@pytest.mark.parametrize(("at_broker", "code"), [("0", "nothing_to_close"), ("-5", "nothing_to_close"), ("5", "already_closing")])
def test_what_leaves_less_than_a_lot_is_refused(at_broker: str, code: str) -> None:
    refused = held_to(an_exit(quantity=D(20)), D("0.5"), D(at_broker))
    assert isinstance(refused, RiskRefusal)
    assert refused == nothing_left("SPY", Side.SELL, D(at_broker))
    assert refused.code == code
    assert nothing_left("SPY", Side.BUY, -D(at_broker)).code == code


@pytest.mark.parametrize(
    ("side", "ours", "theirs", "is_short_of_it"),
    [
        (Side.SELL, "40", "30", True),
        (Side.SELL, "20", "40", False),
        (Side.SELL, "20", "20", False),
        (Side.BUY, "-40", "-30", True),
        (Side.BUY, "-20", "-40", False),
        (Side.SELL, "40", None, False),
    ],
)
def test_only_what_the_broker_has_less_than_we_is_a_shortfall(
    side: Side, ours: str, theirs: str | None, is_short_of_it: bool
) -> None:
    """Where it has more, another order of ours is filling, or a person bought: nothing is wrong with the exit."""
    figures = {"position_quantity": ours} | ({} if theirs is None else {"at_broker": theirs})
    said = shortfall_of(an_exit(quantity=D(20)).with_terms(side=side), figures)
    assert bool(said) is is_short_of_it
    assert not said or f"{ours} here, {theirs} at " in said


@pytest.mark.parametrize(("selling", "code"), [("0", "nothing_to_close"), ("5", "nothing_to_close"), ("6", "already_closing")])
def test_what_our_own_order_may_have_filled_is_no_sale_of_a_persons(selling: str, code: str) -> None:
    """We hold 6 and the broker none: a sale of ours of 6 that is still open may have taken them, one of 5 cannot."""
    account = Exposure(D(6), sells=OpenSide(D(selling)))
    standing = Standing("trend", Stake(D(6), sells=D(0)), account, heard_difference=D(-6))
    refused = standing.nothing_left_for(Side.SELL, "SPY", may_be_short=False)
    assert refused is not None
    assert refused.code == code
    assert account.may_have_filled(D(-6), Side.SELL) is (code == "already_closing")
    held = held_to(an_exit(quantity=D(6)), D(0), D(0), may_be_ours=account.may_have_filled(D(-6), Side.SELL))
    assert isinstance(held, RiskRefusal)
    assert held.code == code
