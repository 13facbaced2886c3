"""The LiveOrder aggregate: its events, its state, what we may ask of it and what a report amounts to."""

from liveorder.domain.order.open_request import OpenRequest
from liveorder.domain.order.state import LiveOrder

__all__ = ["LiveOrder", "OpenRequest"]
