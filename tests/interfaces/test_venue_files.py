"""Each store has a simulated exchange of its own, in a file beside it; one of an earlier version goes on with its old one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from liveorder import ThreadedRunner
from liveorder.bootstrap.simulation import venue_settings
from liveorder.bootstrap.venue_files import is_former, reserve_venue, venue_path
from liveorder.domain.errors import StoreRefused
from liveorder.infrastructure.settings import Settings
from liveorder.testing.venue.journal import SqliteJournal
from tests.harness.worlds import RememberedLog

FORMER: dict[str, Any] = {"venue_data": "var/venue.db"}
"""Where earlier versions kept it by default, for every store."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def bought(store: str, signal_id: str, log: RememberedLog | None = None, **simulation: Any) -> tuple[str, list[str], bool]:
    """What became of a purchase, what is held then, and whether our books are the exchange's."""
    quiet: dict[str, Any] = {"logs": {"console": False}, "simulation": simulation}
    with ThreadedRunner(store=f"sqlite:///{store}", log=log, **quiet) as runner:
        order = runner.buy("BTC/USD", "0.01", signal_id=signal_id)
        order = runner.wait_closed(order.order_id, 30)
        held = [f"{each.quantity:f}" for each in runner.positions()]
        return order.status, held, all(report.is_clean for report in runner.reconcile())


def test_a_new_store_meets_no_exchange_of_another_store() -> None:
    assert bought("var/old.db", "a", **FORMER) == ("FILLED", ["0.01"], True)
    assert bought("var/new.db", "b") == ("FILLED", ["0.01"], True)
    assert Path("var/new-venue.db").is_file()


def test_a_store_of_an_earlier_version_keeps_its_exchange_and_the_log_says_so() -> None:
    log = RememberedLog()
    bought("var/liveorder.db", "a", **FORMER)
    assert bought("var/liveorder.db", "b", log) == ("FILLED", ["0.02"], True)
    assert not Path("var/liveorder-venue.db").exists()
    (said,) = log.of("SIMULATION")
    assert said.endswith("its orders stay in var/venue.db, where an earlier version kept them")


def test_a_store_that_was_deleted_begins_anew_and_its_old_exchange_is_kept() -> None:
    log = RememberedLog()
    bought("liveorder.db", "a")
    for path in Path().glob("liveorder.db*"):
        path.unlink()
    assert bought("liveorder.db", "b", log) == ("FILLED", ["0.01"], True)
    assert Path("liveorder-venue.1.db").is_file()
    assert "that of the store before is kept as liveorder-venue.1.db" in str(log.lines)


def settings(**more: Any) -> Settings:
    return Settings(**({"store": "sqlite:///var/mine.db"} | more))


def test_an_exchange_lies_beside_its_store() -> None:
    assert venue_path(settings()) == Path("var/mine-venue.db")
    assert venue_path(settings(simulation={"venue_data": "x.db"})) == Path("x.db")
    one, other = (venue_path(settings(store=f"postgresql://h/d?schema={name}")) for name in ("one", "other"))
    assert one != other
    assert one.parent == Path("var")


def test_a_new_store_reserves_its_exchange_before_it_exists_so_that_an_old_one_is_never_taken_for_it() -> None:
    Path("var").mkdir()
    SqliteJournal(Path("var/venue.db")).close()
    assert asyncio.run(reserve_venue(settings())) is None
    Path("var/mine.db").touch()
    assert (venue_path(settings()), is_former(settings())) == (Path("var/mine-venue.db"), False)


@pytest.mark.parametrize("former", ["var/venue.db", "elsewhere/venue.db"])
def test_an_old_exchange_is_found_for_a_store_that_is_there_only(former: str) -> None:
    mine = settings(store="sqlite:///elsewhere/mine.db")
    for name in ("var", "elsewhere"):
        Path(name).mkdir()
    Path(former).touch()
    assert not is_former(mine)
    Path("elsewhere/mine.db").touch()
    assert (venue_path(mine), is_former(mine)) == (Path(former), True)


def test_a_store_called_venue_is_not_taken_for_an_exchange() -> None:
    Path("var").mkdir()
    Path("var/venue.db").touch()
    assert venue_path(settings(store="sqlite:///var/venue.db")) == Path("var/venue-venue.db")


def test_an_exchange_that_another_process_uses_is_not_taken_from_it() -> None:
    Path("var").mkdir()
    used = SqliteJournal(Path("var/mine-venue.db"))
    with pytest.raises(StoreRefused, match=r"var/mine-venue\.db: database is locked"):
        asyncio.run(reserve_venue(settings()))
    used.close()


@pytest.mark.parametrize(
    ("chosen", "of_the_file", "hold"),
    [({}, "", "always"), ({}, "exchange", "exchange"), ({"hours": "always"}, "exchange", "always"), ({}, "always", "always")],
)
def test_the_hours_of_the_settings_win_over_those_of_the_exchanges_file(
    chosen: dict[str, str], of_the_file: str, hold: str
) -> None:
    Path("venue.toml").write_text(f'hours = "{of_the_file}"' if of_the_file else "")
    assert venue_settings(settings(simulation=chosen | {"venue_settings": "venue.toml"})).hours == hold
