"""A program that follows every event and goes on where it was: `python examples/embedded_events.py`.

It keeps the position of the last event that it has dealt with in a file. Run it twice, or kill it anywhere: each event is dealt
with once, in order, and those of the time in between come first. (Killed between dealing with one and keeping its position, it
deals with that one again: where that must not be, keep the position together with what is done, in one transaction.)
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from liveorder import ThreadedRunner

PLACE = Path("var/embedded-events/position")


def main() -> None:
    PLACE.parent.mkdir(parents=True, exist_ok=True)
    reached = int(PLACE.read_text()) if PLACE.exists() else 0
    with ThreadedRunner(
        trading_mode="SIMULATION",
        store="sqlite:///var/embedded-events/liveorder.db",
        simulation={"venue_data": "var/embedded-events/venue.db"},
        logs={"directory": "var/embedded-events/logs", "console": False},
    ) as runner:
        order = runner.buy("BTC/USD", "0.01", signal_id=f"btc-{datetime.now(UTC):%Y-%m-%d}")
        runner.wait_closed(order.order_id, timeout_seconds=30)
        end = runner.position()
        if reached < end:
            for event in runner.events(after=reached):
                sys.stdout.write(f"{event.position:4} {event.fact}: {event.sentence}\n")
                PLACE.write_text(str(event.position))
                if event.position >= end:
                    break
        sys.stdout.write(f"at {end}\n")


if __name__ == "__main__":
    main()
