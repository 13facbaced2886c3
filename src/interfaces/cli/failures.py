"""Errors as one line and an exit code, in one place for all commands."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from typing import Any

import typer
from pydantic import ValidationError
from typer.core import TyperGroup

from liveorder.bootstrap import without_secrets
from liveorder.domain.errors import LiveOrderError
from liveorder.interfaces.cli.exit_codes import ExitCode, code_of, code_of_system
from liveorder.interfaces.cli.lists import command_of_package
from liveorder.interfaces.cli.screen import screen, shown

TRACEBACK_VARIABLE = "LIVEORDER_TRACEBACK"


class Failed(Exception):
    """Ends the command with this exit code. The message, if any, is for people."""

    def __init__(self, code: ExitCode, message: str = "") -> None:
        super().__init__(message)
        self.code, self.message = code, message


class CommandGroup(TyperGroup):
    """Runs the command and reports its failure. A traceback is shown only for a defect, and only if the environment asks for it."""

    def get_command(self, ctx: Any, name: str) -> Any:
        """One of ours, or the list of a read model of an installed package."""
        return super().get_command(ctx, name) or command_of_package(name.replace("-", "_"))

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Failed as failure:
            raise exit_with(failure.message, failure.code) from None
        except LiveOrderError as error:
            raise exit_with(str(error), code_of(type(error))) from None
        except ValidationError as error:
            raise exit_with(_first_of(error), ExitCode.INVALID_INPUT) from None
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            raise exit_with(without_secrets(_of_system(error)), code_of_system(error)) from None
        except (typer.Exit, typer.Abort, EOFError):
            raise
        except typer.TyperException as error:
            raise exit_with(_of_usage(error), ExitCode.USAGE) from None
        except Exception as error:  # noqa: BLE001 - the outermost handler
            if os.environ.get(TRACEBACK_VARIABLE):
                sys.stderr.writelines(map(without_secrets, traceback.format_exc().splitlines(keepends=True)))
                raise typer.Exit(ExitCode.UNEXPECTED) from None
            raise exit_with(without_secrets(_of_defect(error)), ExitCode.UNEXPECTED) from None


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
    if without_secrets(message) != message or "@" in message:
        message = "the command line is wrong; it is not repeated here, because it may contain a password"
    return f"{message}; see `{command} --help`" if message else ""


def _of_defect(error: Exception) -> str:
    return f"unexpected {type(error).__name__}: {error}; this is a defect, set {TRACEBACK_VARIABLE}=1 to see where"
