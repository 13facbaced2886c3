"""What is done to an earlier version's store: its migration killed, its signals sent again, the venue's orders counted."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from liveorder import Runner, Signal
from liveorder.domain.signal import UnusableSignal
from tests.storage.old_versions import at_venue


def store_of(settings: Path) -> str:
    """The URL in a fixture's settings."""
    return next(line.split('"')[1] for line in settings.read_text().splitlines() if line.startswith("store"))


def killed_at_each_statement(store_url: str) -> list[str]:
    """The store's schema version after each death: one before each statement, one before the commit, one after it."""
    command = [sys.executable, "-m", "tests.storage.killed_migration", store_url]
    said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2]).stdout
    return [line.split()[1] for line in said.splitlines()]


def spellings(line: str) -> Iterator[Mapping[str, Any]]:
    """A signal as it came, without its account, and with the one that it would get."""
    try:
        fields = json.loads(line)
    except ValueError:
        return
    plain = {name: value for name, value in fields.items() if name != "account_id"}
    yield fields
    if "signal_id" in fields:  # else its account is part of what it is known by
        yield plain if "account_id" in fields else {**plain, "account_id": "acc_us"}


def keys_at(folder: Path) -> list[str]:
    """What the venue's orders are known by, one for each order."""
    placed = (dict(order["placed"]) for order in at_venue(folder))  # type: ignore[call-overload]  # JSON
    return sorted(str(each["client_order_id"]) for each in placed)


async def sent_again(settings: Path, folder: Path) -> dict[str, set[UUID]]:
    """Every signal in every spelling, and the orders that it is; one of its messages may be a dead letter."""
    came: dict[str, set[UUID]] = {}
    async with Runner.open(config=settings, logs={"console": False, "directory": str(folder / "logs")}) as runner:
        for line in (folder / "signals.jsonl").read_text().splitlines():
            for fields in spellings(line):
                if fields.get("account_id") == "acc_eu" or fields.get("signal_id") == "s-other-account":
                    continue
                with suppress(UnusableSignal):
                    order = await runner.execute(Signal.parse(json.dumps(fields)))
                    came.setdefault(str(fields.get("signal_id")), set()).add(order.order_id)
    return came
