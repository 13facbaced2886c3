"""Tables that fit the screen: if it is too narrow, columns that tell no rows apart are left out, then the least important. No cell
is wrapped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from liveorder.application.reporting.columns import Column
from liveorder.application.reporting.figures import Styled
from liveorder.interfaces.cli.screen import screen, shown

R = TypeVar("R")
_GAP = 2
"""Characters between two columns, including the divider."""
_DIVIDER = 1
"""Characters of the divider."""


def table(title: str, columns: Sequence[Column[R]], rows: Sequence[R], width: int) -> Table:
    """The table with the columns that fit into `width`. A cell that is still too long ends in an ellipsis."""
    cells = [[styled(column.of(row)) for column in columns] for row in rows]
    kept = fitting(columns, cells, width)
    made = Table(
        title=shown(title, "bold"),
        title_justify="left",
        title_style="",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, _GAP - _DIVIDER, 0, 0),
    )
    for place in kept:
        made.add_column(columns[place].title, justify=columns[place].justify, no_wrap=True, overflow="ellipsis")
    for row in cells:
        made.add_row(*(row[place] for place in kept))
    return made


def fitting(columns: Sequence[Column[R]], cells: Sequence[Sequence[Text]], width: int) -> list[int]:
    """Indexes of the columns that stay, in order."""
    needs = [
        max(cell_len(column.title), *(cell_len(row[place].plain) for row in cells), 0) + _GAP
        for place, column in enumerate(columns)
    ]
    kept = list(range(len(columns)))
    alike = [len(cells) > 1 and len({row[place].plain for row in cells}) == 1 for place in kept]
    for place in sorted(kept, key=lambda place: (columns[place].rank == 0, not alike[place], -columns[place].rank, -place)):
        if columns[place].rank == 0 or sum(needs[at] for at in kept) - _GAP <= width:
            break
        kept.remove(place)
    return kept


def print_table(title: str, columns: Sequence[Column[R]], rows: Sequence[R], if_empty: str) -> None:
    """Print the table, or one line if there are no rows."""
    console = screen()
    if rows:
        console.print(table(title, columns, rows, console.width))
        console.print()
    else:
        console.print(shown(if_empty, "dim"))


def print_pairs(title: str, pairs: Sequence[tuple[str, str]]) -> None:
    """Print names and texts side by side, with the texts wrapped. Prints nothing without pairs."""
    if not pairs:
        return
    grid = Table.grid(padding=(0, _GAP, 0, 0))
    grid.add_column(no_wrap=True)
    for name, text in pairs:
        grid.add_row(shown(name, "cyan"), shown(text))
    console = screen()
    console.print(shown(title, "bold"))
    console.print(grid)
    console.print()


def styled(text: Styled) -> Text:
    return shown(text.plain, text.style)
