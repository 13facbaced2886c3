from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from liveorder.domain.instrument import Instrument
from liveorder.domain.order.terms import OrderTerms
from liveorder.domain.risk import (
    GATES,
    REPLACEMENT_RULES,
    RULES,
    SWITCHES,
    BuyingPower,
    Exposure,
    OpenSide,
    Proposal,
    RiskRefusal,
    RiskView,
    SentOrder,
    Stake,
    assess,
    assess_all,
    is_reducing,
    is_short,
)
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.values import AssetClass, OrderRole, OrderType, PositionEffect, Product, Side

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
SPY = Instrument(symbol="SPY", exchange="ARCA")
NO_LIMITS = RiskLimits(
    max_position_size=None, max_daily_trades=None, min_buy_score=None, max_sell_score=None, price_collar_percent=None
)


def proposal(**changes: Any) -> Proposal:
    """A signal's MARKET order to buy 10 SPY, last seen at 50, unless told otherwise."""
    fields: dict[str, Any] = {
        "account_id": "U1",
        "strategy_name": "trend",
        "instrument": SPY,
        "side": Side.BUY,
        "order_type": OrderType.MARKET,
        "quantity": None if "notional" in changes else Decimal(10),
        "decision_price": Decimal(50),
        "signal_at": NOW,
    }
    fields |= changes
    terms = {name: fields.pop(name) for name in OrderTerms.__struct_fields__ if name in fields}
    return Proposal(terms=OrderTerms(**terms), **fields)


def limit_order(price: str, **changes: Any) -> Proposal:
    return proposal(order_type=OrderType.LIMIT, limit_price=Decimal(price), decision_price=Decimal(price), **changes)


def stop_order(stop_price: str, **changes: Any) -> Proposal:
    terms = {"order_type": OrderType.STOP, "stop_price": Decimal(stop_price), "decision_price": Decimal(stop_price)}
    return proposal(**terms | changes)


def view(**changes: Any) -> RiskView:
    """Of an account with nothing in it, while everything is well, unless told otherwise."""
    fields: dict[str, Any] = {
        "account_id": "U1",
        "currency": "USD",
        "now": NOW,
        "session_date": date(2026, 11, 20),
        "closed_because": None,
        "auto_trading": True,
        "halt": None,
        "exposure": Exposure(),
        "last_price": Decimal(50),
        "price_age_seconds": 1.0,
    } | changes
    held = fields["exposure"]
    fields.setdefault("own", Stake(held.quantity, held.buys.quantity, held.sells.quantity))
    return RiskView(**fields)


def holding(quantity: int, *, buys: int = 0, sells: int = 0, **changes: Any) -> RiskView:
    """So many SPY at 50, and orders open for so many more."""
    exposure = Exposure(Decimal(quantity), abs(Decimal(quantity) * 50), open_side(buys), open_side(sells))
    return view(exposure=exposure, **changes)


def open_side(quantity: int) -> OpenSide:
    return OpenSide(Decimal(quantity), Decimal(quantity) * 50)


def limits(**changes: Any) -> RiskLimits:
    """None but these."""
    return RiskLimits.model_validate(NO_LIMITS.model_dump() | changes)


def refusal(order: Proposal, seen: RiskView, allowed: RiskLimits = NO_LIMITS) -> tuple[str, str | None, str | None] | None:
    """Code, measured and limit."""
    said = assess(order, seen, allowed).refusal
    return None if said is None else (said.code, said.measured, said.limit)


def test_an_order_that_no_rule_minds_is_approved_with_the_figures_that_were_measured() -> None:
    seen = holding(4, buys=2, trades_today=3, open_orders=1, other_position_value=Decimal(100), realized_net_today=Decimal(-7))
    assessment = assess(proposal(signal_at=NOW - timedelta(seconds=2)), seen, RiskLimits())
    assert assessment.refusal is None
    assert assessment.figures == {
        "reduces_only": "no",
        "position_quantity": "4",
        "position_value": "900",
        "portfolio_exposure": "800",
        "realized_net_today": "-7",
        "trades_today": "4",
        "open_orders": "2",
        "order_quantity": "10",
        "order_value": "500",
        "last_price": "50",
        "price_age_seconds": "1.000",
        "signal_age_seconds": "2.000",
    }


def test_figures_that_are_not_known_are_left_out() -> None:
    order = proposal(decision_price=None, signal_at=None)
    figures = assess(order, view(last_price=None, price_age_seconds=None), NO_LIMITS).figures
    assert {"order_value", "last_price", "price_age_seconds", "signal_age_seconds"}.isdisjoint(figures)


def test_the_first_refusal_is_the_one_that_is_recorded_and_a_dry_check_tells_all() -> None:
    seen, allowed = (
        view(halt="*: by asha", closed_because="NYSE is closed; wait for its session"),
        limits(allowed_symbols=frozenset(), max_open_orders=0),
    )
    assert refusal(proposal(), seen, allowed) == ("kill_switch", "*: by asha", "no halt")
    assert [said.code for said in assess_all(proposal(), seen, allowed)] == [
        "kill_switch",
        "allowed_symbols",
        "market_closed",
        "open_order_count",
    ]


@pytest.mark.parametrize(("notional", "expected"), [("549.99", None), ("550", ("order_quantity", "11", "10")), ("10", None)])
@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_an_amount_of_money_is_judged_by_the_whole_lots_that_it_comes_to(
    notional: str, expected: tuple[str, str, str] | None, side: Side
) -> None:
    """Where the broker takes such orders, at a price of 50."""
    order = proposal(side=side, quantity=None, notional=Decimal(notional))
    allowed = limits(max_order_quantity=Decimal(10), allow_short_selling=True)
    assert refusal(order, view(), allowed) == expected
    found = {"549.99": "10", "550": "11", "10": "0"}[notional]
    assert assess(order, view(), allowed).figures["order_quantity"] == found


ACROSS = limits(allow_short_selling=True)


@pytest.mark.parametrize(
    ("held", "side", "units"),
    [(8, Side.SELL, 9), (8, Side.SELL, 8), (-8, Side.BUY, 9), (-8, Side.BUY, 8), (8, Side.BUY, 99), (0, Side.SELL, 9)],
)
@pytest.mark.parametrize("open_units", [0, 3, 8])
def test_no_order_takes_the_account_across_zero_where_its_broker_takes_none(
    held: int, side: Side, units: int, open_units: int
) -> None:
    """After all that open orders of its side can take."""
    order = proposal(side=side, quantity=Decimal(units))
    taken = {"sells" if side is Side.SELL else "buys": open_units}
    seen = holding(held, own=Stake(), crosses_zero=False, **taken)
    closes = held * (1 if side is Side.SELL else -1) > 0
    found = assess(order, seen, ACROSS).refusal
    if closes and units > 8 - open_units:
        assert found is not None
        assert (found.code, found.measured, found.limit) == ("across_zero", str(units), str(8 - open_units))
        assert ("once they have ended" in found.message) is (open_units == 8)
    else:
        assert found is None
    assert assess(order, seen._replace(crosses_zero=True), ACROSS).refusal is None


