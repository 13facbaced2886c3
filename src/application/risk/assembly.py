"""Puts the room of risk together."""

from __future__ import annotations

from dataclasses import dataclass

from liveorder.application.risk.account_figures import AccountFigures
from liveorder.application.risk.book import RiskBook
from liveorder.application.risk.risk_gate import RiskGate
from liveorder.application.risk.trading_halts import KillSwitch
from liveorder.application.runtime.foundation import Foundation


@dataclass(frozen=True, slots=True)
class Risk:
    book: RiskBook
    figures: AccountFigures
    kill_switch: KillSwitch
    gate: RiskGate


def assemble(on: Foundation, *, auto_trading_default: bool) -> Risk:
    book = RiskBook()
    kill_switch = KillSwitch(on.store, on.recorder, on.clock, on.log, auto_trading_default=auto_trading_default)
    figures = AccountFigures(on.gateways, book, on.clock, on.sparing_log)
    return Risk(book, figures, kill_switch, RiskGate(book, figures, kill_switch, on.sessions, on.clock))
