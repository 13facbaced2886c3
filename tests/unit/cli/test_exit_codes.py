"""Exit codes are a contract with scripts: each has a meaning, and each kind of error has its own."""

from __future__ import annotations

import pytest

from liveorder.domain import errors
from liveorder.domain.resent_signal import SignalContentDiffers
from liveorder.interfaces.cli.error_codes import code_named, code_of
from liveorder.interfaces.cli.exit_codes import ExitCode, as_text


def test_every_code_is_documented_on_a_line_of_its_own() -> None:
    assert [line.split()[0] for line in as_text().splitlines()] == [str(code.value) for code in ExitCode]
    assert all(code.meaning for code in ExitCode)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidInput, ExitCode.INVALID_INPUT),
        (SignalContentDiffers, ExitCode.INVALID_INPUT),
        (errors.SettingsError, ExitCode.SETTINGS),
        (errors.OrderNotFound, ExitCode.NOT_FOUND),
        (errors.DecisionRefused, ExitCode.REFUSED),
        (errors.StoreRefused, ExitCode.STORE_REFUSED),
        (errors.StoreUnavailable, ExitCode.STORE_UNAVAILABLE),
        (errors.VersionConflict, ExitCode.STORE_UNAVAILABLE),
        (errors.LeaseLost, ExitCode.STORE_OWNED),
        (errors.TradingIsHalted, ExitCode.HALTED),
        (errors.BrokerConnectionError, ExitCode.BROKER),
        (errors.BrokerTimeoutError, ExitCode.OUTCOME_UNKNOWN),
        (errors.LiveOrderError, ExitCode.REFUSED),
    ],
)
def test_a_kind_of_error_has_its_code_here_and_from_another_process(error: type[errors.LiveOrderError], code: ExitCode) -> None:
    assert code_of(error) is code
    assert code_named(error.__name__) is code


def test_an_error_of_a_name_that_nobody_knows_is_a_refusal() -> None:
    assert code_named("FromTheFuture") is ExitCode.REFUSED