def test_what_the_broker_holds_counts_and_an_unknown_size_could_cross() -> None:
    of_other = holding(8, own=Stake(), crosses_zero=False, difference=Decimal(-2), differs_by_product=False)
    order = proposal(side=Side.SELL, quantity=Decimal(7))
    assert "across_zero" in [each.code for each in assess_all(order, of_other, ACROSS)]
    unknown = proposal(side=Side.SELL, quantity=None, notional=Decimal(50), decision_price=None)
    assert "across_zero" in [each.code for each in assess_all(unknown, holding(8, own=Stake(), crosses_zero=False), ACROSS)]


def test_each_rule_refuses_under_its_own_name() -> None:
    assert [rule.__name__ for rule in RULES] == [code for code, _, _, _ in REFUSED]


REFUSED: list[tuple[str, Proposal, RiskView, RiskLimits]] = [
    ("kill_switch", proposal(), view(halt="*"), NO_LIMITS),
    ("auto_trading", proposal(), view(auto_trading=False), NO_LIMITS),
    ("stale_signal", proposal(signal_at=NOW - timedelta(hours=1)), view(), NO_LIMITS),
    ("currency", proposal(instrument=SPY.but(currency="EUR")), view(), NO_LIMITS),
    ("allowed_symbols", proposal(), view(), limits(allowed_symbols=frozenset({"QQQ"}))),
    ("market_closed", proposal(), view(closed_because="NYSE is closed; wait for its session"), NO_LIMITS),
    ("unreconciled_symbol", proposal(), view(difference=Decimal(5)), NO_LIMITS),
    ("in_doubt_symbol", proposal(), view(doubts=(UUID(int=1),)), NO_LIMITS),
    ("signal_score", proposal(), view(), limits(require_score=True)),
    ("no_fresh_price", proposal(decision_price=None), view(last_price=None, price_age_seconds=None), NO_LIMITS),
    ("stop_already_passed", stop_order("45"), view(), NO_LIMITS),
    ("price_collar", limit_order("60"), view(), limits(price_collar_percent=Decimal(10))),
    ("short_selling", proposal(side=Side.SELL), view(), NO_LIMITS),
    ("beyond_zero", proposal(position_effect=PositionEffect.CLOSE), view(), NO_LIMITS),
    (
        "across_zero",
        proposal(side=Side.SELL),
        holding(8, own=Stake(), crosses_zero=False),
        limits(allow_short_selling=True),
    ),
    ("order_quantity", proposal(), view(), limits(max_order_quantity=Decimal(9))),
    ("order_value", proposal(), view(), limits(max_order_value=Decimal(499))),
    ("repeated", proposal(), view(last_alike=SentOrder(UUID(int=1), NOW)), limits(repeat_window_seconds=1)),
    ("daily_trade_count", proposal(), view(trades_today=10), limits(max_daily_trades=10)),
    ("open_order_count", proposal(), view(open_orders=3), limits(max_open_orders=3)),
    ("daily_loss", proposal(), view(realized_net_today=Decimal(-100)), limits(max_daily_loss=Decimal(100))),
    ("position_count", proposal(), view(other_positions=2), limits(max_positions=2)),
    ("position_value", proposal(), view(), limits(max_position_size=Decimal(499))),
    ("portfolio_exposure", proposal(), view(), limits(max_portfolio_exposure=Decimal(499))),
    ("buying_power", proposal(), view(buying_power=BuyingPower(Decimal(499), 1.0)), NO_LIMITS),
]


@pytest.mark.parametrize(("code", "order", "seen", "allowed"), REFUSED, ids=[case[0] for case in REFUSED])
def test_each_rule_refuses_alone(code: str, order: Proposal, seen: RiskView, allowed: RiskLimits) -> None:
    assert [said.code for said in assess_all(order, seen, allowed)] == [code]


@pytest.mark.parametrize(("code", "order", "seen", "allowed"), REFUSED, ids=[case[0] for case in REFUSED])
def test_an_order_that_only_reduces_meets_the_switches_and_the_rules_of_price_and_score(
    code: str, order: Proposal, seen: RiskView, allowed: RiskLimits
) -> None:
    held = seen._replace(exposure=Exposure(Decimal(-100), Decimal(5000)), own=Stake(Decimal(-100)))
    if order.terms.side is Side.SELL:
        held = seen._replace(exposure=Exposure(Decimal(100), Decimal(5000)), own=Stake(Decimal(100)))
    said = assess(order, held, allowed)
    assert said.is_reducing
    stopping = {"kill_switch", "auto_trading", "price_collar"}
    assert (said.refusal.code if said.refusal else None) == (code if code in stopping else None)


# --- buying power ----------------------------------------------------------------------------------------------------------------


def with_power(amount: int | str, age_seconds: float = 1.0, **changes: Any) -> RiskView:
    return view(buying_power=BuyingPower(Decimal(amount), age_seconds), **changes)


def of_class(asset_class: AssetClass, **changes: Any) -> Proposal:
    return proposal(instrument=SPY.but(asset_class=asset_class), **changes)


def test_a_buy_may_cost_all_that_is_left_and_no_more() -> None:
    assert refusal(proposal(), with_power(500)) is None
    assert refusal(proposal(), with_power("499.99")) == ("buying_power", "500", "499.99")
    assert refusal(proposal(), with_power(-1)) == ("buying_power", "500", "-1")


def test_what_the_broker_does_not_tell_is_not_zero() -> None:
    assert refusal(proposal(), view(buying_power=None)) is None


def test_the_worst_price_that_the_order_allows_is_what_it_costs() -> None:
    assert refusal(limit_order("50.5"), with_power(504)) == ("buying_power", "505.0", "504")
    assert refusal(proposal(notional=Decimal(505)), with_power(504)) == ("buying_power", "505", "504")


@pytest.mark.parametrize("asset_class", AssetClass)
def test_only_what_is_paid_in_full_is_judged(asset_class: AssetClass) -> None:
    """Of a future the broker wants a margin, which is not its value: many contracts can be bought with little money."""
    is_judged = asset_class in (AssetClass.EQUITY, AssetClass.OPTION, AssetClass.CRYPTO)
    assert (refusal(of_class(asset_class), with_power(1)) is not None) is is_judged


@pytest.mark.parametrize("asset_class", AssetClass)
def test_a_sale_is_not_judged(asset_class: AssetClass) -> None:
    """What a short sale or a written option takes follows from margin rules."""
    assert refusal(of_class(asset_class, side=Side.SELL), with_power(1), limits(allow_short_selling=True)) is None


