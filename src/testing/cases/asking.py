"""Questions: what exists, what does not, and what cannot be known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from liveorder.application.ports.broker import Absence
from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.domain.broker_account import BrokerAccount
from liveorder.domain.broker_capabilities import KeySupport
from liveorder.domain.errors import BrokerError
from liveorder.domain.execution_report import BrokerStatus, OrderSnapshot
from liveorder.domain.values import Side
from liveorder.testing.case import case, require
from liveorder.testing.stage import Stage
from liveorder.testing.venue.faults import Fault, FaultKind, Point

QUESTIONS = (Point.FIND, Point.OPEN_ORDERS, Point.EXECUTIONS, Point.POSITIONS, Point.ACCOUNT)


@case
async def the_account_is_told(stage: Stage) -> None:
    """The account's mode, currency and id, as the settings name them."""
    account = await stage.broker.account()
    require(account.account_id == stage.account_id, f"it is called {account.account_id}")
    require(len(account.currency) == 3, f"its currency is reported as {account.currency!r}")


@case
async def the_accounts_money_is_told_with_its_time(stage: Stage) -> None:
    """Each figure is a finite amount of a currency, no older than the question. A fill changes the cash, so nothing is cached."""
    before = (await _with_money_of_now(stage)).cash
    if before is None or before.currency != stage.instrument.currency:
        return
    placed = await stage.rest()
    await stage.fill(placed, 10)

    async def paid() -> bool | None:
        cash = (await _with_money_of_now(stage)).cash
        return True if cash is not None and cash.amount < before.amount else None

    await stage.within(paid)


async def _with_money_of_now(stage: Stage) -> BrokerAccount:
    skew = timedelta(seconds=stage.capabilities.clock_skew_seconds)
    asked = datetime.now(UTC)
    account = await stage.broker.account()
    answered = datetime.now(UTC)
    for figure in account.figures:
        name = " ".join([figure.kind, figure.part]).strip()
        require(figure.amount.is_finite(), f"the {name} is reported as {figure.amount}")
        require(len(figure.currency) == 3, f"the currency of the {name} is reported as {figure.currency!r}")
        require(figure.at.tzinfo is not None, f"the time of the {name} has no zone")
        require(asked - skew <= figure.at <= answered + skew, f"the {name} is as of {figure.at}, but was asked at {asked}")
    return account


@case
async def an_order_that_never_was_is_absent(stage: Stage) -> None:
    """Every query was answered completely, and none has the key: ABSENT, if the broker can be asked for keys."""
    if stage.capabilities.key_support is KeySupport.NONE:
        answer = await stage.find(stage.ready())
        require(answer is Absence.INCONCLUSIVE, f"find() returned {answer}")
        return
    answer = await stage.certain(stage.ready())
    require(answer is Absence.ABSENT, f"find() returned {answer}")


@case
async def a_question_that_fails_is_inconclusive(stage: Stage) -> None:
    """`find` never raises, and never returns ABSENT if a query failed. Other questions raise a `BrokerError`."""
    placed = await stage.rest()
    await stage.venue.lay(*(Fault(kind=FaultKind.QUERY_FAILED, on=point) for point in QUESTIONS))
    answer = await stage.find(stage.ready())
    require(answer is Absence.INCONCLUSIVE, f"find() returned {answer} although a query failed")
    await _fails(stage)
    await stage.venue.clear_faults()
    await stage.found(placed)


@case
async def a_question_that_hangs_is_inconclusive_in_time(stage: Stage) -> None:
    """The adapter's own time-outs end the question."""
    await stage.venue.lay(*(Fault(kind=FaultKind.REQUEST_LOST, on=point, silent=True) for point in QUESTIONS))
    answer = await stage.find(stage.ready())
    require(answer is Absence.INCONCLUSIVE, f"find() returned {answer} although nothing answered")


