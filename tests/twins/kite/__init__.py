"""Kite as its client library meets it: a server of its wire protocol, in front of the simulated exchange."""

from tests.twins.kite.server import API_KEY, API_SECRET, REQUEST_TOKEN, USER_ID, KiteTwin
from tests.twins.kite.serving import kite_twin
from tests.twins.kite.venue import venue_settings

__all__ = ["API_KEY", "API_SECRET", "REQUEST_TOKEN", "USER_ID", "KiteTwin", "kite_twin", "venue_settings"]
