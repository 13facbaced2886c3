"""An account's brokerage at Kite, put together."""

from __future__ import annotations

from liveorder.application.ports.brokerage import AccountAccess, Brokerage
from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.errors import SettingsError
from liveorder.domain.values import TradingMode
from liveorder.infrastructure.brokers.kite.broker import CAPABILITIES, KiteBroker
from liveorder.infrastructure.brokers.kite.instruments import KiteInstruments
from liveorder.infrastructure.brokers.kite.market_data import KiteMarketData
from liveorder.infrastructure.brokers.kite.questions import KiteQuestions
from liveorder.infrastructure.brokers.kite.session import KiteSession
from liveorder.infrastructure.settings.sections import Kite


def brokerage(access: AccountAccess, section: Kite) -> Brokerage:
    """Raises `SettingsError` for PAPER at Kite's own address: Kite has no sandbox, so every order there is real. Also for a
    currency other than INR: Kite trades in rupees, so the limits must be in rupees.
    """
    if access.mode is TradingMode.PAPER and section.root is None:
        raise SettingsError(
            f"account {access.account_id!r}: Kite has no paper trading; set TRADING_MODE to LIVE, to SIMULATION to practise here, "
            "or kite.root to the address of a test server"
        )
    if access.currency != "INR":
        raise SettingsError(
            f"account {access.account_id!r}: its currency is {access.currency} and Kite's is INR; set currency to INR"
        )
    capabilities = _checked(access.account_id, access.adjusted(CAPABILITIES))
    session = KiteSession(section, access, capabilities.requests_per_second)
    instruments = KiteInstruments(session, access.clock, access.log)
    questions = KiteQuestions(session, instruments, access.clock, access.log)
    broker = KiteBroker(access, session, questions, capabilities)
    return Brokerage(broker, KiteMarketData(session, access.clock), instruments)


def _checked(account_id: str, can: BrokerCapabilities) -> BrokerCapabilities:
    """Raises `SettingsError` if the settings declare a capability that Kite's requests cannot express."""
    more = [
        *(can.order_types - CAPABILITIES.order_types),
        *(can.times_in_force - CAPABILITIES.times_in_force),
        *(f"{hours} hours" for hours in can.hours - CAPABILITIES.hours),
    ]
    impossible = [*(name for name in ("notional", "fractional") if getattr(can, name)), *sorted(more)]
    if impossible:
        raise SettingsError(f"account {account_id!r}: capabilities: Kite never takes {', '.join(impossible)}; remove them")
    return can
