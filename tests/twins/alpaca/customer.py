"""The adapter as a customer of the twin."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pydantic import SecretStr

from liveorder.application.ports.brokerage import AccountAccess
from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.values import TradingMode
from liveorder.infrastructure.clock import SystemClock
from liveorder.infrastructure.settings.sections import Alpaca
from tests.twins.alpaca.server import KEY, SECRET, AlpacaTwin

ACCOUNT = "SIM"


@dataclass
class Lines:
    """An `ActivityLog` that remembers."""

    written: list[str] = field(default_factory=list)

    def write(self, category: str, sentence: str, **fields: object) -> None:
        self.written.append(f"{category} {sentence} {fields}")


def access(log: Lines | None = None, timeout_seconds: float = 0.5, mode: TradingMode = TradingMode.PAPER) -> AccountAccess:
    return AccountAccess(ACCOUNT, mode, "USD", timeout_seconds, _without_haste, SystemClock(), log or Lines())


def _without_haste(declared: BrokerCapabilities) -> BrokerCapabilities:
    return replace(declared, requests_per_minute=6000.0)


def section(twin: AlpacaTwin, *, counts_fills: bool = False) -> Alpaca:
    return Alpaca(
        api_key=SecretStr(KEY),
        secret_key=SecretStr(SECRET),
        base_url=twin.address,
        data_url=twin.data_address,
        replacement_counts_fills=counts_fills,
    )