@pytest.mark.parametrize(
    ("asset_class", "product", "is_judged"),
    [
        (AssetClass.EQUITY, None, True),
        (AssetClass.EQUITY, Product.CNC, True),
        (AssetClass.EQUITY, Product.MIS, False),
        (AssetClass.EQUITY, Product.MTF, False),
        (AssetClass.EQUITY, Product.NRML, False),
        (AssetClass.OPTION, Product.MIS, True),
        (AssetClass.OPTION, Product.NRML, True),
        (AssetClass.FUTURE, Product.NRML, False),
    ],
)
def test_shares_on_margin_are_left_to_the_broker_and_long_options_never_are(
    asset_class: AssetClass, product: Product | None, is_judged: bool
) -> None:
    assert (refusal(of_class(asset_class, product=product), with_power(1)) is not None) is is_judged


def test_an_option_costs_its_premium_times_what_one_contract_is_of() -> None:
    option = SPY.but(asset_class=AssetClass.OPTION, multiplier=Decimal(100))
    order = proposal(instrument=option, quantity=Decimal(2), decision_price=Decimal("1.5"))
    assert refusal(order, with_power("299.99", last_price=Decimal("1.5"))) == ("buying_power", "300.0", "299.99")


def test_only_the_part_that_adds_is_paid_for() -> None:
    """Of a purchase that turns a short position: ten of fifteen are bought back."""
    short = holding(-10, buying_power=BuyingPower(Decimal(250), 1.0))
    assert refusal(proposal(quantity=Decimal(15)), short) is None
    assert refusal(proposal(quantity=Decimal(16)), short) == ("buying_power", "300", "250")


def test_a_purchase_that_only_covers_what_is_short_needs_no_money() -> None:
    assert refusal(proposal(), holding(-10, buying_power=BuyingPower(Decimal(0), 1.0))) is None


def test_an_old_figure_refuses_nothing() -> None:
    assert refusal(proposal(), with_power(1, age_seconds=60.0)) is not None
    assert refusal(proposal(), with_power(1, age_seconds=60.1)) is None
    assert refusal(proposal(), with_power(1, age_seconds=6), limits(max_account_age_seconds=5)) is None


def test_a_figure_that_our_own_orders_may_have_raised_refuses_nothing() -> None:
    assert refusal(proposal(), view(buying_power=BuyingPower(Decimal(1), 1.0, is_settled=False))) is None


def test_the_broker_alone_judges_where_the_rule_is_switched_off() -> None:
    assert refusal(proposal(), with_power(1), limits(check_buying_power=False)) is None


def test_what_is_left_is_among_the_figures_of_the_order() -> None:
    assert assess(proposal(), with_power("750.5"), NO_LIMITS).figures["buying_power"] == "750.5"


@pytest.mark.parametrize(
    ("order", "seen", "allowed", "short"),
    [
        (proposal(), with_power(499, age_seconds=9999), NO_LIMITS, True),
        (proposal(), view(buying_power=BuyingPower(Decimal(499), 1.0, is_settled=False)), NO_LIMITS, True),
        (proposal(), with_power(500, age_seconds=9999), NO_LIMITS, False),
        (proposal(), with_power(499), limits(check_buying_power=False), False),
        (proposal(), holding(-10, buying_power=BuyingPower(Decimal(0), 1.0)), NO_LIMITS, False),
        (proposal(), view(), NO_LIMITS, False),
        (of_class(AssetClass.FUTURE), with_power(1), NO_LIMITS, False),
    ],
)
def test_the_broker_is_worth_a_question_where_its_last_figure_does_not_cover_the_order(
    order: Proposal, seen: RiskView, allowed: RiskLimits, short: bool
) -> None:
    assert is_short(order, seen, allowed) is short


# --- what only reduces -----------------------------------------------------------------------------------------------------------


def sell(quantity: int | str, **changes: Any) -> Proposal:
    return proposal(side=Side.SELL, quantity=Decimal(quantity), **changes)


def test_a_sale_of_what_is_held_only_reduces() -> None:
    assert is_reducing(sell(10), holding(10))


def test_a_sale_beyond_what_is_held_does_not_only_reduce() -> None:
    assert not is_reducing(sell("10.5"), holding(10))


def test_a_purchase_of_what_is_short_only_reduces() -> None:
    assert is_reducing(proposal(), holding(-10))


def test_more_of_the_same_does_not_reduce() -> None:
    assert not is_reducing(proposal(), holding(10))
    assert not is_reducing(sell(10), holding(-10))


def test_nothing_reduces_a_flat_position() -> None:
    assert not is_reducing(sell(1), view())


def test_exits_that_are_open_or_in_doubt_have_taken_their_part_of_the_position() -> None:
    assert is_reducing(sell(4), holding(10, sells=6))
    assert not is_reducing(sell(5), holding(10, sells=6))
    assert not is_reducing(sell(1), holding(10, sells=11))


def test_open_entries_add_nothing_that_could_be_reduced() -> None:
    assert not is_reducing(sell(11), holding(10, buys=50))


def test_a_cash_order_reduces_by_what_its_money_comes_to() -> None:
    assert is_reducing(sell_for("500"), holding(10))
    assert not is_reducing(sell_for("501"), holding(10))


def sell_for(notional: str, **changes: Any) -> Proposal:
    return proposal(side=Side.SELL, notional=Decimal(notional), **changes)


def test_a_cash_order_without_a_price_is_not_known_to_reduce() -> None:
    assert not is_reducing(sell_for("1", decision_price=None), holding(10))


def test_only_what_the_broker_has_too_is_known_to_be_reducible() -> None:
    assert is_reducing(sell(4), holding(10, difference=Decimal(-6)))
    assert not is_reducing(sell(5), holding(10, difference=Decimal(-6)))
    assert not is_reducing(sell(1), holding(10, difference=None))


# --- whose ------------------------------------------------------------------------------------------------------------------------


def shared(own: Stake, account: int, *, sells: int = 0, **changes: Any) -> RiskView:
    """An account that holds so many SPY, of which one strategy has its stake."""
    return holding(account, sells=sells, own=own, **changes)


def test_a_strategy_reduces_what_it_holds_itself() -> None:
    assert is_reducing(sell(10), shared(Stake(Decimal(10)), 30))
    assert not is_reducing(sell(11), shared(Stake(Decimal(10)), 30))
    assert not is_reducing(sell(1), shared(Stake(), 30))


def test_the_exits_of_another_strategy_take_nothing_of_its_own() -> None:
    assert is_reducing(sell(10), shared(Stake(Decimal(10)), 20, sells=10))
    assert not is_reducing(sell(1), shared(Stake(Decimal(10), sells=Decimal(10)), 20, sells=10))


