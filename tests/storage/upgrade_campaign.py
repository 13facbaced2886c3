"""``python -m tests.storage.upgrade_campaign --page docs/reliability.md``: every upgrade killed and paused, with its figures."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.harness.figures import described, machine, publish, table
from tests.postgres_databases import lend_database, take_back_database, url_of_database
from tests.storage.old_versions import COMMITS, NEVER_ARRIVED, load, names, put
from tests.storage.paused import pause_migrate_go_on
from tests.storage.upgrading import keys_at, killed_at_each_statement, sent_again, store_of

COMMAND = "make killmatrix, upgrades"


@dataclass(frozen=True)
class Upgrade:
    """Of one store: kills, what they left, and the venue's orders before and after its signals came again."""

    name: str
    kills: int
    neither_old_nor_new: int
    before: int
    after: int
    lost: int
    """Requests that never arrived: each may be sent, once."""

    @property
    def is_broken(self) -> bool:
        return bool(self.neither_old_nor_new) or not 0 <= self.after - self.before <= self.lost


@contextmanager
def a_database() -> Iterator[str]:
    database = lend_database()
    try:
        yield f"{url_of_database(database)}?schema=of_a_test"
    finally:
        take_back_database(database)


def upgraded(name: str) -> Upgrade:
    with tempfile.TemporaryDirectory() as folder, a_database() as url:
        place = Path(folder)
        settings = load(name, place, url) if name.startswith("postgres-") else put(name, place)
        before = len(keys_at(place))
        *killed, committed = killed_at_each_statement(store_of(settings))
        wrong = sum(version != "1" for version in killed) + (committed != "2")
        came = asyncio.run(sent_again(settings, place))
        return Upgrade(name, len(killed) + 1, wrong, before, len(keys_at(place)), len(came.get(NEVER_ARRIVED, ())))


def paused(commit: str, engine: str) -> int:
    with tempfile.TemporaryDirectory() as folder, a_database() as url:
        store = url.partition("?")[0] if engine == "postgres" else f"sqlite:///{folder}/orders.db"
        return pause_migrate_go_on(commit, store, Path(folder))


def main(arguments: Sequence[str] | None = None) -> int:
    """1 where a store was left neither old nor new, or a signal traded again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=Path)
    page = parser.parse_args(arguments).page
    began = time.monotonic()
    upgrades = [upgraded(name) for name in (*names(), *names(postgres=True))]
    pauses = [(commit, engine, paused(commit, engine)) for commit in (COMMITS[0], COMMITS[-1]) for engine in ("sqlite", "postgres")]
    text = figures(upgrades, pauses, time.monotonic() - began)
    sys.stdout.write(f"{text}\n")
    if page is not None:
        publish(page, COMMAND, text)
    return int(any(each.is_broken for each in upgrades))


def figures(upgrades: Sequence[Upgrade], pauses: Sequence[tuple[str, str, int]], seconds: float) -> str:
    kills, broken = sum(each.kills for each in upgrades), sum(each.is_broken for each in upgrades)
    head = (
        "store written by",
        "kills",
        "neither old nor new",
        "orders at the venue",
        "after the signals came again",
        "never arrived",
    )
    rows = [
        (each.name, str(each.kills), str(each.neither_old_nor_new), str(each.before), str(each.after), str(each.lost))
        for each in upgrades
    ]
    held = [(commit, engine, "0", "0", str(placed)) for commit, engine, placed in pauses]
    in_short = f"**{kills} kills in the migrations of {len(upgrades)} stores; broken: {broken}.**"
    return "\n\n".join(
        (
            f"{in_short} {described(machine())}, {seconds:.0f} s.",
            table(head, rows),
            table(("paused service of", "store", "events stored after", "orders sent after", "placed by this version then"), held),
        )
    )


if __name__ == "__main__":
    sys.exit(main())
