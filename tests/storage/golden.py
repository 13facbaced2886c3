"""A store with orders in every state that a version can leave open, kept as text for the versions that come after it.

`python -m tests.storage.golden > tests/storage/fixtures/store_vN.sql` makes the one of the present version: once, never again.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

from liveorder.domain.errors import BrokerTimeoutError
from liveorder.domain.trading_halt import HaltReason, account_scope
from liveorder.infrastructure.eventstore.sqlite import APPLICATION_ID
from liveorder.testing.venue.settings import Fills
from tests.engine.scenes import STILL, a_limit, a_scene, a_signal
from tests.harness.virtual_time import run_virtually

FIXTURES = Path(__file__).parent / "fixtures"
UNFILLED = STILL.model_copy(update={"fills": Fills(automatic=False)})
LEFT_OPEN = {"resting": "SUBMITTED", "partial": "PARTIAL", "replaced": "SUBMITTED", "in doubt": "SUBMITTED", "cancel": "SUBMITTED"}
"""By signal."""


async def make(folder: Path) -> None:
    """Dies in the end, so that nothing is put in order."""
    async with a_scene(folder, UNFILLED) as scene:
        engine = scene.engine()
        await engine.start()
        await engine.execute.execute(a_signal("refused", side="SELL"))
        orders = {
            name: await engine.execute.execute(a_limit(name, time_in_force="GTC")) for name in LEFT_OPEN if name != "in doubt"
        }
        filled = await engine.execute.execute(a_signal("filled"))
        await scene.control.fill(filled.broker_order_id or "", Decimal(10), Decimal(500))
        await scene.control.fill(orders["partial"].broker_order_id or "", Decimal(3), Decimal(400))
        await engine.reconcile.reconcile_all()
        await engine.replace.replace(orders["replaced"].order_id, limit_price=Decimal(401))
        scene.witness.will_raise("submit", BrokerTimeoutError("no answer"))
        await engine.execute.execute(a_limit("in doubt", time_in_force="GTC"))
        scene.witness.will_raise("cancel", BrokerTimeoutError("no answer"))
        await engine.cancel.cancel(orders["cancel"].order_id)
        await engine.halts.halt(account_scope("ANOTHER"), HaltReason.KILL_SWITCH, "to be kept", "person:ann")
        await scene.dies(engine)
        await engine.store.close()


def as_text(path: Path) -> Iterator[str]:
    """SQL, one statement a line, with the events as they are to be read, and nothing of the machine that made it."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM checkpoints WHERE name='place'")
        connection.execute("UPDATE lease SET details='{}'")
        yield f"PRAGMA application_id={APPLICATION_ID};"
        for statement in connection.iterdump():
            head, is_event, hexadecimal = " ".join(statement.split("\n")).partition(",X'")
            state = bytes.fromhex(hexadecimal.rstrip("');") if is_event else "").decode().replace("'", "''")
            yield f"{head},CAST('{state}' AS BLOB));" if is_event else head


def put(version: int, path: Path) -> None:
    """The store of that version, as a file."""
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript((FIXTURES / f"store_v{version}.sql").read_text())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        run_virtually(make(Path(name)))
        sys.stdout.writelines(f"{line}\n" for line in as_text(Path(name) / "orders.db"))
