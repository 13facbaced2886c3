"""What certification learns of an account's money."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal

from liveorder.application.ports.broker import Broker, SubmitRequest
from liveorder.application.ports.clock import Clock
from liveorder.domain.broker_account import BrokerAccount, Figure, FigureKind
from liveorder.domain.errors import BrokerError
from liveorder.domain.instrument import Instrument
from liveorder.testing.finding import Finding

MONEY, BESIDE_IT = "the account's money", "buying power beside it"
_MARGINS = (FigureKind.INITIAL_MARGIN, FigureKind.MAINTENANCE_MARGIN)


async def figures_told(broker: Broker, clock: Clock) -> list[Finding]:
    """Each figure that is told, and whether it can be one of now; those that are not told too."""
    asked = clock.now()
    try:
        account = await broker.account()
    except BrokerError as error:
        return [Finding(MONEY, "", f"{type(error).__name__}: {error}", False)]
    skew = timedelta(seconds=broker.capabilities.clock_skew_seconds)
    told = [_figure(each, account, asked - skew, clock.now() + skew) for each in account.figures]
    return told + [Finding(_name(kind), "", "not told") for kind in FigureKind if account.figure(kind) is None]


async def buying_power(broker: Broker, instrument: Instrument) -> Decimal | None:
    """For a buy of it; None where none is told."""
    with suppress(BrokerError):
        told = (await broker.account()).buying_power_for(instrument.exchange, instrument.asset_class, instrument.currency)
        return None if told is None else told.amount
    return None


async def taken_by(broker: Broker, order: SubmitRequest, before: Decimal | None) -> Finding:
    """What the order takes of the buying power while it rests. Nothing is declared about it: brokers differ."""
    after = await buying_power(broker, order.instrument)
    assert order.quantity is not None
    assert order.limit_price is not None
    worth = order.instrument.value_of(order.quantity, order.limit_price)
    fell = "not told" if before is None or after is None else f"fell by {before - after:f} for an order worth {worth:f}"
    return Finding(BESIDE_IT, "", fell)


def _name(kind: FigureKind) -> str:
    return kind.value.replace("_", " ")


def _figure(figure: Figure, account: BrokerAccount, earliest: datetime, latest: datetime) -> Finding:
    """A finite amount of a currency, of the time of the question; a margin is not below zero."""
    currency = "" if figure.currency == account.currency else f"in {figure.currency}"
    question = " ".join(filter(None, (_name(figure.kind), figure.part, currency)))
    told = f"{figure.amount} {figure.currency}"
    if figure.at.tzinfo is None or not earliest <= figure.at <= latest:
        return Finding(question, "as of now", f"{told} as of {figure.at.isoformat()}", False)
    can_be = figure.amount.is_finite() and len(figure.currency) == 3 and not (figure.kind in _MARGINS and figure.amount < 0)
    return Finding(question, "", told, can_be)
