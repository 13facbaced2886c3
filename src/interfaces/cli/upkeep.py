"""Commands that look after settings, stores and read models."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from liveorder.application.intake.signal_schema import signal_json_schema
from liveorder.application.reporting.figures import plural
from liveorder.application.reporting.verification import Verification
from liveorder.bootstrap import backup as back_up
from liveorder.bootstrap import rebuild_views, verify_views, write_settings_template
from liveorder.domain.errors import InvalidInput
from liveorder.interfaces.cli.doctor_page import diagnose, print_diagnosis
from liveorder.interfaces.cli.exit_codes import ExitCode
from liveorder.interfaces.cli.options import AsJson, Config, Store, a_path, folder_remedy, settings_for
from liveorder.interfaces.cli.progress import bar, spinner
from liveorder.interfaces.cli.screen import print_json, say


def init(
    path: Annotated[Path, typer.Argument(parser=a_path, metavar="PATH", help="Where to write it.")] = Path("liveorder.toml"),
) -> None:
    """Write a settings file with every setting, its default and its meaning."""
    try:
        write_settings_template(path)
    except FileExistsError:
        raise InvalidInput("PATH", f"{path} already exists", "move it away or name another file") from None
    except OSError as error:
        raise InvalidInput("PATH", f"{path} cannot be written ({error.strerror})", folder_remedy(path)) from None
    say(f"wrote {path}; everything in it is commented out and shows the default")


def doctor(config: Config = None, store: Store = None, as_json: AsJson = False) -> None:
    """Check settings, store, lease, exchange calendars, files and brokers."""
    settings = settings_for(config, store)
    with spinner("Looking at everything"):
        found = asyncio.run(diagnose(settings, config))
    if as_json:
        print_json(found.to_dict())
    else:
        print_diagnosis(found)
    raise typer.Exit(ExitCode.OK if found.is_healthy else ExitCode.UNHEALTHY)


def backup(
    target: Annotated[str, typer.Argument(help="A new file (SQLite) or the URL of a database (PostgreSQL).")],
    config: Config = None,
    store: Store = None,
) -> None:
    """Copy the store while it is in use."""
    with spinner("Copying the store"):
        copy = asyncio.run(back_up(settings_for(config, store), target))
    say(f"the store is copied to {copy}; a service that starts from a copy is halted until `liveorder resume`; reconcile first")


def replay(
    config: Config = None,
    store: Store = None,
    as_json: AsJson = False,
    verify: Annotated[bool, typer.Option("--verify", help="Change nothing; compare with the present tables.")] = False,
) -> None:
    """Rebuild all lists and reports from the log."""
    settings = settings_for(config, store)
    if verify:
        with bar("Comparing") as progress:
            found = asyncio.run(verify_views(settings, progress))
        _print_comparison(found, as_json=as_json)
        raise typer.Exit(ExitCode.OK if found.is_equal else ExitCode.DIFFERS)
    with bar("Replaying") as progress:
        position = asyncio.run(rebuild_views(settings, progress))
    if as_json:
        print_json({"position": position})
    else:
        say(f"read models rebuilt from {plural(position, 'event')}")


def _print_comparison(found: Verification, *, as_json: bool) -> None:
    if as_json:
        differences = [{"table": item.table, "key": list(map(str, item.key))} for item in found.differences]
        print_json({"position": found.position, "rows": found.rows, "is_equal": found.is_equal, "differences": differences})
        return
    rows = plural(sum(found.rows.values()), "row")
    if found.is_equal:
        tables = plural(len(found.rows), "table")
        say(f"read models match the log ({tables}, {rows}, {plural(found.position, 'event')})", "green")
        return
    say(f"{plural(len(found.differences), 'difference')} in {rows}; `liveorder replay` rebuilds them", "bold red")
    for item in found.differences:
        say(f"  {item.table} {' '.join(map(str, item.key))}")


def schema() -> None:
    """Print the JSON Schema of a signal."""
    print_json(signal_json_schema())
