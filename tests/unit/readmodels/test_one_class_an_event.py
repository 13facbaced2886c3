"""A new kind of event is one class: declared here alone, it is stored, folded, described, logged and made an alert."""

from __future__ import annotations

import pytest

from liveorder.application.outbox.messages import ALERTS, Notices
from liveorder.application.outbox.outbox import Outbox
from liveorder.application.reporting.order_log import OrderLog
from liveorder.application.reporting.views import history_view
from liveorder.domain.events import RecordedEvent
from liveorder.domain.notice_event import NoticeEvent
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import OrderEvent
from liveorder.infrastructure.eventstore.mapper import DomainEventMapper
from tests.builders import SENT
from tests.harness.worlds import RememberedLog
from tests.unit.readmodels.logs import MemoryLog, StillClock, requested
from tests.unit.readmodels.test_outbox import Wall


class VenueChanged(OrderEvent):
    """The broker sent the order on to another venue."""

    topic = "example.VenueChanged@1"
    category = "ROUTING"
    notice = NoticeEvent.DOUBT

    venue: str

    def sentence(self) -> str:
        return f"Order sent on to {self.venue}"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        order.anomalies = order.anomalies | {f"venue:{self.venue}"}


CHANGED = VenueChanged(venue="IEX")


@pytest.fixture
def log() -> MemoryLog:
    log = MemoryLog()
    log.add(1, requested(1), SENT, CHANGED)
    return log


def test_it_is_stored_and_read(log: MemoryLog) -> None:
    mapper = DomainEventMapper([VenueChanged])
    assert mapper.to_domain_event(mapper.to_stored_event(log.events[-1])).event == CHANGED


def test_it_changes_its_order(log: MemoryLog) -> None:
    assert LiveOrder.replay(log.events).anomalies == {"venue:IEX"}


def test_it_says_what_happened_in_histories_and_in_the_log(log: MemoryLog) -> None:
    lines = RememberedLog()
    OrderLog(lines)(None, LiveOrder.replay(log.events), log.events[-1:])
    assert lines.lines == [("ROUTING", "Order sent on to IEX")]
    assert history_view(log.events[-1]).sentence == "Order sent on to IEX"


async def test_it_makes_an_alert(log: MemoryLog) -> None:
    wall = Wall()
    outbox = Outbox(log, Notices(wall, ALERTS), StillClock(), lambda error: None)  # type: ignore[arg-type]  # the part that it uses
    await outbox.open()
    log.add(2, requested(2), SENT, CHANGED)
    await outbox.flush()
    (alert,) = wall.told
    assert (alert.sentence, alert.category, alert.signal_id) == ("Order sent on to IEX", "WARNING", "signal-2")


def test_an_event_of_orders_that_does_not_say_what_it_does_is_a_defect(log: MemoryLog) -> None:
    class Unfinished(OrderEvent):
        pass

    log.add(1, Unfinished())
    with pytest.raises(NotImplementedError, match="Unfinished does not say what it does to an order"):
        LiveOrder.replay(log.events)
