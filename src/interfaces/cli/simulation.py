"""Commands about the simulated venue."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

import liveorder
from liveorder.bootstrap import file_source, serve_venue
from liveorder.interfaces.cli.interruption import Interruption
from liveorder.interfaces.cli.options import AsJson, Config, a_path, settings_for
from liveorder.interfaces.cli.run_page import print_outcome
from liveorder.interfaces.cli.running import ended_by, trade
from liveorder.interfaces.cli.screen import print_json, say, suggest

_PACKAGE = Path(liveorder.__file__).resolve().parent
EXAMPLES = next(filter(Path.is_dir, (_PACKAGE / "examples", _PACKAGE.parent / "examples")))
"""The examples' folder: in the package where it is installed, beside it in a checkout."""


def venue(
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    data: Annotated[
        Path | None,
        typer.Option(parser=a_path, metavar="PATH", help="File that keeps its state; without it the state is lost at the end."),
    ] = None,
    ready_file: Annotated[
        Path | None, typer.Option("--ready-file", parser=a_path, metavar="PATH", help="HOST:PORT is written here once it listens.")
    ] = None,
    config: Config = None,
) -> None:
    """Run the simulated venue as a process of its own."""
    settings = settings_for(config, None)

    async def serve() -> None:
        with Interruption():
            await serve_venue(settings, host=host, port=port, data=data, ready_file=ready_file)

    try:
        asyncio.run(serve())
    except asyncio.CancelledError:
        say("venue closed")


def demo(
    directory: Annotated[
        Path, typer.Option("--directory", parser=a_path, metavar="PATH", help="Where it keeps everything.")
    ] = Path("var/demo"),
    as_json: AsJson = False,
) -> None:
    """Run the shipped example. A second run finds every signal known and places nothing."""
    settings = settings_for(
        EXAMPLES / "liveorder.toml",
        f"sqlite:///{directory / 'liveorder.db'}",
        read_model=f"sqlite:///{directory / 'liveorder-views.db'}",
        confirmations=directory / "confirmations.jsonl",
        logs={"directory": directory / "logs"},
        simulation={
            "quotes": EXAMPLES / "quotes.csv",
            "venue_settings": EXAMPLES / "venue.toml",
        },
    )
    outcome = trade(settings, [file_source(settings, EXAMPLES / "signals.jsonl", follow=False)], until_idle=True)
    if as_json:
        print_json(outcome.to_dict())
    else:
        print_outcome(outcome, in_full=True)
        say("Look again at any time:")
        suggest(f"liveorder orders --store {settings.masked()['store']}")
    raise typer.Exit(ended_by(outcome, until_idle=True))
