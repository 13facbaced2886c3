"""Puts the room of risk together."""

from __future__ import annotations

from dataclasses import dataclass

from liveorder.application.risk.account_figures import AccountFigures
from liveorder.application.risk.book import RiskBook
from liveorder.application.risk.position_figures import PositionFigures
from liveorder.application.risk.risk_gate import RiskGate
from liveorder.application.risk.trading_halts import TradingHalts
from liveorder.application.runtime.foundation import Foundation


@dataclass(frozen=True, slots=True)
class Risk:
    book: RiskBook
    figures: AccountFigures
    positions: PositionFigures
    halts: TradingHalts
    gate: RiskGate


def assemble(on: Foundation, *, auto_trading_default: bool) -> Risk:
    book = RiskBook()
    halts = TradingHalts(on.store, on.recorder, on.clock, on.log, auto_trading_default=auto_trading_default)
    figures = AccountFigures(on.gateways, book, on.clock, on.sparing_log)
    positions = PositionFigures(on.gateways, book, on.clock, on.sparing_log)
    return Risk(book, figures, positions, halts, RiskGate(book, figures, positions, halts, on.calendar, on.clock))