def test_a_strategy_that_is_held_against_reduces_only_where_the_account_may_be_short() -> None:
    """Another one is short of 10, so that the account holds nothing."""
    seen = shared(Stake(Decimal(10)), 0)
    assert is_reducing(sell(10), seen, may_be_short=True)
    assert not is_reducing(sell(1), seen)


@pytest.mark.parametrize(("theirs", "left"), [(20, 10), (16, 10), (12, 10), (8, 8), (5, 5), (0, 0), (-4, 0)])
def test_what_the_broker_lacks_of_an_account_may_be_any_strategys(theirs: int, left: int) -> None:
    """Two hold 10 each: as long as the broker has more than a strategy, all of its own can go."""
    seen = shared(Stake(Decimal(10)), 20, difference=Decimal(theirs - 20))
    assert seen.closable_by(Side.SELL, may_be_short=False) == left


def test_no_more_goes_than_the_broker_has_beyond_what_is_on_its_way_or_than_is_surely_its_own() -> None:
    """The other one's exit of 10 is open, and the broker has 12 of 20: 2 of its own, since the 8 that lack may be either's."""
    seen = shared(Stake(Decimal(10)), 20, sells=10, difference=Decimal(-8))
    assert seen.closable_by(Side.SELL, may_be_short=False) == 2


def test_a_short_sale_is_one_of_the_strategy_or_of_the_account() -> None:
    anothers, its_own = shared(Stake(), 10), shared(Stake(Decimal(10)), 4)
    for seen, sellable in ((anothers, 0), (its_own, 4)):
        assert refusal(sell(sellable + 1), seen) == ("short_selling", "-1", "0")
        assert refusal(sell(sellable + 1), seen, limits(allow_short_selling=True)) is None
    said = assess(sell(1), anothers, NO_LIMITS).refusal
    assert said is not None
    assert "no SPY can be sold by strategy trend" in said.message
    assert "Of the account it is 10" in said.message
    said = assess(sell(5), its_own, NO_LIMITS).refusal
    assert said is not None
    assert said.message == "trend has 10 SPY to sell, the account 4: another strategy is short of it"


def test_what_says_close_never_goes_beyond_zero_whatever_short_selling_is_allowed() -> None:
    closing, shorts = {"position_effect": PositionEffect.CLOSE}, limits(allow_short_selling=True)
    assert refusal(sell(10, **closing), holding(10), shorts) is None
    assert refusal(sell(11, **closing), holding(10), shorts) == ("beyond_zero", "11", "10")
    assert refusal(sell(5, **closing), holding(10, sells=6), shorts) == ("beyond_zero", "5", "4")
    assert refusal(sell(11), holding(10), shorts) is None
    assert refusal(proposal(**closing), holding(10), shorts) == ("beyond_zero", "10", "0")
    for rules in (GATES, REPLACEMENT_RULES):
        said = assess(sell(11, **closing), holding(10), shorts, rules).refusal
        assert said is not None
        assert said.code == "beyond_zero"


def test_a_broker_is_told_that_an_order_only_reduces_where_it_takes_off_the_accounts_position() -> None:
    lax = limits(allow_short_selling=True)
    both, own = assess(sell(10), holding(10), lax), assess(sell(10), shared(Stake(Decimal(10)), 0), lax)
    assert (both.is_reducing, both.reduces_account) == (True, True)
    assert (own.is_reducing, own.reduces_account) == (True, False)


def test_a_claimed_role_proves_nothing() -> None:
    assert not is_reducing(sell(1, role=OrderRole.EXIT), view())


# --- switches --------------------------------------------------------------------------------------------------------------------


def test_a_halt_stops_a_signal_that_only_reduces() -> None:
    assert refusal(sell(10), holding(10, halt="account:U1")) == ("kill_switch", "account:U1", "no halt")


def test_a_persons_own_order_that_only_reduces_passes_a_halt() -> None:
    assert refusal(sell(10, is_operators=True), holding(10, halt="*")) is None


def test_a_persons_own_order_that_adds_risk_does_not_pass_a_halt() -> None:
    assert refusal(proposal(is_operators=True), holding(10, halt="*")) == ("kill_switch", "*", "no halt")


def test_auto_trading_switched_off_stops_a_closing_signal_too() -> None:
    assert refusal(sell(10), holding(10, auto_trading=False)) == ("auto_trading", "off", "on")
    assert refusal(sell(10, role=OrderRole.EXIT), holding(10, auto_trading=False)) == ("auto_trading", "off", "on")


def test_a_persons_own_order_needs_no_auto_trading() -> None:
    assert refusal(proposal(is_operators=True), view(auto_trading=False)) is None


@pytest.mark.parametrize("role", [OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT])
def test_a_protective_order_that_only_reduces_needs_no_auto_trading(role: OrderRole) -> None:
    assert refusal(sell(10, role=role), holding(10, auto_trading=False)) is None
    assert refusal(sell(11, role=role), holding(10, auto_trading=False)) == ("auto_trading", "off", "on")


def test_a_signal_is_stale_once_it_is_older_than_the_limit() -> None:
    allowed = limits(max_signal_age_seconds=60)
    assert refusal(proposal(signal_at=NOW - timedelta(seconds=60)), view(), allowed) is None
    assert refusal(proposal(signal_at=NOW - timedelta(seconds=61)), view(), allowed) == ("stale_signal", "61.000", "60")


def test_a_signal_from_the_future_has_a_wrong_clock_or_zone() -> None:
    said = assess(proposal(signal_at=NOW + timedelta(hours=5, minutes=30)), view(), NO_LIMITS).refusal
    message = "the signal is dated 19800 s ahead; check its clock and time zone"
    assert said == RiskRefusal("stale_signal", message, "-19800.000", "60")


def test_a_signal_has_no_age_without_a_time_or_a_limit() -> None:
    assert refusal(proposal(signal_at=None), view()) is None
    assert refusal(proposal(signal_at=NOW - timedelta(days=9)), view(), limits(max_signal_age_seconds=None)) is None


def test_an_exit_may_be_late_but_not_of_another_day() -> None:
    assert refusal(sell(10, signal_at=NOW - timedelta(hours=23)), holding(10)) is None
    old = sell(10, signal_at=NOW - timedelta(hours=25))
    assert refusal(old, holding(10)) == ("stale_signal", "90000.000", "86400")


def test_an_exit_is_bound_by_a_longer_limit_where_there_is_one() -> None:
    old = sell(10, signal_at=NOW - timedelta(hours=25))
    assert refusal(old, holding(10), limits(max_signal_age_seconds=100_000)) is None


