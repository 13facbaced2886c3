"""The capabilities that a broker may declare for a venue."""

from __future__ import annotations

from dataclasses import replace

from liveorder.domain.broker_capabilities import BrokerCapabilities, KeySupport
from liveorder.domain.values import AssetClass
from liveorder.infrastructure.brokers.simulated.broker import SIMULATED_CAPABILITIES
from liveorder.testing.venue.settings import VenueSettings


def capabilities_of(settings: VenueSettings) -> BrokerCapabilities:
    """The capabilities of a venue with these settings. Absence is trusted if keys can be searched."""
    keys = settings.keys
    return replace(
        SIMULATED_CAPABILITIES,
        key_support=keys.support,
        key_memory_seconds=keys.memory_seconds if keys.support is KeySupport.UNIQUE else 0.0,
        lookup_lag_seconds=keys.lookup_lag_seconds,
        position_lag_seconds=settings.positions_lag_seconds,
        trusts_absence=keys.support is not KeySupport.NONE,
        crosses_zero=all(account.crosses_zero for account in settings.accounts),
        fees_in_kind={AssetClass.CRYPTO: settings.commission.in_kind} if settings.commission.in_kind else {},
    )
