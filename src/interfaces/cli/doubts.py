"""`doubts`: requests of which nobody knows what became of them."""

from __future__ import annotations

import asyncio

from liveorder.bootstrap import standing_doubts
from liveorder.interfaces.cli.doubts_page import print_doubts
from liveorder.interfaces.cli.options import AsJson, Config, Store, person, settings_for
from liveorder.interfaces.cli.screen import print_json


def doubts(config: Config = None, store: Store = None, as_json: AsJson = False) -> None:
    """List requests of which nobody knows whether the broker received them."""
    found = asyncio.run(standing_doubts(settings_for(config, store), actor=person()))
    if as_json:
        print_json([doubt.to_dict() for doubt in found])
    else:
        print_doubts(found)
