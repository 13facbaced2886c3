"""The LiveOrder aggregate: its events, its state, what we may ask of it and what a report amounts to."""

from liveorder.domain.order.state import LiveOrder, OpenRequest

__all__ = ["LiveOrder", "OpenRequest"]
