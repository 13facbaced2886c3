"""Certification's findings about an account's money."""

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


async def figures_reported(broker: Broker, clock: Clock) -> list[Finding]:
    """One finding for each reported figure, and whether it can be current; and one for each kind of figure that is not reported."""
    asked = clock.now()
    try:
        account = await broker.account()
    except BrokerError as error:
        return [Finding(MONEY, "", f"{type(error).__name__}: {error}", False)]
    skew = timedelta(seconds=broker.capabilities.clock_skew_seconds)
    reported = [_figure(each, account, asked - skew, clock.now() + skew) for each in account.figures]
    return reported + [Finding(_name(kind), "", "not reported") for kind in FigureKind if account.figure(kind) is None]


async def buying_power(broker: Broker, instrument: Instrument) -> Decimal | None:
    """The buying power for a buy of the instrument. None if the broker reports none."""
    with suppress(BrokerError):
        power = (await broker.account()).buying_power_for(instrument.exchange, instrument.asset_class, instrument.currency)
        return None if power is None else power.amount
    return None


async def taken_by(broker: Broker, order: SubmitRequest, before: Decimal | None) -> Finding:
    """How much buying power a resting order takes. Nothing is declared about this, since brokers differ."""
    after = await buying_power(broker, order.instrument)
    assert order.quantity is not None
    assert order.limit_price is not None
    worth = order.instrument.value_of(order.quantity, order.limit_price)
    fell = "not reported" if before is None or after is None else f"fell by {before - after:f} for an order worth {worth:f}"
    return Finding(BESIDE_IT, "", fell)


def _name(kind: FigureKind) -> str:
    return kind.value.replace("_", " ")


def _figure(figure: Figure, account: BrokerAccount, earliest: datetime, latest: datetime) -> Finding:
    """Whether a figure is valid: a finite amount of a currency, as of the question; a margin is not negative."""
    currency = "" if figure.currency == account.currency else f"in {figure.currency}"
    question = " ".join(filter(None, (_name(figure.kind), figure.part, currency)))
    amount = f"{figure.amount} {figure.currency}"
    if figure.at.tzinfo is None or not earliest <= figure.at <= latest:
        return Finding(question, "as of now", f"{amount} as of {figure.at.isoformat()}", False)
    can_be = figure.amount.is_finite() and len(figure.currency) == 3 and not (figure.kind in _MARGINS and figure.amount < 0)
    return Finding(question, "", amount, can_be)
