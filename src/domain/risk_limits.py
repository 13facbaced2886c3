"""How much an account may risk. One `RiskLimits` for each account and currency; amounts are in that currency.

None means that there is no such limit. `liveorder init` writes them all, with their defaults, into a settings file.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from liveorder.domain.values import Amount, Quantity

Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class PassedExitStop(StrEnum):
    """What becomes of an exit whose stop the market has passed already."""

    MARKET = "market"
    REFUSE = "refuse"


class RiskLimits(BaseModel):
    """Limits of one account in one currency; amounts are in that currency.

    The figures that the rules of `liveorder.domain.risk` compare with. Says nothing about how they are counted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    position_size: Quantity = Decimal(1000)
    """Amount spent on a signal that names no size and closes nothing."""
    max_position_size: Quantity | None = Decimal(10000)
    """Amount: largest value of all positions together, open orders included."""
    max_daily_trades: Count | None = 10
    """Orders in one exchange session date, counted at the first attempt."""
    max_order_value: Quantity | None = None
    """Amount: largest quantity times price of one order."""
    max_order_quantity: Quantity | None = None
    """Units: largest quantity of one order."""
    max_portfolio_exposure: Quantity | None = None
    """Amount: largest sum of the absolute values of long and short positions, open and in-doubt orders at their worst."""
    max_open_orders: Count | None = None
    """Orders that are not closed at one time, in-doubt ones included."""
    max_positions: Count | None = None
    """Instruments that are held or being opened at one time, open and in-doubt orders included."""
    max_daily_loss: Quantity | None = None
    """Amount, positive: while a session date has lost so much or more, net of fees, nothing that adds risk is sent. What is earned
    back on that date counts: it is no latch.
    """
    min_buy_score: Amount | None = Decimal(60)
    """A BUY's score must be above this."""
    max_sell_score: Amount | None = Decimal(-60)
    """A SELL's score must be below this."""
    require_score: bool = False
    """Whether a signal without a score is refused; an exit needs none."""
    score_exits: bool = True
    """Whether the score that a signal carries is judged also where it only reduces a position."""
    price_collar_percent: Quantity | None = Decimal(10)
    """Percent of the last price: how much worse than it (a buy above, a sell below) a limit or stop-limit price may be.
    Of an exit with a stop: percent of the stop."""
    exit_cancels_entry: bool = True
    """Whether an exit, target or reversal that meets an open entry of its strategy has it cancelled, and goes by what it filled;
    else it waits until the entry ends by itself, as the roles STOP_LOSS and TAKE_PROFIT always do.
    """
    exit_question_seconds: Seconds = 2.0
    """Seconds that an order which only reduces waits at most to hear from its broker what the account holds; then our own book
    decides, the order is marked `position_unconfirmed`, and there is an alert."""
    passed_exit_stop: PassedExitStop = PassedExitStop.MARKET
    """What becomes of an order that only reduces and whose stop_price the market has passed: market sends it as a market order,
    refuse refuses it with an alert. One that opens or enlarges is always refused, as `stop_already_passed`."""
    max_signal_age_seconds: Seconds | None = 60.0
    """Seconds since the signal's timestamp, else since its source published it."""
    repeat_window_seconds: Seconds | None = None
    """Seconds in which an order like the one before, of the same strategy, instrument and side, is refused as `repeated`; an exit
    never is."""
    max_price_age_seconds: Seconds = 60.0
    """Seconds: an older price is not fresh, and an order that needs one is refused as `no_fresh_price`."""
    check_buying_power: bool = True
    """Whether a buy of shares, long options or coins is refused here where the buying power that the broker reports does not cover
    it. What is on margin the broker judges alone."""
    max_account_age_seconds: Seconds = 60.0
    """Seconds: an older figure of the account's money refuses nothing."""
    allowed_symbols: frozenset[str] | None = None
    """Symbols that may be traded; None allows all, an empty set none."""
    allow_short_selling: bool = False
    """Whether a SELL may take a position below zero."""
    allow_closed_market: bool = False
    """Whether an order may go out while its exchange is closed."""
