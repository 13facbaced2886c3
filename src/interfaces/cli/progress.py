"""Progress of long work, on a terminal. Prints nothing if the output goes to a program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from liveorder.interfaces.cli.screen import screen


@contextmanager
def bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Yields a function that takes the position reached and the final position."""
    console = screen(errors=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, goal: progress.update(task, completed=done, total=goal)


@contextmanager
def spinner(title: str) -> Iterator[None]:
    """For work whose progress is not known."""
    console = screen(errors=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        progress.add_task(title, total=None)
        yield