@pytest.mark.parametrize("order", [proposal, lambda **changes: sell(10, **changes)])
def test_no_signal_outlives_the_end_that_its_sender_gave_it(order: Callable[..., Proposal]) -> None:
    ended = NOW - timedelta(seconds=1)
    expected = ("stale_signal", NOW.isoformat(), ended.isoformat())
    assert refusal(order(valid_until=ended), holding(10)) == expected
    assert refusal(order(valid_until=NOW), holding(10)) is None


# --- permissions -----------------------------------------------------------------------------------------------------------------


def test_limits_in_one_currency_refuse_an_order_in_another() -> None:
    order = proposal(instrument=SPY.but(currency="EUR"))
    assert refusal(order, view()) == ("currency", "EUR", "USD")


def test_only_listed_symbols_may_be_opened() -> None:
    assert refusal(proposal(), view(), limits(allowed_symbols=frozenset({"SPY"}))) is None
    allowed = limits(allowed_symbols=frozenset({"QQQ", "IWM"}))
    assert refusal(proposal(), view(), allowed) == ("allowed_symbols", "SPY", "IWM, QQQ")
    assert refusal(proposal(), view(), limits(allowed_symbols=frozenset())) == ("allowed_symbols", "SPY", "none")


def test_a_closed_market_refuses_unless_it_is_allowed() -> None:
    assert refusal(proposal(), view(closed_because="NYSE is closed; wait for its session")) == ("market_closed", "closed", "open")
    assert (
        refusal(proposal(), view(closed_because="NYSE is closed; wait for its session"), limits(allow_closed_market=True)) is None
    )


@pytest.mark.parametrize(
    ("side", "score", "limit"),
    [(Side.BUY, "60", "60"), (Side.BUY, "-75", "60"), (Side.SELL, "-60", "-60"), (Side.SELL, "75", "-60")],
)
def test_a_score_that_is_not_beyond_its_bound_is_refused(side: Side, score: str, limit: str) -> None:
    order = proposal(side=side, score=Decimal(score))
    allowed = limits(min_buy_score=Decimal(60), max_sell_score=Decimal(-60), allow_short_selling=True)
    assert refusal(order, view(), allowed) == ("signal_score", score, limit)


@pytest.mark.parametrize(("side", "score"), [(Side.BUY, "60.01"), (Side.SELL, "-60.01")])
def test_a_score_beyond_its_bound_passes(side: Side, score: str) -> None:
    order = proposal(side=side, score=Decimal(score))
    allowed = limits(min_buy_score=Decimal(60), max_sell_score=Decimal(-60), allow_short_selling=True)
    assert refusal(order, view(), allowed) is None


def test_a_score_is_needed_only_where_it_is_required_and_only_of_signals() -> None:
    assert refusal(proposal(), view(), limits(min_buy_score=Decimal(60))) is None
    assert refusal(proposal(), view(), limits(require_score=True)) == ("signal_score", "none", "a score")
    assert refusal(proposal(is_operators=True), view(), limits(require_score=True)) is None


def test_without_a_bound_every_score_passes() -> None:
    assert refusal(proposal(score=Decimal(-99)), view(), limits(require_score=True)) is None


def test_a_symbol_with_an_order_in_doubt_takes_no_new_risk() -> None:
    said = assess(proposal(), view(doubts=(UUID(int=7),)), NO_LIMITS).refusal
    assert said is not None
    assert (said.code, said.measured, said.limit) == ("in_doubt_symbol", "1", "0")
    assert str(UUID(int=7)) in said.message


def test_a_doubt_is_the_reason_only_where_it_is_the_only_one() -> None:
    seen = view(doubts=(UUID(int=7),))
    assert [said.code for said in assess_all(sell(1), seen, NO_LIMITS)] == ["in_doubt_symbol", "short_selling"]
    said = assess(sell(1), seen, NO_LIMITS).refusal
    assert said is not None
    assert said.code == "short_selling"


def test_many_orders_in_doubt_are_said_in_few_words() -> None:
    """What is said is stored with each order that is refused."""
    said = assess(proposal(), view(doubts=tuple(UUID(int=number) for number in range(170))), NO_LIMITS).refusal
    assert said is not None
    assert said.measured == "170"
    assert f"{UUID(int=2)} and 167 more in SPY are in doubt; see `liveorder doubts`" in said.message
    assert len(said.message) < 200


def test_many_allowed_symbols_are_said_in_few_words() -> None:
    allowed = frozenset(f"S{number:04}" for number in range(2000))
    said = refusal(proposal(), view(), limits(allowed_symbols=allowed))
    assert said is not None
    assert said[2] == "S0000, S0001, S0002 and 1997 more"


def test_a_symbol_whose_position_is_not_the_brokers_takes_no_new_risk() -> None:
    assert refusal(proposal(), view(difference=None)) == ("unreconciled_symbol", "differs", "agrees")


def test_a_sale_that_may_not_reduce_at_the_broker_is_refused_while_unreconciled() -> None:
    seen = holding(75, difference=Decimal(-75))
    assert [said.code for said in assess_all(sell(75), seen, NO_LIMITS)] == ["unreconciled_symbol"]


def test_a_sale_without_a_position_is_refused_unless_short_selling_is_allowed() -> None:
    assert refusal(sell(10), view()) == ("short_selling", "-10", "0")
    assert refusal(sell(10), view(), limits(allow_short_selling=True)) is None


def test_open_sales_count_as_sold_and_open_purchases_not_as_bought() -> None:
    assert refusal(sell(5), holding(10, sells=6, buys=9)) == ("short_selling", "-1", "0")


def test_a_sale_of_unknown_size_may_be_short() -> None:
    said = assess_all(sell_for("100", decision_price=None), holding(10), NO_LIMITS)
    assert [refused.code for refused in said] == ["no_fresh_price", "short_selling"]


# --- prices ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order_type", [OrderType.MARKET, OrderType.TRAILING_STOP])
def test_an_order_priced_by_the_market_needs_a_fresh_price(order_type: OrderType) -> None:
    order = proposal(order_type=order_type)
    assert refusal(order, view(price_age_seconds=60.0)) is None
    assert refusal(order, view(price_age_seconds=60.5)) == ("no_fresh_price", "60.500", "60")
    assert refusal(order, view(last_price=None, price_age_seconds=None)) == ("no_fresh_price", "none", "60")


@pytest.mark.parametrize("order_type", OrderType)
def test_a_limit_order_is_no_remedy_for_one_that_trails_or_waits(order_type: OrderType) -> None:
    """It is another order: it would not guard the position."""
    order = proposal(order_type=order_type, notional=Decimal(1000), decision_price=None)
    said = assess(order, view(price_age_seconds=None), NO_LIMITS).refusal
    assert said is not None
    may_be_one = order_type in (OrderType.MARKET, OrderType.MARKET_TO_LIMIT, OrderType.LIMIT)
    assert said.message.endswith(
        "; check market data, give `price` and `timestamp` in the signal"
        + (", or send a limit order without a price_collar_percent" if may_be_one else "")
    )


