"""A new field of an order touches two files: it is added to a copy of the package, and followed from the signal to its view."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ADDED = {
    "domain/signal.py": "    display_quantity: Positive | None = None\n",
    "domain/order/terms.py": "    display_quantity: Later[Quantity | None] = None\n",
}
"""To each file, above the line of `limit_offset`."""

TRADE = """
import asyncio, json
from liveorder import Runner, Signal
from liveorder.application.ports.broker import SubmitRequest

async def main():
    async with Runner.open(store="sqlite:///orders.db", simulation={"venue_data": "venue.db"}, logs={"console": False}) as runner:
        asked = dict(symbol="BTC/USD", side="BUY", quantity="0.1")
        shown = await runner.execute(Signal(signal_id="a", display_quantity="0.05", **asked))
        plain = await runner.execute(Signal(signal_id="b", **asked))
        stored = [(await runner.history(each.order_id))[0].data for each in (shown, plain)]
    print(json.dumps([
        shown.to_dict()["display_quantity"],
        plain.to_dict()["display_quantity"],
        stored[0]["display_quantity"],
        "display_quantity" in stored[1],
        "display_quantity" in SubmitRequest.__struct_fields__,
    ]))

asyncio.run(main())
"""


def test_a_field_that_two_files_name_goes_from_the_signal_to_store_broker_and_view(tmp_path: Path) -> None:
    package = tmp_path / "packages" / "liveorder"
    shutil.copytree(ROOT / "src", package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, line in ADDED.items():
        before, mark, after = (package / name).read_text().partition("    limit_offset: ")
        assert mark
        (package / name).write_text(before + line + mark + after)
    done = subprocess.run(
        [sys.executable, "-c", TRADE],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(package.parent)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    in_view, in_plain_view, in_store, in_plain_store, in_request = json.loads(done.stdout)
    assert (in_view, in_plain_view) == ("0.05", None)
    assert (in_store, in_plain_store) == ("0.05", False)
    assert in_request
