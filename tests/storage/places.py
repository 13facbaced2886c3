"""Where a program of a user's keeps its store: the settings of a simulation, on either database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.contract.event_stores import PostgresSite, require_postgres


@dataclass(frozen=True)
class Place:
    url: str
    settings: dict[str, Any]


def places(kind: str, folder: Path) -> Iterator[Place]:
    """One, until it is given back."""
    if kind == "postgres":
        require_postgres()
        site = PostgresSite()
        yield _in(folder, site.url)
        asyncio.run(site.remove())
    else:
        yield _in(folder, f"sqlite:///{folder / 'orders.db'}")


def _in(folder: Path, url: str) -> Place:
    settings: dict[str, Any] = {
        "trading_mode": "SIMULATION",
        "store": url,
        "read_model": f"sqlite:///{folder / 'views.db'}",
        "simulation": {"venue_data": folder / "venue.db"},
        "logs": {"directory": folder / "logs", "console": False},
    }
    return Place(url, settings)
