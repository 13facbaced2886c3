"""Events of other programs among the orders: every command goes on as if they were not there."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import StoredEvent, Tracking

from liveorder import ThreadedRunner, open_recorder
from liveorder.domain.errors import OrderNotFound, StoreRefused
from tests.interfaces.command_line import CommandLine

STORE = "sqlite:///liveorder.db"


def put(stream: UUID, versions: range) -> None:
    with open_recorder(STORE) as recorder:
        for version in versions:
            recorder.insert_events([StoredEvent(stream, version, "notes:Noted", b"{}")], tracking=Tracking("notes", version))


def test_commands_pass_over_them(cli: CommandLine) -> None:
    stream = uuid4()
    cli.signals({"signal_id": "s-1", "symbol": "BTC/USD", "side": "BUY", "quantity": 1})
    cli.trade()
    put(stream, range(1, 8))
    cli.signals(
        {"signal_id": "s-1", "symbol": "BTC/USD", "side": "BUY", "quantity": 1},
        {"signal_id": "s-2", "symbol": "BTC/USD", "side": "SELL", "quantity": 1},
        "no signal",
    )
    assert cli.trade().exit_code == 0
    put(stream, range(8, 12))
    assert [order["status"] for order in cli.json("orders")] == ["FILLED", "FILLED"]
    assert len(cli.json("signals")) == 3
    assert cli.run("status").exit_code == 0
    doctor = cli.run("doctor")
    assert doctor.exit_code == 0, doctor.stdout
    verified = cli.run("replay", "--verify")
    assert verified.exit_code == 0, verified.stdout
    before = cli.json("positions")
    assert cli.run("replay").stdout == "read models rebuilt from 22 events\n"
    assert cli.json("positions") == before
    assert cli.run("replay", "--verify").exit_code == 0
    assert cli.run("backup", "copy.db").exit_code == 0


def test_an_unfinished_order_is_taken_up_behind_them(cli: CommandLine) -> None:
    with ThreadedRunner() as runner:
        resting = runner.buy("BTC/USD", 1, signal_id="s-1", order_type="LIMIT", limit_price=100)
        assert resting.status == "SUBMITTED"
        for version in range(1, 150):
            runner.recorder.insert_events([StoredEvent(UUID(int=1), version, "notes:Noted", b"{}")])
    with ThreadedRunner() as runner:
        assert [order.order_id for order in runner.active_orders()] == [resting.order_id]
        assert runner.cancel(resting.order_id).order_id == resting.order_id
        assert runner.wait_closed(resting.order_id, 30).status == "CANCELLED"
        assert [order.status for order in runner.orders()] == ["CANCELLED"]
        with pytest.raises(OrderNotFound):
            runner.history(UUID(int=1))
    assert cli.run("doctor").exit_code == 0
    assert cli.run("replay", "--verify").exit_code == 0


def test_a_store_that_is_not_there_is_not_made(cli: CommandLine) -> None:
    for read_only in (True, False):
        with (
            pytest.raises(StoreRefused, match=r"there is no store at nowhere.db"),
            open_recorder("sqlite:///nowhere.db", read_only=read_only),
        ):
            pass
    assert not (cli.folder / "nowhere.db").exists()
