"""What follows from what a broker declares."""

from __future__ import annotations

import pytest

from liveorder.domain.broker_capabilities import BrokerCapabilities


@pytest.mark.parametrize(("a_minute", "wanted", "expected"), [(200.0, 0.5, 1.2), (200.0, 5.0, 5.0), (10.0, 0.5, 24.0)])
def test_polls_use_no_more_than_a_quarter_of_what_the_broker_allows(a_minute: float, wanted: float, expected: float) -> None:
    assert BrokerCapabilities(requests_per_minute=a_minute).poll_seconds(wanted) == pytest.approx(expected)
