"""By the real command line: a store is lost or put back from a backup, and the same signals come again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from liveorder.interfaces.cli.exit_codes import ExitCode
from tests.interfaces.command_line import SETTINGS, CommandLine, coin


@pytest.fixture
def traded(cli: CommandLine) -> CommandLine:
    """A backup was made between two runs."""
    cli.signals(coin("known"))
    assert cli.trade().exit_code == 0
    assert cli.run("backup", "backup.db").exit_code == 0
    cli.signals(coin("known"), coin("sent after it"))
    assert cli.trade().exit_code == 0
    return cli


def restore(cli: CommandLine) -> None:
    remove(cli)
    (cli.folder / "backup.db").rename(cli.folder / "liveorder.db")


def remove(cli: CommandLine) -> None:
    for path in cli.folder.glob("liveorder.db*"):
        path.unlink()


LOSSES: dict[str, Callable[[CommandLine], None]] = {"restored": restore, "deleted": remove}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_lost_store_says_that_it_is_halted_and_after_the_resume_the_same_signals_send_nothing(
    traded: CommandLine, loss: str
) -> None:
    before = {signal_id: traded.json("order", signal_id) for signal_id in ("known", "sent after it")}
    LOSSES[loss](traded)
    traded.run("reconcile")
    status = traded.json("status")
    assert "resume" in " ".join(status["halts"])
    assert traded.run("resume").exit_code == 0
    traded.run("resume", "--account", "SIM")
    assert traded.json("status")["halts"] == []
    traded.trade()
    for signal_id, sent in before.items():
        again = traded.json("order", signal_id)
        same = ("client_order_id", "broker_order_id", "status", "filled_quantity")
        assert [again[name] for name in same] == [sent[name] for name in same]
    assert traded.run("reconcile").exit_code == 0


def test_another_accounts_store_is_refused(traded: CommandLine) -> None:
    traded.write("liveorder.toml", SETTINGS.replace('id = "SIM"', 'id = "OTHER"'))
    refused = traded.trade()
    assert refused.exit_code == ExitCode.STORE_REFUSED
    assert "knows the accounts SIM" in refused.output