@case
async def a_refused_login_says_nothing_about_an_order(stage: Stage) -> None:
    """Refused credentials make `find` inconclusive, never absent."""
    await stage.venue.lay(*(Fault(kind=FaultKind.UNAUTHORIZED, on=point) for point in QUESTIONS))
    answer = await stage.find(stage.ready())
    require(answer is Absence.INCONCLUSIVE, f"find() returned {answer} although its credentials were refused")


async def _fails(stage: Stage) -> None:
    """A failed query for positions does not mean *flat*, and one for open orders does not mean none."""
    for ask in (stage.broker.positions, stage.broker.open_orders):
        try:
            answer: object = await ask()
        except BrokerError:
            continue
        require(False, f"{ask.__name__}() returned {answer} although the query failed")


@case
async def open_orders_are_listed_ours_and_others(stage: Stage) -> None:
    """Our order is listed under our key. An order placed elsewhere is listed too, if the list is declared complete."""
    ours = await stage.rest()
    await stage.venue.place(stage.at_venue, stage.instrument.key, Side.BUY, Decimal(5), stage.below("0.8"))
    complete = stage.capabilities.open_orders_are_complete

    async def listed() -> list[OrderSnapshot] | None:
        orders = list(await stage.broker.open_orders())
        return orders if len(orders) == 2 or (orders and not complete) else None

    orders = await stage.within(listed)
    keys = [each.client_order_id for each in orders]
    tells_keys = stage.capabilities.key_support is not KeySupport.NONE
    require(not tells_keys or keys.count(ours.key) == 1, f"the open orders have the keys {keys}")
    require(not complete or any(each.quantity == 5 for each in orders), f"the other order is reported as {orders}")


@case
async def closed_orders_are_not_listed_as_open(stage: Stage) -> None:
    """Filled and cancelled orders are no longer listed."""
    filled, cancelled = await stage.rest(), await stage.rest()
    await stage.fill(filled, 10)
    await stage.cancel(cancelled)
    await stage.found(cancelled, lambda order: order.status is BrokerStatus.CANCELLED, "cancelled")

    async def gone() -> bool | None:
        return not await stage.broker.open_orders() or None

    await stage.within(gone)


@case
async def executions_are_told_from_the_moment_that_is_asked_for(stage: Stage) -> None:
    """Executions since the given time. None for an account that never traded."""
    fills = await stage.broker.executions_since(datetime.now(UTC) - timedelta(hours=1))
    require(not fills, f"an account that never traded has executions {fills}")


@case
async def an_instrument_is_resolved_by_what_a_signal_says(stage: Stage) -> None:
    """Symbol and exchange resolve to the instrument with its grid. An unknown symbol resolves to nothing."""
    instrument = stage.instrument
    query = InstrumentQuery(symbol=instrument.symbol, exchange=instrument.exchange, asset_class=instrument.asset_class)
    resolved = await stage.brokerage.instruments.resolve(query)
    require(resolved is not None, f"{instrument.key} is not resolved")
    assert resolved is not None
    found = (resolved.key, resolved.currency, resolved.multiplier, resolved.asset_class)
    has = (instrument.key, instrument.currency, instrument.multiplier, instrument.asset_class)
    require(found == has, f"{instrument.key} is resolved as {found}")
    unknown = await stage.brokerage.instruments.resolve(InstrumentQuery(symbol="NOSUCHTHING"))
    require(unknown is None, f"an unknown symbol is resolved as {unknown}")


@case
async def a_price_is_told_with_its_time(stage: Stage) -> None:
    """Bid, ask and last trade, as far as the broker reports them, each with its own time and a zone."""
    quote = await stage.brokerage.market_data.latest(stage.instrument)
    prices = [] if quote is None else [each for each in (quote.bid, quote.ask, quote.last) if each is not None]
    require(bool(prices), "no price")
    for price in prices:
        require(price.amount == stage.price, f"the price is reported as {price.amount}")
        require(price.at.tzinfo is not None, "the price's time has no zone")