def test_an_order_that_could_not_be_sized_needs_a_fresh_price() -> None:
    unsized = proposal(notional=Decimal(1000), decision_price=None, order_type=OrderType.STOP, stop_price=Decimal(55))
    assert refusal(unsized, view(price_age_seconds=None)) == ("no_fresh_price", "none", "60")


def test_a_limit_price_needs_one_to_be_compared_with() -> None:
    unpriced = view(last_price=None, price_age_seconds=None)
    assert refusal(limit_order("50"), unpriced, limits(price_collar_percent=Decimal(10))) == ("no_fresh_price", "none", "60")
    assert refusal(limit_order("50"), unpriced) is None


def test_a_stop_order_needs_none() -> None:
    order = proposal(order_type=OrderType.STOP, stop_price=Decimal(55), decision_price=Decimal(55))
    assert refusal(order, view(last_price=None, price_age_seconds=None)) is None


COLLAR = limits(price_collar_percent=Decimal(10), allow_short_selling=True)


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, "55"), (Side.BUY, "1"), (Side.SELL, "45"), (Side.SELL, "900")])
def test_a_limit_price_may_be_worse_by_the_collar_and_better_by_anything(side: Side, price: str) -> None:
    assert refusal(limit_order(price, side=side), view(), COLLAR) is None


@pytest.mark.parametrize(("side", "price", "worse"), [(Side.BUY, "55.01", "10.02"), (Side.SELL, "25", "50.00")])
def test_a_limit_price_beyond_the_collar_is_refused(side: Side, price: str, worse: str) -> None:
    assert refusal(limit_order(price, side=side), view(), COLLAR) == ("price_collar", worse, "10")


@pytest.mark.parametrize(("percent", "price", "worse"), [("0.0001", "50.0001", "0.01"), ("10", "55.001", "10.01")])
def test_what_is_beyond_the_collar_by_little_does_not_read_as_within_it(percent: str, price: str, worse: str) -> None:
    assert refusal(limit_order(price), view(), limits(price_collar_percent=Decimal(percent))) == ("price_collar", worse, percent)


def test_the_collar_holds_for_prices_at_and_below_zero() -> None:
    assert refusal(limit_order("-36"), view(last_price=Decimal(-40)), COLLAR) is None
    assert refusal(limit_order("-35.9"), view(last_price=Decimal(-40)), COLLAR) == ("price_collar", "10.25", "10")
    assert refusal(limit_order("0.01"), view(last_price=Decimal(0)), COLLAR) == ("price_collar", "infinitely many", "10")


# --- exits -----------------------------------------------------------------------------------------------------------------------

LONG = {Side.SELL: 100, Side.BUY: -100}
"""Signed units held, of which an order of the side takes off."""


def leaving(order: Proposal, allowed: RiskLimits = COLLAR, **changes: Any) -> tuple[str, str | None, str | None] | None:
    return refusal(order, holding(LONG[order.terms.side], **changes), allowed)


@pytest.mark.parametrize(("side", "price"), [(Side.SELL, "45"), (Side.SELL, "900"), (Side.BUY, "55"), (Side.BUY, "1")])
def test_a_limit_exit_may_be_worse_by_the_collar_and_better_by_anything(side: Side, price: str) -> None:
    assert leaving(limit_order(price, side=side)) is None


@pytest.mark.parametrize(("side", "price", "worse"), [(Side.SELL, "1", "98.00"), (Side.BUY, "500", "900.00")])
@pytest.mark.parametrize("is_operators", [False, True])
def test_a_limit_exit_beyond_the_collar_is_refused(side: Side, price: str, worse: str, is_operators: bool) -> None:
    order = limit_order(price, side=side, is_operators=is_operators)
    assert leaving(order) == ("price_collar", worse, "10")
    assert leaving(order, limits()) is None


def test_an_exit_is_not_refused_for_want_of_a_price() -> None:
    order = limit_order("1", side=Side.SELL)
    assert leaving(order, last_price=None, price_age_seconds=None) is None
    assert leaving(order, price_age_seconds=60.5) is None
    assert leaving(order, price_age_seconds=60.0) is not None


@pytest.mark.parametrize(
    ("kind", "stop_price", "limit_price", "worse"),
    [
        (OrderType.STOP_LIMIT, "40", "39", None),
        (OrderType.STOP_LIMIT, "40", "36", None),
        (OrderType.STOP_LIMIT, "40", "35.9", "10.25"),
        (OrderType.STOP_LIMIT, "49", "1", "97.96"),
        (OrderType.LIMIT_IF_TOUCHED, "60", "59", None),
        (OrderType.LIMIT_IF_TOUCHED, "60", "6", "90.00"),
    ],
)
def test_the_limit_of_an_exit_that_waits_is_compared_with_its_stop(
    kind: OrderType, stop_price: str, limit_price: str, worse: str | None
) -> None:
    """A guard a fifth below the market is an ordinary one."""
    order = stop_order(stop_price, order_type=kind, side=Side.SELL, limit_price=Decimal(limit_price))
    assert leaving(order) == (None if worse is None else ("price_collar", worse, "10"))


def test_new_terms_of_an_exit_are_judged_by_the_collar_where_they_name_a_price() -> None:
    order = limit_order("1", side=Side.SELL)
    assert leaving(order._replace(renewed=frozenset({"limit_price"}))) == ("price_collar", "98.00", "10")
    assert leaving(order._replace(renewed=frozenset({"quantity"}))) is None
    assert refusal(limit_order("60", renewed=frozenset({"quantity"})), view(), COLLAR) == ("price_collar", "20.00", "10")


PASSED = [
    (OrderType.STOP, Side.BUY, "50", True),
    (OrderType.STOP, Side.BUY, "50.01", False),
    (OrderType.STOP, Side.SELL, "50", True),
    (OrderType.STOP, Side.SELL, "49.99", False),
    (OrderType.STOP_LIMIT, Side.BUY, "5", True),
    (OrderType.STOP_LIMIT, Side.BUY, "55", False),
    (OrderType.STOP_LIMIT, Side.SELL, "500", True),
    (OrderType.STOP_LIMIT, Side.SELL, "45", False),
    (OrderType.MARKET_IF_TOUCHED, Side.BUY, "50", True),
    (OrderType.MARKET_IF_TOUCHED, Side.BUY, "49.99", False),
    (OrderType.MARKET_IF_TOUCHED, Side.SELL, "50", True),
    (OrderType.MARKET_IF_TOUCHED, Side.SELL, "50.01", False),
    (OrderType.LIMIT_IF_TOUCHED, Side.BUY, "500", True),
    (OrderType.LIMIT_IF_TOUCHED, Side.SELL, "5", True),
    (OrderType.LIMIT_IF_TOUCHED, Side.SELL, "55", False),
]
SHORTING = limits(allow_short_selling=True)


