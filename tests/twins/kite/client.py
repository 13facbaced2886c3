"""Our adapter, set up for the twin."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.brokerage import AccountAccess
from liveorder.application.ports.clock import Clock
from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.values import TradingMode
from liveorder.infrastructure.clock import SystemClock
from liveorder.infrastructure.settings.sections import Kite
from tests.twins.kite.server import API_KEY, API_SECRET, KiteTwin

ACCOUNT = "KITE"
CALL_TIMEOUT_SECONDS = 0.7


def section_of(twin: KiteTwin, **changes: Any) -> Kite:
    credentials = {"api_key": SecretStr(API_KEY), "api_secret": SecretStr(API_SECRET), "access_token": SecretStr(twin.access_token)}
    return Kite(**{**credentials, "root": twin.address, **changes})


def access_to(log: ActivityLog, clock: Clock | None = None, **capabilities: Any) -> AccountAccess:
    """In haste: the pace that Kite wants of its callers is left out, but for what `capabilities` say."""

    def adjusted(declared: BrokerCapabilities) -> BrokerCapabilities:
        return replace(declared, **({"requests_per_second": 500.0, "requests_per_minute": 30000.0} | capabilities))

    return AccountAccess(ACCOUNT, TradingMode.PAPER, "INR", CALL_TIMEOUT_SECONDS, adjusted, clock or SystemClock(), log)
