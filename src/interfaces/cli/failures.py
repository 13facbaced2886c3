"""Errors as one line and an exit code, in one place for all commands."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from liveorder.interfaces.cli.exit_codes import ExitCode
from liveorder.interfaces.cli.screen import screen, shown

if TYPE_CHECKING:
    from pydantic import ValidationError

TRACEBACK_VARIABLE = "LIVEORDER_TRACEBACK"


class Failed(Exception):
    """Ends the command with this exit code. The message, if any, is for people."""

    def __init__(self, code: ExitCode, message: str = "") -> None:
        super().__init__(message)
        self.code, self.message = code, message


class CommandGroup(TyperGroup):
    """Runs the command and reports its failure. A traceback is shown only for a defect, and only if the environment asks for it."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, EOFError):
            raise
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            from liveorder.interfaces.cli.error_codes import code_of_system

            raise exit_with(_without_secrets(_of_system(error)), code_of_system(error)) from None
        except Exception as error:  # noqa: BLE001 - the outermost handler
            raise _ended_by(error) from None


def _ended_by(error: Exception) -> typer.Exit:
    """What sorts errors is imported only now: a command that succeeds does not need it."""
    from pydantic import ValidationError

    from liveorder.domain.errors import LiveOrderError
    from liveorder.interfaces.cli.error_codes import code_of

    match error:
        case Failed():
            return exit_with(error.message, error.code)
        case LiveOrderError():
            return exit_with(str(error), code_of(type(error)))
        case ValidationError():
            return exit_with(_first_of(error), ExitCode.INVALID_INPUT)
        case typer.TyperException():
            return exit_with(_of_usage(error), ExitCode.USAGE)
    if os.environ.get(TRACEBACK_VARIABLE):
        sys.stderr.writelines(map(_without_secrets, "".join(traceback.format_exception(error)).splitlines(keepends=True)))
        return typer.Exit(ExitCode.UNEXPECTED)
    return exit_with(_without_secrets(_of_defect(error)), ExitCode.UNEXPECTED)


def _without_secrets(text: str) -> str:
    from liveorder.bootstrap import without_secrets

    return without_secrets(text)


def exit_with(message: str, code: ExitCode) -> typer.Exit:
    """Print the message on standard error, and return the exception that ends the program."""
    if message:
        line = shown("error: ", "bold red").append_text(shown(message))
        screen(errors=True).print(line, soft_wrap=True)
    return typer.Exit(code)


def _first_of(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or error.title}: {first['msg']}"


def _of_system(error: OSError) -> str:
    what = f"{error.filename}: " if error.filename else ""
    return f"{what}{error.strerror or error}; check the path, its permissions and the space on the disk"


def _of_usage(error: typer.TyperException) -> str:
    """The message on one line, with the command whose help says more. Empty if Typer has already shown that help."""
    message = " ".join(error.format_message().replace("Value error, ", "").split()).rstrip(".")
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "liveorder"
    if _without_secrets(message) != message or "@" in message:
        message = "the command line is wrong; it is not repeated here, because it may contain a password"
    return f"{message}; see `{command} --help`" if message else ""


def _of_defect(error: Exception) -> str:
    return f"unexpected {type(error).__name__}: {error}; this is a defect, set {TRACEBACK_VARIABLE}=1 to see where"