def waiting(kind: OrderType, side: Side, stop_price: str, **changes: Any) -> Proposal:
    limit_price = Decimal(stop_price) if kind.traits.needs_limit_price else None
    return stop_order(stop_price, order_type=kind, side=side, limit_price=limit_price, **changes)


@pytest.mark.parametrize(("kind", "side", "stop_price", "is_passed"), PASSED)
def test_a_stop_that_opens_is_refused_where_the_market_has_passed_it(
    kind: OrderType, side: Side, stop_price: str, is_passed: bool
) -> None:
    expected = ("stop_already_passed", "50", stop_price) if is_passed else None
    assert refusal(waiting(kind, side, stop_price), view(), SHORTING) == expected
    enlarging = holding(-LONG[side])
    assert refusal(waiting(kind, side, stop_price), enlarging, SHORTING) == expected


@pytest.mark.parametrize(("kind", "side", "stop_price", "is_passed"), PASSED)
def test_a_stop_that_only_reduces_becomes_a_market_exit_or_is_refused(
    kind: OrderType, side: Side, stop_price: str, is_passed: bool
) -> None:
    order, seen = waiting(kind, side, stop_price), holding(LONG[side])
    said = assess(order, seen, limits(price_collar_percent=Decimal(10)))
    assert (said.refusal, said.exits_at_market) == (None, is_passed)
    refusing = assess(order, seen, limits(passed_exit_stop="refuse"))
    assert refusing.exits_at_market is False
    assert (refusing.refusal is not None and refusing.refusal.code == "stop_already_passed") is is_passed


def test_a_passed_stop_limit_of_an_exit_needs_no_limit_within_the_collar() -> None:
    """It goes out at the market."""
    order = stop_order("500", order_type=OrderType.STOP_LIMIT, side=Side.SELL, limit_price=Decimal(1))
    assert leaving(order) is None
    refusing = limits(price_collar_percent=Decimal(10), passed_exit_stop="refuse")
    assert leaving(order, refusing) == ("stop_already_passed", "50", "500")


@pytest.mark.parametrize("unseen", [{"last_price": None, "price_age_seconds": None}, {"price_age_seconds": 60.5}])
def test_a_stop_is_passed_only_by_a_fresh_price(unseen: dict[str, Any]) -> None:
    assert refusal(stop_order("5"), view(**unseen)) is None
    said = assess(stop_order("500", side=Side.SELL), holding(100, **unseen), NO_LIMITS)
    assert (said.refusal, said.exits_at_market) == (None, False)


@pytest.mark.parametrize(("last_trade", "is_passed"), [("51", False), ("50.5", True), ("49", True), (None, True)])
def test_a_stop_is_passed_only_where_the_last_trade_has_passed_it_too(last_trade: str | None, is_passed: bool) -> None:
    """The bid at 50 is no reason to sell at once what was to be sold at 50.50 after trades at 51."""
    seen = holding(100, last_trade=None if last_trade is None else Decimal(last_trade))
    assert assess(stop_order("50.5", side=Side.SELL), seen, NO_LIMITS).exits_at_market is is_passed
    opening = assess(stop_order("50.5", side=Side.SELL), view(last_trade=seen.last_trade), SHORTING)
    assert (opening.refusal is not None) is is_passed


def test_new_terms_that_move_a_stop_past_the_market_are_refused_of_exits_too() -> None:
    order = stop_order("500", side=Side.SELL)
    moved, larger = frozenset({"stop_price"}), frozenset({"quantity", "limit_price"})
    assert leaving(order._replace(renewed=moved)) == ("stop_already_passed", "50", "500")
    assert leaving(order._replace(renewed=larger)) is None
    assert refusal(stop_order("5", renewed=larger), view()) is None


def scored(score: int | None, **changes: Any) -> Proposal:
    return sell(10, score=None if score is None else Decimal(score), **changes)


SCORES = limits(max_sell_score=Decimal(-60), min_buy_score=Decimal(60), require_score=True)


@pytest.mark.parametrize("role", OrderRole)
def test_a_score_that_an_exit_carries_is_judged(role: OrderRole) -> None:
    assert leaving(scored(-10, role=role), SCORES) == ("signal_score", "-10", "-60")
    assert leaving(scored(-60, role=role), SCORES) == ("signal_score", "-60", "-60")
    assert leaving(scored(-61, role=role), SCORES) is None
    assert leaving(proposal(score=Decimal(10), role=role), SCORES) == ("signal_score", "10", "60")


def test_a_score_of_an_exit_is_not_judged_where_score_exits_is_off() -> None:
    off = SCORES.model_copy(update={"score_exits": False})
    assert leaving(scored(-10), off) is None
    assert refusal(scored(-10, role=OrderRole.EXIT), view(), off) == ("signal_score", "-10", "-60")


def test_an_exit_needs_no_score() -> None:
    assert leaving(scored(None), SCORES) is None
    for role in OrderRole:
        needs_one = role is OrderRole.ENTRY
        allowed = SCORES.model_copy(update={"allow_short_selling": True})
        assert refusal(scored(None, role=role), view(), allowed) == (("signal_score", "none", "a score") if needs_one else None)


def test_what_says_close_needs_no_score() -> None:
    order = scored(None, position_effect=PositionEffect.CLOSE)
    assert "signal_score" not in [said.code for said in assess_all(order, view(), SCORES)]
    assert leaving(scored(-10, position_effect=PositionEffect.CLOSE), SCORES) == ("signal_score", "-10", "-60")


def test_a_persons_own_order_is_not_judged_by_a_score() -> None:
    assert leaving(scored(-10, is_operators=True), SCORES) is None
    assert refusal(proposal(score=Decimal(10), is_operators=True), view(), SCORES) is None


# --- amounts ---------------------------------------------------------------------------------------------------------------------


def test_an_order_at_its_limits_passes() -> None:
    at_limit = limits(
        max_order_quantity=Decimal(10),
        max_order_value=Decimal(500),
        max_daily_trades=5,
        max_open_orders=2,
        max_position_size=Decimal(500),
        max_portfolio_exposure=Decimal(500),
        max_daily_loss=Decimal(100),
    )
    seen = view(trades_today=4, open_orders=1, realized_net_today=Decimal("-99.99"))
    assert refusal(proposal(), seen, at_limit) is None


def test_an_orders_quantity_is_limited() -> None:
    assert refusal(proposal(), view(), limits(max_order_quantity=Decimal(9))) == ("order_quantity", "10", "9")


