"""What brokers' keys can be good for, from best to worst, and a venue and its broker of each kind. Times are short and real."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from liveorder.domain.broker_capabilities import BrokerCapabilities, KeySupport
from liveorder.testing.venue.capabilities import capabilities_of
from liveorder.testing.venue.settings import (
    START_PRICES,
    Fills,
    Keys,
    PriceSource,
    VenueAccount,
    VenueSettings,
)
from tests.crash.wires import LAG_SECONDS as WIRES_LAG_SECONDS
from tests.crash.wires import PRICE, WIRES

HOLD_SECONDS = 2.4
"""A request that is held arrives after this: the service that sent it is dead by then, and the next one has recovered."""
DELIVERY_BOUND_SECONDS = 2.6
BEYOND_SECONDS = 10.0
"""What a broker does that lies about its bound: the next service has long believed that the request never came."""
LAG_SECONDS = 0.4
LONGEST_DOUBT_SECONDS = 60.0
"""Beyond the lag: as it is promised."""

COINS_FILE = Path(__file__).with_name("coins.json")
COINS = tuple(row["symbol"] for row in json.loads(COINS_FILE.read_text()))

KEY_CLASSES = {
    "unique": Keys(),
    "searchable": Keys(support=KeySupport.SEARCHABLE),
    "searchable with lag": Keys(support=KeySupport.SEARCHABLE, lookup_lag_seconds=LAG_SECONDS),
    "none": Keys(support=KeySupport.NONE),
}


def venue_settings(key_class: str, accounts: Iterable[str]) -> VenueSettings:
    """Prices stand still; ten units fill in three parts. Beside what is always listed there are coins, for many orders at once."""
    if key_class in WIRES:
        return WIRES[key_class].settings(accounts)
    return VenueSettings(
        prices=PriceSource(volatility=0.0, start_prices=START_PRICES | dict.fromkeys(COINS, PRICE)),
        catalogue_file=COINS_FILE,
        fills=Fills(delay_seconds=0.12, max_quantity=Decimal(4)),
        keys=KEY_CLASSES[key_class],
        accounts=tuple(VenueAccount(account_id=account) for account in accounts),
    )


def capabilities(key_class: str, delivery_bound_seconds: float) -> BrokerCapabilities:
    declared = capabilities_of(VenueSettings(keys=KEY_CLASSES[key_class]))
    return replace(declared, delivery_bound_seconds=delivery_bound_seconds)


def longest_doubt_seconds(key_class: str) -> float:
    """How long an order that the venue has, and that can be asked for, may be in doubt."""
    lag = WIRES_LAG_SECONDS if key_class in WIRES else KEY_CLASSES[key_class].lookup_lag_seconds
    return LONGEST_DOUBT_SECONDS + lag


def finds_by_key(key_class: str) -> bool:
    """Whether an order that the venue has is found when it is asked for."""
    return key_class != "none"


def trusts_absence(key_class: str) -> bool:
    """Whether one that is not found is believed not to be there. Else a doubt about it is left to a person."""
    return WIRES[key_class].trusts_absence if key_class in WIRES else key_class != "none"


def is_of_another_day(key_class: str, sent_at: datetime) -> bool:
    """Whether the broker's lists do not reach back to a request any more: then it is never believed not to be there."""
    zone = WIRES[key_class].forgets_at_midnight_in if key_class in WIRES else None
    if zone is None:
        return False
    return sent_at.astimezone(ZoneInfo(zone)).date() != datetime.now(ZoneInfo(zone)).date()
