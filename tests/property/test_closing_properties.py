"""What exits may take of what their broker has, whatever strategies hold and whoever goes first."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from liveorder.domain.risk import Exposure, OpenSide, Stake, closable
from liveorder.domain.values import Side, total

units = st.integers(0, 40).map(Decimal)
signed = st.integers(-60, 60).map(Decimal)


def most(own: Stake, account: Exposure, theirs: Decimal | None, *, may_be_short: bool = True) -> Decimal:
    difference = None if theirs is None else theirs - account.quantity
    return closable(own, account, difference, Side.SELL, may_be_short=may_be_short)


@given(signed, units, signed, units, signed, st.booleans())
def test_never_more_than_its_strategy_has_left_nor_than_what_is_said(
    own: Decimal, own_open: Decimal, ours: Decimal, others_open: Decimal, theirs: Decimal, may_be_short: bool
) -> None:
    stake, account = Stake(own, sells=own_open), Exposure(ours, sells=OpenSide(own_open + others_open))
    found = most(stake, account, theirs, may_be_short=may_be_short)
    left, shortfall, of_broker = max(own - own_open, Decimal(0)), ours - theirs, theirs - own_open - others_open
    assert 0 <= found <= left
    if shortfall > 0:
        assert found <= max(left - shortfall, of_broker, Decimal(0))
    elif may_be_short:
        assert found == left
    assert most(stake, account, None) == 0


@given(signed, units, signed, units, signed)
def test_where_no_order_crosses_zero_none_is_for_more_than_the_broker_has_left_on_its_side(
    own: Decimal, own_open: Decimal, ours: Decimal, others_open: Decimal, theirs: Decimal
) -> None:
    """Where it has nothing there, what is left to close opens what another strategy has."""
    stake, account = Stake(own, sells=own_open), Exposure(ours, sells=OpenSide(own_open + others_open))
    found = closable(stake, account, theirs - ours, Side.SELL, may_be_short=True, crosses_zero=False)
    in_one = most(stake, account, theirs)
    if theirs > 0:
        assert found == min(in_one, max(theirs - own_open - others_open, Decimal(0)))
    else:
        assert found == in_one


@given(st.lists(st.integers(1, 40).map(Decimal), min_size=1, max_size=5), units, st.randoms(use_true_random=False))
def test_strategies_that_close_one_after_another_take_all_that_the_broker_has_and_no_more(
    held: list[Decimal], lacking: Decimal, chance: object
) -> None:
    """Whichever goes first: none is kept out while the broker has something, and nothing is opened."""
    ours = total(held)
    theirs, taken = max(ours - lacking, Decimal(0)), Decimal(0)
    for own in sorted(held, key=lambda _: chance.random()):  # type: ignore[attr-defined]  # a Random
        taken += most(Stake(own), Exposure(ours, sells=OpenSide(taken)), theirs)
        assert taken <= theirs
    assert taken == theirs


@given(st.lists(st.integers(1, 40).map(Decimal), min_size=1, max_size=5), units)
def test_the_same_holds_where_each_is_filled_before_the_next(held: list[Decimal], lacking: Decimal) -> None:
    ours = total(held)
    theirs = max(ours - lacking, Decimal(0))
    for own in held:
        sold = most(Stake(own), Exposure(ours), theirs)
        ours, theirs = ours - sold, theirs - sold
        assert theirs >= 0
    assert theirs == 0