def test_an_orders_value_is_limited_contract_multiplier_included() -> None:
    future = SPY.but(multiplier=Decimal(50))
    allowed = limits(max_order_value=Decimal(20000))
    assert refusal(proposal(instrument=future), view(), allowed) == ("order_value", "25000", "20000")


@pytest.mark.parametrize(
    ("side", "limit_price", "stop_price", "value"),
    [
        (Side.BUY, "49", None, "490"),
        (Side.BUY, "61", "60", "610"),
        (Side.BUY, None, "60", "600"),
        (Side.BUY, None, "40", "500"),
        (Side.SELL, "70", None, "700"),
        (Side.SELL, "45", None, "500"),
        (Side.SELL, None, "45", "500"),
    ],
)
def test_an_order_is_valued_at_the_worst_price_that_it_allows(
    side: Side, limit_price: str | None, stop_price: str | None, value: str
) -> None:
    order = proposal(
        side=side,
        order_type=OrderType.LIMIT,
        limit_price=None if limit_price is None else Decimal(limit_price),
        stop_price=None if stop_price is None else Decimal(stop_price),
    )
    assert order.value(None) == Decimal(value)


def test_a_sale_below_the_market_is_valued_at_the_market() -> None:
    allowed = limits(allow_short_selling=True, max_order_value=Decimal(499))
    assert refusal(limit_order("0.01", side=Side.SELL), view(), allowed) == ("order_value", "500", "499")


def test_a_cash_order_is_worth_its_money() -> None:
    order = proposal(notional=Decimal(750))
    assert [order.value(None), order.units] == [750, 15]


def test_only_another_instrument_is_a_further_position() -> None:
    full = limits(max_positions=2)
    assert refusal(proposal(), view(other_positions=1), full) is None
    assert refusal(proposal(), view(other_positions=2), full) == ("position_count", "3", "2")
    assert refusal(proposal(), holding(10, other_positions=2), full) is None
    assert refusal(proposal(), holding(0, buys=5, other_positions=2), full) is None
    assert refusal(proposal(), view(), limits(max_positions=0)) == ("position_count", "1", "0")


def test_the_days_trades_are_limited() -> None:
    assert refusal(proposal(), view(trades_today=10), limits(max_daily_trades=10)) == ("daily_trade_count", "11", "10")


def test_open_orders_are_limited() -> None:
    assert refusal(proposal(), view(open_orders=3), limits(max_open_orders=3)) == ("open_order_count", "4", "3")


def test_a_loss_that_reaches_its_limit_ends_the_day() -> None:
    lost = view(realized_net_today=Decimal(-100))
    assert refusal(proposal(), lost, limits(max_daily_loss=Decimal(100))) == ("daily_loss", "100", "100")


@pytest.mark.parametrize(
    ("lost", "words"),
    [("100.5", "lost 100.5 USD"), ("100.123456789012345678", "lost 100.1235 USD"), ("100.00000000001", "lost 100.0001 USD")],
)
def test_a_loss_is_told_to_four_decimals_and_never_as_less_than_the_limit(lost: str, words: str) -> None:
    (found,) = assess_all(proposal(), view(realized_net_today=-Decimal(lost)), limits(max_daily_loss=Decimal(100)))
    assert words in found.message
    assert found.measured == lost


def test_positions_are_limited_all_together_open_orders_included() -> None:
    seen = holding(100, buys=20, other_position_value=Decimal(3000))
    assert refusal(proposal(), seen, limits(max_position_size=Decimal(9500))) is None
    assert refusal(proposal(), seen, limits(max_position_size=Decimal(9499))) == ("position_value", "9500", "9499")


def test_in_a_position_value_buys_and_sells_are_alternatives_and_in_the_exposure_they_add_up() -> None:
    seen, short = holding(0, buys=30, sells=20), sell(20)
    allowed = limits(allow_short_selling=True, max_position_size=Decimal(1999), max_portfolio_exposure=Decimal(3499))
    assert [(said.code, said.measured) for said in assess_all(short, seen, allowed)] == [
        ("position_value", "2000"),
        ("portfolio_exposure", "3500"),
    ]


def test_what_reduces_a_position_adds_nothing_until_it_goes_through_zero() -> None:
    allowed = limits(allow_short_selling=True, max_portfolio_exposure=Decimal(5499))
    assert refusal(sell(109), holding(100), allowed) is None
    assert refusal(sell(110), holding(100), allowed) == ("portfolio_exposure", "5500", "5499")


def test_an_unimaginable_order_is_refused_and_does_not_raise() -> None:
    huge = proposal(quantity=Decimal("9" * 28), decision_price=Decimal("8" * 28), side=Side.SELL)
    assert refusal(huge, holding(3), limits(max_order_value=Decimal(1), allow_short_selling=True)) is not None
    assert refusal(huge, holding(3), limits(max_portfolio_exposure=Decimal(1), allow_short_selling=True)) is not None


# --- other lists of rules ------------------------------------------------------------------------------------------------------


def test_a_replacement_is_not_judged_by_what_was_judged_when_the_signal_came() -> None:
    old = proposal(signal_at=NOW - timedelta(hours=1), score=Decimal(1))
    allowed = limits(min_buy_score=Decimal(60), max_daily_trades=0, max_open_orders=0)
    assert assess(old, view(), allowed, REPLACEMENT_RULES).refusal is None


def test_a_replacement_is_judged_by_its_amounts_and_by_the_switches() -> None:
    large = assess(proposal(), view(), limits(max_order_value=Decimal(1)), REPLACEMENT_RULES).refusal
    halted = assess(proposal(), view(halt="*"), NO_LIMITS, REPLACEMENT_RULES).refusal
    assert large is not None
    assert halted is not None
    assert (large.code, halted.code) == ("order_value", "kill_switch")


def test_the_switches_are_asked_first() -> None:
    assert RULES[: len(SWITCHES)] == SWITCHES


@pytest.mark.parametrize(
    ("kind", "terms", "value"),
    [
        (OrderType.MARKET_IF_TOUCHED, {"stop_price": Decimal(400)}, 4000),
        (OrderType.LIMIT_IF_TOUCHED, {"stop_price": Decimal(400), "limit_price": Decimal(410)}, 4100),
        (OrderType.TRAILING_STOP, {"trail_amount": Decimal(50)}, 5500),
        (OrderType.TRAILING_STOP, {"trail_percent": Decimal(10)}, 5500),
        (OrderType.TRAILING_STOP_LIMIT, {"trail_amount": Decimal(50), "limit_offset": Decimal(5)}, 5550),
    ],
)
def test_a_buy_that_trails_or_waits_for_a_touch_counts_at_what_it_could_pay(
    kind: OrderType, terms: dict[str, Decimal], value: int
) -> None:
    order = proposal(order_type=kind, quantity=Decimal(10), side=Side.BUY, **terms)
    assert order.value(Decimal(500)) == value
