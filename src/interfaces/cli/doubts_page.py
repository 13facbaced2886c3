"""Requests with an unknown outcome, and how a person ends one."""

from __future__ import annotations

from collections.abc import Sequence

from liveorder.application.reporting.columns import Column
from liveorder.application.reporting.figures import moment, money, number, plural, without_year
from liveorder.application.reporting.views import DoubtView
from liveorder.interfaces.cli.screen import say, suggest
from liveorder.interfaces.cli.tables import print_pairs, print_table


def _exposure(doubt: DoubtView) -> str:
    return f"{doubt.side.value} {number(doubt.exposure_quantity)}, {money(doubt.exposure_value)} {doubt.currency}"


DOUBTS: tuple[Column[DoubtView], ...] = (
    Column("Order", lambda doubt: doubt.client_order_id, is_id=True),
    Column("Symbol", lambda doubt: doubt.symbol),
    Column("Request", lambda doubt: doubt.kind),
    Column("Since (UTC)", lambda doubt: without_year(doubt.unknown_since)),
    Column("Could come to", _exposure),
    Column("Account", lambda doubt: f"{doubt.account_id} at {doubt.broker}", rank=1, tells=True),
    Column("Request id", lambda doubt: doubt.request_id, rank=2),
    Column("Signal", lambda doubt: doubt.signal_id, rank=3),
)


def _asked(doubt: DoubtView) -> str:
    if not doubt.is_being_asked:
        return f"{doubt.why}. Not being resolved: no service runs, or it did not answer"
    if not doubt.asked:
        return f"{doubt.why}. Not asked yet"
    return f"{doubt.why}. Asked {plural(doubt.asked, 'time')}, last {moment(doubt.last_asked_at)}: {doubt.last_answer}"


def print_doubts(doubts: Sequence[DoubtView]) -> None:
    print_table("In doubt", DOUBTS, doubts, "Nothing is in doubt.")
    print_pairs("Why, and what the broker says", [(doubt.client_order_id, _asked(doubt)) for doubt in doubts])
    if doubts:
        say("A running service keeps asking. To end a doubt yourself, look at the broker, then either of:")
        suggest("liveorder settle ID --found BROKER_ORDER_ID --evidence 'seen in its order book'")
        suggest("liveorder settle ID --absent --evidence 'its order book of the day has none'")
