"""Whatever goes wrong, a person gets one clear line and a script gets a code; never a traceback."""

from __future__ import annotations

from socket import gaierror

import pytest
import typer
from pydantic import BaseModel
from typer.testing import CliRunner, Result

from liveorder.domain.errors import InvalidInput, LeaseLost
from liveorder.interfaces.cli.exit_codes import ExitCode
from liveorder.interfaces.cli.failures import TRACEBACK_VARIABLE, CommandGroup, Failed
from tests.unit.cli.pages import HARMLESS, HOSTILE


class _Strict(BaseModel):
    number: int


def run(error: BaseException | None, *arguments: str) -> Result:
    """A command that fails with `error`."""
    app = typer.Typer(cls=CommandGroup, pretty_exceptions_enable=False)

    @app.command("act")
    def act(count: int = 0) -> None:
        if error is not None:
            raise error
        if count == 13:
            _Strict.model_validate({"number": "many"})

    @app.command("rest")
    def rest() -> None:
        """A second command, or there would be no group."""

    return CliRunner().invoke(app, arguments or ["act"])


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InvalidInput("limit_price", "none given", "add one"), 3, "error: limit_price: none given; add one"),
        (LeaseLost("owned by vm:7"), 9, "error: owned by vm:7"),
        (Failed(ExitCode.NOT_FLAT, "positions are left"), 13, "error: positions are left"),
        (FileNotFoundError(2, "No such file", "quotes.csv"), 3, "error: quotes.csv: No such file; check the path, its permissions"),
        (PermissionError(13, "Permission denied", "logs"), 3, "error: logs: Permission denied; check the path, its permissions"),
        (OSError(98, "Address already in use"), 3, "error: Address already in use"),
        (gaierror(-2, "Name or service not known"), 3, "error: Name or service not known"),
        (
            OSError(28, "No space left on device", "a.log"),
            8,
            "error: a.log: No space left on device; check the path, its permissions",
        ),
        (ZeroDivisionError("division by zero"), 1, "error: unexpected ZeroDivisionError: division by zero; this is a defect"),
        (LeaseLost(HOSTILE), 9, f"error: {HARMLESS}"),
    ],
)
def test_an_error_is_one_line_and_a_code(error: BaseException, code: int, line: str) -> None:
    result = run(error)
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith(line)
    assert result.stderr.count("\n") == 1


def test_a_value_that_does_not_validate_is_named_by_its_field() -> None:
    result = run(None, "act", "--count", "13")
    assert result.exit_code == ExitCode.INVALID_INPUT
    assert result.stderr.startswith("error: number: ")


@pytest.mark.parametrize(
    ("arguments", "says"), [(["act", "--cuont", "1"], "--cuont"), (["act", "--count", "x"], "--count"), (["[red]x"], "[red]x")]
)
def test_a_wrong_command_line_is_one_line_that_leads_to_help(arguments: list[str], says: str) -> None:
    result = run(None, *arguments)
    assert result.exit_code == ExitCode.USAGE
    assert says in result.stderr
    assert "--help" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_silent_failure_prints_nothing() -> None:
    result = run(Failed(ExitCode.DIFFERS))
    assert (result.exit_code, result.output) == (14, "")


def test_the_environment_can_ask_for_the_traceback_of_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TRACEBACK_VARIABLE, "1")
    result = run(ZeroDivisionError("division by zero"))
    assert result.exit_code == ExitCode.UNEXPECTED
    assert result.stderr.startswith("Traceback (most recent call last):\n")
    assert result.stderr.endswith("ZeroDivisionError: division by zero\n")
