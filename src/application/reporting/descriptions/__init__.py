"""One plain English sentence for each kind of fact: for histories, log lines and notifications.

A sentence is made from the event alone. It quotes text from outside as it came: the caller escapes it before printing.
"""

from liveorder.application.reporting.descriptions import of_orders, of_trading
from liveorder.application.reporting.descriptions.of_orders import said_of_unattended
from liveorder.domain.facts import Fact

__all__ = ["SENTENCES", "said_of_unattended", "sentence"]

SENTENCES = of_orders.SENTENCES | of_trading.SENTENCES


def sentence(fact: Fact) -> str:
    """What happened. A kind of fact that has no sentence of its own yet is told by its name."""
    tell = SENTENCES.get(type(fact))
    return tell(fact) if tell is not None else f"{fact.shown_name} recorded"
