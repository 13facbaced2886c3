"""One plain English sentence for each kind of event: for histories, log lines and notifications.

A sentence is made from the event alone. It quotes text from outside as it came: the caller escapes it before printing.
"""

from liveorder.application.reporting.descriptions import of_orders, of_trading
from liveorder.application.reporting.descriptions.of_orders import said_of_unattended
from liveorder.domain.events import Event

__all__ = ["SENTENCES", "said_of_unattended", "sentence"]

SENTENCES = of_orders.SENTENCES | of_trading.SENTENCES


def sentence(event: Event) -> str:
    """What happened. A kind of event that has no sentence of its own yet is told by its name."""
    tell = SENTENCES.get(type(event))
    return tell(event) if tell is not None else f"{event.shown_name} recorded"
